"""Steps: the intent of a capture, a void or a refund of an existing payment.

The request is checked against the locked payment: its state, its bank's abilities, what is left of it.
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
from payments.engine.intent import ordinal_of, refusing_conflicts, unfinished_operation, write_ahead
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
from payments.models.discrepancies import LATE_REPLY


@dataclass(frozen=True)
class Step:
    """A capture, a void or a refund: what differs between their intents."""

    kind: OperationKind
    requested: Event.Type
    done: str  # the participle of its verb, as `captured`
    transition: Callable[[Payment], Callable[..., None]]
    target: Callable[[Payment], str]  # the bank reference that the instruction names
    left: Callable[[Payment], int]  # the largest amount, in minor units; for a void, the amount


@contextmanager
def recorded_step(
    start: Start, step: Step, *, payment_id: UUID, amount_minor: int | None, reason: str
) -> Iterator[tuple[Slot, Lease] | None]:
    """Commit the step's operation; yields its lease with a slot at the payment's bank.

    Yields None where another request was faster. Records nothing where it raises: PaymentNotFound,
    NotSupported, InvalidTransition, AuthorizationExpired, AmountMismatch, OperationInProgress, NeedsReview,
    Overloaded, and what `refusing_conflicts` raises.
    """
    assert not isinstance(start, Continue)  # noqa: S101 - only an authorize is continued by its client
    asked = _Asked(start, step, payment_id, amount_minor, reason)
    conflicts = {"one_open_operation_per_payment": lambda: unfinished_operation(payment_id)}
    recorded = None
    with ExitStack() as held:
        with refusing_conflicts(conflicts):
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
    """The common case, in one statement; None where it is not. Takes the slot first."""
    start, kind = asked.start, asked.step.kind
    if not (isinstance(start, New) and fast_path.takes_step(start, kind)):
        return None
    with ExitStack() as tried:
        try:
            slot = tried.enter_context(capacity_of(start.bank).threads.reserve())
        except Overloaded:
            return None  # the careful path may find a better reason to refuse it
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
    """Any case, with the reason where it is refused. Raises what `recorded_step` raises."""
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

    Does not wait for a lock: this transaction ends at once, and `locked_rows` waits without a connection.
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
    """The operation's amount in minor units: all that is left, unless less was asked for.

    Raises AmountMismatch where more was asked for than is left, or a part at a bank that takes none.
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

    An amount that the bank has already executed against our books counts as used, unless the same bank key
    asks for it again.
    """
    left, abilities = step.left(payment), abilities_of(payment.bank)
    if not abilities.takes_parts(step.kind):
        return left
    late = Discrepancy.objects.filter(
        kind=LATE_REPLY, payment=payment, operation__kind=step.kind, closed_at=None
    ).exclude(operation__bank_idempotency_key=bank_key)
    spent: int | None = late.aggregate(total=Sum("operation__amount_minor"))["total"]
    if spent and abilities.does_once(step.kind):
        return 0  # the rest of the hold is freed
    return max(0, left - (spent or 0))


def why_not_of(step: Step, payment: Payment, amount_minor: int, *, left: int) -> str:
    """Why the payment's bank does not take this amount, in a sentence; empty where it does."""
    if abilities_of(payment.bank).takes(step.kind, amount_minor, of_minor=left):
        return ""
    possible, asked = (display(one, payment.currency) for one in (left, amount_minor))
    if amount_minor > left:
        return f"At most {possible} can be {step.done}; {asked} was requested."
    return f"This payment can only be {step.done} in full: {possible}; {asked} was requested."


def _not_supported(payment: Payment, step: Step) -> Refused:
    """The refusal where the payment's bank does not do it, with what to do instead."""
    return NotSupported(
        f"This payment's bank does not support {step.kind}.",
        next_step=NEXT_WITHOUT[step.kind],
        payment=payments_for_receipts().get(pk=payment.pk),
    )


def _refuse_transition(payment: Payment, step: Step) -> Refused:
    """The refusal where the payment's state does not allow the step, with what to do instead."""
    shown = payments_for_receipts().get(pk=payment.pk)
    if shown.pending_kind is not None:
        return unfinished_operation(payment.pk)
    if shown.state == PaymentState.EXPIRED and step.kind == OperationKind.CAPTURE:
        return AuthorizationExpired("The hold expired before the capture.", payment=shown)
    return InvalidTransition(
        f"A payment that is {shown.state} cannot be {step.done}.",
        next_step=NEXT_IN_STATE[step.kind, PaymentState(shown.state)],
        payment=shown,
    )
