"""`make matching-benchmark`: how long reconciliations of PAYMENTS (200,000) payments take.

Their statement shows each of their successes but one in a thousand. The first run looks at everything, the
next has nothing new to look at. A tenth of the payments comes before. Ends with 1 if ten times the payments
take much more than ten times as long, or if the next run is not twenty times as quick as the first.
"""

import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
os.environ["FICPAY_LOG_LEVEL"] = "ERROR"

TEN_TIMES, NEXT = 14.0, 0.05

_FILE = """
    INSERT INTO reconciliation_statementfile
        (bank, sha256, name, form, covers_from, covers_to, lines, new_lines, actor)
    VALUES ('ficmart', md5('file'), 'file', 'csv', '2024-12-30 00:00Z', clock_timestamp(), 1, 1, 'x')
    RETURNING id
"""
_LINES = """
    INSERT INTO reconciliation_statementline
        (file_id, number, bank, kind, reference, target_reference, amount_minor, currency, at, repeats)
    SELECT %(file)s::bigint, row_number() OVER (ORDER BY o.finished_at, o.id), o.bank,
        CASE o.kind WHEN 'release' THEN 'void' ELSE o.kind END, o.bank_reference, o.target_reference,
        o.amount_minor, o.currency, o.finished_at, 0
    FROM payments_operation o
    WHERE o.state = 'SUCCEEDED' AND hashtext(o.id::text) %% 1000 <> 0
"""
_SETTLED = """
    UPDATE payments_operation SET state = 'NOT_EXECUTED', finished_at = created_at WHERE finished_at IS NULL
"""


def main() -> int:
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    from tests.settings import POSTGRES  # noqa: PLC0415

    payments = int(os.environ.get("PAYMENTS") or 200_000)
    for option in ("fsync", "synchronous_commit", "full_page_writes"):
        POSTGRES.options[option] = "on"
    print(f"{'payments':>10}{'lines':>10}{'first s':>10}{'lines/s':>10}{'next s':>10}{'differences':>13}")
    taken = []
    with POSTGRES:
        for number, size in enumerate((payments // 10, payments)):
            name = f"ficpay{number}"
            POSTGRES.create_database(name)
            connection.close()
            connection.settings_dict["NAME"] = name
            call_command("migrate", verbosity=0)
            taken.append(_measured(size))
        connection.close()
    (small, _), (first, following) = taken
    is_right = first <= TEN_TIMES * small and following <= NEXT * first
    print("It grows with what is new." if is_right else "It grows faster than what is new.")
    return 0 if is_right else 1


def _measured(payments: int) -> tuple[float, float]:
    """Seconds of the first and of the next reconciliation of so many payments."""
    from django.db import connection  # noqa: PLC0415

    from payments.domain.patience import patient  # noqa: PLC0415
    from reconciliation.models import Difference, StatementLine  # noqa: PLC0415
    from reconciliation.services.reconcile import reconcile  # noqa: PLC0415
    from tests.benchmarks.generated import make_payments  # noqa: PLC0415
    from tests.support.unguarded import unguarded  # noqa: PLC0415

    make_payments(1, payments)
    with patient(), unguarded(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_SETTLED)
        cursor.execute("UPDATE payments_operation SET strays_awaited = 0 WHERE strays_awaited > 0")
        cursor.execute(_FILE)
        cursor.execute(_LINES, {"file": cursor.fetchone()[0]})
        cursor.execute("ANALYZE")
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        reconcile("ficmart", actor="benchmark")
        seconds.append(time.perf_counter() - begun)
    lines = StatementLine.objects.count()
    print(
        f"{payments:>10,}{lines:>10,}{seconds[0]:>10.1f}{lines / seconds[0]:>10,.0f}{seconds[1]:>10.2f}"
        f"{Difference.objects.count():>13,}",
        flush=True,
    )
    return seconds[0], seconds[1]


if __name__ == "__main__":
    django.setup()
    raise SystemExit(main())
