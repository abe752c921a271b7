"""The caller of the API: a merchant in one mode, identified by an API key."""

import json
from dataclasses import dataclass
from uuid import UUID

from payments.engine import statements
from payments.models import ApiKey, Merchant


@dataclass(frozen=True)
class Caller:
    """Sees and changes only what belongs to this merchant and mode."""

    key_id: int
    merchant: Merchant
    mode: str
    routes: dict[str, str]  # the bank that serves each currency the merchant may use in this mode
    has_used_key: bool  # whether its idempotency key is already claimed
    bank: str  # of the payment in the URL; empty where this caller has no such payment

    is_authenticated = True  # for the framework

    @property
    def actor(self) -> str:
        """For events and logs."""
        return f"api_key:{self.key_id}"


def find_caller(plain: str, *, idempotency_key: str = "", payment_id: UUID | None = None) -> Caller | None:
    """The caller with this API key, or None where no active key matches. One statement."""
    parameters = {
        "digest": ApiKey.digest_of(plain),
        "idempotency_key": idempotency_key,
        "payment_id": payment_id,
    }
    row = statements.fetch(statements.READ_CALLER, parameters)
    if row is None:
        return None
    key_id, mode, merchant_id, slug, name, is_active, routes, has_used_key, bank = row
    merchant = Merchant(id=merchant_id, slug=slug, name=name, is_active=is_active)
    return Caller(key_id, merchant, mode, json.loads(routes or "{}"), has_used_key, bank or "")
