"""What the API's views share: access to the caller's own payments only, and strict reading of requests."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from payments.api.authentication import caller_of
from payments.api.errors import BadIdempotencyKey, replace_request_id, request_id_of, response_of
from payments.api.fields import IdField, StrictSerializer, card_digits
from payments.api.negotiation import JsonForEverybody
from payments.api.notes import note, note_first, noted_refusals
from payments.api.pages import Cursor, PaymentCursor, Row, page_of
from payments.api.parsers import PayloadTooLarge
from payments.domain.cards import contains_number
from payments.domain.ids import PAYMENT_PREFIX, is_idempotency_key, parse_public_id
from payments.domain.rates import Budget, Standing
from payments.domain.scopes import Scope
from payments.engine import claim, responses
from payments.engine.callers import rates
from payments.engine.claim import Continue, InUse, MerchantRequest, New, Replay, Start
from payments.engine.refusals import RateLimited
from payments.engine.responses import ApiResponse
from payments.models import PaymentForReceipt, payments_for_receipts

UseCase = Callable[[Start], ApiResponse]  # with its validated arguments already bound


class ApiView(ViewSet):
    """A view set for one merchant's payments in one mode."""

    content_negotiation_class = JsonForEverybody
    http_method_names = ["get", "head", "post"]  # noqa: RUF012 - Django's own way
    # The scope that a key needs, by method. Other methods need none.
    scopes: ClassVar[Mapping[str, Scope]] = {
        "GET": Scope.PAYMENTS_READ,
        "HEAD": Scope.PAYMENTS_READ,
        "POST": Scope.PAYMENTS_WRITE,
    }
    standing: Standing | None = None  # in its rate limit; None until the caller is known
    # The query parameters of each action. Other actions accept none.
    queries: ClassVar[Mapping[str, type[StrictSerializer]]] = {}
    query: StrictSerializer  # set for the actions in `queries`

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        kind = self.queries.get(self.action)
        if (kind or request.META.get("QUERY_STRING")) and request.method in self.allowed_methods:
            self.query = validated_query(kind or StrictSerializer, request)

    def check_throttles(self, request: Request) -> None:
        """Count the request. Raises RateLimited if its budget is used up."""
        self.standing = rates.take(caller_of(request), self.budget(request))
        if self.standing.is_refused:
            raise RateLimited(self.standing)

    def budget(self, request: Request) -> Budget:
        """What the request counts against. A retry is no write: its client must get its response."""
        if request.method in ("GET", "HEAD"):
            return Budget.READS
        return Budget.REPLAYS if caller_of(request).has_used_key else Budget.WRITES

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """Adds where the caller stands in its rate limit."""
        final = super().finalize_response(request, response, *args, **kwargs)
        if self.standing is not None:
            final.headers["RateLimit-Policy"] = self.standing.policy_header
            final.headers["RateLimit"] = self.standing.header
        return final

    def payments(self) -> QuerySet[PaymentForReceipt]:
        caller = caller_of(self.request)
        return payments_for_receipts().filter(merchant=caller.merchant, mode=caller.mode)

    def payment(self, payment_id: str) -> PaymentForReceipt:
        payment = self.payments().filter(pk=parse_payment_id(payment_id)).first()
        if payment is None:
            raise exceptions.NotFound
        return payment

    def page_of(self, payments: QuerySet[PaymentForReceipt]) -> Response:
        return self.page(payments, PaymentCursor, shown)

    def page(
        self, rows: QuerySet[Row], kind: type[Cursor], shown: Callable[[Row], dict[str, Any]]
    ) -> Response:
        """The page that the query asks for, each row as `shown` shows it."""
        asked = self.query.validated_data
        page = page_of(rows, kind, cursor=asked.get("cursor"), size=asked["page_size"])
        return Response({**page.links(self.request), "results": [shown(row) for row in page.rows]})

    def respond_once(self, request: Request, validate: Callable[[MerchantRequest], UseCase]) -> HttpResponse:
        """Respond to a POST: replay its key's stored response, or run the use case that `validate` returns.

        The key is looked up before the body is validated. A stored response is replayed even if the request
        would be invalid by now, because the card has expired or a rule has changed.
        """
        key = idempotency_key_of(request)
        body, unreadable = body_of(request)
        asked = self.merchant_request(request, key, body)
        with noted_refusals(asked):
            caller = caller_of(request)
            decided = claim.decide(asked) if caller.has_used_key else New(asked, caller.bank)
            if isinstance(decided, InUse):
                raise decided.refusal
            if isinstance(decided, Replay):
                return _replayed(asked, decided)
            if unreadable is not None:
                raise unreadable
            try:
                use_case = validate(asked)
            except exceptions.ValidationError:
                if not isinstance(decided, Continue):
                    raise
                # It was valid when it was first sent, and its operation is unfinished: report that.
                return _replayed(asked, decided.as_it_stands())
            response = use_case(decided)
            note_first(asked, response, continued=isinstance(decided, Continue))
            return response_of(response)

    def merchant_request(self, request: Request, key: str, body: Any) -> MerchantRequest:
        """The request as the use cases take it. Raises BadIdempotencyKey."""
        caller = caller_of(request)
        number = card_digits(body)
        if number and contains_number(key, number):
            raise BadIdempotencyKey(
                "The Idempotency-Key must not contain the card number.", code="idempotency_key_invalid"
            )
        if number and contains_number(request_id_of(request._request), number):
            replace_request_id(request._request)
        return MerchantRequest(
            merchant=caller.merchant,
            mode=caller.mode,
            actor=caller.actor,
            request_id=request_id_of(request._request),
            idempotency_key=key,
            method=str(request.method),
            path=request.path,
            body=body,
        )


