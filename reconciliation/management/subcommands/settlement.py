"""`reconcile settlement`: one settlement, and its report as CSV."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from reconciliation.management.subcommands.base import (
    ExitCode,
    Subcommand,
    add_json,
    fail,
    settlement_named,
)
from reconciliation.management.subcommands.settle import sentence_of, told_of
from reconciliation.models import Settlement
from reconciliation.services.settlement_report import as_csv


class ShowSettlement(Subcommand):
    """Show a settlement, or write its report."""

    name = "settlement"
    help = "show a settlement, or write its report as CSV"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("settlement", metavar="STL_ID", help="the settlement (stl_...)")
        parser.add_argument("--csv", metavar="FILE", help="write a line for each operation; - for the output")
        add_json(parser)

    def run(self, *, settlement: str, csv: str | None, json: bool, **_: Any) -> ExitCode:
        found = settlement_named(settlement)
        if csv == "-":
            for part in as_csv(found):
                self.stdout.write(part, ending="")
        elif csv:
            _write(found, Path(csv))
        elif json:
            self.print_json({"date": found.date, "created_at": found.created_at, **told_of(found)})
        else:
            self.stdout.write(f"{found.date} (UTC): {sentence_of(told_of(found))}")
        return ExitCode.CLEAN


def _write(settlement: Settlement, path: Path) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(as_csv(settlement))
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.")
