"""Apply an outcome to payment, operation and stored response, with event and postings, in one transaction.

The payment is locked first, then the operation, always in this order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from django.db.models import Exists, Q, QuerySet

from payments.domain.outcomes import Declined, Final, NotExecuted, Rejected, Succeeded
from payments.domain.replies import Said
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState
from payments.domain.timing import LATE_LOOKS
from payments.engine import claim, responses
from payments.engine.abilities import abilities_of
from payments.engine.responses import ApiResponse
from payments.models import Discrepancy, Event, Operation, Payment, position_in_ledger, post, refunds_made
from payments.models.clock import ClockTimestamp
from payments.models.discrepancies import LATE_REPLY

# Applies an outcome to the operation's payment, at the given time, and returns the type of its event. On the
# careful path, called inside the transaction with both rows locked, and `operation.payment` is the locked
# payment. On the fast path, before it: for `Succeeded` and `Declined` it may only change the objects.
Effect = Callable[[Operation, Final, datetime], Event.Type]
# The actor of what a bank's statement has shown.
STATEMENT_ACTOR = "statement"
# By the operation's kind. Filled at start-up from `usecases.outcomes`, which the engine must not import.
EFFECTS: dict[OperationKind, Effect] = {}


@dataclass(frozen=True)
class RecordedOperation:
    """An operation and its payment, as the transaction left them."""

    operation: Operation
    payment: Payment | None
    kept: ApiResponse | None = None  # the stored response, where another process recorded the outcome

    @property
    def response(self) -> ApiResponse:
        """The response to the merchant's request that instructed the operation.

        The stored one, if there is one: the payment may have changed since, and a key has one final response.
        """
        return self.kept or responses.of_operation(self.operation.claimed_payment, self.operation)


@dataclass(frozen=True)
class Locked:
    """An operation and its payment, locked until the transaction ends."""

    payment: Payment | None
    operation: Operation
    at: datetime  # the database's clock
    contradicted: bool  # whether the bank has executed what our books call not executed


class Outdated(Exception):
    """The operation has changed since the caller last read it."""


def has_ended(operation: Operation) -> Outdated:
    """The error for an operation that has already ended."""
    return Outdated(f"The {operation.kind} has already ended: it is {operation.state}.")


def check_at_rest(locked: Locked) -> None:
    """Raises Outdated while a call about the operation is in progress: its outcome is still unknown."""
    if locked.operation.lease_expires_at > locked.at:
        raise Outdated(f"The bank is being asked about the {locked.operation.kind} right now.")


class ImpossibleOutcome(Exception):
    """The table of outcomes has no such outcome for operations of this kind."""


def conclude_by_staff(
    operation_id: UUID,
    outcome: Final,
    *,
    seen_epoch: int | None,
    actor: str,
    request_id: str,
    evidence: dict[str, Any],
    executed_at: datetime | None = None,
) -> RecordedOperation:
    """Record an outcome that staff have found, with all its consequences, inside the caller's transaction.

    `executed_at` is when the bank did it, as far as they know. Raises Outdated where the operation has
    changed since they read it, or the bank is being asked about it.
    """
    locked = lock_at_rest(operation_id)
    operation = locked.operation
    if operation.lease_epoch != seen_epoch:
        raise Outdated(f"The bank has been asked about the {operation.kind} since.")
    _take_from_senders(operation)
    return conclude(
        locked,
        outcome,
        evidence=evidence,
        actor=actor,
        request_id=request_id,
        executed_at=executed_at,
    )


def conclude_by_statement(
    operation_id: UUID, outcome: Final, *, evidence: dict[str, Any], executed_at: datetime | None = None
) -> RecordedOperation:
    """Record an outcome that the bank's statement shows, inside the caller's transaction.

    `executed_at` is the bank's own time of it. Raises Outdated where the operation has ended, or the bank is
    being asked about it.
    """
    locked = lock_at_rest(operation_id)
    _take_from_senders(locked.operation)
    return conclude(locked, outcome, evidence=evidence, actor=STATEMENT_ACTOR, executed_at=executed_at)


def lock_at_rest(operation_id: UUID) -> Locked:
    """An unfinished operation about which nobody asks the bank, locked with its payment. Raises Outdated."""
    payment_id = Operation.objects.values_list("payment_id", flat=True).get(pk=operation_id)
    locked = lock(operation_id, payment_id)
    if locked.operation.state not in UNFINISHED_OPERATIONS:
        raise has_ended(locked.operation)
    check_at_rest(locked)
    return locked


def _take_from_senders(operation: Operation) -> None:
    """A thread that still has a reply in hand records it as late and changes nothing.

    Raises Outdated where a late reply waits to settle the operation.
    """
    if operation.attempts.filter(is_late=True, said=Said.APPROVED).exists():
        raise Outdated("A late reply from the bank is on the timeline. Ask the bank again to apply it.")
    operation.lease_epoch += 1
    operation.save(update_fields=["lease_epoch"])


def fill_in_reference(operation_id: UUID, reference: str) -> Locked:
    """Record the bank's id of a success without one, inside the caller's transaction.

    Returns the locked rows. Raises Outdated where it is known by now. Stored responses do not change.
    """
    payment_id = Operation.objects.values_list("payment_id", flat=True).get(pk=operation_id)
    locked = lock(operation_id, payment_id)
    payment, operation = locked.payment, locked.operation
    if operation.state != OperationState.SUCCEEDED or operation.bank_reference:
        raise Outdated(f"The bank's reference of the {operation.kind} is already known.")
    name_success(payment, operation, reference)
    return locked


def name_success(payment: Payment | None, operation: Operation, reference: str) -> None:
    """Fill in the bank's id of a success without one. Both rows are locked."""
    operation.bank_reference = reference
    operation.save(update_fields=["bank_reference"])
    field = _REFERENCE_FIELDS.get(OperationKind(operation.kind))
    if payment is None or field is None:
        return
    # A payment names its latest refund.
    if operation.kind != OperationKind.REFUND or refunds_made().filter(payment=payment).last() == operation:
        setattr(payment, field, reference)
        payment.save(update_fields=[field])


