"""The days whose statement operations await, and whether it has come."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from django.db import connection

from payments.domain.statements import COVERED_AFTER, COVERED_BEFORE

_AWAITED = Path(__file__).with_suffix(".sql").read_text()


@dataclass(frozen=True)
class AwaitedDay:
    """A UTC day of a bank that unfinished business is waiting for."""

    bank: str
    mode: str
    day: date
    payments: int
    has_come: bool  # the statement covers what they need of that day


def awaited_days() -> list[AwaitedDay]:
    """By bank, mode and day."""
    with connection.cursor() as cursor:
        margins = [f"{one.total_seconds()} seconds" for one in (COVERED_BEFORE, COVERED_AFTER)]
        cursor.execute(_AWAITED, dict(zip(("before", "after"), margins, strict=True)))
        return [AwaitedDay(*row) for row in cursor.fetchall()]
