"""Every API error in one form: RFC 9457 problem details, with a code and what to do next."""

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions

from payments.api.parsers import PayloadTooLarge
from payments.domain.cards import mask_card_numbers
from payments.domain.ids import new_id
from payments.domain.problems import NEXT_OF_READ
from payments.engine import responses
from payments.engine.refusals import NO_SUCH_PAYMENT, Refused, ServiceUnavailable
from payments.engine.responses import ApiResponse
from payments.models.guards import database_is_away, waited_in_vain

log = structlog.get_logger("payments.api")


class BadIdempotencyKey(exceptions.APIException):
    """The `Idempotency-Key` header is missing or cannot be used."""

    status_code = 400


class NoSuchSettlement(exceptions.NotFound):
    """There is none of that id, or it is another merchant's or mode's."""

    default_detail = "There is no such settlement."


_CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ValidationError, "validation_error"),
    (exceptions.ParseError, "validation_error"),
    (exceptions.NotAuthenticated, "authentication_failed"),
    (exceptions.AuthenticationFailed, "authentication_failed"),
    (exceptions.PermissionDenied, "permission_denied"),
    (PermissionDenied, "permission_denied"),
    (exceptions.NotFound, "not_found"),
    (Http404, "not_found"),
    (exceptions.MethodNotAllowed, "method_not_allowed"),
    (exceptions.UnsupportedMediaType, "unsupported_media_type"),
    (PayloadTooLarge, "payload_too_large"),
)
_LONGEST_NAME = 64  # the longest metadata key
_DETAILS = {
    # For a payment or an order. `ficpay.home` handles unknown URLs.
    "not_found": NO_SUCH_PAYMENT,
    "unsupported_media_type": "Send an uncompressed JSON body with `Content-Type: application/json`.",
    "method_not_allowed": "This URL supports only the methods in the `Allow` header.",
}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """The response to any exception of a view. An unexpected one is logged and becomes a 500."""
    request: HttpRequest = context["request"]._request
    return response_of(error_response(error, request_id_of(request), writes=request.method == "POST"))


def error_response(error: Exception, request_id: str, *, writes: bool) -> ApiResponse:
    """The response to an exception. `writes`: the request may have sent an operation to a bank."""
    if isinstance(error, Refused):
        return responses.of_refusal(error, request_id=request_id, writes=writes)
    if isinstance(error, BadIdempotencyKey):
        code = str(error.detail.code)  # type: ignore[union-attr]  # one detail, not several
        return responses.problem(code, detail=str(error.detail), request_id=request_id)
    if database_is_away(error) or waited_in_vain(error):
        log.error("database_unavailable", exc_info=error)
        return _database_unavailable(request_id, writes=writes)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return _before_use_case(error, code, request_id, writes=writes)
    log.error("unforeseen_error", exc_info=error)
    return internal_error(request_id, writes=writes)


def _before_use_case(error: Exception, code: str, request_id: str, *, writes: bool) -> ApiResponse:
    """The response to an error raised before any use case ran, so no money has moved."""
    errors = None
    detail = "" if isinstance(error, NoSuchSettlement) else _DETAILS.get(code, "")
    if isinstance(error, exceptions.ValidationError):
        errors = list(field_errors(error.detail))
        fields = ", ".join(dict.fromkeys(entry["field"] or "the body" for entry in errors))
        detail = f"Invalid: {fields}."
    elif isinstance(error, exceptions.APIException) and not detail:
        detail = str(error.detail)
    headers = {}
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = str(challenge)
    return responses.problem(
        code, detail=detail, request_id=request_id, writes=writes, errors=errors, headers=headers
    )


def field_errors(detail: Any, path: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """DRF's nested errors as a flat list of `{field, code, detail}`; `field` is a path like `card.number`."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from field_errors(inner, (*path, _shown(name)) if name else path)
    elif isinstance(detail, list | tuple):
        for inner in detail:
            yield from field_errors(inner, path)
    else:
        code = getattr(detail, "code", "invalid") or "invalid"
        field = mask_card_numbers(".".join(path))
        yield {"field": field, "code": str(code), "detail": mask_card_numbers(str(detail))}


def _shown(name: str) -> str:
    """A field name from the request, made safe to show: no card number, valid Unicode, limited length."""
    return mask_card_numbers(name.encode("utf-8", "replace").decode())[:_LONGEST_NAME]


def internal_error(request_id: str, *, writes: bool) -> ApiResponse:
    """The response to a bug of ours. What a write had done by then is unknown here."""
    return responses.problem(
        "internal_error",
        detail="FicPay failed to process the request. The error is logged with this request id.",
        request_id=request_id,
        writes=writes,
        next_step="" if writes else NEXT_OF_READ,
    )


def _database_unavailable(request_id: str, *, writes: bool) -> ApiResponse:
    return responses.problem(
        ServiceUnavailable.code,
        detail="FicPay cannot reach its database.",
        request_id=request_id,
        writes=writes,
        next_step="" if writes else NEXT_OF_READ,
    )


def response_of(response: ApiResponse) -> HttpResponse:
    """The Django response for a response that FicPay made or stored."""
    return HttpResponse(response.body, status=response.status, headers=dict(response.headers))


def replace_request_id(request: HttpRequest) -> None:
    """Give the request an id of ours, because its own contains its card number."""
    request.META["ficpay.request_id"] = new_id().hex
    structlog.contextvars.bind_contextvars(request_id=request.META["ficpay.request_id"])


def request_id_of(request: HttpRequest) -> str:
    """The id that the middleware gave the request."""
    return str(request.META.get("ficpay.request_id", ""))
