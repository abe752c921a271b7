"""A retry under a known idempotency key: it gets the answer that there is, goes on, or starts anew.

The final answer is returned to the byte. Whatever is answered without an event that tells of it is noted for
the payment's timeline.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState
from payments.domain.timing import BANK_KEY_LASTS
from payments.engine import answers, claim, leases, locked_rows, request_log
from payments.engine.answers import Answer
from payments.engine.claim import BankKeyUsed, KeyClaimed, MerchantRequest
from payments.engine.locked_rows import RowLocked
from payments.engine.refusals import IdempotencyKeyInUse, IdempotencyKeyReused, Overloaded, Refused
from payments.models import IdempotencyKey, Operation, bank_key_age, payments_for_receipts
from payments.models.clock import ClockTimestamp

P = ParamSpec("P")

_REPLAYED = "Idempotent-Replayed"
# A first request's answers that are not the last word on its operation.
_TOLD_BY_NO_EVENT = (202, 503)


def answered_once(
    use_case: Callable[Concatenate[MerchantRequest, P], Answer],
) -> Callable[Concatenate[MerchantRequest, P], Answer]:
    """Make a use case idempotent under the request's key.

    Raises IdempotencyKeyReused for another request under the same key, IdempotencyKeyInUse while the
    first one still waits, and whatever the use case raises.
    """

    @functools.wraps(use_case)
    def answer(request: MerchantRequest, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        begun = locked_rows.now()
        try:
            while True:
                try:
                    step = _step(use_case, request, *args, **kwargs)
                except RowLocked:
                    locked_rows.wait(begun)
                    continue
                if isinstance(step, Answer):
                    return step
                request = step
        except Refused as refused:
            _note_refusal(request, refused)
            raise

    return answer


def earlier_answer(request: MerchantRequest) -> Answer | None:
    """What the request's key was answered, or is now; None where it is new or may start or go on.

    Asked before the body is validated. Raises IdempotencyKeyReused and IdempotencyKeyInUse.
    """
    return _told(request, continues=None)


def answer_without_card(request: MerchantRequest) -> Answer | None:
    """What is known of an authorize that the request could continue, if its card would still do."""
    claimed = _find(request)
    return None if claimed is None else _told(request, continues=claimed.operation_id)


def _told(request: MerchantRequest, *, continues: UUID | None) -> Answer | None:
    claimed = _find(request)
    if claimed is None:
        return None
    try:
        found = _answer_of(claimed, replace(request, continues=continues))
    except Refused as refused:
        _note_refusal(request, refused)
        raise
    if found is not None:
        _note(request, claimed.operation, found)
    return found


def _step(
    use_case: Callable[Concatenate[MerchantRequest, P], Answer],
    request: MerchantRequest,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Answer | MerchantRequest:
    """The answer, or the request as it has to be tried again."""
    try:
        given = use_case(request, *args, **kwargs)
    except BankKeyUsed:
        return replace(request, ordinal=request.ordinal + 1)
    except (KeyClaimed, Overloaded) as obstacle:
        # A full pool must not keep anybody from an answer that exists.
        is_full = isinstance(obstacle, Overloaded)
        earlier = _find(request)
        if earlier is None:
            if is_full:
                raise
            # The claim was swept or rolled back at this moment: begin as if it had never been.
            return replace(request, again_after=None, continues=None)
        found = _answer_of(earlier, request)
        if found is None and is_full:
            if earlier.operation.state not in UNFINISHED_OPERATIONS:
                raise
            found = answers.of_operation(earlier.operation.claimed_payment, earlier.operation)
        if found is None:
            return _again(earlier, request)
        _note(request, earlier.operation, found)
        return found
    if request.continues is not None or given.status in _TOLD_BY_NO_EVENT:
        _note_first(request, given)
    return given


def _find(request: MerchantRequest) -> IdempotencyKey | None:
    return (
        IdempotencyKey.objects.select_related("operation__payment")
        .filter(merchant=request.merchant, mode=request.mode, key=request.idempotency_key)
        .annotate(now=ClockTimestamp())
        .first()
    )


def _answer_of(claimed: IdempotencyKey, request: MerchantRequest) -> Answer | None:
    """What the key's first request was answered, or would be now; None where it may start or go on."""
    if not claim.is_same_request(claimed, request):
        raise IdempotencyKeyReused(
            "This Idempotency-Key was first used for another request, or too long ago to be compared.",
            operation=claimed.operation,
        )
    if claimed.answer_status is not None:
        return _replay(claimed)
    operation = claimed.operation
    if operation.state == OperationState.NOT_EXECUTED:
        return None
    now: datetime = vars(claimed)["now"]
    waiting = now - operation.created_at < timedelta(seconds=settings.BANK_TIMING.client_wait)
    if waiting and operation.state in UNFINISHED_OPERATIONS:
        raise IdempotencyKeyInUse(
            f"The first request with this key is unfinished: its {operation.kind} has no known outcome yet. "
            "Retry with the same key.",
            payment=payments_for_receipts().get(operations=operation),
            operation=operation,
        )
    if request.continues is None and _can_continue(operation, now):
        return None
    return answers.of_operation(operation.claimed_payment, operation)


