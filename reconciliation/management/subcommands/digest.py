"""`reconcile digest`: a day's events as one number, to be kept outside."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.core.management.base import CommandParser

from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_json
from reconciliation.services.digest import digest_of


class Digest(Subcommand):
    """Print the digest of a UTC day."""

    name = "digest"
    help = "a SHA-256 of a day's events, to be kept outside"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--date", type=date.fromisoformat, help="YYYY-MM-DD (UTC); default: yesterday")
        add_json(parser)

    def run(self, *, date: date | None, json: bool, **_: Any) -> ExitCode:
        found = digest_of(date or (datetime.now(UTC) - timedelta(days=1)).date())
        if json:
            self.print_json(vars(found))
        else:
            self.stdout.write(f"{found.day} (UTC): {found.events} events, SHA-256 {found.sha256}")
        return ExitCode.CLEAN
