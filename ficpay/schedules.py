"""What the worker does by the clock.

Schedules only wake services up: what is due stands in the payments' own tables, and every task may run
twice at the same time.
"""

from datetime import timedelta

from django.utils import timezone
from django_q.models import Schedule

from payments.services.releases import send_due_releases

_EVERY_MINUTE = {
    "heartbeat": "payments.services.heartbeats.beat",
    "release-holds": "ficpay.schedules.release_holds",
}
# No release is begun after this, so that the last one ends within the task's timeout of 120 s.
_RELEASES_BEGIN_WITHIN = timedelta(seconds=45)


def release_holds() -> int:
    """Send the releases that are due; how many were sent."""
    return send_due_releases(within=_RELEASES_BEGIN_WITHIN)


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
