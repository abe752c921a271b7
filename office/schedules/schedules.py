"""The worker's schedules.

Schedules only start services. What is due is in the payments' own tables, and every task may run twice at the
same time.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone
from django_q.models import Failure, Schedule

from office.log.staff import Staff, log_action
from office.schedules import books
from office.search.follow import catch_up
from payments.engine import claim, request_log
from payments.models import Event
from payments.models.clock import ClockTimestamp
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due


@dataclass(frozen=True)
class Duty:
    """A function that the worker calls, its purpose as a sentence for staff, and how often."""

    function: str
    what: str
    counts: str = ""  # what its result counts
    minutes: int = 1  # from one start to the next
    timeout: int = settings.Q_CLUSTER["timeout"]  # seconds; then the worker ends it


SCHEDULES = {
    "heartbeat": Duty(
        "payments.usecases.heartbeats.beat",
        "Records that the worker is running, and checks the health of every bank.",
    ),
    "recovery": Duty(
        "office.schedules.schedules.recover",
        "Asks the banks about operations in doubt, in case the recovery process is not running.",
        counts="operations processed",
    ),
    "expirations": Duty(
        "office.schedules.schedules.expire",
        "Expires payments whose hold has run out, and voids the hold at the bank.",
        counts="payments expired",
    ),
    "search": Duty(
        "office.schedules.schedules.search",
        "Updates the search, in case the search process is not running.",
    ),
    "forget": Duty(
        "office.schedules.schedules.forget",
        "Deletes after 30 days: idempotency keys, the requests that used them, failed runs of schedules.",
        counts="rows deleted",
    ),
    "statements": Duty(
        "office.schedules.books.take_in_statements",
        "Imports the statement files that banks have delivered into FICPAY_STATEMENTS, and reconciles.",
        counts="files imported or refused",
        timeout=books.LONGEST,
    ),
    "test-statements": Duty(
        "office.schedules.books.write_test_statements",
        "Writes and imports the statements of test payments for the days that are over.",
        counts="statements written",
        minutes=60,
        timeout=books.LONGEST,
    ),
    "reconciliation": Duty(
        "office.schedules.books.reconcile",
        "Compares the statements of every bank with our books.",
        counts="banks reconciled",
        minutes=60,
        timeout=books.LONGEST,
    ),
    "missing-days": Duty(
        "office.schedules.books.look_for_missing_days",
        "Opens a case for each day whose statement has not come by noon of the next day (UTC).",
        counts="days without a statement",
        minutes=60,
    ),
    "settlement": Duty(
        "office.schedules.books.settle_yesterday",
        "Settles the day before, from 6:00 UTC, where that is not done yet.",
        counts="settlements of the day before",
        minutes=60,
        timeout=books.LONGEST,
    ),
    "bank-check": Duty(
        "office.schedules.books.check_banks",
        "Looks up at the banks what has succeeded since the last check.",
        counts="banks asked",
        minutes=60,
        timeout=books.LONGEST,
    ),
}
# No attempt starts after this, so that the last one ends within the task's timeout.
_RECOVERY_BEGINS_WITHIN = timedelta(seconds=45)
_EXPIRATIONS_A_MINUTE = 2000
_ROWS_A_SWEEP = 5000
_FAILURES_KEPT = timedelta(days=30)


def recover() -> int:
    """Do the work of the recovery process, in case it is not running. Returns how many items it processed."""
    return recover_due(within=_RECOVERY_BEGINS_WITHIN)


def expire() -> int:
    """Expire payments whose hold has run out. Returns how many."""
    return len(expire_due(limit=_EXPIRATIONS_A_MINUTE))


def search() -> bool:
    """Update the search, in case its process is not running. False if another process is updating it."""
    return catch_up()


def forget() -> int:
    """Delete idempotency keys, their requests and failed runs after 30 days. Returns how many rows.

    If one deletion fails, the others still run, and then the error is raised.
    """
    forgotten, errors = 0, []
    for sweep in (claim.sweep, request_log.sweep, _forget_failed_runs):
        try:
            forgotten += sweep(limit=_ROWS_A_SWEEP)
        except DatabaseError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return forgotten


def _forget_failed_runs(*, limit: int) -> int:
    """django-q limits how many successful runs it keeps, but keeps failures forever."""
    failed = Failure.objects.filter(stopped__lt=timezone.now() - _FAILURES_KEPT)
    forgotten: int = Failure.objects.filter(pk__in=failed.values("pk")[:limit]).delete()[0]
    return forgotten


def install() -> None:
    """Install the schedules of this file. They are due at once."""
    for name, duty in SCHEDULES.items():
        Schedule.objects.update_or_create(
            name=name,
            defaults={
                "func": duty.function,
                "kwargs": repr({"q_options": {"timeout": duty.timeout}}),
                "schedule_type": Schedule.MINUTES,
                "minutes": duty.minutes,
                "repeats": -1,
                "next_run": timezone.now(),
            },
        )
    Schedule.objects.exclude(name__in=SCHEDULES).delete()


def run_now(staff: Staff, name: str, *, reason: str) -> bool:
    """Make a schedule due, so that the worker runs it. False if it is already due or not installed.

    An overdue schedule keeps its time, so that the page still shows for how long the worker has been missing.
    """
    with transaction.atomic():
        is_due = Schedule.objects.filter(name=name, next_run__gt=ClockTimestamp()).update(
            next_run=ClockTimestamp()
        )
        if is_due:
            log_action(staff, Event.Type.SCHEDULE_RUN_NOW, schedule=name, reason=reason)
    return bool(is_due)
