"""The caller of the API: a merchant in one mode, identified by an API key."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings

from payments.domain.rates import Limits
from payments.domain.scopes import Scopes, parse_scopes
from payments.engine import statements
from payments.models import ApiKey, Merchant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Caller:
    """Sees and changes only what belongs to this merchant and mode."""

    key_id: int
    merchant: Merchant
    mode: str
    routes: dict[str, str]  # the bank that serves each currency the merchant may use in this mode
    has_used_key: bool  # whether its idempotency key is already claimed
    bank: str  # of the payment in the URL; empty where this caller has no such payment
    scopes: Scopes  # of its API key
    limits: Limits
    now_ms: int  # the database's time of this request, in milliseconds since 1970

    is_authenticated = True  # for the framework

    @property
    def actor(self) -> str:
        """For events and logs."""
        return f"api_key:{self.key_id}"

    @property
    def now(self) -> datetime:
        """The database's time of this request, UTC."""
        return _EPOCH + timedelta(milliseconds=self.now_ms)


def find_caller(plain: str, *, idempotency_key: str = "", payment_id: UUID | None = None) -> Caller | None:
    """The caller with this API key, or None where no key in force matches. One statement.

    Nothing is kept between requests: a key that is disabled or expires fails the next request.
    """
    parameters = {
        "digest": ApiKey.digest_of(plain),
        "idempotency_key": idempotency_key,
        "payment_id": payment_id,
    }
    row = statements.fetch(statements.READ_CALLER, parameters)
    if row is None:
        return None
    key_id, mode, merchant_id, slug, name, is_active, routes, has_used_key, bank = row[:9]
    scopes, writes, reads, now_ms = row[9:]
    return Caller(
        key_id,
        Merchant(id=merchant_id, slug=slug, name=name, is_active=is_active),
        mode,
        json.loads(routes or "{}"),
        has_used_key,
        bank or "",
        parse_scopes(scopes),
        settings.RATE_LIMITS if writes is None else Limits(writes, reads),
        now_ms,
    )
