"""What the back office is asked, and the plans by which PostgreSQL answers."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from tests.benchmarks.generated import TABLES, made_id, make_merchants

# A payment with all of it: captured, a capture's reference, an idempotency key. And one with a late hold.
CAPTURED, LATE = 10, 3
SCANNED = frozenset({"Seq Scan", "Parallel Seq Scan"})
_LARGE = frozenset(TABLES)


def questions() -> dict[str, dict[str, Any]]:
    """Every way to search and to filter, as the list's address has it."""
    large, small = make_merchants()
    return {
        "the list": {},
        "the list, page 40": {"p": 40},
        "payment id": {"q": f"pay_{made_id('payment', CAPTURED).hex}"},
        "operation id": {"q": f"op_{made_id('capture', CAPTURED).hex}"},
        "order": {"q": f"order-{CAPTURED}"},
        "customer": {"q": f"customer-{7919 * 11 % 200000}"},
        "customer whom one in five has": {"q": "guest"},
        "bank reference": {"q": f"auth_{made_id('auth', CAPTURED)}"},
        "bank reference without prefix": {"q": str(made_id("cap", CAPTURED))},
        "reference only a release has": {"q": f"auth_{made_id('late', LATE)}"},
        "reference only an attempt has": {"q": f"auth_{made_id('stray', LATE)}"},
        "idempotency key": {"q": f"capture-order-{CAPTURED}"},
        "request id": {"q": f"request-capture-{CAPTURED}"},
        "request id of a replay": {"q": f"replay-{CAPTURED}"},
        "last four, or cents": {"q": "7919"},
        "last four that one in five has": {"q": "1111"},
        "amount": {"q": "$80.19"},
        "amount that one in five has": {"q": "$50.00"},
        "card and amount": {"q": "$50 1111"},
        "common card and rare amount": {"q": "$80.19 1111"},
        "beginning of a payment id": {"q": f"pay_{made_id('payment', CAPTURED).hex[:8]}"},
        "beginning of an operation id": {"q": f"op_{made_id('capture', CAPTURED).hex[:8]}"},
        "beginning of an order": {"q": f"order-{CAPTURED}…"},
        "beginning of every order": {"q": "order-…"},
        "beginning of a customer": {"q": "customer-1234…"},
        "email": {"q": f"kim-{CAPTURED + 1}@example.org"},
        "email that one in five has": {"q": "guest@example.org"},
        "word": {"q": f"mug {7919 * 11 % 100000}"},
        "word that one in five has": {"q": "shoes"},
        "common words, never together": {"q": "shoes mug"},
        "value of metadata": {"q": f"inv{CAPTURED}"},
        "words asked for": {"q": "shoes", "in": "words"},
        "what nobody has": {"q": "lost"},
        "state CAPTURED": {"state": "CAPTURED"},
        "state FAILED": {"state": "FAILED"},
        "state PENDING": {"state": "PENDING"},
        "mode live": {"mode": "live"},
        "both modes": {"mode": "all"},
        "mode test": {"mode": "test"},
        "large merchant": {"merchant": large.pk},
        "small merchant": {"merchant": small.pk},
        "small merchant, test": {"merchant": small.pk, "mode": "test"},
        "a day": {"created_from": "2025-01-01", "created_to": "2025-01-01"},
        "captured on a day": {
            "reached": "CAPTURED",
            "reached_from": "2025-01-01",
            "reached_to": "2025-01-01",
        },
        "in doubt": {"attention": "in_doubt"},
        "needs review": {"attention": "needs_review"},
        "awaiting statement": {"attention": "awaiting_statement"},
        "awaiting statement, small merchant": {"attention": "awaiting_statement", "merchant": small.pk},
        "common customer, rare state": {"q": "guest", "state": "FAILED"},
        "common amount, a day": {"q": "50.00", "created_from": "2025-01-01", "created_to": "2025-01-01"},
    }


@dataclass
class Recorded:
    """The statements one request ran, and how long the database took for them."""

    statements: list[tuple[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.seconds += time.perf_counter() - started
            self.statements.append((sql, params))


@contextmanager
def recorded() -> Iterator[Recorded]:
    wrapper = Recorded()
    with connection.execute_wrapper(wrapper):
        yield wrapper


@dataclass
class Plans:
    """How the large tables were read: by which kinds of nodes, and which of them scanned one whole."""

    kinds: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    scans: list[str] = field(default_factory=list)


def plans_of(statements: list[tuple[str, Any]]) -> Plans:
    """As PostgreSQL plans those of the statements that read a large table."""
    plans = Plans()
    for plan in _explained(statements, "FORMAT JSON"):
        _read(plan, plans)
    return plans


def blocks_of(statements: list[tuple[str, Any]]) -> int:
    """How many blocks they look at, wherever those lie."""
    explained = _explained(statements, "ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON")
    return sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in explained)


def _explained(statements: list[tuple[str, Any]], options: str) -> Iterator[dict[str, Any]]:
    for sql, params in statements:
        if sql.startswith(("SELECT", "(SELECT")) and any(f'"{table}"' in sql for table in _LARGE):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN ({options}) {sql}", params)
                [(explained,)] = cursor.fetchall()
            yield (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]


def _read(node: dict[str, Any], plans: Plans) -> None:
    if node.get("Relation Name") in _LARGE:
        plans.kinds.add(node["Node Type"])
        if node["Node Type"] in SCANNED:
            plans.scans.append(f"{node['Node Type']} on {node['Relation Name']}")
    if "Index Name" in node:
        plans.indexes.add(node["Index Name"])
    for inner in node.get("Plans", []):
        _read(inner, plans)
