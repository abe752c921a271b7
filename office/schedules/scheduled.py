"""Reads the state of the worker's schedules: the last run, its result, and the next run."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django_q.models import Schedule, Task

from office.schedules.schedules import SCHEDULES, Duty
from payments.domain.cards import mask_card_numbers
from payments.models import Heartbeat
from payments.usecases.heartbeats import RECOVERY, SEARCH, WORKER, is_alive

# The worker checks the schedules twice a minute.
_OVERDUE_AFTER = timedelta(minutes=1)
_SHOWN_OF_AN_ERROR = 300  # characters


@dataclass(frozen=True)
class Run:
    """The newest run that has ended. `took` includes the wait for the worker."""

    ended_at: datetime
    took: timedelta
    succeeded: bool
    result: str


@dataclass(frozen=True)
class Scheduled:
    """One schedule. It is not installed if `next_run` is None."""

    name: str
    what: str
    minutes: int
    next_run: datetime | None
    overdue: timedelta | None
    is_running: bool  # or waiting for the worker
    last: Run | None


@dataclass(frozen=True)
class Process:
    """A process beside the web server."""

    name: str
    spoken: str
    command: str
    while_away: str
    beat_at: datetime | None
    is_alive: bool
    passed_over: dict[str, str]  # operations that it cannot process, with the error


def schedules(now: datetime) -> list[Scheduled]:
    """The schedules of this version, in the order of SCHEDULES."""
    installed = {row.name: row for row in Schedule.objects.filter(name__in=SCHEDULES)}
    newest = Task.objects.filter(group__in=SCHEDULES).order_by("group", "-stopped").distinct("group")
    last = {task.group: task for task in newest}
    ended = set(
        Task.objects.filter(pk__in=[row.task for row in installed.values()]).values_list("pk", flat=True)
    )
    return [_scheduled(name, installed.get(name), last.get(name), ended, now) for name in SCHEDULES]


def processes(now: datetime) -> list[Process]:
    """The worker, recovery and the search."""
    beats = {beat.process: beat for beat in Heartbeat.objects.all()}
    known = [
        (WORKER, "The worker", "manage.py worker", "no schedule below runs"),
        (
            RECOVERY,
            "Recovery",
            "manage.py reconcile pending --watch",
            "the schedule “recovery” does its work once a minute",
        ),
        (
            SEARCH,
            "The search",
            "manage.py search --watch",
            "the schedule “search” updates it once a minute",
        ),
    ]
    return [
        Process(
            name=name,
            spoken=spoken,
            command=command,
            while_away=while_away,
            beat_at=beats[name].beat_at if name in beats else None,
            is_alive=is_alive(beats.get(name), now),
            passed_over=beats[name].passed_over if name in beats else {},
        )
        for name, spoken, command, while_away in known
    ]


def _scheduled(
    name: str, row: Schedule | None, last: Task | None, ended: set[str], now: datetime
) -> Scheduled:
    duty, next_run = SCHEDULES[name], row.next_run if row else None
    return Scheduled(
        name=name,
        what=duty.what,
        minutes=duty.minutes,
        next_run=next_run,
        overdue=_overdue(duty, next_run, last, now),
        is_running=bool(row and row.task and row.task not in ended),
        last=_run(last, duty) if last else None,
    )


def _overdue(duty: Duty, next_run: datetime | None, last: Task | None, now: datetime) -> timedelta | None:
    """For how long it is overdue: it was not started, or started again and again without an end.

    A run that was started ends within its timeout; an interval later the next one has begun.
    """
    if next_run is None:
        return None
    late = now - next_run
    if late <= _OVERDUE_AFTER and last is not None:
        late = now - last.stopped - timedelta(minutes=2 * duty.minutes, seconds=duty.timeout)
    return late if late > _OVERDUE_AFTER else None


def _run(task: Task, duty: Duty) -> Run:
    return Run(
        ended_at=task.stopped,
        took=task.stopped - task.started,
        succeeded=task.success,
        result=_in_words(task.result, duty) if task.success else f"failed: {_error(str(task.result))}",
    )


def _in_words(result: object, duty: Duty) -> str:
    """What a run returned: how many, whether it worked, or nothing."""
    if result is False:
        return "left to another process"
    if isinstance(result, int) and result is not True and duty.counts:
        return f"{duty.counts}: {result:,}"
    return "done"


def _error(result: str) -> str:
    """The error's message. The traceback is in the worker's log."""
    text = result.partition(" : Traceback")[0].strip().partition("\n")[0]
    return mask_card_numbers(text)[:_SHOWN_OF_AN_ERROR]
