"""The first half of every use case: what is asked is checked and recorded, or refused, in one transaction.

Uniqueness is the database's to judge (one live payment per order, one unfinished operation per payment,
one use per idempotency key); what it refuses is explained here, after the transaction is gone.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Sum
from django_fsm import can_proceed

from payments.domain.money import display
from payments.domain.problems import NEXT_IN_STATE, NEXT_OF_ORDER, NEXT_WITHOUT, ORDER_UNFINISHED
from payments.domain.states import LIVE_PAYMENTS, OperationKind, OperationState, PaymentState
from payments.engine import claim, leases, locked_rows
from payments.engine.abilities import abilities_of
from payments.engine.answers import Answer
from payments.engine.capacity import Slot, capacity_of
from payments.engine.claim import (
    Again,
    Command,
    Continue,
    Decision,
    InUse,
    KeyClaimed,
    New,
    Replay,
    Start,
)
from payments.engine.leases import Lease
from payments.engine.locked_rows import RowLocked
from payments.engine.refusals import (
    NO_SUCH_PAYMENT,
    AmountMismatch,
    AuthorizationExpired,
    InvalidTransition,
    NeedsReview,
    NotSupported,
    OperationInProgress,
    OrderAlreadyHasPayment,
    Overloaded,
    PaymentNotFound,
    Refused,
)
from payments.models import (
    Discrepancy,
    Event,
    Operation,
    Payment,
    payments_for_receipts,
    unfinished_operations,
)
from payments.models.discrepancies import LATE_ANSWER
from payments.models.guards import is_locked, violated_constraint

P = ParamSpec("P")


def until_recorded(
    use_case: Callable[Concatenate[Start, P], Answer | None],
) -> Callable[Concatenate[Start, P], Answer]:
    """Make a use case of one try of it, which returns None where somebody was quicker with the same command.

    What the command may do is then decided once more. Where somebody has locked a row, the same is tried
    again for a moment, with nothing in hand. Raises IdempotencyKeyInUse, and what the use case raises.
    """

    @functools.wraps(use_case)
    def run(start: Start, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        begun = locked_rows.now()
        while True:
            try:
                answer = use_case(start, *args, **kwargs)
            except RowLocked:
                locked_rows.wait(begun)
                continue
            except Overloaded:
                answer = _answer_there_is(start)
                if answer is None:
                    raise
            if answer is not None:
                return answer
            decided = _decided_anew(start)
            if not isinstance(decided, Start):
                return _answer_to(decided)
            start = decided

    return run


def _answer_there_is(start: Start) -> Answer | None:
    """A full pool must not keep anybody from an answer that exists. Raises IdempotencyKeyInUse."""
    decided = start if isinstance(start, Continue) else claim.decide(start.command)
    if isinstance(decided, Continue):
        decided = decided.as_it_stands()
    return None if isinstance(decided, Start) else _answer_to(decided)


def _decided_anew(start: Start) -> Decision:
    decided = claim.decide(start.command)
    if isinstance(start, Continue) and isinstance(decided, Continue):
        return decided.as_it_stands()  # somebody else goes on with it
    return decided


def _answer_to(decided: Replay | InUse) -> Answer:
    """The answer to a command that may not start. Raises IdempotencyKeyInUse."""
    if isinstance(decided, InUse):
        raise decided.refusal
    return decided.answer


@contextmanager
def intent(conflicts: dict[str, Callable[[], Refused]]) -> Iterator[None]:
    """The intent's transaction, in which the key is claimed first of all.

    Where somebody was quicker with the same command, the block is left for what follows it, and nothing is
    recorded. A constraint named in `conflicts` that is violated becomes that refusal. Raises RowLocked.
    """
    try:
        with transaction.atomic(durable=True):
            yield
    except KeyClaimed:
        return
    except IntegrityError as error:
        constraint = violated_constraint(error)
        if constraint in (claim.CLAIM_CONSTRAINT, claim.BANK_KEY_CONSTRAINT):
            return
        if constraint in conflicts:
            raise conflicts[constraint]() from None
        raise
    except OperationalError as error:
        if is_locked(error):
            raise RowLocked from None
        raise


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
    AuthorizationExpired, AmountMismatch, OperationInProgress, NeedsReview or Overloaded, and what `intent`
    raises: then nothing is recorded.
    """
    assert not isinstance(start, Continue)  # noqa: S101 - only an authorize needs its client to go on
    conflicts = {"one_open_operation_per_payment": lambda: unfinished_operation(payment_id)}
    recorded = None
    with ExitStack() as held:
        with intent(conflicts):
            operation_id = claim.claim(start)
            payment = _lock_payment(payment_id, start.command)
            if not abilities_of(payment.bank).can(step.kind):
                raise _not_supported(payment, step)
            if not can_proceed(step.transition(payment)):
                raise _refuse_transition(payment, step)
            amount = _amount_of(step, payment, amount_minor, start)
            slot = held.enter_context(capacity_of(payment.bank).threads.reserve())
            lease = write_ahead(
                start,
                operation_id,
                payment=payment,
                kind=step.kind,
                amount_minor=amount,
                event=step.requested,
                reason=reason,
                target=step.target(payment),
            )
            recorded = slot, lease
        yield recorded


