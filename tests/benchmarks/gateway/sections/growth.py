"""The same with a thousand, a million and (BENCH_FULL=1) ten million payments: what does their number cost?

A database and a gateway for each size; all stand at once and are asked in turn, so that a ratio between
them says nothing of how busy the machine was.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from django.db import connection, connections

from payments.domain.ids import PAYMENT_PREFIX, public_id
from tests.benchmarks.gateway import options
from tests.benchmarks.gateway.results import Results, Table
from tests.benchmarks.gateway.sections.rounds import enough, measured, percentiles, warm
from tests.benchmarks.gateway.stage.load import Plan
from tests.benchmarks.gateway.stage.orders import authorizes, reads
from tests.benchmarks.gateway.stage.scene import Stage, database, gateway
from tests.benchmarks.generated import analyze, made_id, make_merchants, make_payments, without_indexes

AT_ONCE = 1_000_000  # rows of one transaction
CLIENTS = 32  # of the authorizes
READERS = 2
READ_SECONDS = 5  # times SECONDS, for all endpoints: a p95 needs some hundred reads of each
MOST_READS = 5000  # of each endpoint in a round
TIMES_NOTE = (
    "Authorizes at 32 clients and each read at 2, the databases in turn. Reads are p95 in milliseconds. "
    "A ratio is to the smallest database in the same round, of payments a second or of milliseconds."
)
SIZES_NOTE = "Bytes a payment, with its operations, attempts, events, keys and requests, after VACUUM."


@dataclass(frozen=True)
class _Grown:
    size: int
    stage: Stage
    database: Any  # Django's connection to it


def measure(results: Results) -> None:
    times, sizes = results.table("Growth", TIMES_NOTE), results.table("Size of a payment", SIZES_NOTE)
    with ExitStack() as held:
        grown = [_grow(held, size, sizes) for size in options.SIZES]
        for one in grown:
            connections["default"] = one.database
            warm(one.stage, authorizes(enough()))
        for number in range(options.ROUNDS):
            # In turn forwards and backwards: nobody is always the first.
            in_turn = grown if number % 2 == 0 else grown[::-1]
            _keep(times, {one.size: _measure(one) for one in in_turn})


def _grow(held: ExitStack, size: int, sizes: Table) -> _Grown:
    """A gateway on a database with so many payments."""
    made = held.enter_context(database())
    print(f"Making {size:,} payments ...", flush=True)
    make_merchants()
    with without_indexes():
        for first in range(1, size + 1, AT_ONCE):
            make_payments(first, min(size, first + AT_ONCE - 1))
    analyze()
    _add_bytes_a_payment(sizes, size)
    return _Grown(size, held.enter_context(gateway(slug="large")), made)


def _add_bytes_a_payment(sizes: Table, size: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substr(relname, 10), pg_table_size(oid), pg_indexes_size(oid) FROM pg_class"
            " WHERE relkind = 'r' AND relname LIKE 'payments\\_%%' AND reltuples > %s ORDER BY 1",
            [size / 20],
        )
        rows = cursor.fetchall()
    rows.append(("all", sum(rows for _, rows, _ in rows), sum(indexes for _, _, indexes in rows)))
    for table, table_bytes, index_bytes in rows:
        sizes.add(table, **{f"{size:,}: rows": table_bytes / size, f"{size:,}: indexes": index_bytes / size})


def _measure(one: _Grown) -> dict[str, float]:
    """Authorizes a second, and the p95 of each read."""
    connections["default"] = one.database
    figures, _report = measured(one.stage, CLIENTS, authorizes(enough()))
    endpoints = _reads(one.size)
    # All endpoints in turn, so that each is asked as often as the others.
    mixed = [(what, paths[at % len(paths)]) for at in range(MOST_READS) for what, paths in endpoints.items()]
    requests = reads([path for _, path in mixed], len(mixed))
    seconds = READ_SECONDS * options.SECONDS
    report = one.stage.ask(Plan(one.stage.server.port, READERS, seconds, one.stage.key, requests))
    took: dict[str, list[float]] = {}
    for number, _, seconds, _ in report.answers:
        took.setdefault(mixed[number][0], []).append(seconds)
    return {
        "authorize, /s": figures["per_second"],
        **{f"{what}, ms": percentiles(took[what])["p95_ms"] for what in endpoints},
    }


def _keep(times: Table, figures: dict[int, dict[str, float]]) -> None:
    """One round's, by size."""
    smallest = figures[options.SIZES[0]]
    for size in options.SIZES:
        for what, value in figures[size].items():
            times.add(what, **{f"{size:,}": value})
            if size != options.SIZES[0]:
                times.add(what, **{f"{size:,},_ratio": value / smallest[what]})


def _reads(size: int) -> dict[str, list[str]]:
    """What each endpoint is asked for, spread over all payments of the large merchant in live mode."""
    numbers = [n for n in range(1, size + 1, max(1, size // 500)) if n % 1000 != 4 and n % 50 != 2]
    ids = [public_id(PAYMENT_PREFIX, made_id("payment", n)) for n in numbers]
    customers = [n * 7919 % 200_000 for n in numbers if n % 5]
    return {
        "a payment": [f"payments/{one}" for one in ids],
        "its events": [f"payments/{one}/events" for one in ids],
        "an order": [f"orders/order-{n}" for n in numbers],
        "a customer": [f"customers/customer-{n}/payments" for n in customers],
        "a customer with every fifth payment": ["customers/guest/payments"],
        "the newest": ["payments"],
        "by order": [f"payments?order_id=order-{n}" for n in numbers],
        "by customer": [f"payments?customer_id=customer-{n}" for n in customers],
        "by a common state": ["payments?state=CAPTURED"],
        "by a rare state": ["payments?state=FAILED"],
        "by an hour": ["payments?created_from=2025-01-01T00:00:00Z&created_to=2025-01-01T01:00:00Z"],
    }
