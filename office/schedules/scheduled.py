"""How it stands with what the worker does by the clock: when it ran, what came of it, when it runs again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django_q.models import Schedule, Task

from office.schedules.schedules import EVERY_MINUTE
from payments.domain.cards import mask_card_numbers
from payments.models import Heartbeat
from payments.usecases.heartbeats import RECOVERY, SEARCH, WORKER, is_alive

# The worker looks at the schedules twice a minute.
_OVERDUE_AFTER = timedelta(minutes=1)
_SHOWN_OF_AN_ERROR = 300  # characters


@dataclass(frozen=True)
class Run:
    """The newest run that has ended. `took` counts from when it was handed out: waiting is part of it."""

    ended_at: datetime
    took: timedelta
    succeeded: bool
    error: str


@dataclass(frozen=True)
class Scheduled:
    """One schedule. Without `next_run` it is not installed."""

    name: str
    what: str
    minutes: int
    next_run: datetime | None
    overdue: timedelta | None
    is_running: bool  # or waits for the worker to begin
    last: Run | None


@dataclass(frozen=True)
class Process:
    """A process behind the web server."""

    name: str
    spoken: str
    command: str
    while_away: str
    beat_at: datetime | None
    is_alive: bool
    passed_over: dict[str, str]  # operations that it can do nothing about, and why


def schedules(now: datetime) -> list[Scheduled]:
    """Those of this version, in its order."""
    installed = {row.name: row for row in Schedule.objects.filter(name__in=EVERY_MINUTE)}
    newest = Task.objects.filter(group__in=EVERY_MINUTE).order_by("group", "-stopped").distinct("group")
    last = {task.group: task for task in newest}
    ended = set(
        Task.objects.filter(pk__in=[row.task for row in installed.values()]).values_list("pk", flat=True)
    )
    return [_scheduled(name, installed.get(name), last.get(name), ended, now) for name in EVERY_MINUTE]


def processes(now: datetime) -> list[Process]:
    """The worker, recovery, and the search."""
    beats = {beat.process: beat for beat in Heartbeat.objects.all()}
    known = [
        (WORKER, "The worker", "manage.py worker", "none of the schedules below is run"),
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
            "the schedule “search” brings it up to date once a minute",
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
    next_run = row.next_run if row else None
    late = now - next_run if next_run else timedelta(0)
    return Scheduled(
        name=name,
        what=EVERY_MINUTE[name].what,
        minutes=row.minutes if row else 1,
        next_run=next_run,
        overdue=late if late > _OVERDUE_AFTER else None,
        is_running=bool(row and row.task and row.task not in ended),
        last=_run(last) if last else None,
    )


def _run(task: Task) -> Run:
    return Run(
        ended_at=task.stopped,
        took=task.stopped - task.started,
        succeeded=task.success,
        error="" if task.success else _error(str(task.result)),
    )


def _error(result: str) -> str:
    """What went wrong, without the traceback behind it, which is in the worker's log."""
    text = result.partition(" : Traceback")[0].strip().partition("\n")[0]
    return mask_card_numbers(text)[:_SHOWN_OF_AN_ERROR]
