"""`manage.py worker`: carries out the schedules, in the foreground, until it is told to stop."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from office.schedules import schedules


class Command(BaseCommand):
    help = "Carry out the schedules: heartbeats, expirations, retention, and recovery's fallback."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if settings.DB_POOL:
            raise CommandError("Start the worker with FICPAY_DB_POOL=0: its processes fork.")
        schedules.install()
        call_command("qcluster")
