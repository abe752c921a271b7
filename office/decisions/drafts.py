"""Drafts: what somebody typed into a form, stored in the session from one page to the next.

Every form that is sent leads to a redirect, so that the browser's Back button never asks to send it
again. A draft survives a new login, too. Text that looks like a card number is never stored: it goes back
only in the response to the request that sent it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.crypto import get_random_string

from payments.domain.cards import contains_typed_card_number

V = TypeVar("V", bound=Callable[..., Any])
_SESSION, _ADDRESS = "drafts", "draft"
_AT_ONCE = 5  # drafts per session, one per open page; older ones are dropped
_LONGEST = 8192  # characters of all fields; the largest form takes a fifth of it
_NOT_TYPED = frozenset({"csrfmiddlewaretoken", "confirmed"})
WAS_TOO_OLD = (
    "You logged in again after opening this page. Your input is still here. Nothing has been sent yet."
)
LOGGED_IN_AGAIN = "You had to log in again. Your input is still here. Nothing has been sent yet."


@dataclass(frozen=True)
class Draft:
    """The fields as they were sent, and a message to show with them."""

    fields: dict[str, str]
    message: str = ""


def storable(sent: Mapping[str, str]) -> dict[str, str] | None:
    """The fields, or None if they must not be stored."""
    fields = {name: value for name, value in sent.items() if name not in _NOT_TYPED}
    texts = [*fields, *fields.values()]
    if sum(map(len, texts)) > _LONGEST or any(map(contains_typed_card_number, texts)):
        return None
    return fields


def store(request: HttpRequest, path: str, draft: Draft) -> str:
    """Store the draft. Returns the URL under which the page shows it."""
    kept = request.session.get(_SESSION, [])[-_AT_ONCE + 1 :]
    token = get_random_string(12)
    entry = {"token": token, "path": path, "fields": draft.fields, "message": draft.message}
    request.session[_SESSION] = [*kept, entry]
    return f"{path}?{urlencode({_ADDRESS: token})}"


def keeps_typed(view: V) -> V:
    """Marks a view whose page shows drafts. Input sent after the session ended comes back after the login."""
    view.keeps_typed = True  # type: ignore[attr-defined]  # marked as Django marks its views
    return view


def is_asked_for(request: HttpRequest) -> bool:
    return _ADDRESS in request.GET


def find(request: HttpRequest) -> Draft | None:
    """The draft that the URL names; None if it was used or dropped."""
    entry = _named(request)
    return Draft(entry["fields"], entry["message"]) if entry else None


def drop(request: HttpRequest) -> None:
    """Remove the draft that the URL names: its decision is made."""
    entry = _named(request)
    if entry:
        request.session[_SESSION] = [one for one in request.session[_SESSION] if one != entry]


def for_login_form(request: HttpRequest) -> str:
    """The input, for a hidden field of the login form; empty if it must not be stored."""
    fields = storable(request.POST)
    return json.dumps(fields) if fields else ""


def restored_after_login(request: HttpRequest, path: str, text: str) -> str:
    """The URL of the page with the input that came through the login form, or without any."""
    try:
        fields = json.loads(text)
    except ValueError:
        return path
    is_ours = isinstance(fields, dict) and all(isinstance(one, str) for one in fields.values())
    kept = storable(fields) if is_ours else None
    return store(request, path, Draft(kept, LOGGED_IN_AGAIN)) if kept else path


def _named(request: HttpRequest) -> dict[str, Any] | None:
    token, path = request.GET.get(_ADDRESS), request.path
    kept = request.session.get(_SESSION, [])
    return next((one for one in kept if (one["token"], one["path"]) == (token, path)), None)
