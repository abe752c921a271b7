"""`reconcile statement`: reads a bank's statements."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from payments.engine.abilities import banks_with_statements
from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_json, fail
from reconciliation.services.statement_report import report_of
from reconciliation.statements.lines import Unreadable


class ImportStatement(Subcommand):
    """Report what statement files contain."""

    name = "statement"
    help = "read bank statements, report what they contain, keep nothing"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV or camt.053")
        parser.add_argument("--bank", required=True, choices=banks_with_statements())
        add_json(parser)

    def run(self, *, files: list[Path], bank: str, json: bool, **_: Any) -> ExitCode:
        try:
            reports = [report_of(file, bank=bank) for file in files]
        except Unreadable as error:
            fail(str(error))
        if json:
            self.print_json({"files": [one.as_dict() for one in reports]})
        else:
            self.stdout.write("\n".join(sentence for one in reports for sentence in one.sentences()))
        return ExitCode.OPEN if any(one.malformed for one in reports) else ExitCode.CLEAN
