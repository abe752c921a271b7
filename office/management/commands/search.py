"""`manage.py search`: keeps the back office's search up to date, or makes it anew."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from office.search import follow


class Command(BaseCommand):
    help = "Bring the back office's search up to date with all payments."

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--watch", action="store_true", help="keep it up to date, until stopped")
        how.add_argument("--rebuild", action="store_true", help="write every payment into it anew")

    def handle(self, *_args: Any, watch: bool, rebuild: bool, **_: Any) -> None:
        if watch:
            stop = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            follow.watch(stop)
            return
        if rebuild:
            follow.begin_anew()
        if follow.catch_up():
            self.stdout.write("The search is up to date.")
        else:
            self.stdout.write("Another process is at it: `manage.py search --watch` keeps it up to date.")
