"""The worker's signs of life, and what it last heard from the banks."""

from django.db import models


class Heartbeat(models.Model):
    """One row a process kind; overwritten at each beat."""

    process = models.CharField(max_length=32, primary_key=True)
    beat_at = models.DateTimeField()
    banks = models.JSONField(default=dict)  # bank name -> whether it was healthy

    def __str__(self) -> str:
        return self.process
