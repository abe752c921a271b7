"""Operations whose sender is gone: what time would do to their leases."""

from datetime import timedelta

from payments.models import Operation
from payments.models.clock import ClockTimestamp, clock_in
from tests.support.unguarded import unguarded

WITHIN = timedelta(seconds=5)


def let_leases_run_out() -> None:
    """As time would: no lease is alive and everything is due."""
    Operation.objects.filter(state="OPEN").update(lease_expires_at=ClockTimestamp(), due_at=None)


def after_the_clients_bound() -> None:
    let_leases_run_out()
    with unguarded():
        Operation.objects.filter(state="OPEN").update(created_at=clock_in(-25))
