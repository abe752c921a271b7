"""`reconcile differences`: compares banks' statements with our books, and lists what differs."""

from typing import Any

from django.core.management.base import CommandParser

from payments.domain.money import display
from payments.engine.abilities import banks_with_statements
from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_dry_run, add_json
from reconciliation.models import Difference, Run
from reconciliation.services.differences import open_differences, resolution_proposed
from reconciliation.services.reconcile import reconcile

_ACTOR = "operator"


class ListDifferences(Subcommand):
    """Compare the imported statements with our books once more, heal them, and list open differences."""

    name = "differences"
    help = "compare imported statements with our books, and list the differences"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--bank", choices=banks_with_statements(), help="only this bank")
        parser.add_argument(
            "--whole", action="store_true", help="look at everything again, not only at what may have changed"
        )
        add_dry_run(parser, "list the open differences without comparing")
        add_json(parser)

    def run(self, *, bank: str | None, whole: bool, dry_run: bool, json: bool, **_: Any) -> ExitCode:
        banks = [bank] if bank else banks_with_statements()
        runs = [] if dry_run else [reconcile(one, actor=_ACTOR, whole=whole) for one in banks]
        found = list(open_differences(bank).select_related("owner"))
        if json:
            self.print_json(
                {"runs": [of_run(run) for run in runs], "differences": [of_case(one) for one in found]}
            )
        else:
            for line in [sentence for one in found for sentence in sentences_of(one)]:
                self.stdout.write(line)
            self.stdout.write(
                f"{len(found)} open difference{'' if len(found) == 1 else 's'}."
                if found
                else "No open difference."
            )
        return ExitCode.OPEN if found else ExitCode.CLEAN


def sentences_of(case: Difference) -> list[str]:
    """A case for people, and what to do about it."""
    amount = "" if case.amount_minor is None else f" of {display(case.amount_minor, case.currency)}"
    owner = f", {case.owner.get_username()} looks after it" if case.owner else ""
    return [
        f"{case.happened_at:%Y-%m-%d %H:%M} UTC, {case.bank}: {case.get_kind_display()}{amount}, "
        f"{case.subject}{owner}.",
        f"  {resolution_proposed(case)}",
    ]


def of_run(run: Run) -> dict[str, Any]:
    """A run for machines. Sums are in minor units."""
    return {
        "bank": run.bank,
        "started_at": run.started_at,
        "covers_from": run.covers_from,
        "covers_to": run.covers_to,
        **run.counts,
    }


def of_case(case: Difference) -> dict[str, Any]:
    """A case for machines. Amounts are in minor units."""
    return {
        "kind": case.kind,
        "state": case.state,
        "bank": case.bank,
        "subject": case.subject,
        "amount": case.amount_minor,
        "currency": case.currency,
        "happened_at": case.happened_at,
        "owner": case.owner.get_username() if case.owner else None,
        "proposed": resolution_proposed(case),
        "evidence": case.evidence,
    }
