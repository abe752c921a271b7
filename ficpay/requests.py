"""Request ids, the one log line each request gets, and errors that look the same with and without DEBUG."""

import re
import time
from collections.abc import Callable

import structlog
from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponseBase

from ficpay import home
from payments.domain.cards import contains_card_number
from payments.domain.ids import new_id

log = structlog.get_logger("ficpay.requests")
_ACCEPTED = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")
_QUIET = ("/health", "/readiness", "/static/")


class RequestIdMiddleware:
    """Take the caller's `X-Request-ID` or make one, return it, bind it to every log line; log the request.

    What Django finds wrong with an address or a host is answered here, or its debug pages would repeat
    what was sent.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = accepted_request_id(request.headers.get("X-Request-ID", ""))
        request.META["ficpay.request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.monotonic()
        try:
            request.get_host()
        except DisallowedHost as error:
            response = home.bad_request(request, error)
        else:
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        if not request.path.startswith(_QUIET):
            log.info(
                "request",
                method=request.method,
                path=request.path,  # without the query: searches hold what people typed
                status=response.status_code,
                ms=round((time.monotonic() - started) * 1000),
            )
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """The same with and without DEBUG."""
        match error:
            case Http404():
                return home.not_found(request, error)
            case SuspiciousOperation():
                return home.bad_request(request, error)
            case _:
                return None


def accepted_request_id(offered: str) -> str:
    """The caller's id if it is 1-64 plain characters and holds no card number, else a new one."""
    if _ACCEPTED.fullmatch(offered) and not contains_card_number(offered):
        return offered
    return new_id().hex
