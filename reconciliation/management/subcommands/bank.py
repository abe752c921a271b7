"""`reconcile bank`: compares our books with a bank's own API."""

from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import CommandParser

from payments.engine.abilities import banks_that_look_up
from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_json, positive, utc_day
from reconciliation.services.bank_check import LOOK_UPS_A_SECOND, check_bank
from reconciliation.services.bank_differences import differences_found


class CheckBank(Subcommand):
    """Look up what has succeeded since the last check."""

    name = "bank"
    help = (
        "look up at the bank what our books say has succeeded since the last check; "
        "the last hour is left to a later one"
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--bank", required=True, choices=banks_that_look_up())
        parser.add_argument(
            "--rate",
            type=_rate,
            default=LOOK_UPS_A_SECOND,
            metavar="N",
            help="look-ups a second (default: 5)",
        )
        parser.add_argument(
            "--since",
            type=utc_day,
            metavar="DATE",
            help="begin again with this UTC day (YYYY-MM-DD)",
        )
        parser.add_argument("--limit", type=positive, metavar="N", help="at most N look-ups")
        add_json(parser)

    def run(
        self, *, bank: str, rate: float, since: date | None, limit: int | None, json: bool, **_: Any
    ) -> ExitCode:
        checked = check_bank(bank, actor="operator", rate=rate, since=since, limit=limit)
        still_open = list(differences_found(bank).order_by("happened_at"))
        if json:
            open_ones = [{"kind": one.kind, "subject": one.subject, **one.evidence} for one in still_open]
            self.print_json({**checked.as_dict(), "open": open_ones})
        else:
            self.stdout.write(
                f"{checked.asked} looked up: {checked.agreed} agree, {checked.differences} differ, "
                f"{checked.unclear} unclear. The last hour is left out; a later check looks it up."
            )
            if checked.stopped:
                self.stdout.write(f"Stopped: {checked.stopped}. The next check goes on from here.")
            for one in still_open:
                self.stdout.write(f"{one.get_kind_display()}: {one.operation}")
        return ExitCode.OPEN if still_open or checked.unclear or checked.stopped else ExitCode.CLEAN


def _rate(text: str) -> float:
    """An argument's type. Raises ArgumentTypeError."""
    try:
        rate = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 < rate <= 1000:
        raise ArgumentTypeError("the rate must be above 0, and 1000 at most")
    return rate
