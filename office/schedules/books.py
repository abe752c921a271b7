"""What the worker does for the books by the clock: statements, reconciliation, settlements, checks of banks.

Each finds out by itself what is due, so a run that was missed is caught up by the next, and two runs at once
do no harm.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from payments.domain.days import begin_of
from payments.engine.abilities import banks_that_look_up, banks_with_statements
from payments.models.clock import read_clock
from reconciliation.services import bank_check, inbox, missing_days, sandbox_statements
from reconciliation.services import reconcile as reconciliation
from reconciliation.services.settle import settle

LONGEST = 900  # seconds: the timeout of a run. An import of millions of lines takes minutes
_ACTOR = "schedule"
# The statements of the day before have come by then, as a rule; what comes later is settled the day after.
_SETTLES_FROM = timedelta(hours=6)
_CHECKS_FOR = timedelta(minutes=8)  # so that the last look-ups end within the timeout


def take_in_statements() -> int:
    """Import what banks have delivered into the folder. Returns how many files were taken in or refused."""
    return (
        len(inbox.take_in(Path(settings.STATEMENTS_FOLDER), actor=_ACTOR))
        if settings.STATEMENTS_FOLDER
        else 0
    )


def reconcile() -> int:
    """Reconcile every bank that gives statements. Returns how many."""
    return _each(banks_with_statements(), lambda bank: reconciliation.reconcile(bank, actor=_ACTOR))


def look_for_missing_days() -> int:
    """Open a case for each day without a statement. Returns how many such days there are."""
    return sum(len(days) for days in missing_days.look_for_missing_days(actor=_ACTOR).values())


def write_test_statements() -> int:
    """Write and import the statements of test mode. Returns how many."""
    return len(sandbox_statements.deliver_due(actor=_ACTOR))


def settle_yesterday(now: datetime | None = None) -> int:
    """Settle the day before, where that is not done yet. Returns how many settlements that day has."""
    at = (now or read_clock()).astimezone(UTC)
    day = at.date() - timedelta(days=1)
    return len(settle(day, actor=_ACTOR, now=at)) if at - begin_of(at.date()) >= _SETTLES_FROM else 0


def check_banks() -> int:
    """Look up at the banks what has succeeded since the last check. Returns how many banks were asked."""
    banks = banks_that_look_up()
    return _each(
        banks, lambda bank: bank_check.check_bank(bank, actor=_ACTOR, within=_CHECKS_FOR / len(banks))
    )


def _each(banks: Iterable[str], do: Callable[[str], object]) -> int:
    """Do it for each bank; if one fails, the others are done, and then the error is raised."""
    done, errors = 0, []
    for bank in banks:
        try:
            do(bank)
            done += 1
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
    if errors:
        raise errors[0]
    return done
