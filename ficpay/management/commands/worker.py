"""`manage.py worker`: runs the scheduled tasks in the foreground until it is stopped."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from office.schedules import schedules


class Command(BaseCommand):
    help = "Run the scheduled tasks: heartbeats, expirations, retention, and recovery's fallback."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if settings.DB_POOL:
            raise CommandError("Start the worker with FICPAY_DB_POOL=0: a pool does not survive its forks.")
        schedules.install()
        call_command("qcluster")
