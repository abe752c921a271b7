"""Indexes for the log of staff, built while payments go on being made.

Outside a transaction, as PostgreSQL demands: interrupted, it leaves the index it was at invalid. Drop that
one, and those that are there already, and migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

OF_STAFF = [
    "note.added",
    "operation.assigned",
    "operation.asked_again",
    "resolution.proposed",
    "resolution.applied",
    "resolution.refused",
    "api_key.disabled",
    "payments.exported",
    "user.created",
    "user.changed",
    "user.password_changed",
    "user.second_factor_set_up",
    "user.second_factor_reset",
    "group.created",
    "group.changed",
    "schedule.run_now",
]
IN_THE_LOG = models.Q(type__in=OF_STAFF)
NEWEST = ["-at", "-id"]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0010_staff_log")]

    operations = [
        AddIndexConcurrently(
            "event", models.Index(fields=NEWEST, condition=IN_THE_LOG, name="event_of_staff_newest")
        ),
        AddIndexConcurrently(
            "event", models.Index(fields=["actor", *NEWEST], condition=IN_THE_LOG, name="event_of_staff_actor")
        ),
        AddIndexConcurrently(
            "event", models.Index(fields=["type", *NEWEST], condition=IN_THE_LOG, name="event_of_staff_type")
        ),
    ]
