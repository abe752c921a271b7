"""The calls about settlements. They read only; settlements are made by a schedule."""

from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from payments.api.authentication import caller_of
from payments.api.base import ApiView
from payments.api.errors import NoSuchSettlement
from payments.api.pages import LineCursor, SettlementCursor
from payments.api.settlements import schema
from payments.api.settlements.serializers import LinePageSerializer, SettlementFilterSerializer
from payments.domain.ids import parse_public_id
from payments.domain.states import Mode
from payments.engine.responses import timestamp
from reconciliation.models import Settlement, SettlementLine
from reconciliation.models.settlements import SETTLEMENT_PREFIX
from reconciliation.services.settlement_report import lines_with_their_things


class SettlementViewSet(ApiView):
    lookup_url_kwarg = "settlement_id"
    queries: ClassVar = {"list": SettlementFilterSerializer, "lines": LinePageSerializer}

    def settlements(self) -> QuerySet[Settlement]:
        caller = caller_of(self.request)
        return Settlement.objects.filter(merchant=caller.merchant, mode=caller.mode)

    def settlement(self, settlement_id: str) -> Settlement:
        parsed = parse_public_id(SETTLEMENT_PREFIX, settlement_id)
        found = self.settlements().filter(pk=parsed).first() if parsed else None
        if found is None:
            raise NoSuchSettlement
        return found

    @schema.list_settlements
    def list(self, request: Request) -> Response:
        conditions = cast(SettlementFilterSerializer, self.query).conditions()
        return self.page(self.settlements().filter(**conditions), SettlementCursor, _shown)

    @schema.read_settlement
    def retrieve(self, request: Request, settlement_id: str) -> Response:
        return Response(_shown(self.settlement(settlement_id)))

    @schema.list_settlement_lines
    @action(detail=True)
    def lines(self, request: Request, settlement_id: str) -> Response:
        lines = lines_with_their_things(self.settlement(settlement_id))
        return self.page(lines, LineCursor, _shown_line)


def _shown(settlement: Settlement) -> dict[str, Any]:
    return {
        "id": settlement.public_id,
        "livemode": settlement.mode == Mode.LIVE,
        "date": settlement.date.isoformat(),
        "bank": settlement.bank,
        "currency": settlement.currency,
        "amount": settlement.amount_minor,
        "captured_amount": settlement.captured_minor,
        "refunded_amount": settlement.refunded_minor,
        "fees_amount": settlement.fees_minor,
        "corrected_amount": settlement.corrected_minor,
        "brought_forward": settlement.brought_forward_minor,
        "carried_forward": settlement.carried_forward_minor,
        "created_at": timestamp(settlement.created_at),
    }


def _shown_line(line: SettlementLine) -> dict[str, Any]:
    about = line.about
    payment = about.payment if about else None
    return {
        "kind": line.kind,
        "payment_id": payment.public_id if payment else None,
        "order_id": payment.order_id if payment else None,
        "operation_id": about.public_id if about else None,
        "amount": line.amount_minor,
        "fee": line.fee_minor,
        "bank_reference": (about.bank_reference or None) if about else None,
        "reason": line.correction.reason if line.correction else None,
        "at": timestamp(line.at),
    }
