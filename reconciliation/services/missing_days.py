"""Days without a statement: each becomes a difference, and is resolved when its statement comes.

A bank that gives statements owes one for each UTC day on which it was sent anything.
"""

from datetime import date, timedelta

from django.db import transaction

from payments.domain.days import begin_of
from payments.engine.abilities import banks_with_statements
from payments.models import Attempt
from payments.models.clock import read_clock
from reconciliation.models import Difference
from reconciliation.services import differences
from reconciliation.services.bank_lock import lock_bank
from reconciliation.services.coverage import uncovered_days
from reconciliation.services.differences import Found

# A bank delivers a day's file in the night or in the morning after it.
GRACE_OF_A_FILE = timedelta(hours=12)
# What is older was looked for day after day before. Its open cases are looked at all the same.
_LOOKS_BACK = timedelta(days=35)
_ONE_DAY = timedelta(days=1)
_SUBJECT = "day:"


def look_for_missing_days(*, actor: str, grace: timedelta = GRACE_OF_A_FILE) -> dict[str, list[date]]:
    """Record the days of each bank without a statement, once they are over for so long. Returns them."""
    last = (read_clock() - grace).date() - _ONE_DAY
    return {bank: _look(bank, last, actor) for bank in banks_with_statements()}


def _look(bank: str, last: date, actor: str) -> list[date]:
    cases = Difference.objects.filter(bank=bank, kind=Difference.Kind.STATEMENT_MISSING)
    with transaction.atomic(durable=True):
        lock_bank(bank)
        unsettled = cases.exclude(state=Difference.State.RESOLVED).values_list("subject", flat=True)
        known = [date.fromisoformat(one.removeprefix(_SUBJECT)) for one in unsettled]
        uncovered = uncovered_days(bank, min([last - _LOOKS_BACK, *known]), last)
        missing = [day for day in uncovered if _was_asked(bank, day)]
        differences.record([_found(bank, day) for day in missing], run=None, looked_at=cases, actor=actor)
    return missing


def _was_asked(bank: str, day: date) -> bool:
    """Whether anything was sent to the bank on this UTC day."""
    sent = Attempt.objects.filter(
        operation__bank=bank, started_at__gte=begin_of(day), started_at__lt=begin_of(day + _ONE_DAY)
    )
    return sent.exclude(result=Attempt.Result.NOT_SENT).exists()


def _found(bank: str, day: date) -> Found:
    return Found(
        kind=Difference.Kind.STATEMENT_MISSING,
        bank=bank,
        subject=f"{_SUBJECT}{day}",
        happened_at=begin_of(day),
    )
