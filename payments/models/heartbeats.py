"""Heartbeats of the background processes."""

from typing import ClassVar

from django.db import models


class Heartbeat(models.Model):
    """One row per kind of process, overwritten at each beat."""

    process = models.CharField(max_length=32, primary_key=True)
    beat_at = models.DateTimeField()
    banks = models.JSONField(default=dict)  # bank name -> whether it was healthy
    passed_over = models.JSONField(default=dict)  # operation -> why recovery skips it

    class Meta:
        # For the worker's schedules. Permissions on django-q's own table are those of its forms.
        permissions: ClassVar = [
            ("view_schedules", "Can view schedules and heartbeats"),
            ("run_schedules", "Can run a schedule now"),
        ]

    def __str__(self) -> str:
        return self.process
