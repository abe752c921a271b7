"""What the worker does by the clock.

Schedules only wake services up: what is due stands in the payments' own tables, and every task may run
twice at the same time.
"""

from datetime import timedelta

from django.utils import timezone
from django_q.models import Schedule

from payments.services import idempotency, requests
from payments.services.expirations import expire_due
from payments.services.recovery import recover_due

_EVERY_MINUTE = {
    "heartbeat": "payments.services.heartbeats.beat",
    "recovery": "ficpay.schedules.recover",
    "expirations": "ficpay.schedules.expire",
    "forget-idempotency-keys": "ficpay.schedules.forget_idempotency_keys",
}
# Nothing is begun after this, so that the last attempt ends within the task's timeout of 120 s.
_RECOVERY_BEGINS_WITHIN = timedelta(seconds=45)
_EXPIRATIONS_A_MINUTE = 2000
_KEYS_A_SWEEP = 5000


def recover() -> int:
    """Do what recovery would, in case its own process is away; how many things were done."""
    return recover_due(within=_RECOVERY_BEGINS_WITHIN)


def expire() -> int:
    """Let payments expire whose hold has run out; how many did."""
    return len(expire_due(limit=_EXPIRATIONS_A_MINUTE))


def forget_idempotency_keys() -> int:
    """Forget keys after 30 days, and the requests that came with them; how many were forgotten."""
    return idempotency.sweep(limit=_KEYS_A_SWEEP) + requests.sweep(limit=_KEYS_A_SWEEP)


def install() -> None:
    """Make the schedules what this file says; they are due at once."""
    for name, function in _EVERY_MINUTE.items():
        Schedule.objects.update_or_create(
            name=name,
            defaults={
                "func": function,
                "schedule_type": Schedule.MINUTES,
                "minutes": 1,
                "repeats": -1,
                "next_run": timezone.now(),
            },
        )
    Schedule.objects.exclude(name__in=_EVERY_MINUTE).delete()
