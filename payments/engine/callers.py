"""Who asks: a merchant in one mode, known by an API key, and what its request names."""

import json
from dataclasses import dataclass
from uuid import UUID

from payments.engine import statements
from payments.models import ApiKey, Merchant


@dataclass(frozen=True)
class Caller:
    """All it sees and changes is of this merchant and mode."""

    key_id: int
    merchant: Merchant
    mode: str
    routes: dict[str, str]  # the bank that serves each currency the merchant may use in this mode
    has_used_key: bool  # whether its idempotency key stands for a request already
    bank: str  # that has the payment which is named; empty where there is none of this caller's

    is_authenticated = True  # for the framework

    @property
    def actor(self) -> str:
        """For events and logs."""
        return f"api_key:{self.key_id}"


def find_caller(plain: str, *, idempotency_key: str = "", payment_id: UUID | None = None) -> Caller | None:
    """The caller whose API key in force this is, or None. One statement."""
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
