"""The database's clock: the only one that judges leases and dates what is recorded."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, Func, Value
from django.db.models.expressions import Combinable


class ClockTimestamp(Func):
    """PostgreSQL's `clock_timestamp()`: the time now, not the time the transaction began."""

    function = "clock_timestamp"
    template = "%(function)s()"
    output_field: Any = DateTimeField()


def clock_in(seconds: float) -> Combinable:
    """The database's time in `seconds` from now, as a query expression."""
    return ExpressionWrapper(
        ClockTimestamp() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )


def read_clock() -> datetime:
    """The database's time now, UTC. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now
