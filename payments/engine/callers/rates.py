"""Counts requests against rate limits, without a statement of their own.

Each process counts in memory what it lets through. A thread (`exchange`) adds these counts to the table that
all processes share, once a second, and brings back the sum. So a limit is exceeded at most by what the
processes let through between two exchanges: each at most a tenth of the limit, and what arrives while the
exchange runs. A process whose exchange fails goes on with its own count and the last sum it knows: then each
process alone lets through at most the whole limit.
"""

import threading
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from payments.domain.rates import Budget, Standing, window_at
from payments.engine.callers import Caller

# A process that lets through this part of a limit reports it at once: low limits are exceeded by less.
_REPORTED_AT_ONCE = 10


class _Counted(NamedTuple):
    """What is counted apart. In the order of its parts, in which all processes lock the rows."""

    merchant_id: int
    mode: str
    budget: str


@dataclass
class _Count:
    window: int  # its number
    own: int = 0  # let through by this process, not reported yet
    known: int = 0  # let through by all processes, as of the last exchange


_counts: dict[_Counted, _Count] = {}
_lock = threading.Lock()
is_urgent = threading.Event()  # set where a report should not wait for its second


def take(caller: Caller, budget: Budget) -> Standing:
    """Count a request, unless its budget is used up. No statement; only the database's clock judges."""
    limit = caller.limits.of(budget)
    number, ends_in = window_at(caller.now_ms)
    counted = _Counted(caller.merchant.pk, caller.mode, budget)
    with _lock:
        count = _counts.get(counted)
        if count is None or count.window < number:
            count = _counts[counted] = _Count(number)
        left = limit - count.known - count.own
        if left <= 0:
            return Standing(budget, limit, 0, ends_in, is_refused=True)
        count.own += 1
        if count.own * _REPORTED_AT_ONCE >= limit:
            is_urgent.set()
    return Standing(budget, limit, left - 1, ends_in)


def exchange() -> None:
    """Report what this process has let through, and learn what all have. Raises DatabaseError.

    One statement, and none if there is nothing to report.
    """
    with _lock:
        is_urgent.clear()
        newest = max((count.window for count in _counts.values()), default=0)
        for counted in [each for each, count in _counts.items() if count.window < newest]:
            del _counts[counted]  # of a merchant that sends nothing now
        reported = {each: (count.window, count.own) for each, count in _counts.items() if count.own}
    if not reported:
        return
    rows = _add({each: reported[each] for each in sorted(reported)})
    with _lock:
        for counted, (window, own) in reported.items():
            count = _counts.get(counted)
            if count is None or count.window != window:
                continue  # its window is over
            count.own -= own
            if rows.get(counted, (0, 0))[0] == window:
                count.known = rows[counted][1]


# A row of an earlier window is overwritten; a report that comes too late for its window changes nothing. What
# cannot be stored, since its merchant is gone, must not keep the rest from being reported.
_ADD = """
    INSERT INTO payments_ratecount AS shared (merchant_id, mode, budget, "window", requests)
    SELECT own.*
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::integer[]) AS own (merchant)
    JOIN payments_merchant known ON known.id = own.merchant
    ON CONFLICT (merchant_id, mode, budget) DO UPDATE SET
        "window" = greatest(shared."window", excluded."window"),
        requests = CASE
            WHEN shared."window" = excluded."window" THEN shared.requests + excluded.requests
            WHEN shared."window" > excluded."window" THEN shared.requests
            ELSE excluded.requests
        END
    RETURNING merchant_id, mode, budget, "window", requests
"""


def _add(reported: dict[_Counted, tuple[int, int]]) -> dict[_Counted, tuple[int, int]]:
    """Add the counts to the shared ones. Returns window and requests of each."""
    columns = zip(*((*counted, *count) for counted, count in reported.items()), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [list(column) for column in columns])
        rows = cursor.fetchall()
    return {_Counted(*row[:3]): (row[3], row[4]) for row in rows}