_REFERENCE_FIELDS = {
    OperationKind.CAPTURE: "bank_capture_id",
    OperationKind.VOID: "bank_void_id",
    OperationKind.REFUND: "bank_refund_id",
}


def conclude(
    locked: Locked,
    outcome: Final,
    *,
    evidence: dict[str, Any],
    actor: str = "",
    request_id: str = "",
    executed_at: datetime | None = None,
) -> RecordedOperation:
    """Apply the outcome: the transition, its event, its postings and the stored response."""
    payment, operation, at = locked.payment, locked.operation, locked.at
    operation.payment = payment
    was_under_review = operation.state == OperationState.NEEDS_REVIEW
    done_at = at if executed_at is None else _possible(executed_at, payment, at)
    before = None if payment is None else position_in_ledger(payment)
    event = EFFECTS[OperationKind(operation.kind)](operation, outcome, done_at)
    apply_outcome(operation, outcome, at)
    operation.save(update_fields=_OUTCOME_FIELDS)
    if payment is not None:
        payment.save(update_fields=_PAYMENT_FIELDS)
    if was_under_review:
        operation.discrepancies.filter(closed_at=None).update(closed_at=at)
    if payment is not None and locked.contradicted and isinstance(outcome, Succeeded):
        # The success brings into our books what the bank had already done.
        _settled_late_replies(payment, operation).update(closed_at=at)
    told = Event.objects.create(
        payment=payment,
        operation=operation,
        type=event,
        at=at,
        actor=actor or operation.actor,
        request_id=request_id or operation.request_id,
        evidence=evidence,
    )
    if payment is not None and before is not None:
        post(told, payment, before)
    recorded = RecordedOperation(operation, payment)
    if operation.kind != OperationKind.RELEASE and not isinstance(outcome, NotExecuted):
        claim.store_response(operation, recorded.response)
    return recorded


