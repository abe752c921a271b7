"""Pages whose address holds a card number are refused before anybody could log or repeat it.

The API's views judge their own addresses, field by field. Elsewhere an address is passed on as it is: into
a login form's target, a redirect, a page that says what was not found.
"""

from collections.abc import Callable
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from payments.domain.cards import contains_card_number

_LAYERS = 3


class NoCardNumberInAddressMiddleware:
    """Answer 400 without repeating the address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/api/v1/") and _holds_card_number(request):
            return render(request, "card_number_in_address.html", status=400)
        return self.get_response(request)


def _holds_card_number(request: HttpRequest) -> bool:
    """An address inside an address (`?next=`) is encoded once more for each it stands in."""
    address = f"{request.path} {request.META.get('QUERY_STRING', '')}"
    for _ in range(_LAYERS):
        if contains_card_number(address):
            return True
        address = unquote_plus(address)
    return contains_card_number(address)
