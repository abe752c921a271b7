"""The unfinished operations, as operators see them."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from payments.domain.states import UNFINISHED_OPERATIONS, OperationState
from payments.models import Operation, Payment
from payments.models.clock import read_clock


@dataclass(frozen=True)
class Doubt:
    """An operation whose outcome is not known. Amounts in minor units, times in UTC."""

    operation_id: UUID
    operation: str
    payment: str
    kind: str
    amount_minor: int
    currency: str
    recorded_at: datetime
    state: str
    is_in_flight: bool  # its sender still has the lease

    @property
    def can_be_asked(self) -> bool:
        """Whether recovery may ask the bank. It may not while the operation is in flight or under review."""
        return self.state == OperationState.OPEN and not self.is_in_flight


@dataclass(frozen=True)
class Report:
    """The operations, and how many are in each situation."""

    settled: int
    in_doubt: int
    needs_review: int
    in_flight: int
    operations: list[Doubt]

    @classmethod
    def of(cls, doubts: list[Doubt]) -> Self:
        still_open = [one for one in doubts if one.state == OperationState.OPEN]
        return cls(
            settled=sum(one.state not in UNFINISHED_OPERATIONS for one in doubts),
            in_doubt=sum(not one.is_in_flight for one in still_open),
            needs_review=sum(one.state == OperationState.NEEDS_REVIEW for one in doubts),
            in_flight=sum(one.is_in_flight for one in still_open),
            operations=doubts,
        )

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON shows it."""
        report = asdict(self)
        for one in report["operations"]:
            del one["operation_id"]
        return report


def in_doubt(payment: Payment | None = None) -> list[Doubt]:
    """All unfinished operations, or those of one payment, oldest first."""
    operations = Operation.objects.filter(state__in=UNFINISHED_OPERATIONS)
    if payment is not None:
        operations = operations.filter(payment=payment)
    now = read_clock()
    return [
        Doubt(
            operation_id=one.pk,
            operation=one.public_id,
            payment=one.payment.public_id if one.payment else "no payment",
            kind=one.kind,
            amount_minor=one.amount_minor,
            currency=one.currency,
            recorded_at=one.created_at,
            state=one.state,
            is_in_flight=one.lease_expires_at > now,
        )
        for one in operations.select_related("payment").order_by("created_at")
    ]


def look_again(doubts: list[Doubt]) -> list[Doubt]:
    """The same operations in their current state."""
    now = read_clock()
    rows = {one.pk: one for one in Operation.objects.filter(pk__in=[one.operation_id for one in doubts])}
    return [
        replace(
            one,
            state=rows[one.operation_id].state,
            is_in_flight=rows[one.operation_id].lease_expires_at > now,
        )
        for one in doubts
    ]