def _can_continue(operation: Operation, now: datetime) -> bool:
    """An authorize in doubt needs the card, which only the merchant's retry brings."""
    return (
        operation.kind == OperationKind.AUTHORIZE
        and operation.state == OperationState.OPEN
        and operation.lease_expires_at <= now
        and leases.may_send_card(operation, now)
    )


def _replay(claimed: IdempotencyKey) -> Answer:
    kept = claim.answer_kept(claimed)
    return replace(kept, headers={**kept.headers, _REPLAYED: "true"})


def _again(claimed: IdempotencyKey, request: MerchantRequest) -> MerchantRequest:
    """The request, to continue the operation in doubt or to start anew after one that was not executed.

    Anew, the bank key is the same, unless it has been retired, or is so old that the bank may have
    forgotten it.
    """
    operation = claimed.operation
    if operation.state == OperationState.OPEN:
        return replace(request, continues=operation.pk)
    retired = claimed.bank_key_retired
    is_old = bank_key_age(operation, vars(claimed)["now"]) >= BANK_KEY_LASTS
    ordinal = operation.ordinal + (1 if retired or is_old else 0)
    return replace(
        request, continues=None, again_after=operation.pk, ordinal=ordinal, after_retired_key=retired
    )


def _note_first(request: MerchantRequest, given: Answer) -> None:
    """Not worth an error where the database has gone away meanwhile: the answer stands."""
    try:
        claimed = _find(request)
    except (DatabaseError, InterfaceError):
        connection.close()
        return
    if claimed is not None:
        _note(request, claimed.operation, given)


def _note(request: MerchantRequest, operation: Operation, given: Answer) -> None:
    """What the request was answered. What staff instruct has events of its own."""
    if request.alongside is None:
        request_log.note(
            payment_id=operation.claimed_payment.pk,
            operation_id=operation.pk,
            kind=operation.kind,
            actor=request.actor,
            request_id=request.request_id,
            status=given.status,
            is_replay=_REPLAYED in given.headers,
        )


def _note_refusal(request: MerchantRequest, refused: Refused) -> None:
    met = refused.operation
    payment_id = refused.payment.pk if refused.payment else met.payment_id if met else None
    if request.alongside is None and payment_id is not None:
        verb = request.path.rpartition("/")[2]
        request_log.note(
            payment_id=payment_id,
            operation_id=met.pk if met else None,
            kind=verb if verb in tuple(OperationKind) else OperationKind.AUTHORIZE,
            actor=request.actor,
            request_id=request.request_id,
            status=refused.status,
            code=refused.code,
        )
