"""Refuses page URLs that contain a card number, before anything can log or repeat them.

The API's views validate their own URLs field by field. Pages repeat URLs unchanged: in a login form's target,
in a redirect, or on a "not found" page.
"""

from collections.abc import Callable
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from payments.domain.cards import contains_card_number

_LAYERS = 3  # of percent-encoding


class NoCardNumberInAddressMiddleware:
    """Responds 400 without repeating the URL."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/api/v1/") and _holds_card_number(request):
            return render(request, "card_number_in_address.html", status=400)
        return self.get_response(request)


def _holds_card_number(request: HttpRequest) -> bool:
    """Looks under several layers of encoding: a URL within a URL (`?next=`) is encoded once more."""
    address = f"{request.path} {request.META.get('QUERY_STRING', '')}"
    for _ in range(_LAYERS):
        if contains_card_number(address):
            return True
        address = unquote_plus(address)
    return contains_card_number(address)
