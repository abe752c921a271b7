"""A reconciliation: match a bank's statements with our books, heal our books, and record the differences.

Three steps: match; heal, each item in a transaction of its own; match again and record what is left. A
process that dies leaves each step or item whole, and the next run continues. Of two runs at once, the second
finds nothing new.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from payments.domain.statements import COVERED_BEFORE, GRACE
from payments.models.clock import read_clock
from payments.models.patience import unhurried
from reconciliation.matching.classes import Class
from reconciliation.models import Run
from reconciliation.services import differences
from reconciliation.services.bank_lock import lock_bank
from reconciliation.services.compare import execute, heal, rows
from reconciliation.services.compare.classify import Classified, classified_lines, classified_operations
from reconciliation.services.differences import Found

Row = dict[str, Any]


def reconcile(
    bank: str, *, actor: str, now: datetime | None = None, grace: timedelta = GRACE, whole: bool = False
) -> Run:
    """Compare the bank's statements with our books, and return the report.

    `now` is UTC, the database's clock without it. `grace` is how long a line and an operation wait for each
    other. `whole`: look at everything again, not only at what may have changed since the run before.
    """
    at = now or read_clock()
    run: Run = Run.objects.create(kind=Run.Kind.STATEMENTS, bank=bank, actor=actor)
    with unhurried():
        lock_bank(bank)
        begin = _begin(bank, grace, whole=whole)
        matched = _match(begin.parameters)
        candidates = heal.candidates(begin.parameters, now=at)
    healed = heal.heal_all(bank, candidates, now=at, grace=grace)
    healed += heal.release_orphans(bank)
    with unhurried():
        lock_bank(bank)
        begin = _begin(bank, grace, whole=whole)
        matched += _match(begin.parameters)
        _record(run, begin, matched, healed, now=at)
    return run


@dataclass
class _Begin:
    """Where the run begins, and where the next one does if nothing stays undecided."""

    parameters: Row
    next_file: int
    next_event: int


def _begin(bank: str, grace: timedelta, *, whole: bool) -> _Begin:
    """Read where to begin, and what to look at, inside the caller's transaction."""
    known: Row = {"bank": bank, "grace": grace, "before": COVERED_BEFORE}
    [start] = rows("resume", known)
    if whole:
        start |= {"file": 0, "event": 0}
    parameters = known | {name: start[name] for name in ("file", "late_since", "event")}
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS considered_line")
        execute(cursor, "considered", parameters)
    return _Begin(parameters, start["next_file"], start["next_event"])


def _match(parameters: Row) -> Counter[tuple[str, str]]:
    """Match what agrees in every part. Returns how many lines, and their sum, by currency."""
    with connection.cursor() as cursor:
        execute(cursor, "match", parameters)
        counted: Counter[tuple[str, str]] = Counter()
        for currency, count, amount in cursor.fetchall():
            counted["count", currency] += count
            counted["sum", currency] += amount
    return counted


@dataclass
class _Counted:
    """What a run has found, counted as it goes by, and what it must look at next time."""

    by_class: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    late_since: datetime | None = None
    first_undecided: int | None = None

    def add(self, what: Class, currency: str, *, count: int, amount: int) -> None:
        totals = self.by_class.setdefault(what.value, {}).setdefault(currency, {"count": 0, "sum": 0})
        totals["count"] += count
        totals["sum"] += amount

    def differences(self, classified: Iterator[Classified]) -> Iterator[Found]:
        """Count each, and pass on what is a difference."""
        for one in classified:
            self.add(one.what, one.currency, count=1, amount=one.amount_minor)
            if one.late_line_at:
                self.late_since = min(self.late_since or one.late_line_at, one.late_line_at)
            if one.undecided_event:
                self.first_undecided = min(self.first_undecided or one.undecided_event, one.undecided_event)
            if one.found:
                yield one.found


def _record(
    run: Run, begin: _Begin, matched: Counter[tuple[str, str]], healed: Counter[str], *, now: datetime
) -> None:
    """Classify the rest, record the differences, and end the run, inside the caller's transaction."""
    bank, grace = run.bank, begin.parameters["grace"]
    counted = _Counted()
    for currency in {currency for _, currency in matched}:
        counted.add(
            Class.MATCHED, currency, count=matched["count", currency], amount=matched["sum", currency]
        )
    found = counted.differences(_classified(bank, begin.parameters, since=now - grace))
    differences.record(found, run=run, looked_at=differences.found_by_statements(bank))
    [covered] = rows("coverage", {"bank": bank})
    run.covers_from, run.covers_to = covered["covers_from"], covered["covers_to"]
    run.counts = {"classes": counted.by_class, "healed": dict(healed)}
    undecided = counted.first_undecided
    run.resumes_from = {
        "file": begin.next_file,
        "event": begin.next_event if undecided is None else min(begin.next_event, undecided - 1),
        "late_since": counted.late_since and counted.late_since.isoformat(),
        "grace": grace.total_seconds(),
    }
    run.ended_at = read_clock()
    run.save(update_fields=["covers_from", "covers_to", "counts", "resumes_from", "ended_at"])


def _classified(bank: str, parameters: Row, *, since: datetime) -> Iterator[Classified]:
    yield from classified_lines(bank, since=since, parameters=parameters)
    yield from classified_operations(bank, parameters)
