"""The merchants' idempotency keys: one key, one instruction, one answer.

A key is claimed by a row whose uniqueness the database guards, inserted in the transaction that records
the operation: either both exist or neither, and a refusal of ours leaves neither. The final answer is
stored in the transaction that records the outcome, and returned to the byte ever after. A proven
non-execution releases the claim: the same request may then start a new operation.

`decide` says first what a request's key lets it do, before anything is validated, reserved or recorded.
"""

import hashlib
import hmac
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from payments.domain.ids import new_id
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState
from payments.domain.timing import IDEMPOTENCY_KEYS_KEPT
from payments.engine import answers, leases
from payments.engine.abilities import abilities_of
from payments.engine.answers import Answer
from payments.engine.capacity import timing_of
from payments.engine.refusals import IdempotencyKeyInUse, IdempotencyKeyReused
from payments.models import IdempotencyKey, Merchant, Operation, bank_key_age, payments_for_receipts
from payments.models.clock import ClockTimestamp, clock_in

CLAIM_CONSTRAINT = "idempotency_key_claimed_once"
BANK_KEY_CONSTRAINT = "one_operation_per_bank_key"
REPLAYED = "Idempotent-Replayed"


@dataclass(frozen=True)
class Command(ABC):
    """What somebody wants done for a merchant: a merchant's own request, or staff's instruction."""

    merchant: Merchant
    mode: str
    actor: str  # for the events: `api_key:7`
    request_id: str

    @abstractmethod
    def claim(self, operation_id: UUID) -> None:
        """Record that the command stands for this operation, in the transaction that records that.

        Raises IntegrityError (CLAIM_CONSTRAINT) where it stands for another one already.
        """

    @abstractmethod
    def bank_key(self, kind: OperationKind, ordinal: int) -> str:
        """The key under which the bank gets to know the instruction.

        `ordinal` grows where the bank must not be sent the earlier key again.
        """


@dataclass(frozen=True)
class MerchantRequest(Command):
    """A POST that asks for an operation: who asks, in which world, and what exactly."""

    idempotency_key: str
    method: str
    path: str
    body: Any  # as parsed, the card included, perhaps not validated yet; only its fingerprint is kept

    def claim(self, operation_id: UUID) -> None:
        fingerprint, key_id = self.fingerprint()
        IdempotencyKey.objects.create(
            merchant=self.merchant,
            mode=self.mode,
            key=self.idempotency_key,
            fingerprint=fingerprint,
            fingerprint_key_id=key_id,
            operation_id=operation_id,
        )

    def fingerprint(self) -> tuple[str, str]:
        """What makes it known again, and the id of the secret it is made with."""
        key_id = next(iter(settings.FINGERPRINT_KEYS))
        return _fingerprint(self, key_id), key_id

    def bank_key(self, kind: OperationKind, ordinal: int) -> str:
        """Derived, so that a client's retry finds the bank's earlier answer even if our record of it is lost.

        What was asked is part of it, so that no other request can ever share it: not even one with the same
        merchant's key after that has been forgotten.
        """
        scope = [self.merchant.slug, self.mode, self.idempotency_key, kind.value, ordinal]
        return derived_bank_key(*scope, *_asked(self))


@dataclass(frozen=True)
class New:
    """Nothing is known of it: it starts. `bank` has the payment that it names, where that is known."""

    command: Command
    bank: str = ""


@dataclass(frozen=True)
class Again:
    """Its operation was not executed: it starts anew, and takes over that one's claim.

    The bank key is the same, unless it has been retired, or is so old that the bank may have forgotten it.
    """

    command: MerchantRequest
    operation_id: UUID
    ordinal: int
    after_retired_key: bool


@dataclass(frozen=True)
class Continue:
    """Its authorize is in doubt, and the card that this request brings lets it go on."""

    command: MerchantRequest
    operation: Operation

    def as_it_stands(self) -> "Replay":
        """What it is told where it cannot go on."""
        return _as_it_stands(self.operation)


@dataclass(frozen=True)
class Replay:
    """It has been answered: finally, to the byte, or, while its operation is in doubt, as that stands."""

    operation: Operation
    answer: Answer


@dataclass(frozen=True)
class InUse:
    """Its first request still waits for the bank."""

    refusal: IdempotencyKeyInUse


Start = New | Again | Continue  # what lets a use case run
Decision = Start | Replay | InUse


def decide(command: Command) -> Decision:
    """What the command may do. For a merchant's request one statement, or a few where its key is known.

    Nothing of the request has been validated yet. Raises IdempotencyKeyReused where the key was first used
    for another request.
    """
    if not isinstance(command, MerchantRequest):
        return New(command)  # decided once, by what it records with its intent
    claimed = _claims(command).select_related("operation__payment").annotate(now=ClockTimestamp()).first()
    if claimed is None:
        return New(command)
    operation = claimed.operation
    if not _is_same_request(claimed, command):
        raise IdempotencyKeyReused(
            "This Idempotency-Key was first used for another request, or too long ago to be compared.",
            operation=operation,
        )
    if claimed.answer_status is not None:
        kept = _answer_kept(claimed)
        return Replay(operation, replace(kept, headers={**kept.headers, REPLAYED: "true"}))
    if operation.state == OperationState.NOT_EXECUTED:
        return _again(command, claimed, claimed.now)
    if operation.state in UNFINISHED_OPERATIONS and _may_be_awaited(operation, claimed.now):
        return InUse(_in_use(operation))
    if _can_continue(operation, claimed.now):
        return Continue(command, operation)
    return _as_it_stands(operation)