def _replayed(asked: MerchantRequest, replay: Replay) -> HttpResponse:
    note(asked, replay.operation, replay.response)
    return response_of(replay.response)


def body_of(request: Request) -> tuple[Any, exceptions.APIException | None]:
    """The parsed body, or None and why it cannot be parsed. No accepted request has None as its body."""
    try:
        return request.data, None
    except (exceptions.ParseError, PayloadTooLarge) as error:
        return None, error


def shown(payment: PaymentForReceipt) -> dict[str, Any]:
    """The payment's receipt."""
    return responses.receipt_of(payment)


def parse_payment_id(text: str) -> UUID:
    """The UUID of `pay_...`. Raises NotFound for anything that cannot be a payment's id."""
    payment_id = parse_public_id(PAYMENT_PREFIX, text)
    if payment_id is None:
        raise exceptions.NotFound
    return payment_id


def validated_id(name: str, value: str) -> None:
    """Check an id from the URL. Raises ValidationError if no payment can have it."""
    try:
        IdField().run_validation(value)
    except exceptions.ValidationError as error:
        raise exceptions.ValidationError({name: error.detail}) from None


def validated_query(kind: type[StrictSerializer], request: Request) -> StrictSerializer:
    """The validated query parameters. Raises ValidationError, also for a parameter given twice."""
    twice = [name for name, values in request.query_params.lists() if len(values) > 1]
    if twice:
        again = exceptions.ErrorDetail("Must be given only once.", code="repeated")
        raise exceptions.ValidationError({name: [again] for name in twice})
    query = kind(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    return query


def idempotency_key_of(request: Request) -> str:
    """The request's `Idempotency-Key`. Raises BadIdempotencyKey."""
    key = request.headers.get("Idempotency-Key")
    if not key:
        raise BadIdempotencyKey("Every POST needs an Idempotency-Key header.", code="idempotency_key_missing")
    if not is_idempotency_key(key):
        raise BadIdempotencyKey(
            "The Idempotency-Key must be 1 to 255 visible ASCII characters without commas.",
            code="idempotency_key_invalid",
        )
    return key
