"""The worker's signs of life, and what it last heard from the banks."""

from typing import ClassVar

from django.db import models


class Heartbeat(models.Model):
    """One row a process kind; overwritten at each beat."""

    process = models.CharField(max_length=32, primary_key=True)
    beat_at = models.DateTimeField()
    banks = models.JSONField(default=dict)  # bank name -> whether it was healthy

    class Meta:
        # Of the worker's schedules: on django-q's own table, permissions are those of its forms.
        permissions: ClassVar = [
            ("view_schedules", "Can view schedules and signs of life"),
            ("run_schedules", "Can have a schedule run at once"),
        ]

    def __str__(self) -> str:
        return self.process
