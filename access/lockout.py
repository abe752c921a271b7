"""What django-axes, which locks a login after too many failures, may know and keep.

Its tables and log lines would hold whatever is sent to the login. People type passwords and card numbers
into the wrong field, so it keeps accounts' names, addresses of the network, and nothing else as it was sent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.crypto import salted_hmac

from payments.admin.network import network_address
from payments.domain.cards import contains_card_number


class DiscreetHandler(AxesDatabaseHandler):  # type: ignore[misc]  # untyped
    """django-axes' bookkeeping without the request's fields, and without what looks like a card number."""

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        if request is None:  # nobody at the door: a command, say
            return
        with _without_what_was_sent(request):
            super().user_login_failed(sender, credentials, request, **kwargs)

    def user_logged_in(self, sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
        with _without_what_was_sent(request):
            super().user_logged_in(sender, request, user, **kwargs)


@contextmanager
def _without_what_was_sent(request: Any) -> Iterator[None]:
    sent = request.GET, request.POST
    request.GET = request.POST = QueryDict()
    request.axes_user_agent = _kept(request.META.get("HTTP_USER_AGENT", ""))[:255]
    request.axes_http_accept = ""
    request.axes_path_info = _kept(request.path_info)[:255]
    try:
        yield
    finally:
        request.GET, request.POST = sent


def _kept(text: str) -> str:
    """Judged before it is cut: half a card number is secret, too."""
    return "" if contains_card_number(text) else text.replace("\0", "")


def account_of(_request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """Under which name failures are counted: an account's own, or a digest of what else was typed."""
    typed = str((credentials or {}).get("username") or "")
    users = get_user_model().objects
    if not contains_card_number(typed) and users.filter(username=typed).exists():
        return typed
    return f"unknown:{salted_hmac('access.lockout', typed, algorithm='sha256').hexdigest()}"


def address_of(request: HttpRequest) -> str | None:
    """The client's address; None where it is not known (a socket of the machine's own).

    Of IPv6 the network of a subscriber (RFC 6177), who has as many addresses as guesses.
    """
    address = network_address(request)
    if ":" in address:
        return str(ip_network(f"{address}/64", strict=False).network_address)
    return address or None


def described(_name: str, address: str | None, _agent: str, path: str, _request: HttpRequest) -> str:
    """Who it is, for log lines: never the name, which may be a password in the wrong field."""
    return f"{address or 'an unknown address'} at {path}"


def locked_out(request: HttpRequest, _response: HttpResponse, _credentials: Any) -> HttpResponse:
    """What somebody sees whose login is locked."""
    lasts = settings.AXES_COOLOFF_TIME
    answer = render(
        request, "access/locked_out.html", {"minutes": round(lasts.total_seconds() / 60)}, status=429
    )
    answer["Retry-After"] = str(round(lasts.total_seconds()))
    return answer
