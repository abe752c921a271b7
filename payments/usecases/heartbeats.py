"""Heartbeats of the background processes, shown at `/health/ready`."""

from datetime import datetime, timedelta
from typing import Any

from payments.engine import send
from payments.models import Heartbeat
from payments.models.clock import ClockTimestamp

WORKER = "worker"
RECOVERY = "recovery"
SEARCH = "search"
# The worker beats once a minute, and schedules are looked at twice a minute.
_ALIVE_WITHIN = timedelta(minutes=3)


def is_alive(beat: Heartbeat | None, now: datetime) -> bool:
    """Whether the process has sent a heartbeat within the last minutes."""
    return beat is not None and now - beat.beat_at < _ALIVE_WITHIN


def beat() -> None:
    """Record the worker's heartbeat, with the health that each bank reports."""
    _record(WORKER, banks=send.bank_health())


def beat_recovery(passed_over: dict[str, str]) -> bool:
    """Record recovery's heartbeat, with the operations that it skips and why, by public id."""
    _record(RECOVERY, passed_over=passed_over)
    return True


def beat_search() -> None:
    """Record the heartbeat of the back office's search."""
    _record(SEARCH)


def passed_over() -> dict[str, str]:
    """The operations that the recovery process skips and why, by public id."""
    told: dict[str, str] = (
        Heartbeat.objects.filter(process=RECOVERY).values_list("passed_over", flat=True).first() or {}
    )
    return told


def _record(process: str, **known: Any) -> None:
    Heartbeat.objects.update_or_create(process=process, defaults={"beat_at": ClockTimestamp(), **known})
