"""`make admin-benchmark`: how long the back office takes to find a payment among ROWS (1,000,000).

Every search and filter goes through the real view, signed in as a superuser, on a PostgreSQL of its own with
three databases: one is empty, one has a thousand payments, one has all. Each question is put to the three in
turn, several times, and what is printed is the median ratio to the empty one in the same turn: it says
nothing of the machine, and whatever else that does meanwhile slows all three. Beside it stands the same for
the database's part alone, for a page of 25 rows takes longer to draw than an empty one. `blocks` is how many
blocks of 8 KiB PostgreSQL looked at, which no other work changes.

Ends with 1 if a plan reads a large table whole, or a question takes MUCH_LONGER than with a thousand
payments.
"""

import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["FICPAY_LOG_LEVEL"] = "ERROR"
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from tests.benchmarks.generated import (  # noqa: E402
    analyze,
    make_merchants,
    make_payments,
    without_indexes,
)
from tests.benchmarks.plans import Plans, blocks_of, plans_of, questions, recorded  # noqa: E402
from tests.settings import POSTGRES  # noqa: E402

FEW = 1000
REPEATED = 9  # the median of these, after one that nobody counts
MUCH_LONGER = 10.0
# Rows are made in one go, and indexes after them.
POSTGRES.options |= {"maintenance_work_mem": "256MB", "max_wal_size": "8GB", "shared_buffers": "256MB"}


@dataclass
class Measured:
    """One question at one database: seconds of the whole view and of the database's part, a turn each."""

    view: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    found: int = 0
    blocks: int = 0
    plans: Plans = field(default_factory=Plans)


def main() -> int:
    rows = int(os.environ.get("ROWS") or 1_000_000)
    with POSTGRES:
        POSTGRES.create_database("ficpay")
        call_command("migrate", verbosity=0)
        client = Client()
        client.force_login(User.objects.create_superuser("ada"))
        make_merchants()
        databases = {size: _copy(f"with_{size}") for size in (0, FEW, rows)}
        print(
            f"Making {rows:,} payments with operations, attempts, events and idempotency keys ...", flush=True
        )
        for size, database in databases.items():
            connections["default"] = database
            with without_indexes():
                make_payments(1, size)
            analyze()
        wrong = _measure_all(client, rows, databases)
        for database in databases.values():
            database.close()
    print("\nNo large table is read whole." if not wrong else "\n" + "\n".join(wrong))
    return 1 if wrong else 0


def _copy(name: str) -> Any:
    """A connection to a new database that has what the first one has: tables, superuser, session."""
    connection.close()
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE ficpay')
    copied: Any = connections.create_connection("default")
    copied.settings_dict = {**copied.settings_dict, "NAME": name}
    return copied


def _measure_all(client: Client, rows: int, databases: dict[int, Any]) -> list[str]:
    print(f"{'times what it takes when empty':36}{'':6} {'view':>20} {'database':>20} {'blocks':>7}")
    sizes = f"{FEW:>9,}{rows:>11,}"
    print(f"{'':36}{'found':>6} {sizes} {sizes} {'':7}   large tables read by")
    wrong = []
    for what, query in questions().items():
        measured = {size: Measured() for size in databases}
        for _ in range(REPEATED + 1):
            for size, database in databases.items():
                connections["default"] = database
                _measure(client, query, measured[size])
        empty, few, many = measured.values()
        found = f"{many.found}{'+' if many.found >= 1000 else ''}"
        view, view_few = _ratio(many.view, empty.view), _ratio(few.view, empty.view)
        base, base_few = _ratio(many.database, empty.database), _ratio(few.database, empty.database)
        kinds = ", ".join(sorted(many.plans.kinds))
        ratios = f"{view_few:>9.1f}{view:>11.1f} {base_few:>9.1f}{base:>11.1f}"
        print(f"{what:36}{found:>6} {ratios} {many.blocks:>7}   {kinds}", flush=True)
        wrong += [f"{what}: {scan}" for scan in many.plans.scans]
        if _ratio(many.view, few.view) > MUCH_LONGER:
            wrong.append(f"{what} takes more than {MUCH_LONGER:.0f} times what it takes with {FEW} payments")
    return wrong


def _measure(client: Client, query: dict[str, Any], measured: Measured) -> None:
    with recorded() as seen:
        begun = time.perf_counter()
        response = client.get(reverse("admin:payments_payment_changelist"), query, follow=True)
        measured.view.append(time.perf_counter() - begun)
        measured.database.append(seen.seconds)
    if response.status_code != 200:
        raise RuntimeError(f"{query} was answered {response.status_code}")
    if len(measured.view) == 1:
        measured.found = response.context_data["cl"].result_count
        measured.plans = plans_of(seen.statements)
        measured.blocks = blocks_of(seen.statements)


def _ratio(of: list[float], to: list[float]) -> float:
    """The median of the ratios, turn by turn."""
    return statistics.median(one / other for one, other in zip(of[1:], to[1:], strict=True))


if __name__ == "__main__":
    sys.exit(main())
