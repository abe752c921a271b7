"""`reconcile settle`: what was captured and matched becomes what merchants are paid."""

from datetime import date, timedelta
from typing import Any

from django.core.management.base import CommandParser

from payments.domain.money import display
from payments.domain.settlement import Sums
from payments.models.clock import read_clock
from reconciliation.management.subcommands.base import (
    ExitCode,
    Subcommand,
    add_dry_run,
    add_json,
    fail,
    utc_day,
)
from reconciliation.models import Settlement
from reconciliation.services.settle import Proposed, SettlementRefused, propose, settle


class Settle(Subcommand):
    """Make a UTC day's settlements, or show them where they are made."""

    name = "settle"
    help = "settle what was captured and matched up to a day, less refunds and fees"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--date", type=utc_day, help="YYYY-MM-DD (UTC); default: yesterday")
        add_dry_run(parser, "show the settlements that would be made, and make none")
        add_json(parser)

    def run(self, *, date: date | None, dry_run: bool, json: bool, **_: Any) -> ExitCode:
        day = date or read_clock().date() - timedelta(days=1)
        try:
            if dry_run:
                told = [_proposed(one) for one in propose(day)]
            else:
                told = [told_of(one) for one in settle(day, actor="operator")]
        except SettlementRefused as refused:
            fail(str(refused))
        if json:
            self.print_json({"date": day, "dry_run": dry_run, "settlements": told})
            return ExitCode.CLEAN
        for one in told:
            self.stdout.write(sentence_of(one))
        count = "1 settlement" if len(told) == 1 else f"{len(told)} settlements"
        self.stdout.write(f"{day} (UTC): {count}{' would be made' if dry_run else ''}.")
        return ExitCode.CLEAN


def told_of(settlement: Settlement) -> dict[str, Any]:
    """A settlement for machines. Amounts are in minor units."""
    sums = Sums(
        captured_minor=settlement.captured_minor,
        refunded_minor=settlement.refunded_minor,
        fees_minor=settlement.fees_minor,
        corrected_minor=settlement.corrected_minor,
        brought_forward_minor=settlement.brought_forward_minor,
    )
    return {
        "id": settlement.public_id,
        "merchant": settlement.merchant.slug,
        "mode": settlement.mode,
        "bank": settlement.bank,
        "currency": settlement.currency,
        **_amounts(sums),
    }


def sentence_of(told: dict[str, Any]) -> str:
    """A settlement in a line: whose it is, what is paid, and what it consists of."""
    named = {name: display(amount, told["currency"]) for name, amount in told.items() if type(amount) is int}
    parts = [f"{name.replace('_', ' ')} {named[name]}" for name in named if told[name] and name != "amount"]
    whose = f"{told['merchant']}, {told['mode']}, {told['bank']}"
    return f"{told['id'] or 'to be made'} ({whose}): {named['amount']} paid; {', '.join(parts) or 'nothing'}"


def _proposed(proposed: Proposed) -> dict[str, Any]:
    payee = proposed.payee
    return {
        "id": None,
        "merchant": payee.slug,
        "mode": payee.mode,
        "bank": payee.bank,
        "currency": payee.currency,
        **_amounts(proposed.sums),
    }


def _amounts(sums: Sums) -> dict[str, int]:
    return {
        "captured": sums.captured_minor,
        "refunded": sums.refunded_minor,
        "fees": sums.fees_minor,
        "corrected": sums.corrected_minor,
        "brought_forward": sums.brought_forward_minor,
        "amount": sums.amount_minor,
        "carried_forward": sums.carried_forward_minor,
    }
