"""Steps: the intent of an operation that takes an existing payment one state further.

What it asks for is checked against the locked payment: its state, its bank's abilities, what is left of it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Sum
from django_fsm import can_proceed

from payments.domain.money import display
from payments.domain.problems import NEXT_IN_STATE, NEXT_WITHOUT
from payments.domain.states import OperationKind, PaymentState
from payments.engine import claim, fast_path
from payments.engine.abilities import abilities_of
from payments.engine.capacity import Slot, capacity_of
from payments.engine.claim import Again, Command, Continue, New, Start
from payments.engine.intent import explained, ordinal_of, unfinished_operation, write_ahead
from payments.engine.leases import Lease
from payments.engine.refusals import (
    NO_SUCH_PAYMENT,
    AmountMismatch,
    AuthorizationExpired,
    InvalidTransition,
    NotSupported,
    Overloaded,
    PaymentNotFound,
    Refused,
)
from payments.models import Discrepancy, Event, Payment, payments_for_receipts
from payments.models.discrepancies import LATE_ANSWER


@dataclass(frozen=True)
class Step:
    """An operation that takes an existing payment one state further."""

    kind: OperationKind
    requested: Event.Type
    done: str  # the participle of its verb, as `captured`
    transition: Callable[[Payment], Callable[..., None]]
    target: Callable[[Payment], str]  # the bank reference that the instruction names
    left: Callable[[Payment], int]  # of how much it may be, in minor units; for a void, of how much it is


@contextmanager
def recorded_step(
    start: Start, step: Step, *, payment_id: UUID, amount_minor: int | None, reason: str
) -> Iterator[tuple[Slot, Lease] | None]:
    """The step's operation, committed, on a payment that allows it, with a slot at the payment's bank.

    None where somebody was quicker. Raises PaymentNotFound, NotSupported, InvalidTransition,
    AuthorizationExpired, AmountMismatch, OperationInProgress, NeedsReview or Overloaded, and what
    `explained` raises: then nothing is recorded.
    """
    assert not isinstance(start, Continue)  # noqa: S101 - only an authorize needs its client to go on
    asked = _Asked(start, step, payment_id, amount_minor, reason)
    conflicts = {"one_open_operation_per_payment": lambda: unfinished_operation(payment_id)}
    recorded = None
    with ExitStack() as held:
        with explained(conflicts):
            recorded = _at_once(asked, held) or _carefully(asked, held)
        yield recorded


@dataclass(frozen=True)
class _Asked:
    start: New | Again
    step: Step
    payment_id: UUID
    amount_minor: int | None  # None: all that is left
    reason: str


def _at_once(asked: _Asked, held: ExitStack) -> tuple[Slot, Lease] | None:
    """The ordinary case, in one statement; None where it is another. A slot comes first, as always."""
    start, kind = asked.start, asked.step.kind
    if not (isinstance(start, New) and fast_path.takes_step(start, kind)):
        return None
    with ExitStack() as tried:
        try:
            slot = tried.enter_context(capacity_of(start.bank).threads.reserve())
        except Overloaded:
            return None  # there may be a better reason to refuse it
        lease = fast_path.write_step(
            start,
            kind=kind,
            event=asked.step.requested,
            payment_id=asked.payment_id,
            amount_minor=asked.amount_minor,
            reason=asked.reason,
        )
        if lease is not None:
            held.push(tried.pop_all())
    return (slot, lease) if lease else None


def _carefully(asked: _Asked, held: ExitStack) -> tuple[Slot, Lease]:
    """Any case, and the reason why it is refused. Raises what `recorded_step` does."""
    start, step = asked.start, asked.step
    with transaction.atomic(durable=True):
        operation_id = claim.claim(start)
        payment = _lock_payment(asked.payment_id, start.command)
        if not abilities_of(payment.bank).can(step.kind):
            raise _not_supported(payment, step)
        if not can_proceed(step.transition(payment)):
            raise _refuse_transition(payment, step)
        amount = _amount_of(step, payment, asked.amount_minor, start)
        slot = held.enter_context(capacity_of(payment.bank).threads.reserve())
        lease = write_ahead(
            start,
            operation_id,
            payment=payment,
            kind=step.kind,
            amount_minor=amount,
            event=step.requested,
            reason=asked.reason,
            target=step.target(payment),
        )
    return slot, lease


def _lock_payment(payment_id: UUID, command: Command) -> Payment:
    """The merchant's payment, locked until the transaction ends. Raises PaymentNotFound.

    Where another transaction has it, this one ends at once: whoever waits keeps no connection.
    """
    payment = (
        Payment.objects.select_for_update(no_key=True, nowait=True)
        .filter(pk=payment_id, merchant=command.merchant, mode=command.mode)
        .first()
    )
    if payment is None:
        raise PaymentNotFound(NO_SUCH_PAYMENT)
    return payment


def _amount_of(step: Step, payment: Payment, asked: int | None, start: New | Again) -> int:
    """What the operation is about, in minor units: all that is left, unless less was asked for.

    Raises AmountMismatch where that is more than is left, or a part at a bank that takes none.
    """
    own_key = start.command.bank_key(step.kind, ordinal_of(start))
    left = left_to(step, payment, bank_key=own_key)
    amount = left if asked is None else asked
    if no := why_not_of(step, payment, amount, left=left):
        shown = payments_for_receipts().get(pk=payment.pk)
        most = (
            f"Send an `amount` of at most {left}, or leave it out for all of it." if amount > left > 0 else ""
        )
        raise AmountMismatch(no, next_step=most, payment=shown)
    return amount


def left_to(step: Step, payment: Payment, *, bank_key: str = "") -> int:
    """How much may still be captured or refunded, in minor units.

    What the bank has done in spite of our books is spent, unless it is asked for again under its own key.
    """
    left, abilities = step.left(payment), abilities_of(payment.bank)
    if not abilities.takes_parts(step.kind):
        return left
    late = Discrepancy.objects.filter(
        kind=LATE_ANSWER, payment=payment, operation__kind=step.kind, closed_at=None
    ).exclude(operation__bank_idempotency_key=bank_key)
    spent: int | None = late.aggregate(total=Sum("operation__amount_minor"))["total"]
    if spent and abilities.does_once(step.kind):
        return 0  # the rest of the hold is released
    return max(0, left - (spent or 0))


def why_not_of(step: Step, payment: Payment, amount_minor: int, *, left: int) -> str:
    """Why the payment's bank cannot be told this amount, in a sentence; empty where it can."""
    if abilities_of(payment.bank).takes(step.kind, amount_minor, of_minor=left):
        return ""
    possible, asked = (display(one, payment.currency) for one in (left, amount_minor))
    if amount_minor > left:
        return f"No more than {possible} can be {step.done}; {asked} was asked for."
    return f"This payment can only be {step.done} in full: {possible}; {asked} was asked for."


def _not_supported(payment: Payment, step: Step) -> Refused:
    """That the payment's bank does not do it, and what to do instead."""
    return NotSupported(
        f"The bank of this payment carries out no {step.kind}.",
        next_step=NEXT_WITHOUT[step.kind],
        payment=payments_for_receipts().get(pk=payment.pk),
    )


def _refuse_transition(payment: Payment, step: Step) -> Refused:
    """Why the payment's state does not allow the step, and what to do instead."""
    shown = payments_for_receipts().get(pk=payment.pk)
    if shown.pending_kind is not None:
        return unfinished_operation(payment.pk)
    if shown.state == PaymentState.EXPIRED and step.kind == OperationKind.CAPTURE:
        return AuthorizationExpired("The hold ran out before the capture.", payment=shown)
    return InvalidTransition(
        f"A payment that is {shown.state} cannot be {step.done}.",
        next_step=NEXT_IN_STATE[step.kind, PaymentState(shown.state)],
        payment=shown,
    )
