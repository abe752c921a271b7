"""Pages whose address holds a card number are refused before anybody could log or repeat it.

The API's views judge their own addresses, field by field. Elsewhere an address is passed on as it is: into
a login form's target, a redirect, a page that says what was not found.
"""

from collections.abc import Callable
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from payments.domain.cards import contains_card_number


class NoCardNumberInAddressMiddleware:
    """Answer 400 without repeating the address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        address = f"{request.path} {unquote_plus(request.META.get('QUERY_STRING', ''))}"
        if contains_card_number(address) and not request.path.startswith("/api/v1/"):
            return render(request, "card_number_in_address.html", status=400)
        return self.get_response(request)
