"""Which time a statement file covers: what it says itself, or a UTC day."""

import re
from datetime import UTC, date, datetime, timedelta

from payments.domain.days import begin_of
from payments.domain.statements import COVERED_AFTER, COVERED_BEFORE
from reconciliation.statements.lines import Period, Unreadable

_DAY_IN_NAME = re.compile(r"(?<![0-9])(20[0-9]{2})(-?)([0-9]{2})\2([0-9]{2})(?![0-9])")
_ONE_DAY = timedelta(days=1)


def covered(
    period: Period,
    *,
    day: date | None,
    name: str,
    times: tuple[datetime | None, datetime | None],
    now: datetime,
) -> tuple[datetime, datetime]:
    """From which moment, and to before which (UTC).

    The file's own period comes first, then `day`, the one UTC day in the file's name, and that of its last
    line: a line of the day before may come late. Of a time that is not over, the file covers what comes
    before its last line. `times` are those of its first and last line. Raises Unreadable where they cannot
    be right, or the file is of no time.
    """
    first, last = times
    if last is not None and last > now + COVERED_BEFORE:  # clocks differ
        raise Unreadable(f"The file has a line of {_shown(last)}, which is still to come.")
    if period.begins is not None and period.ends is not None:
        begins, ends = period.begins, period.ends
    else:
        of_name = _day_in(name)
        if last is None and day and of_name and day != of_name:
            raise Unreadable(f"The file has no lines, and its name says {of_name}, not {day}: one is wrong.")
        day = day or of_name or (last.date() if last else None)
        if day is None:
            raise Unreadable(
                "The file has no lines, and says nowhere which day it covers: name the day, or write it"
                " into the file's name (YYYY-MM-DD)."
            )
        begins = begin_of(day)
        ends = begins + _ONE_DAY
    _check(first, last, begins, ends)
    if ends > now:
        # It was written in between, nobody knows when: at least when the bank had done what it ends with.
        ends = min(last or begins, now)
    if not begins < ends:
        raise Unreadable(f"The file is of the time from {_shown(begins)} on, which is not over yet.")
    return begins, ends


def _check(first: datetime | None, last: datetime | None, begins: datetime, ends: datetime) -> None:
    """That the lines are of this time, or shortly before. Raises Unreadable."""
    if first is None or last is None:
        return
    if last > ends:  # some banks count midnight to the day before
        raise Unreadable(
            f"The file covers the time before {_shown(ends)}, and has a line of {_shown(last)}: one is wrong."
        )
    if last < begins and first < begins - COVERED_AFTER:
        raise Unreadable(
            f"The file covers the time from {_shown(begins)} on, and its last line is of {_shown(last)}:"
            " one is wrong."
        )


def _day_in(name: str) -> date | None:
    """None also for a name with several days: one of them may be that of the export."""
    days = set()
    for year, _, month, of_month in _DAY_IN_NAME.findall(name):
        try:
            days.add(date(int(year), int(month), int(of_month)))
        except ValueError:  # other digits
            continue
    return days.pop() if len(days) == 1 else None


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
