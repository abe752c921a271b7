"""The network address that a request comes from."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def network_address(request: HttpRequest) -> str:
    """The client's address, or an empty string if it is unknown.

    Behind a proxy it is the last one in `X-Forwarded-For`, which the proxy itself wrote. The client controls
    those before it.
    """
    address: str = request.META.get("REMOTE_ADDR") or ""
    if settings.BEHIND_PROXY:
        address = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() or address
    try:
        return str(ip_address(address))
    except ValueError:
        return ""
