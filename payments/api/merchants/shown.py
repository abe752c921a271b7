"""What the calls about the merchant respond, made from the recorded rows."""

from datetime import datetime
from typing import Any

from payments.domain.rates import WINDOW_SECONDS, Budget, Limits
from payments.domain.states import Mode, OperationKind
from payments.engine.abilities import abilities_of
from payments.engine.callers import Caller
from payments.engine.responses import timestamp
from payments.models import ApiKey


def api_key(key: ApiKey, now: datetime) -> dict[str, Any]:
    """An API key at this time of the database's clock. Its secret is known to nobody."""
    return {
        "id": key.public_id,
        "livemode": key.mode == Mode.LIVE,
        "name": key.name or None,
        "scopes": key.scopes,
        "hint": str(key),
        "state": key.state_at(now).value,
        "replaces": key.replaces.public_id if key.replaces else None,
        "created_at": timestamp(key.created_at),
        "expires_at": timestamp(key.expires_at),
        "disabled_at": timestamp(key.disabled_at),
        "last_used_at": timestamp(key.last_used_at),
    }


def merchant(caller: Caller, key: ApiKey) -> dict[str, Any]:
    """The merchant in the key's mode: its currencies, its limits, and the key in use."""
    return {
        "id": caller.merchant.slug,
        "name": caller.merchant.name,
        "livemode": caller.mode == Mode.LIVE,
        "currencies": [_currency(code, bank) for code, bank in sorted(caller.routes.items())],
        "limits": _limits(caller.limits),
        "api_key": api_key(key, caller.now),
    }


def _currency(code: str, bank: str) -> dict[str, Any]:
    abilities = abilities_of(bank)
    return {
        "currency": code,
        "operations": [kind.value for kind in OperationKind if kind in abilities.operations],
        "partial_captures": abilities.captures_parts,
        "partial_refunds": abilities.refunds_parts,
    }


def _limits(limits: Limits) -> dict[str, Any]:
    return {budget.value: {"requests": limits.of(budget), "seconds": WINDOW_SECONDS} for budget in Budget}
