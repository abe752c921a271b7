"""The API's view sets: each call reads payments, or runs one use case and sends its response."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, cast

from django.http import HttpResponse
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from payments.api import schema
from payments.api.authentication import caller_of
from payments.api.base import ApiView, UseCase, parse_payment_id, shown, validated_id
from payments.api.serializers import (
    AuthorizeSerializer,
    OperationSerializer,
    PageSerializer,
    PaymentFilterSerializer,
)
from payments.domain.ids import OPERATION_PREFIX, public_id
from payments.domain.shipping import readiness
from payments.domain.states import LIVE_PAYMENTS, PaymentState
from payments.engine import responses
from payments.engine.claim import MerchantRequest
from payments.engine.responses import ApiResponse
from payments.models import Event, is_contradicted
from payments.usecases.authorize import authorize_payment
from payments.usecases.capture import capture_payment
from payments.usecases.refund import refund_payment
from payments.usecases.void import void_payment

_MOST_PAYMENTS_OF_AN_ORDER = 100


class PaymentViewSet(ApiView):
    lookup_url_kwarg = "payment_id"
    queries: ClassVar = {"list": PaymentFilterSerializer}

    @schema.authorize
    def create(self, request: Request) -> HttpResponse:
        return self.respond_once(request, partial(_validated_authorize, routes=caller_of(request).routes))

    @schema.list_payments
    def list(self, request: Request) -> Response:
        conditions = cast(PaymentFilterSerializer, self.query).conditions()
        return self.page_of(self.payments().filter(**conditions))

    @schema.read_payment
    def retrieve(self, request: Request, payment_id: str) -> Response:
        return Response(shown(self.payment(payment_id)))

    @schema.capture
    @action(detail=True, methods=["post"])
    def capture(self, request: Request, payment_id: str) -> HttpResponse:
        return self.respond_once(request, partial(_validated_operation, capture_payment, payment_id))

    @schema.void
    @action(detail=True, methods=["post"])
    def void(self, request: Request, payment_id: str) -> HttpResponse:
        return self.respond_once(request, partial(_validated_operation, void_payment, payment_id))

    @schema.refund
    @action(detail=True, methods=["post"])
    def refund(self, request: Request, payment_id: str) -> HttpResponse:
        return self.respond_once(request, partial(_validated_operation, refund_payment, payment_id))

    @schema.read_events
    @action(detail=True)
    def events(self, request: Request, payment_id: str) -> Response:
        public = Event.objects.filter(payment=self.payment(payment_id)).exclude(type__in=Event.OF_STAFF)
        events = public.select_related("operation")
        return Response({"results": [_shown_event(event) for event in events.order_by("id")]})


def _validated_authorize(asked: MerchantRequest, routes: dict[str, str]) -> UseCase:
    """The authorize that the request asks for. Raises ValidationError."""
    serializer = AuthorizeSerializer(data=asked.body, context={"routes": routes})
    serializer.is_valid(raise_exception=True)
    return partial(authorize_payment, order=serializer.order(), card=serializer.presented_card())


def _validated_operation(
    use_case: Callable[..., ApiResponse], payment_id: str, asked: MerchantRequest
) -> UseCase:
    """The capture, void or refund that the request asks for. Raises ValidationError and NotFound."""
    serializer = OperationSerializer(data=asked.body)
    serializer.is_valid(raise_exception=True)
    return partial(
        use_case,
        payment_id=parse_payment_id(payment_id),
        amount_minor=serializer.validated_data.get("amount"),
        reason=serializer.validated_data.get("reason") or "",
    )


class OrderViewSet(ApiView):
    lookup_url_kwarg = "order_id"
    lookup_value_converter = "any_id"

    @schema.read_order
    def retrieve(self, request: Request, order_id: str) -> Response:
        validated_id("order_id", order_id)
        payments = list(
            self.payments()
            .filter(order_id=order_id)
            .order_by("-created_at", "-id")[:_MOST_PAYMENTS_OF_AN_ORDER]
        )
        if not payments:
            raise exceptions.NotFound
        payment = next((payment for payment in payments if payment.state in LIVE_PAYMENTS), payments[0])
        verdict = readiness(
            PaymentState(payment.state),
            pending=payment.pending_kind,
            expires_at=payment.authorization_expires_at,
            now=timezone.now(),
            contradicted=is_contradicted(payments),
        )
        return Response(
            {
                "order_id": order_id,
                "ready_to_ship": verdict.ready,
                "reason": verdict.reason,
                "payment": shown(payment),
                "payments": [shown(each) for each in payments],
            }
        )


class CustomerViewSet(ApiView):
    lookup_url_kwarg = "customer_id"
    lookup_value_converter = "any_id"
    queries: ClassVar = {"history": PageSerializer}

    @schema.list_customer_payments
    @action(detail=True, url_path="payments")
    def history(self, request: Request, customer_id: str) -> Response:
        validated_id("customer_id", customer_id)
        return self.page_of(self.payments().filter(customer_id=customer_id))


def _shown_event(event: Event) -> dict[str, Any]:
    actor = event.actor.partition(":")[0]
    operation = event.operation
    return {
        "id": f"evt_{event.pk}",
        "type": event.type,
        "at": responses.timestamp(event.at),
        "actor": {"api_key": "merchant", "staff": "staff"}.get(actor, "system"),
        "operation_id": public_id(OPERATION_PREFIX, operation.pk) if operation else None,
        "amount": operation.amount_minor if operation else None,
        "request_id": event.request_id or None,
        "reason": (operation.reason or None) if operation else None,
    }
