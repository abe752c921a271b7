"""Signs of life of the processes behind the web server, for `/health/ready` to show."""

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
    """Whether the process has given a sign of life lately."""
    return beat is not None and now - beat.beat_at < _ALIVE_WITHIN


def beat() -> None:
    """Record that the worker lives, and whether each bank says that it is well."""
    _record(WORKER, banks=send.bank_health())


def beat_recovery(passed_over: dict[str, str]) -> bool:
    """Record that recovery gets on, and what it has passed over: why, by the operation's id."""
    _record(RECOVERY, passed_over=passed_over)
    return True


def beat_search() -> None:
    """Record that the back office's search gets on."""
    _record(SEARCH)


def passed_over() -> dict[str, str]:
    """What the process of recovery has passed over: why, by the operation's id."""
    told: dict[str, str] = (
        Heartbeat.objects.filter(process=RECOVERY).values_list("passed_over", flat=True).first() or {}
    )
    return told


def _record(process: str, **known: Any) -> None:
    Heartbeat.objects.update_or_create(process=process, defaults={"beat_at": ClockTimestamp(), **known})
