"""Days without a statement: all of a bank's, and those that operations await."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db.models import Min
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from office.pages.books import IMPORT, VIEW
from office.pages.rendering import render_page
from payments.engine.abilities import banks_that_deliver_statements, banks_whose_statements_we_write
from payments.models.clock import read_clock
from reconciliation.models import Difference, StatementFile
from reconciliation.services.awaited import AwaitedDay, awaited_days
from reconciliation.services.coverage import uncovered_days
from reconciliation.services.differences import open_differences

_LOOKS_BACK = timedelta(days=35)
_ONE_DAY = timedelta(days=1)
_NO_STATEMENT = Difference.Kind.STATEMENT_MISSING
PAYMENTS = "admin:payments_payment_changelist"


@dataclass(frozen=True)
class MissingDay:
    """A UTC day without a statement, and where to upload it."""

    bank: str
    day: date
    upload: str
    case: int | None  # the difference that is open about it


def missing_days(now: datetime) -> list[MissingDay]:
    """Missing days of the last five weeks, since the bank's first statement, and those that are a case.

    Today's is not due yet.
    """
    yesterday = now.astimezone(UTC).date() - _ONE_DAY
    found: list[MissingDay] = []
    for bank in banks_that_deliver_statements():
        cases = {_day_of(one): one.pk for one in open_differences(bank).filter(kind=_NO_STATEMENT)}
        first = StatementFile.objects.filter(bank=bank).aggregate(first=Min("covers_from"))["first"]
        days = set(cases)
        if first is not None:
            begin = max(first.astimezone(UTC).date(), yesterday - _LOOKS_BACK)
            days.update(uncovered_days(bank, begin, yesterday))
        found += [MissingDay(bank, day, upload_of(bank, day), cases.get(day)) for day in sorted(days)]
    return found


def _day_of(case: Difference) -> date:
    return date.fromisoformat(case.subject.removeprefix("day:"))


def upload_of(bank: str, day: date) -> str:
    """The form for this day's statement."""
    return f"{reverse('admin:reconciliation_upload')}?{urlencode({'bank': bank, 'day': day})}"


def period_of(begin: datetime, end: datetime) -> str:
    """`2026-11-21`, `2026-11-21 to 2026-11-23`, or with times if it is not of whole days. UTC."""
    whole = all(
        (at.astimezone(UTC).hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0) for at in (begin, end)
    )
    if not whole:
        return f"{begin.astimezone(UTC):%Y-%m-%d %H:%M:%S} to {end.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    first, last = begin.astimezone(UTC).date(), end.astimezone(UTC).date() - _ONE_DAY
    return str(first) if first == last else f"{first} to {last}"


@dataclass(frozen=True)
class AwaitedRow:
    """A day that payments await, those payments, and what closes it."""

    of: AwaitedDay
    payments: str
    upload: str  # empty if the bank delivers none
    is_ours: bool  # FicPay writes it
    is_over: bool


def awaited_page(request: HttpRequest) -> HttpResponse:
    """The days whose statement is awaited, each with the upload beside it."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    now = read_clock()
    rows = [_row(one, now) for one in awaited_days()]
    context = {
        "title": "Awaiting statement",
        "missing": [row for row in rows if not row.of.has_come],
        "come": [row for row in rows if row.of.has_come],
        "may_import": request.user.has_perm(IMPORT),
    }
    return render_page(request, "office/books/awaited.html", context)


def _row(awaited: AwaitedDay, now: datetime) -> AwaitedRow:
    query = {"attention": "awaiting_statement", "mode": awaited.mode}
    return AwaitedRow(
        of=awaited,
        payments=f"{reverse(PAYMENTS)}?{urlencode(query)}",
        upload=upload_of(awaited.bank, awaited.day)
        if awaited.bank in banks_that_deliver_statements()
        else "",
        is_ours=awaited.bank in banks_whose_statements_we_write(),
        is_over=awaited.day < now.astimezone(UTC).date(),
    )
