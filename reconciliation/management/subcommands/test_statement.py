"""`reconcile test-statement`: writes and imports the statement of test mode."""

from datetime import date, timedelta
from typing import Any

from django.core.management.base import CommandParser

from payments.models.clock import read_clock
from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_json, fail, utc_day
from reconciliation.services.sandbox_statements import DayNotOver, deliver


class DeliverTestStatement(Subcommand):
    """Write a day's statement of test payments, import it, and reconcile."""

    name = "test-statement"
    help = "write and import the statement of test payments, which move no money at any bank"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--date", type=utc_day, help="YYYY-MM-DD (UTC); default: yesterday")
        add_json(parser)

    def run(self, *, date: date | None, json: bool, **_: Any) -> ExitCode:
        day = date or (read_clock() - timedelta(days=1)).date()
        try:
            delivered = deliver(day, actor="operator")
        except DayNotOver as error:
            fail(str(error))
        files = [one.file for one in delivered]
        if json:
            self.print_json({"date": day, "files": [{"name": one.name, "lines": one.lines} for one in files]})
        else:
            for one in files:
                self.stdout.write(f"{one.name}: {one.lines} lines, {one.new_lines} of them new.")
            if not files:
                self.stdout.write(f"The statement of {day} (UTC) was imported before.")
        return ExitCode.CLEAN
