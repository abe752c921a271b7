"""Scopes: what an API key may be used for."""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache


class Scope(StrEnum):
    """A part of the API. A key has one or more."""

    PAYMENTS_READ = "payments:read"  # receipts, lists, histories, orders
    PAYMENTS_WRITE = "payments:write"  # authorize, capture, void, refund
    WEBHOOKS = "webhooks"  # webhook endpoints and their deliveries
    KEYS = "keys"  # the merchant's API keys themselves


Scopes = frozenset[Scope]
ALL_SCOPES: Scopes = frozenset(Scope)


def in_order(scopes: Iterable[str]) -> list[str]:
    """The scopes in the order of `Scope`, each once."""
    given = set(scopes)
    return [scope.value for scope in Scope if scope in given]


@lru_cache(maxsize=64)
def parse_scopes(text: str) -> Scopes:
    """The scopes in a text that parts them by spaces. Raises ValueError for an unknown one."""
    return frozenset(Scope(name) for name in text.split())
