"""Lets API requests skip the middleware that only pages need: sessions, logins, forms and static files."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import resolve

from ficpay.requests import response_to_error


class ApiShortcut:
    """Pass API requests directly to their view, and all others to the next middleware.

    The middleware below it in `settings.MIDDLEWARE` never sees an API request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._page = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/api/v1/"):
            return self._page(request)
        try:
            return _response_of_view(request)
        except Exception as error:
            answer = response_to_error(request, error)
            if answer is None:
                raise
            return answer


def _response_of_view(request: HttpRequest) -> HttpResponseBase:
    """What Django does after the last middleware."""
    match = request.resolver_match = resolve(request.path_info)
    response = match.func(request, *match.args, **match.kwargs)
    return response.render() if isinstance(response, SimpleTemplateResponse) else response
