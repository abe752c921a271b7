"""Request ids, one log line per request, and error responses that are the same with and without DEBUG.

Below /api/, every error response is a problem (RFC 9457), wherever it comes from.
"""

import re
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponseBase

from ficpay import home
from ficpay.intake import FAULT
from payments.domain.ids import new_id

log = structlog.get_logger("ficpay.requests")
_ACCEPTED = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")
_PROBLEM = "application/problem+json"
_QUIET = ("/health", "/readiness", "/static/")


class RequestIdMiddleware:
    """Take the caller's `X-Request-ID` or make one, add it to the response and every log line, log the
    request.

    Also responds to requests that the intake or Django refuses: Django's debug pages would repeat what was
    sent.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = accepted_request_id(request.headers.get("X-Request-ID", ""))
        request.META["ficpay.request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.monotonic()
        response = self._answer(request)
        if home.is_of_the_api(request):
            if response.status_code >= 400 and response.get("Content-Type") != _PROBLEM:
                response = home.as_problem(request, response)
            response.setdefault("Cache-Control", "no-store")
        response["X-Request-ID"] = request.META["ficpay.request_id"]
        if not request.path.startswith(_QUIET):
            log.info(
                "request",
                method=request.method,
                path=request.path,  # without the query, which may contain what people searched for
                status=response.status_code,
                ms=round((time.monotonic() - started) * 1000),
            )
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        if fault := request.META.get(FAULT):
            return home.refused(request, fault)
        try:
            request.get_host()
        except DisallowedHost as error:
            return home.bad_request(request, error)
        if settings.HTTPS_ONLY and home.is_of_the_api(request) and not request.is_secure():
            return home.refused(request, home.PLAIN_HTTP)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Respond to an exception in a page's view."""
        return response_to_error(request, error)


def response_to_error(request: HttpRequest, error: Exception) -> HttpResponseBase | None:
    """The response to an exception in a view, the same with and without DEBUG; None for a page's own bug."""
    match error:
        case Http404():
            return home.not_found(request, error)
        case SuspiciousOperation():
            return home.bad_request(request, error)
        case _ if home.is_of_the_api(request):
            log.error("unforeseen_error", exc_info=error)
            return home.server_error(request)
        case _:
            return None


def accepted_request_id(offered: str) -> str:
    """The caller's id if it is 1 to 64 plain characters, otherwise a new one.

    If the request has a card, the API also checks that the id does not contain the card number.
    """
    if _ACCEPTED.fullmatch(offered):
        return offered
    return new_id().hex
