"""Questions about payments and operations that several readers ask."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypedDict

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject, Now

from payments.domain.replies import Said
from payments.domain.states import (
    FINISHED_OPERATIONS,
    UNFINISHED_OPERATIONS,
    OperationKind,
    OperationState,
)
from payments.models.discrepancies import CONTRADICTING, Discrepancy
from payments.models.operations import Attempt, Operation
from payments.models.payments import Payment


class WithPending(TypedDict):
    """What `payments_with_pending` reads beside the payment's row."""

    pending_kind: str | None  # of its unfinished operation


class ForReceipt(WithPending):
    """What `payments_for_receipts` reads beside the payment's row. Times are text, as JSON has them."""

    last_ended: dict[str, str] | None
    refunds: list[dict[str, Any]]


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    PaymentWithPending = WithAnnotations[Payment, WithPending]
    PaymentForReceipt = WithAnnotations[Payment, ForReceipt]
else:
    PaymentWithPending = PaymentForReceipt = Payment


def unfinished_operations() -> QuerySet[Operation]:
    """Operations that take their payment's one open slot; a release takes none."""
    return Operation.objects.filter(state__in=UNFINISHED_OPERATIONS).exclude(kind=OperationKind.RELEASE)


def operations_in_doubt() -> QuerySet[Operation]:
    """Open ones whose lease has run out. A release that nobody has taken up yet was never sent.

    By the time of the statement: PostgreSQL compares an index with no clock that goes on meanwhile.
    """
    return Operation.objects.filter(state=OperationState.OPEN, lease_epoch__gt=0, lease_expires_at__lt=Now())


def payments_with_pending() -> QuerySet[PaymentWithPending]:
    """Payments with the kind of their unfinished operation: one statement."""
    pending = unfinished_operations().filter(payment=OuterRef("pk")).values("kind")[:1]
    return Payment.objects.annotate(pending_kind=Subquery(pending))


def ended_operations() -> QuerySet[Operation]:
    """Operations that merchants or staff instructed and whose outcome is known, the latest first."""
    ended = Operation.objects.filter(state__in=FINISHED_OPERATIONS).exclude(kind=OperationKind.RELEASE)
    return ended.order_by("-finished_at", "-created_at")


def refunds_made() -> QuerySet[Operation]:
    """Refunds that the bank has made, the oldest first."""
    made = Operation.objects.filter(kind=OperationKind.REFUND, state=OperationState.SUCCEEDED)
    return made.order_by("finished_at", "created_at")


def payments_for_receipts() -> QuerySet[PaymentForReceipt]:
    """All that a receipt shows, in one statement: how the last operation ended and the refunds, too."""
    return _payments_for_receipts().all()


@cache
def _payments_for_receipts() -> QuerySet[PaymentForReceipt]:
    """Never read itself: to put it together takes as long as to answer a request."""
    facts = JSONObject(kind="kind", state="state", code="outcome_code", at="finished_at")
    last = ended_operations().filter(payment=OuterRef("pk")).annotate(facts=facts).values("facts")[:1]
    refund = JSONObject(
        id="id", amount="amount_minor", reason="reason", reference="bank_reference", at="finished_at"
    )
    refunds = refunds_made().filter(payment=OuterRef("pk")).annotate(facts=refund).values("facts")
    return payments_with_pending().annotate(last_ended=Subquery(last), refunds=ArraySubquery(refunds))


def sharing_bank_key(operation: Operation) -> QuerySet[Operation]:
    """All operations with its bank key, itself included: re-runs after a non-execution share it."""
    return Operation.objects.filter(
        bank=operation.bank, bank_idempotency_key=operation.bank_idempotency_key
    ).order_by("created_at")


def bank_key_age(operation: Operation, now: datetime) -> timedelta:
    """How long ago the bank may first have been asked under the operation's key."""
    return now - sharing_bank_key(operation).values_list("created_at", flat=True)[0]


def is_contradicted(payments: Iterable[Payment]) -> bool:
    """Whether the bank has done with one of them what our books call not executed, and it is not settled."""
    return Discrepancy.objects.filter(payment__in=payments, kind__in=CONTRADICTING, closed_at=None).exists()


def earlier_ones_answered(operation: Operation) -> bool:
    """Whether the bank's own answer ended every earlier operation on the same authorization or capture.

    Then nothing but this operation can have done what the bank says is done already. One of which
    nothing was ever sent cannot have done it either. All others are earlier: while this one is unfinished
    the database lets none begin. Clocks, which may be set back, are not asked.
    """
    same_target = Q(bank=operation.bank, target_reference=operation.target_reference)
    same_payment = Q(payment=operation.payment) & ~Q(kind=OperationKind.RELEASE)
    # A release may free another hold than its payment's, beside whatever that does meanwhile.
    is_release = operation.kind == OperationKind.RELEASE
    attempts = Attempt.objects.filter(operation=OuterRef("pk"))
    approved = Q(Exists(attempts.filter(said=Said.APPROVED, bank_reference=OuterRef("bank_reference"))))
    denied = Q(Exists(attempts.filter(said=OuterRef("outcome_code"))))
    never_sent = ~Q(Exists(attempts.exclude(result=Attempt.Result.NOT_SENT)))
    by_the_bank = (
        Q(state=OperationState.SUCCEEDED) & approved
        | Q(state__in=[OperationState.DECLINED, OperationState.REJECTED]) & denied
        | Q(state=OperationState.NOT_EXECUTED) & never_sent
    )
    related = Operation.objects.filter(same_target if is_release else same_target | same_payment)
    return not related.exclude(pk=operation.pk).exclude(by_the_bank).exists()