def _possible(executed_at: datetime, payment: Payment | None, at: datetime) -> datetime:
    """`executed_at`, but never after now, nor before the step that it follows."""
    begun = (payment.captured_at or payment.authorized_at or payment.created_at) if payment else executed_at
    return min(max(executed_at, begun), at)


def _settled_late_replies(payment: Payment, operation: Operation) -> QuerySet[Discrepancy]:
    """The cases of a late reply that this success brings into our books.

    Where the bank executes this kind several times, only those with the same bank key or the same reference.
    """
    late = Discrepancy.objects.filter(
        kind=LATE_REPLY, payment=payment, operation__kind=operation.kind, closed_at=None
    )
    if abilities_of(operation.bank).does_once(OperationKind(operation.kind)):
        return late
    same = Q(operation__bank_idempotency_key=operation.bank_idempotency_key)
    return late.filter(same | Q(evidence__reference=operation.bank_reference))


_OUTCOME_FIELDS = [
    *("state", "bank_reference", "outcome_code", "strays_awaited", "look_again_at", "finished_at"),
]
_PAYMENT_FIELDS = [
    *("state", "captured_minor", "refunded_minor"),
    *("bank_authorization_id", "bank_capture_id", "bank_void_id", "bank_refund_id", "decline_code"),
    *("authorization_expires_at", "authorized_at", "captured_at", "refunded_at", "voided_at", "expired_at"),
    *("declined_at", "failed_at"),
]


def lock(operation_id: UUID, payment_id: UUID | None) -> Locked:
    """Lock the payment, then the operation. Raises DoesNotExist where one is gone."""
    return _lock(operation_id, payment_id, nowait=False)


def lock_at_once(operation_id: UUID, payment_id: UUID | None) -> Locked:
    """Like `lock`, without waiting: raises OperationalError (`is_locked`) where a row is locked.

    Waiting here would hold one of the few connections.
    """
    return _lock(operation_id, payment_id, nowait=True)


def _lock(operation_id: UUID, payment_id: UUID | None, *, nowait: bool) -> Locked:
    payment = None
    if payment_id is not None:
        payment = Payment.objects.select_for_update(no_key=True, nowait=nowait).get(pk=payment_id)
    late = Discrepancy.objects.filter(payment=payment_id, kind=LATE_REPLY, closed_at=None)
    operations = Operation.objects.select_for_update(no_key=True, of=("self",), nowait=nowait).annotate(
        at=ClockTimestamp(),
        contradicted=Exists(late),
    )
    operation = operations.get(pk=operation_id)
    return Locked(payment, operation, operation.at, operation.contradicted)


def apply_outcome(operation: Operation, outcome: Final, at: datetime) -> None:
    """Apply the outcome to its operation."""
    operation.finished_at = at
    match outcome:
        case Succeeded(reference=reference, strays_awaited=strays):
            operation.become_succeeded()
            operation.bank_reference = reference
            operation.strays_awaited = strays
        case Declined(code=code, strays_awaited=strays):
            operation.become_declined()
            operation.outcome_code = code
            operation.strays_awaited = strays
        case Rejected(code=code):
            operation.become_rejected()
            operation.outcome_code = code
        case NotExecuted(strays_awaited=strays, code=code):
            operation.become_not_executed()
            operation.outcome_code = code
            operation.strays_awaited = strays
            # Even where staff found it not executed: a hold may turn up late.
            if operation.kind == OperationKind.AUTHORIZE and operation.was_sent:
                operation.look_again_at = next_look(operation, at)
        case _:
            assert_never(outcome)


def next_look(operation: Operation, at: datetime) -> datetime | None:
    """When to probe again for a hold that was not found; None after the last look, or without probes."""
    if not abilities_of(operation.bank).probes_without_card:
        return None
    found_at = operation.finished_at or at
    return next((found_at + look for look in LATE_LOOKS if found_at + look > at), None)
