"""The merchants' idempotency keys: one key, one instruction, one response.

A key is claimed by a unique row, inserted in the transaction that records the operation: both exist or
neither. A refusal leaves neither. The final response is stored in the transaction that records the outcome
and replayed byte for byte from then on. A proven non-execution frees the claim: the same request may then
start a new operation.

`decide` comes first: it tells what a request's key allows, before anything is validated or recorded.
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
from payments.engine import responses
from payments.engine.abilities import abilities_of
from payments.engine.capacity import timing_of
from payments.engine.history import may_send_card
from payments.engine.refusals import IdempotencyKeyInUse, IdempotencyKeyReused
from payments.engine.responses import ApiResponse
from payments.models import IdempotencyKey, Merchant, Operation, bank_key_age, payments_for_receipts
from payments.models.clock import ClockTimestamp, clock_in

CLAIM_CONSTRAINT = "idempotency_key_claimed_once"
BANK_KEY_CONSTRAINT = "one_operation_per_bank_key"
REPLAYED = "Idempotent-Replayed"


@dataclass(frozen=True)
class Command(ABC):
    """A command for a merchant's payment: the merchant's own request or an instruction by staff."""

    merchant: Merchant
    mode: str
    actor: str  # for the events: `api_key:7`
    request_id: str

    @abstractmethod
    def claim(self, operation_id: UUID) -> None:
        """Bind the command to this operation, in the transaction that records the operation.

        Raises IntegrityError (CLAIM_CONSTRAINT) where the command is already bound to another one.
        """

    @abstractmethod
    def bank_key(self, kind: OperationKind, ordinal: int) -> str:
        """The idempotency key that the bank gets.

        `ordinal` grows when an earlier bank key must not be used again.
        """


@dataclass(frozen=True)
class MerchantRequest(Command):
    """A POST that asks for an operation: the merchant, the mode and the request itself."""

    idempotency_key: str
    method: str
    path: str
    body: Any  # as parsed, with the card, perhaps not validated yet; only its fingerprint is stored

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
        """The request's fingerprint, and the id of the secret that keys it."""
        key_id = next(iter(settings.FINGERPRINT_KEYS))
        return _fingerprint(self, key_id), key_id

    def bank_key(self, kind: OperationKind, ordinal: int) -> str:
        """Derived, so that a client's retry gets the bank's stored reply even if our record is lost.

        The request's content is part of it, so that no other request shares it: not even one that reuses the
        merchant's key after we have deleted that.
        """
        scope = [self.merchant.slug, self.mode, self.idempotency_key, kind.value, ordinal]
        return derived_bank_key(*scope, *_asked(self))


@dataclass(frozen=True)
class New:
    """The key is new: the command may start. `bank` is that of the payment it names, where that is known."""

    command: Command
    bank: str = ""


@dataclass(frozen=True)
class Again:
    """Its operation was not executed: it may start again, and takes over that operation's claim.

    The bank key stays the same unless it is retired or so old that the bank may have forgotten it.
    """

    command: MerchantRequest
    operation_id: UUID
    ordinal: int
    after_retired_key: bool


@dataclass(frozen=True)
class Continue:
    """Its authorize is in doubt and can continue with the card in this request."""

    command: MerchantRequest
    operation: Operation

    def as_it_stands(self) -> "Replay":
        """The response where it cannot continue."""
        return _as_it_stands(self.operation)


@dataclass(frozen=True)
class Replay:
    """A repetition: gets the stored response, or the operation as it stands while that is in doubt."""

    operation: Operation
    response: ApiResponse


@dataclass(frozen=True)
class InUse:
    """The first request with this key is still waiting for the bank."""

    refusal: IdempotencyKeyInUse


Start = New | Again | Continue  # the decisions that let a use case run
Decision = Start | Replay | InUse


def decide(command: Command) -> Decision:
    """What the command may do. One statement for a merchant's request, a few where its key is known.

    The request need not be valid yet. Raises IdempotencyKeyReused where the key was first used for another
    request.
    """
    if not isinstance(command, MerchantRequest):
        return New(command)  # the record that it makes with its intent decides
    claimed = _claims(command).select_related("operation__payment").annotate(now=ClockTimestamp()).first()
    if claimed is None:
        return New(command)
    operation = claimed.operation
    if not is_same_request(command, claimed.fingerprint, claimed.fingerprint_key_id):
        raise IdempotencyKeyReused(
            "This Idempotency-Key was first used for another request, or too long ago to be compared.",
            operation=operation,
        )
    if claimed.response_status is not None:
        kept = _stored_under(claimed)
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
    """Another request has taken over the claim of the operation that was not executed."""


