"""The first half of every use case: what is asked is checked and recorded, or refused, in one transaction.

Uniqueness is the database's to judge (one live payment per order, one unfinished operation per payment,
one use per idempotency key); what it refuses is explained here, after the transaction is gone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django_fsm import can_proceed

from payments.domain.ids import new_id
from payments.domain.problems import NEXT_IN_STATE, NEXT_OF_ORDER, ORDER_UNFINISHED
from payments.domain.states import LIVE_PAYMENTS, OperationKind, OperationState, PaymentState
from payments.engine import claim, leases
from payments.engine.claim import MerchantRequest
from payments.engine.leases import Lease
from payments.engine.locked_rows import RowLocked
from payments.engine.refusals import (
    NO_SUCH_PAYMENT,
    AmountMismatch,
    AuthorizationExpired,
    InvalidTransition,
    NeedsReview,
    OperationInProgress,
    OrderAlreadyHasPayment,
    PaymentNotFound,
    Refused,
)
from payments.models import (
    Event,
    Operation,
    Payment,
    is_bank_key_used,
    payments_for_receipts,
    unfinished_operations,
)
from payments.models.guards import is_locked, violated_constraint


@contextmanager
def intent(request: MerchantRequest, conflicts: dict[str, Callable[[], Refused]]) -> Iterator[UUID]:
    """The intent's transaction, in which the key is claimed first of all, for the operation id it yields.

    A constraint named in `conflicts` that is violated becomes that refusal. Raises KeyClaimed, BankKeyUsed
    and RowLocked for `retries.answered_once` to act on.
    """
    operation_id = new_id()
    try:
        with transaction.atomic(durable=True):
            claim.claim(request, operation_id)
            if request.alongside is not None:
                request.alongside()
            yield operation_id
    except IntegrityError as error:
        constraint = violated_constraint(error)
        if constraint == claim.CLAIM_CONSTRAINT:
            raise claim.KeyClaimed from None
        if constraint == claim.BANK_KEY_CONSTRAINT:
            raise claim.BankKeyUsed from None
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


def record_step(
    request: MerchantRequest, step: Step, *, payment_id: UUID, amount_minor: int | None, reason: str
) -> Lease:
    """The step's operation, committed, on a payment that allows it.

    Raises PaymentNotFound, InvalidTransition, AuthorizationExpired, AmountMismatch, OperationInProgress
    or NeedsReview, and what `intent` raises.
    """
    conflicts = {"one_open_operation_per_payment": lambda: unfinished_operation(payment_id)}
    with intent(request, conflicts) as operation_id:
        payment = _lock_payment(payment_id, request)
        if not can_proceed(step.transition(payment)):
            raise _refuse_transition(payment, step)
        _check_amount(payment, amount_minor)
        return write_ahead(
            operation_id,
            payment=payment,
            kind=step.kind,
            event=step.requested,
            request=request,
            reason=reason,
            target=step.target(payment),
        )


def write_ahead(
    operation_id: UUID,
    *,
    payment: Payment,
    kind: OperationKind,
    event: Event.Type,
    request: MerchantRequest,
    target: str = "",
    reason: str = "",
) -> Lease:
    """Write an operation ahead, with its lease, its first attempt and its event.

    Inside the caller's transaction, which must be committed before the lease is run. `target` is the
    bank reference that the instruction names. Raises IntegrityError where the payment has an unfinished
    operation already, BankKeyUsed where the bank key is an older instruction's.
    """
    bank_key = claim.bank_key(request, kind)
    if request.again_after is None and is_bank_key_used(payment.bank, bank_key):
        # The merchant's key has been forgotten since. What was not executed then is not run again now.
        raise claim.BankKeyUsed
    operation = Operation(
        id=operation_id,
        payment=payment,
        kind=kind,
        bank=payment.bank,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        target_reference=target,
        bank_idempotency_key=bank_key,
        ordinal=request.ordinal,
        actor=request.actor,
        request_id=request.request_id,
        reason=reason,
    )
    lease = leases.open_lease(operation, settings.BANK_TIMING)
    Event.objects.create(
        payment=payment,
        operation=operation,
        type=event,
        actor=request.actor,
        request_id=request.request_id,
    )
    return lease


def _lock_payment(payment_id: UUID, request: MerchantRequest) -> Payment:
    """The merchant's payment, locked until the transaction ends. Raises PaymentNotFound.

    Where another transaction has it, this one ends at once: whoever waits keeps no connection.
    """
    payment = (
        Payment.objects.select_for_update(no_key=True, nowait=True)
        .filter(pk=payment_id, merchant=request.merchant, mode=request.mode)
        .first()
    )
    if payment is None:
        raise PaymentNotFound(NO_SUCH_PAYMENT)
    return payment


def _check_amount(payment: Payment, amount_minor: int | None) -> None:
    """Full amounts only: the bank's contract. Raises AmountMismatch."""
    if amount_minor is not None and amount_minor != payment.amount_minor:
        raise AmountMismatch(
            f"The payment's amount is {payment.amount_minor} cents; {amount_minor} were asked for.",
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


def order_with_payment(request: MerchantRequest, order_id: str) -> Refused:
    """Which payment the order has."""
    payment = (
        payments_for_receipts()
        .filter(merchant=request.merchant, mode=request.mode, order_id=order_id, state__in=LIVE_PAYMENTS)
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
