"""Signs of life of the processes behind the web server, for `/health/ready` to show."""

from typing import Any

from payments.models import Heartbeat
from payments.models.clock import ClockTimestamp
from payments.services import operations

WORKER = "worker"
RECOVERY = "recovery"


def beat() -> None:
    """Record that the worker lives, and whether each bank says that it is well."""
    _record(WORKER, banks=operations.bank_health())


def beat_recovery(passed_over: dict[str, str]) -> bool:
    """Record that recovery gets on, and what it has passed over: why, by the operation's id."""
    _record(RECOVERY, passed_over=passed_over)
    return True


def passed_over() -> dict[str, str]:
    """What the process of recovery has passed over: why, by the operation's id."""
    told: dict[str, str] = (
        Heartbeat.objects.filter(process=RECOVERY).values_list("passed_over", flat=True).first() or {}
    )
    return told


def _record(process: str, **known: Any) -> None:
    Heartbeat.objects.update_or_create(process=process, defaults={"beat_at": ClockTimestamp(), **known})