def operation_of(request: MerchantRequest) -> Operation | None:
    """The operation that the request's key stands for."""
    claimed = _claims(request).select_related("operation").first()
    return claimed.operation if claimed else None


class KeyClaimed(Exception):
    """Somebody has taken over the claim of what was not executed."""


def claim(start: New | Again) -> UUID:
    """Claim the key for the operation that this transaction records: the id for it.

    Raises KeyClaimed, or IntegrityError (CLAIM_CONSTRAINT), where somebody was quicker.
    """
    operation_id = new_id()
    if isinstance(start, New):
        start.command.claim(operation_id)
        return operation_id
    taken_over = _claims(start.command).filter(
        operation=start.operation_id,
        # Judged again under this row's lock: the hold of a late answer may be about to be voided.
        bank_key_retired=start.after_retired_key,
    )
    if not taken_over.update(operation_id=operation_id, created_at=ClockTimestamp(), bank_key_retired=False):
        raise KeyClaimed
    return operation_id


def store_answer(operation: Operation, answer: Answer) -> None:
    """Keep the final answer to the request that instructed this operation, in the outcome's transaction."""
    IdempotencyKey.objects.filter(operation=operation).update(
        answer_status=answer.status, answer_headers=dict(answer.headers), answer_body=answer.body
    )


def stored_answer(operation: Operation) -> Answer | None:
    """The final answer that is kept to the request that instructed this operation, if there is one."""
    kept = IdempotencyKey.objects.filter(operation=operation).exclude(answer_status=None).first()
    return _answer_kept(kept) if kept is not None else None


def sweep(*, limit: int) -> int:
    """Forget keys that are older than 30 days and whose operation has ended; how many were forgotten.

    At most `limit`, in one transaction; several processes may sweep at the same time.
    """
    with transaction.atomic(durable=True):
        due = (
            IdempotencyKey.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(created_at__lt=clock_in(-IDEMPOTENCY_KEYS_KEPT.total_seconds()))
            .exclude(operation__state__in=UNFINISHED_OPERATIONS)
            .order_by("created_at")[:limit]
        )
        swept, _ = IdempotencyKey.objects.filter(pk__in=[key.pk for key in due]).delete()
    return swept


def own_bank_key(operation_id: UUID) -> str:
    """The bank key of an operation that no merchant asked for."""
    return derived_bank_key(operation_id.hex)


def derived_bank_key(*parts: Any) -> str:
    """A bank key that says nothing of what it is made from; the same for the same."""
    return _hmac(settings.BANK_KEY_SECRET, list(parts))


def _claims(request: MerchantRequest) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(
        merchant=request.merchant, mode=request.mode, key=request.idempotency_key
    )


def _again(request: MerchantRequest, claimed: IdempotencyKey, now: datetime) -> Again:
    operation, retired = claimed.operation, claimed.bank_key_retired
    is_old = not abilities_of(operation.bank).knows_key(bank_key_age(operation, now))
    ordinal = operation.ordinal + (1 if retired or is_old else 0)
    return Again(request, operation.pk, ordinal, after_retired_key=retired)


def _may_be_awaited(operation: Operation, now: datetime) -> bool:
    """Whether the first request's client may still wait for its answer."""
    return now - operation.created_at < timedelta(seconds=timing_of(operation.bank).client_wait)


def _in_use(operation: Operation) -> IdempotencyKeyInUse:
    return IdempotencyKeyInUse(
        f"The first request with this key is unfinished: its {operation.kind} has no known outcome yet. "
        "Retry with the same key.",
        payment=payments_for_receipts().get(operations=operation),
        operation=operation,
    )


def _can_continue(operation: Operation, now: datetime) -> bool:
    """An authorize in doubt needs the card, which only the merchant's retry brings."""
    return (
        operation.kind == OperationKind.AUTHORIZE
        and operation.state == OperationState.OPEN
        and operation.lease_expires_at <= now
        and leases.may_send_card(operation, now)
    )


def _as_it_stands(operation: Operation) -> Replay:
    return Replay(operation, answers.of_operation(operation.claimed_payment, operation))


def _answer_kept(claimed: IdempotencyKey) -> Answer:
    """The final answer that is stored under the key, to the byte."""
    assert claimed.answer_status is not None  # noqa: S101 - the table's check: all of the answer or nothing
    body = bytes(claimed.answer_body or b"")
    return Answer(claimed.answer_status, body, claimed.answer_headers or {})


def _is_same_request(claimed: IdempotencyKey, request: MerchantRequest) -> bool:
    """Whether the request, of which nothing is validated yet, is the one that the key was claimed for.

    One whose fingerprint's key has been retired cannot be compared; only a key kept for 30 days avoids it.
    """
    key_id = claimed.fingerprint_key_id
    if key_id not in settings.FINGERPRINT_KEYS:
        return False
    try:
        return hmac.compare_digest(claimed.fingerprint, _fingerprint(request, key_id))
    except RecursionError:  # a body nested more deeply than any that was ever accepted
        return False


def _fingerprint(request: MerchantRequest, key_id: str) -> str:
    """Keyed, so that no card number can be guessed from it."""
    return _hmac(settings.FINGERPRINT_KEYS[key_id], _asked(request))


def _asked(request: MerchantRequest) -> list[Any]:
    """What makes two requests the same: method, path and body without the CVV."""
    body = request.body
    if isinstance(body, Mapping) and isinstance(body.get("card"), Mapping):
        card = {name: value for name, value in body["card"].items() if name != "cvv"}
        body = {**body, "card": card}
    return [request.method, request.path, body]


def _hmac(secret: str, parts: list[Any]) -> str:
    message = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
