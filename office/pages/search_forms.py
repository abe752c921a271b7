"""Search forms of the back office: their fields, the list URL they lead to, and forms lost at a login."""

from collections.abc import Iterable
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.urls import reverse

from office.pages.fields import ZONE


def filled_in(given: QueryDict, names: Iterable[str], days: Iterable[str]) -> dict[str, str]:
    """The fields that are filled in, without NUL characters, which PostgreSQL cannot store.

    The zone is dropped if it is UTC, the default, or if none of the `days` is set.
    """
    fields = {name: given.get(name, "").replace("\x00", "").strip() for name in names}
    asked = {name: value for name, value in fields.items() if value}
    if asked.get(ZONE) == "UTC" or not any(day in asked for day in days):
        asked.pop(ZONE, None)
    return asked


def list_url(list_name: str, asked: dict[str, str]) -> str:
    """The URL of the list with these fields."""
    return f"{reverse(list_name)}?{urlencode(asked)}" if asked else reverse(list_name)


def form_lost(request: HttpRequest, to: str) -> HttpResponseRedirect:
    """The response to a GET of a POST-only URL: after a new login, the browser returns without the form."""
    messages.warning(
        request,
        "You had to log in again, so your last action was not sent. Please repeat it.",
    )
    return HttpResponseRedirect(to)
