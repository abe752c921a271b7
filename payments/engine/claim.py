"""The merchants' idempotency keys: one key, one instruction, one answer.

A key is claimed by a row whose uniqueness the database guards, inserted in the transaction that records
the operation: either both exist or neither, and a refusal of ours leaves neither. The final answer is
stored in the transaction that records the outcome, and returned to the byte ever after. A proven
non-execution releases the claim: the same request may then start a new operation.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.domain.timing import IDEMPOTENCY_KEYS_KEPT
from payments.engine.answers import Answer
from payments.models import IdempotencyKey, Merchant, Operation
from payments.models.clock import ClockTimestamp, clock_in

CLAIM_CONSTRAINT = "idempotency_key_claimed_once"
BANK_KEY_CONSTRAINT = "one_operation_per_bank_key"


@dataclass(frozen=True)
class MerchantRequest:
    """A POST that asks for an operation: who asks, in which world, and what exactly."""

    merchant: Merchant
    mode: str
    actor: str  # for the events: `api_key:7`
    request_id: str
    idempotency_key: str
    method: str
    path: str
    body: Any  # as parsed, the card included, perhaps not validated yet; only its fingerprint is kept
    again_after: UUID | None = None  # the operation, proven not executed, whose claim this one takes over
    continues: UUID | None = None  # the authorize in doubt that this request's card lets continue
    ordinal: int = 0  # grows where the bank must not be sent the earlier key again
    after_retired_key: bool = False  # whether it has grown because that key was retired
    alongside: Callable[[], None] | None = None  # what else the intent's transaction records


class KeyClaimed(Exception):
    """The key stands for an operation already."""


class BankKeyUsed(Exception):
    """The bank key derived for this request belongs to an older instruction."""


def claim(request: MerchantRequest, operation_id: UUID) -> None:
    """Claim the key for the operation that this transaction records.

    Raises IntegrityError (CLAIM_CONSTRAINT) where the key is claimed already, KeyClaimed where somebody
    else has taken over the claim of an operation that was not executed.
    """
    if request.again_after is not None:
        taken_over = IdempotencyKey.objects.filter(
            merchant=request.merchant,
            mode=request.mode,
            key=request.idempotency_key,
            operation=request.again_after,
            # Judged again under this row's lock: the hold of a late answer may be about to be voided.
            bank_key_retired=request.after_retired_key,
        ).update(operation_id=operation_id, created_at=ClockTimestamp(), bank_key_retired=False)
        if not taken_over:
            raise KeyClaimed
        return
    key_id = next(iter(settings.FINGERPRINT_KEYS))
    IdempotencyKey.objects.create(
        merchant=request.merchant,
        mode=request.mode,
        key=request.idempotency_key,
        fingerprint=_fingerprint(request, key_id),
        fingerprint_key_id=key_id,
        operation_id=operation_id,
    )


def store_answer(operation: Operation, answer: Answer) -> None:
    """Keep the final answer to the request that instructed this operation, in the outcome's transaction."""
    IdempotencyKey.objects.filter(operation=operation).update(
        answer_status=answer.status, answer_headers=dict(answer.headers), answer_body=answer.body
    )


def stored_answer(operation: Operation) -> Answer | None:
    """The final answer that is kept to the request that instructed this operation, if there is one."""
    kept = IdempotencyKey.objects.filter(operation=operation).exclude(answer_status=None).first()
    return answer_kept(kept) if kept is not None else None


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


def bank_key(request: MerchantRequest, kind: OperationKind) -> str:
    """The key under which the bank gets to know this instruction.

    Derived, so that a client's retry finds the bank's earlier answer even if our record of it is lost.
    What was asked is part of it, so that no other request can ever share it: not even one with the same
    merchant's key after that has been forgotten.
    """
    scope = [request.merchant.slug, request.mode, request.idempotency_key, kind.value, request.ordinal]
    return _hmac(settings.BANK_KEY_SECRET, [*scope, *_asked(request)])


def own_bank_key(operation_id: UUID) -> str:
    """The bank key of an operation that no merchant asked for."""
    return _hmac(settings.BANK_KEY_SECRET, [operation_id.hex])


def answer_kept(claimed: IdempotencyKey) -> Answer:
    """The final answer that is stored under the key, to the byte."""
    assert claimed.answer_status is not None  # noqa: S101 - the table's check: all of the answer or nothing
    body = bytes(claimed.answer_body or b"")
    return Answer(claimed.answer_status, body, claimed.answer_headers or {})


def is_same_request(claimed: IdempotencyKey, request: MerchantRequest) -> bool:
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
