"""Limits what django-axes stores. It locks a login after too many failures.

By default its tables and log lines hold everything that is sent to the login. People type passwords and card
numbers into the wrong field, so it stores only names of existing accounts and network addresses.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import salted_hmac

from office.log.network import network_address
from office.log.staff import Staff, log_action
from payments.domain.cards import contains_card_number
from payments.models import Event


class DiscreetHandler(AxesDatabaseHandler):  # type: ignore[misc]  # untyped
    """django-axes' handler without the request's fields, and without text that looks like a card number."""

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        if request is None:  # no login: a command, for example
            return
        with _without_sent_fields(request):
            super().user_login_failed(sender, credentials, request, **kwargs)

    def user_logged_in(self, sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
        with _without_sent_fields(request):
            super().user_logged_in(sender, request, user, **kwargs)


@contextmanager
def _without_sent_fields(request: Any) -> Iterator[None]:
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
    """Checked before it is cut: half a card number is secret, too."""
    return "" if contains_card_number(text) else text.replace("\0", "")


def account_of(_request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The name under which failures are counted: an existing account's, or a digest of what was typed."""
    typed = str((credentials or {}).get("username") or "")
    users = get_user_model().objects
    if not contains_card_number(typed) and users.filter(username=typed).exists():
        return typed
    return f"unknown:{salted_hmac('office.door.lockout', typed, algorithm='sha256').hexdigest()}"


def address_of(request: HttpRequest) -> str | None:
    """The client's address; None if unknown (a local socket).

    For IPv6 the /64 network of a subscriber (RFC 6177), who has as many addresses as guesses.
    """
    address = network_address(request)
    if ":" in address:
        return str(ip_network(f"{address}/64", strict=False).network_address)
    return address or None


def locked_until(user: AbstractBaseUser) -> datetime | None:
    """When the account's login unlocks; None if it is not locked from any address.

    UTC, by the clock of this machine, which django-axes uses, too.
    """
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    locked = AccessAttempt.objects.filter(
        username=user.get_username(),
        failures_since_start__gte=settings.AXES_FAILURE_LIMIT,
        attempt_time__gt=since,
    )
    latest = locked.aggregate(latest=Max("attempt_time"))["latest"]
    return latest + settings.AXES_COOLOFF_TIME if latest else None


def unlock(by: Staff, user: User, *, reason: str) -> bool:
    """Delete the account's failed logins, so that it can log in at once. False if it is not locked."""
    with transaction.atomic():
        if locked_until(user) is None:
            return False
        reset(username=user.get_username())
        log_action(
            by,
            Event.Type.USER_CHANGED,
            account=user.get_username(),
            account_id=user.pk,
            changed={"is_locked": {"from": True, "to": False}},
            reason=reason,
        )
    return True


def described(_name: str, address: str | None, _agent: str, path: str, _request: HttpRequest) -> str:
    """The client for log lines: never the username, which may be a password in the wrong field."""
    return f"{address or 'an unknown address'} at {path}"


def locked_out(request: HttpRequest, _response: HttpResponse, _credentials: Any) -> HttpResponse:
    """The page for a locked login."""
    lasts = settings.AXES_COOLOFF_TIME
    response = render(
        request, "office/door/locked_out.html", {"minutes": round(lasts.total_seconds() / 60)}, status=429
    )
    response["Retry-After"] = str(round(lasts.total_seconds()))
    return response
