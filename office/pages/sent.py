"""What the forms of the back office send: fields, the list that they ask for, and what is lost on the way."""

from collections.abc import Iterable
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.urls import reverse

from office.pages.fields import ZONE


def asked_in(given: QueryDict, names: Iterable[str], days: Iterable[str]) -> dict[str, str]:
    """Those of the fields that are filled in, without what no database can hold.

    The zone says something only beside one of the `days`, and UTC is what it is without.
    """
    fields = {name: given.get(name, "").replace("\x00", "").strip() for name in names}
    asked = {name: value for name, value in fields.items() if value}
    if asked.get(ZONE) == "UTC" or not any(day in asked for day in days):
        asked.pop(ZONE, None)
    return asked


def address_of(list_name: str, asked: dict[str, str]) -> str:
    """Where the list shows what is asked for."""
    return f"{reverse(list_name)}?{urlencode(asked)}" if asked else reverse(list_name)


def not_sent(request: HttpRequest, to: str) -> HttpResponseRedirect:
    """Where a login leads that had ended when a form was sent: a GET of an address that takes POST only."""
    messages.warning(
        request,
        "You had to log in again: what you had typed or clicked was not sent. Ask for it again, please.",
    )
    return HttpResponseRedirect(to)
