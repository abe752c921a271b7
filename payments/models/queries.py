"""Shared queries about payments and operations."""

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
    """Unfinished operations; a payment has at most one. Releases do not count."""
    return Operation.objects.filter(state__in=UNFINISHED_OPERATIONS).exclude(kind=OperationKind.RELEASE)


def operations_in_doubt() -> QuerySet[Operation]:
    """OPEN operations whose lease has expired, except releases that were never sent.

    Uses the statement's time: PostgreSQL cannot use an index for `clock_timestamp()`.
    """
    return Operation.objects.filter(state=OperationState.OPEN, lease_epoch__gt=0, lease_expires_at__lt=Now())


def payments_with_pending() -> QuerySet[PaymentWithPending]:
    """Payments with the kind of their unfinished operation: one statement."""
    pending = unfinished_operations().filter(payment=OuterRef("pk")).values("kind")[:1]
    return Payment.objects.annotate(pending_kind=Subquery(pending))


def ended_operations() -> QuerySet[Operation]:
    """Finished operations of merchants and staff (no releases), the latest first."""
    ended = Operation.objects.filter(state__in=FINISHED_OPERATIONS).exclude(kind=OperationKind.RELEASE)
    return ended.order_by("-finished_at", "-created_at")


def refunds_made() -> QuerySet[Operation]:
    """Refunds that succeeded, the oldest first."""
    made = Operation.objects.filter(kind=OperationKind.REFUND, state=OperationState.SUCCEEDED)
    return made.order_by("finished_at", "created_at")


def payments_for_receipts() -> QuerySet[PaymentForReceipt]:
    """Payments with all that a receipt shows, the last operation and the refunds too: one statement."""
    return _payments_for_receipts().all()


@cache
def _payments_for_receipts() -> QuerySet[PaymentForReceipt]:
    """A template that is copied: building it takes as long as serving a request."""
    facts = JSONObject(kind="kind", state="state", code="outcome_code", at="finished_at")
    last = ended_operations().filter(payment=OuterRef("pk")).annotate(facts=facts).values("facts")[:1]
    refund = JSONObject(
        id="id", amount="amount_minor", reason="reason", reference="bank_reference", at="finished_at"
    )
    refunds = refunds_made().filter(payment=OuterRef("pk")).annotate(facts=refund).values("facts")
    return payments_with_pending().annotate(last_ended=Subquery(last), refunds=ArraySubquery(refunds))


def sharing_bank_key(operation: Operation) -> QuerySet[Operation]:
    """All operations with the same bank key, itself included: re-runs after a non-execution share it."""
    return Operation.objects.filter(
        bank=operation.bank, bank_idempotency_key=operation.bank_idempotency_key
    ).order_by("created_at")


def bank_key_age(operation: Operation, now: datetime) -> timedelta:
    """How long ago the bank may first have been asked under the operation's key."""
    return now - sharing_bank_key(operation).values_list("created_at", flat=True)[0]


def is_contradicted(payments: Iterable[Payment]) -> bool:
    """Whether the bank has executed for one of them what our books call not executed, still unsettled."""
    return Discrepancy.objects.filter(payment__in=payments, kind__in=CONTRADICTING, closed_at=None).exists()


def earlier_ones_answered(operation: Operation) -> bool:
    """Whether the bank's own reply ended every earlier operation on the same authorization or capture.

    Then only this operation can have done what the bank calls done already. Operations that were never sent
    do not matter. All others are earlier: the database allows no new one while this one is unfinished. Clocks
    are not compared: they may be set back.
    """
    same_target = Q(bank=operation.bank, target_reference=operation.target_reference)
    same_payment = Q(payment=operation.payment) & ~Q(kind=OperationKind.RELEASE)
    # A release may free a hold other than its payment's, while the payment has other operations.
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
