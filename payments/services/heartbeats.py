"""The worker's signs of life, and what it hears from the banks, for `/health/ready` to show."""

from payments.models import Heartbeat
from payments.models.clock import ClockTimestamp
from payments.services import operations

WORKER = "worker"


def beat() -> None:
    """Record that the worker lives, and whether each bank says that it is well."""
    banks = operations.bank_health()
    Heartbeat.objects.update_or_create(process=WORKER, defaults={"beat_at": ClockTimestamp(), "banks": banks})
