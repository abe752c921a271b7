"""The merchants' idempotency keys: claimed with the intent, one request each.

The claim is a row whose uniqueness the database guards, inserted in the transaction that records the
operation: either both exist or neither.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from payments.domain.states import OperationKind
from payments.models import IdempotencyKey, Merchant, payments_with_pending
from payments.services.refusals import IdempotencyKeyInUse, IdempotencyKeyReused

CLAIM_CONSTRAINT = "idempotency_key_claimed_once"
RETRY_AFTER_SECONDS = 2


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
    body: Mapping[str, Any]  # as parsed, the card included; only its fingerprint is kept


def claim(request: MerchantRequest, operation_id: UUID) -> None:
    """Claim the key for the operation that this transaction records.

    Raises IntegrityError (CLAIM_CONSTRAINT) where the key is claimed already; see `refuse_reuse`.
    """
    key_id = next(iter(settings.FINGERPRINT_KEYS))
    IdempotencyKey.objects.create(
        merchant=request.merchant,
        mode=request.mode,
        key=request.idempotency_key,
        fingerprint=_fingerprint(request, key_id),
        fingerprint_key_id=key_id,
        operation_id=operation_id,
    )


def refuse_reuse(request: MerchantRequest) -> None:
    """Say why a claimed key cannot be used: raises IdempotencyKeyReused or IdempotencyKeyInUse."""
    claimed = IdempotencyKey.objects.select_related("operation").get(
        merchant=request.merchant, mode=request.mode, key=request.idempotency_key
    )
    # A fingerprint whose key has been retired cannot be compared; only a key kept for 30 days avoids it.
    known = claimed.fingerprint_key_id in settings.FINGERPRINT_KEYS
    same = known and hmac.compare_digest(
        claimed.fingerprint, _fingerprint(request, claimed.fingerprint_key_id)
    )
    if not same:
        raise IdempotencyKeyReused("This Idempotency-Key was first used with another method, path or body.")
    raise IdempotencyKeyInUse(
        f"This request has been taken before; it made the {claimed.operation.kind} of the payment shown.",
        payment=payments_with_pending().get(operations=claimed.operation),
        retry_after=RETRY_AFTER_SECONDS,
    )


def bank_key(request: MerchantRequest, kind: OperationKind, ordinal: int) -> str:
    """The key under which the bank gets to know this instruction.

    Derived, so that a client's retry finds the bank's earlier answer even if our record of it is lost.
    """
    return _hmac(
        settings.BANK_KEY_SECRET,
        [request.merchant.slug, request.mode, request.idempotency_key, kind.value, ordinal],
    )


def own_bank_key(operation_id: UUID) -> str:
    """The bank key of an operation that no merchant asked for."""
    return _hmac(settings.BANK_KEY_SECRET, [operation_id.hex])


def _fingerprint(request: MerchantRequest, key_id: str) -> str:
    """Over method, path and body without the CVV, keyed so that no card number can be guessed from it."""
    body = dict(request.body)
    if isinstance(body.get("card"), Mapping):
        body["card"] = {name: value for name, value in body["card"].items() if name != "cvv"}
    return _hmac(settings.FINGERPRINT_KEYS[key_id], [request.method, request.path, body])


def _hmac(secret: str, parts: list[Any]) -> str:
    message = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
