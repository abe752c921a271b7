"""The first half of every use case: check and record the intent, or refuse it, in one transaction.

The database enforces uniqueness (one live payment per order, one unfinished operation per payment, one use
per idempotency key). This module turns its errors into refusals, after the transaction has ended.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.db import IntegrityError, OperationalError

from payments.domain.problems import NEXT_OF_ORDER, ORDER_UNFINISHED
from payments.domain.states import LIVE_PAYMENTS, OperationKind, OperationState, PaymentState
from payments.engine import claim, leases, locked_rows
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
    NeedsReview,
    OperationInProgress,
    OrderAlreadyHasPayment,
    Overloaded,
    Refused,
)
from payments.engine.responses import ApiResponse
from payments.models import (
    Event,
    Operation,
    Payment,
    payments_for_receipts,
    unfinished_operations,
)
from payments.models.guards import is_locked, violated_constraint

P = ParamSpec("P")


def retrying(
    use_case: Callable[Concatenate[Start, P], ApiResponse | None],
) -> Callable[Concatenate[Start, P], ApiResponse]:
    """Decorate a use case that returns None where another request was faster with the same command.

    Decides again what the command may do, and tries again for a moment where a row is locked, holding no
    connection meanwhile. Raises IdempotencyKeyInUse and what the use case raises.
    """

    @functools.wraps(use_case)
    def run(start: Start, /, *args: P.args, **kwargs: P.kwargs) -> ApiResponse:
        begun = locked_rows.now()
        while True:
            try:
                response = use_case(start, *args, **kwargs)
            except RowLocked:
                locked_rows.wait(begun)
                continue
            except Overloaded:
                response = _existing_response(start)
                if response is None:
                    raise
            if response is not None:
                return response
            decided = _decided_anew(start)
            if not isinstance(decided, Start):
                return _response_to(decided)
            start = decided

    return run


def _existing_response(start: Start) -> ApiResponse | None:
    """The response, if there is one: a full pool must not withhold it. Raises IdempotencyKeyInUse."""
    decided = start if isinstance(start, Continue) else claim.decide(start.command)
    if isinstance(decided, Continue):
        decided = decided.as_it_stands()
    return None if isinstance(decided, Start) else _response_to(decided)


def _decided_anew(start: Start) -> Decision:
    decided = claim.decide(start.command)
    if isinstance(start, Continue) and isinstance(decided, Continue):
        return decided.as_it_stands()  # another request has taken it over
    return decided


def _response_to(decided: Replay | InUse) -> ApiResponse:
    """The response to a command that may not start. Raises IdempotencyKeyInUse."""
    if isinstance(decided, InUse):
        raise decided.refusal
    return decided.response


@contextmanager
def refusing_conflicts(conflicts: dict[str, Callable[[], Refused]]) -> Iterator[None]:
    """Wraps the intent's transaction, which claims the key first.

    Where another request was faster with the same command, leaves the block with nothing recorded and
    without an exception. A violated constraint named in `conflicts` becomes that refusal. Raises RowLocked.
    """
    try:
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
    """Record an operation with its lease, its first attempt and its event, before it is sent.

    Inside the caller's transaction, which must be committed before the operation is sent. `target` is the
    bank reference that the instruction names. Raises IntegrityError where the payment already has an
    unfinished operation.
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


def ordinal_of(start: New | Again) -> int:
    return start.ordinal if isinstance(start, Again) else 0


def _bank_key(start: New | Again, kind: OperationKind, bank: str, amount_minor: int) -> tuple[int, str]:
    """The ordinal and a bank key that no other instruction has used.

    A merchant's key that we have deleted may have used one. Only a re-run shares the bank key with the
    operation that it runs again, which was not executed.
    """
    ordinal = ordinal_of(start)
    others = Operation.objects.filter(bank=bank)
    if isinstance(start, Again):
        # "All that is left" may be another amount by now, which makes it another instruction.
        others = others.exclude(state=OperationState.NOT_EXECUTED, amount_minor=amount_minor)
    while others.filter(bank_idempotency_key=(key := start.command.bank_key(kind, ordinal))).exists():
        ordinal += 1
    return ordinal, key


def unfinished_operation(payment_id: UUID) -> Refused:
    """The refusal that names the payment's unfinished operation."""
    payment = payments_for_receipts().get(pk=payment_id)
    operation = unfinished_operations().filter(payment=payment).first()
    if operation is None:
        detail = "Another operation of this payment has just finished."
        return OperationInProgress(detail, payment=payment, retry_after=1)
    if operation.state == OperationState.NEEDS_REVIEW:
        detail = f"The {operation.kind} is under review."
        return NeedsReview(detail, payment=payment, operation=operation)
    detail = f"The {operation.kind} is unfinished."
    return OperationInProgress(detail, payment=payment, operation=operation)


def order_with_payment(command: Command, order_id: str) -> Refused:
    """The refusal that names the order's payment."""
    payment = (
        payments_for_receipts()
        .filter(merchant=command.merchant, mode=command.mode, order_id=order_id, state__in=LIVE_PAYMENTS)
        .first()
    )
    if payment is None:
        return OrderAlreadyHasPayment("A payment of this order has just ended.", retry_after=1)
    is_unfinished = payment.pending_kind is not None
    return OrderAlreadyHasPayment(
        f"The order has the {payment.state} payment {payment.public_id}.",
        next_step=ORDER_UNFINISHED if is_unfinished else NEXT_OF_ORDER[PaymentState(payment.state)],
        payment=payment,
    )
