"""What was typed into a form, kept while its pages follow each other.

A redirect follows every form that is sent, so that the browser's Back shows pages and never asks to send
something again. What was typed waits in the session meanwhile; it comes back also after a new login.
What looks like a card number is kept nowhere: it goes back with the answer to the request that brought it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.crypto import get_random_string

from payments.domain.cards import people_wrote_card_number

V = TypeVar("V", bound=Callable[..., Any])
_SESSION, _ADDRESS = "drafts", "draft"
_AT_ONCE = 5  # pages that one person has open; older drafts are forgotten
_LONGEST = 8192  # characters of all fields; the longest that any form takes is a fifth of it
_NOT_TYPED = frozenset({"csrfmiddlewaretoken", "confirmed"})
WAS_TOO_OLD = "This page was older than your login. What you typed is here, and nothing has been done yet."
LOGGED_IN_AGAIN = "You had to log in again. What you typed is here, and nothing has been done yet."


@dataclass(frozen=True)
class Draft:
    """The fields as they were sent, and what to tell about them."""

    fields: dict[str, str]
    told: str = ""


def keepable(sent: Mapping[str, str]) -> dict[str, str] | None:
    """The fields, or None where they must not be stored."""
    fields = {name: value for name, value in sent.items() if name not in _NOT_TYPED}
    texts = [*fields, *fields.values()]
    if sum(map(len, texts)) > _LONGEST or any(map(people_wrote_card_number, texts)):
        return None
    return fields


def keep(request: HttpRequest, path: str, draft: Draft) -> str:
    """The address under which the page shows it."""
    kept = request.session.get(_SESSION, [])[-_AT_ONCE + 1 :]
    token = get_random_string(12)
    entry = {"token": token, "path": path, "fields": draft.fields, "told": draft.told}
    request.session[_SESSION] = [*kept, entry]
    return f"{path}?{urlencode({_ADDRESS: token})}"


def keeps_typed(view: V) -> V:
    """A view whose page shows drafts: what is sent to it without a session comes back after the login."""
    view.keeps_typed = True  # type: ignore[attr-defined]  # marked as Django marks its views
    return view


def is_asked_for(request: HttpRequest) -> bool:
    return _ADDRESS in request.GET


def find(request: HttpRequest) -> Draft | None:
    """The one that the address names; None where it was decided, or forgotten."""
    entry = _named(request)
    return Draft(entry["fields"], entry["told"]) if entry else None


def drop(request: HttpRequest) -> None:
    """The one that the address names has been decided."""
    entry = _named(request)
    if entry:
        request.session[_SESSION] = [one for one in request.session[_SESSION] if one != entry]


def to_carry(request: HttpRequest) -> str:
    """What was typed, for a login page to send along; empty where nothing may be kept."""
    fields = keepable(request.POST)
    return json.dumps(fields) if fields else ""


def carried(request: HttpRequest, path: str, text: str) -> str:
    """The address of the page with what a login page has sent along, or its bare address."""
    try:
        fields = json.loads(text)
    except ValueError:
        return path
    is_ours = isinstance(fields, dict) and all(isinstance(one, str) for one in fields.values())
    kept = keepable(fields) if is_ours else None
    return keep(request, path, Draft(kept, LOGGED_IN_AGAIN)) if kept else path


def _named(request: HttpRequest) -> dict[str, Any] | None:
    token, path = request.GET.get(_ADDRESS), request.path
    kept = request.session.get(_SESSION, [])
    return next((one for one in kept if (one["token"], one["path"]) == (token, path)), None)
