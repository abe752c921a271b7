"""What the worker does by the clock.

Schedules only wake services up: what is due stands in the payments' own tables, and every task may run
twice at the same time.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.utils import timezone
from django_q.models import Failure, Schedule

from office.log.staff import Staff, log_action
from office.search.follow import catch_up
from payments.engine import claim, request_log
from payments.models import Event
from payments.models.clock import ClockTimestamp
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due


@dataclass(frozen=True)
class Duty:
    """A function that the worker calls, and what it is for, in a sentence for people."""

    function: str
    what: str


EVERY_MINUTE = {
    "heartbeat": Duty(
        "payments.usecases.heartbeats.beat",
        "Records that the worker lives, and asks every bank whether it is well.",
    ),
    "recovery": Duty(
        "office.schedules.schedules.recover",
        "Asks the banks about what is in doubt, in case the process of recovery is away.",
    ),
    "expirations": Duty(
        "office.schedules.schedules.expire",
        "Lets payments expire whose hold has run out, and has the bank free the hold.",
    ),
    "search": Duty(
        "office.schedules.schedules.search",
        "Brings the search up to date, in case the process of the search is away.",
    ),
    "forget": Duty(
        "office.schedules.schedules.forget",
        "Forgets after 30 days: idempotency keys, requests that came with them, failed runs of schedules.",
    ),
}
# Nothing is begun after this, so that the last attempt ends within the task's timeout of 120 s.
_RECOVERY_BEGINS_WITHIN = timedelta(seconds=45)
_EXPIRATIONS_A_MINUTE = 2000
_ROWS_A_SWEEP = 5000
_FAILURES_KEPT = timedelta(days=30)


def recover() -> int:
    """Do what recovery would, in case its own process is away; how many things were done."""
    return recover_due(within=_RECOVERY_BEGINS_WITHIN)


def expire() -> int:
    """Let payments expire whose hold has run out; how many did."""
    return len(expire_due(limit=_EXPIRATIONS_A_MINUTE))


def search() -> bool:
    """Bring the search up to date, in case its own process is away. False where somebody else is at it."""
    return catch_up()


def forget() -> int:
    """Forget keys after 30 days, the requests that came with them, failed runs; how many were forgotten.

    What one of them cannot forget keeps the others from nothing; the run has failed all the same.
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
    """The library keeps the newest good runs by itself, and every failure for ever."""
    failed = Failure.objects.filter(stopped__lt=timezone.now() - _FAILURES_KEPT)
    forgotten: int = Failure.objects.filter(pk__in=failed.values("pk")[:limit]).delete()[0]
    return forgotten


def install() -> None:
    """Make the schedules what this file says; they are due at once."""
    for name, duty in EVERY_MINUTE.items():
        Schedule.objects.update_or_create(
            name=name,
            defaults={
                "func": duty.function,
                "schedule_type": Schedule.MINUTES,
                "minutes": 1,
                "repeats": -1,
                "next_run": timezone.now(),
            },
        )
    Schedule.objects.exclude(name__in=EVERY_MINUTE).delete()


def run_now(staff: Staff, name: str, *, reason: str) -> bool:
    """Make a schedule due, so that the worker runs it. False where it was due already, or is not installed.

    What is overdue stays so, or nobody would see any more for how long the worker has been away.
    """
    with transaction.atomic():
        is_due = Schedule.objects.filter(name=name, next_run__gt=ClockTimestamp()).update(
            next_run=ClockTimestamp()
        )
        if is_due:
            log_action(staff, Event.Type.SCHEDULE_RUN_NOW, schedule=name, reason=reason)
    return bool(is_due)
