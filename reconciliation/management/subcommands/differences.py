"""`reconcile differences`: compares banks' statements with our books, and lists what differs."""

from typing import Any

from django.core.management.base import CommandParser

from payments.domain.ids import OPERATION_PREFIX
from payments.domain.money import display
from payments.engine.abilities import banks_with_statements
from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_dry_run, add_json
from reconciliation.models import Difference, Run
from reconciliation.services.differences import open_differences, resolution_proposed
from reconciliation.services.reconcile import reconcile

_ACTOR = "operator"
_LISTED = 100  # for people; JSON has all
_OTHER_MONEY = (Difference.Kind.AMOUNT_MISMATCH, Difference.Kind.CURRENCY_MISMATCH)


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
        found = open_differences(bank).select_related("owner")
        if json:
            cases = [of_case(one) for one in found]
            self.print_json({"runs": [of_run(run) for run in runs], "differences": cases})
            return ExitCode.OPEN if cases else ExitCode.CLEAN
        count = found.count()
        for one in found[:_LISTED]:
            for sentence in sentences_of(one):
                self.stdout.write(sentence)
        if count > _LISTED:
            self.stdout.write(f"And {count - _LISTED:,} more.")
        noun = "difference" if count == 1 else "differences"
        self.stdout.write(f"{count:,} open {noun}." if count else "No open difference.")
        return ExitCode.OPEN if count else ExitCode.CLEAN


def sentences_of(case: Difference) -> list[str]:
    """A case for people, and what to do about it."""
    owner = f", {case.owner.get_username()} looks after it" if case.owner else ""
    return [
        f"{case.happened_at:%Y-%m-%d %H:%M} UTC, {case.bank}: {case.get_kind_display()}{_amounts(case)}, "
        f"{_subject(case)}{owner}.",
        f"  {resolution_proposed(case)}",
    ]


def _amounts(case: Difference) -> str:
    """`: $51.51`, or both amounts where they differ; empty for a day."""
    if case.amount_minor is None:
        return ""
    sides = [case.evidence.get(side) or {} for side in ("bank", "books")]
    if case.kind in _OTHER_MONEY and all("amount_minor" in side for side in sides):
        theirs, ours = (display(side["amount_minor"], side["currency"]) for side in sides)
        return f": {theirs} at the bank, {ours} in our books"
    return f": {display(case.amount_minor, case.currency)}"


def _subject(case: Difference) -> str:
    """What the case is about, by the name that other commands and the bank's files have for it."""
    what, _, name = case.subject.partition(":")
    if what == "op":
        return f"{OPERATION_PREFIX}{name}"
    at_bank = case.evidence.get("bank") or {}
    if what == "line" and "file" in at_bank:
        return f"{at_bank['reference']} in line {at_bank['line']} of {at_bank['file']}"
    return f"{what} {name}"


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
