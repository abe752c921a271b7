"""`make admin-benchmark`: how long the back office takes to find a payment among ROWS (1,000,000).

Every search and filter goes through the real view, signed in as a superuser, on a database of its own: while
it is empty, with a thousand payments, and with all of them. What is printed is the ratio of medians to the
empty one, which says nothing of the machine. Beside it stands the same for the database's part alone: a page
of 25 rows takes longer to draw than an empty one, however many rows there are. Ends with 1 if any statement
reads a large table whole, or takes MUCH_LONGER with all payments than with a thousand.
"""

import os
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["FICPAY_LOG_LEVEL"] = "ERROR"
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from tests.benchmarks.generated import analyze, make_payments, without_indexes  # noqa: E402
from tests.benchmarks.plans import Plans, plans_of, questions, recorded  # noqa: E402
from tests.settings import POSTGRES  # noqa: E402

FEW = 1000
REPEATED = 5  # the median of these, after one that nobody counts
MUCH_LONGER = 10.0
# Rows are made in one go, and indexes after them.
POSTGRES.options |= {"maintenance_work_mem": "256MB", "max_wal_size": "8GB", "shared_buffers": "256MB"}


@dataclass(frozen=True)
class Measured:
    """Medians in seconds: the whole view, and the database's part of it."""

    view: float
    database: float
    found: int
    plans: Plans


def main() -> int:
    rows = int(os.environ.get("ROWS") or 1_000_000)
    started = time.monotonic()
    with POSTGRES:
        POSTGRES.create_database("ficpay")
        call_command("migrate", verbosity=0)
        client = Client()
        client.force_login(User.objects.create_superuser("ada"))
        asked = questions()
        empty = _measure_all(client, asked)
        make_payments(1, FEW)
        analyze()
        few = _measure_all(client, asked)
        print(
            f"Making {rows:,} payments with operations, attempts, events and idempotency keys ...", flush=True
        )
        with without_indexes():
            make_payments(FEW + 1, rows)
        analyze()
        print(f"They are there after {time.monotonic() - started:.0f} s.\n", flush=True)
        many = _measure_all(client, asked)
    return _report(rows, empty, few, many)


def _measure_all(client: Client, asked: dict[str, dict[str, Any]]) -> dict[str, Measured]:
    return {what: _measure(client, query) for what, query in asked.items()}


def _measure(client: Client, query: dict[str, Any]) -> Measured:
    views, databases = [], []
    for _ in range(REPEATED + 1):
        with recorded() as seen:
            begun = time.perf_counter()
            response = client.get(reverse("admin:payments_payment_changelist"), query, follow=True)
            views.append(time.perf_counter() - begun)
            databases.append(seen.seconds)
        if response.status_code != 200:
            raise RuntimeError(f"{query} was answered {response.status_code}")
    found = response.context_data["cl"].result_count
    return Measured(
        statistics.median(views[1:]), statistics.median(databases[1:]), found, plans_of(seen.statements)
    )


def _report(
    rows: int, empty: dict[str, Measured], few: dict[str, Measured], many: dict[str, Measured]
) -> int:
    print(f"{'':36}{'found':>6}  {'view':>16}  {'database':>16}   large tables read by")
    print(f"{'times what an empty table takes':36}{'':6}  {FEW:>7,}{rows:>11,} {FEW:>6,}{rows:>12,}")
    wrong = []
    for what, last in many.items():
        none, some = empty[what], few[what]
        found = f"{last.found}{'+' if last.found >= 1000 else ''}"
        ratios = f"{some.view / none.view:>7.1f}{last.view / none.view:>11.1f} "
        ratios += f"{some.database / none.database:>6.1f}{last.database / none.database:>12.1f}"
        print(f"{what:36}{found:>6}  {ratios}   {', '.join(sorted(last.plans.kinds))}")
        wrong += [f"{what}: {scan}" for scan in last.plans.scans]
        if last.view > MUCH_LONGER * some.view:
            wrong.append(f"{what} takes {last.view / some.view:.0f} times what it takes with {FEW} payments")
    print("\nNo large table is read whole." if not wrong else "\n" + "\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
