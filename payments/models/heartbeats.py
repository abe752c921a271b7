"""Signs of life of the processes behind the web server: what they have got done lately, and what not."""

from typing import ClassVar

from django.db import models


class Heartbeat(models.Model):
    """One row a process kind; overwritten at each beat."""

    process = models.CharField(max_length=32, primary_key=True)
    beat_at = models.DateTimeField()
    banks = models.JSONField(default=dict)  # bank name -> whether it was healthy
    passed_over = models.JSONField(default=dict)  # operation -> why recovery cannot do anything about it

    class Meta:
        # Of the worker's schedules: on django-q's own table, permissions are those of its forms.
        permissions: ClassVar = [
            ("view_schedules", "Can view schedules and heartbeats"),
            ("run_schedules", "Can run a schedule now"),
        ]

    def __str__(self) -> str:
        return self.process