def write_ahead(
    start: New | Again,
    operation_id: UUID,
    *,
    payment: Payment,
    kind: OperationKind,
    amount_minor: int,
    event: Event.Type,
    target: str = "",
    reason: str = "",
) -> Lease:
    """Write an operation ahead, with its lease, its first attempt and its event.

    Inside the caller's transaction, which must be committed before the lease is run. `target` is the
    bank reference that the instruction names. Raises IntegrityError where the payment has an unfinished
    operation already.
    """
    command = start.command
    ordinal, bank_key = _bank_key(start, kind, payment.bank, amount_minor)
    operation = Operation(
        id=operation_id,
        payment=payment,
        kind=kind,
        bank=payment.bank,
        amount_minor=amount_minor,
        currency=payment.currency,
        target_reference=target,
        bank_idempotency_key=bank_key,
        ordinal=ordinal,
        actor=command.actor,
        request_id=command.request_id,
        reason=reason,
    )
    lease = leases.open_lease(operation)
    Event.objects.create(
        payment=payment,
        operation=operation,
        type=event,
        actor=command.actor,
        request_id=command.request_id,
    )
    return lease


def _ordinal(start: New | Again) -> int:
    return start.ordinal if isinstance(start, Again) else 0


def _bank_key(start: New | Again, kind: OperationKind, bank: str, amount_minor: int) -> tuple[int, str]:
    """The ordinal and the bank key, which no other instruction has had.

    One of a merchant's key that has been forgotten since may have: even what was not executed then is not
    run again now. What starts again shares its key with what it runs again, which was not executed.
    """
    ordinal = _ordinal(start)
    others = Operation.objects.filter(bank=bank)
    if isinstance(start, Again):
        # All that is left may be another amount by now: that is another instruction.
        others = others.exclude(state=OperationState.NOT_EXECUTED, amount_minor=amount_minor)
    while others.filter(bank_idempotency_key=(key := start.command.bank_key(kind, ordinal))).exists():
        ordinal += 1
    return ordinal, key


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
    own_key = start.command.bank_key(step.kind, _ordinal(start))
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


def unfinished_operation(payment_id: UUID) -> Refused:
    """Which operation stands in the way."""
    payment = payments_for_receipts().get(pk=payment_id)
    operation = unfinished_operations().filter(payment=payment).first()
    if operation is None:
        detail = "Another operation of this payment has finished at this moment."
        return OperationInProgress(detail, payment=payment, retry_after=1)
    if operation.state == OperationState.NEEDS_REVIEW:
        detail = f"The {operation.kind} is under review."
        return NeedsReview(detail, payment=payment, operation=operation)
    detail = f"The {operation.kind} is unfinished."
    return OperationInProgress(detail, payment=payment, operation=operation)


def order_with_payment(command: Command, order_id: str) -> Refused:
    """Which payment the order has."""
    payment = (
        payments_for_receipts()
        .filter(merchant=command.merchant, mode=command.mode, order_id=order_id, state__in=LIVE_PAYMENTS)
        .first()
    )
    if payment is None:
        return OrderAlreadyHasPayment("A payment of this order has ended at this moment.", retry_after=1)
    is_unfinished = payment.pending_kind is not None
    return OrderAlreadyHasPayment(
        f"The order has the {payment.state} payment {payment.public_id}.",
        next_step=ORDER_UNFINISHED if is_unfinished else NEXT_OF_ORDER[PaymentState(payment.state)],
        payment=payment,
    )