def claim(start: New | Again) -> UUID:
    """Claim the key for the operation that this transaction records; return the operation's id.

    Raises KeyClaimed or IntegrityError (CLAIM_CONSTRAINT) where another request was faster.
    """
    operation_id = new_id()
    if isinstance(start, New):
        start.command.claim(operation_id)
        return operation_id
    taken_over = _claims(start.command).filter(
        operation=start.operation_id,
        # Checked again under this row's lock: a late hold under the key may be about to be voided.
        bank_key_retired=start.after_retired_key,
    )
    if not taken_over.update(operation_id=operation_id, created_at=ClockTimestamp(), bank_key_retired=False):
        raise KeyClaimed
    return operation_id


def store_response(operation: Operation, response: ApiResponse) -> None:
    """Store the final response to the request that instructed this operation, with its outcome."""
    IdempotencyKey.objects.filter(operation=operation).update(
        response_status=response.status, response_headers=dict(response.headers), response_body=response.body
    )


def stored_response(operation: Operation) -> ApiResponse | None:
    """The stored response to the request that instructed this operation, or None."""
    kept = IdempotencyKey.objects.filter(operation=operation).exclude(response_status=None).first()
    return _stored_under(kept) if kept is not None else None


def sweep(*, limit: int) -> int:
    """Delete keys older than 30 days whose operation has ended; return how many were deleted.

    At most `limit`, in one transaction. Several processes may sweep at the same time.
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


def is_same_request(request: MerchantRequest, fingerprint: str, key_id: str) -> bool:
    """Whether this request, which need not be valid, has the fingerprint made under that secret.

    False where the fingerprint's secret has been retired: secrets must be kept for 30 days.
    """
    if key_id not in settings.FINGERPRINT_KEYS:
        return False
    try:
        return hmac.compare_digest(fingerprint, _fingerprint(request, key_id))
    except RecursionError:  # a body nested deeper than any that can have been accepted
        return False


def own_bank_key(operation_id: UUID) -> str:
    """The bank key of an operation that no merchant requested."""
    return derived_bank_key(operation_id.hex)


def derived_bank_key(*parts: Any) -> str:
    """A bank key that reveals nothing of its parts. The same parts give the same key."""
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
    """Whether the first request's client may still be waiting."""
    return now - operation.created_at < timedelta(seconds=timing_of(operation.bank).client_wait)


def _in_use(operation: Operation) -> IdempotencyKeyInUse:
    return IdempotencyKeyInUse(
        f"The first request with this key is unfinished: its {operation.kind} has no known outcome yet. "
        "Retry with the same key.",
        payment=payments_for_receipts().get(operations=operation),
        operation=operation,
    )


def _can_continue(operation: Operation, now: datetime) -> bool:
    """Whether the retry can continue an authorize in doubt: only the retry has the card."""
    return (
        operation.kind == OperationKind.AUTHORIZE
        and operation.state == OperationState.OPEN
        and operation.lease_expires_at <= now
        and may_send_card(operation, now)
    )


def _as_it_stands(operation: Operation) -> Replay:
    return Replay(operation, responses.of_operation(operation.claimed_payment, operation))


def _stored_under(claimed: IdempotencyKey) -> ApiResponse:
    """The stored response, byte for byte."""
    assert claimed.response_status is not None  # noqa: S101 - a guard of the table: all of it or nothing
    body = bytes(claimed.response_body or b"")
    return ApiResponse(claimed.response_status, body, claimed.response_headers or {})


def _fingerprint(request: MerchantRequest, key_id: str) -> str:
    """A keyed hash, so that no card number can be guessed from it."""
    return _hmac(settings.FINGERPRINT_KEYS[key_id], _asked(request))


def _asked(request: MerchantRequest) -> list[Any]:
    """What identifies a request: method, path and body without the CVV."""
    body = request.body
    if isinstance(body, Mapping) and isinstance(body.get("card"), Mapping):
        card = {name: value for name, value in body["card"].items() if name != "cvv"}
        body = {**body, "card": card}
    return [request.method, request.path, body]


def _hmac(secret: str, parts: list[Any]) -> str:
    message = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
