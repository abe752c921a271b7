"""Signs of life of the processes behind the web server, for `/health/ready` to show."""

from payments.models import Heartbeat
from payments.models.clock import ClockTimestamp
from payments.services import operations

WORKER = "worker"
RECOVERY = "recovery"


def beat() -> None:
    """Record that the worker lives, and whether each bank says that it is well."""
    _record(WORKER, operations.bank_health())


def beat_recovery() -> bool:
    """Record that the process of recovery lives."""
    _record(RECOVERY, {})
    return True


def _record(process: str, banks: dict[str, bool]) -> None:
    Heartbeat.objects.update_or_create(
        process=process, defaults={"beat_at": ClockTimestamp(), "banks": banks}
    )
