"""`reconcile digest`: a day's events as one number, to be kept outside."""

from datetime import UTC, date, timedelta
from typing import Any

from django.core.management.base import CommandParser

from payments.models.clock import read_clock
from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_json, utc_day
from reconciliation.services.digest import digest_of


class Digest(Subcommand):
    """Print the digest of a UTC day."""

    name = "digest"
    help = "a SHA-256 of a day's events, to be kept outside"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--date", type=utc_day, help="YYYY-MM-DD (UTC); default: yesterday")
        add_json(parser)

    def run(self, *, date: date | None, json: bool, **_: Any) -> ExitCode:
        today = read_clock().astimezone(UTC).date()
        found = digest_of(date or today - timedelta(days=1))
        is_over = found.day < today
        if json:
            self.print_json({**vars(found), "is_over": is_over})
        else:
            self.stdout.write(f"{found.day} (UTC): {found.events} events, SHA-256 {found.sha256}")
            if not is_over:
                self.stdout.write("The day is not over yet: its digest still changes.")
        return ExitCode.CLEAN
