"""Where on the network a request comes from."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def network_address(request: HttpRequest) -> str:
    """The client's address, or an empty text where it is not known.

    Behind a proxy it is the last one in `X-Forwarded-For`, which that proxy has written; those before it
    are whatever the client said.
    """
    address: str = request.META.get("REMOTE_ADDR") or ""
    if settings.BEHIND_PROXY:
        address = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() or address
    try:
        return str(ip_address(address))
    except ValueError:
        return ""
