"""`manage.py search`: keeps the back office's search up to date, or rebuilds it."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from office.search import follow


class Command(BaseCommand):
    help = "Bring the back office's search up to date with all payments."

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--watch", action="store_true", help="keep it up to date until stopped")
        how.add_argument("--rebuild", action="store_true", help="index every payment again")

    def handle(self, *_args: Any, watch: bool, rebuild: bool, **_: Any) -> None:
        if watch:
            stop = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            follow.watch(stop)
            return
        if rebuild:
            follow.rebuild()
        if follow.catch_up():
            self.stdout.write("The search is up to date.")
        else:
            self.stdout.write("Another process is already updating the search.")
