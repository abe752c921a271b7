"""`reconcile pending`: asks banks about operations in doubt."""

import signal
import sys
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from tqdm import tqdm

from payments.domain.money import display
from payments.usecases import heartbeats, recovery
from reconciliation.management.subcommands.base import (
    ExitCode,
    Subcommand,
    add_dry_run,
    add_json,
    fail,
    payment_named,
    positive,
)
from reconciliation.services import pending
from reconciliation.services.pending import Doubt
from reconciliation.services.watch import watch as watch_doubts


class Pending(Subcommand):
    """Settle what is in doubt, once or until stopped."""

    name = "pending"
    help = "ask the bank about operations in doubt, due or not"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--watch", action="store_true", help="run recovery until stopped")
        parser.add_argument("--limit", type=positive, metavar="N", help="ask about at most N operations")
        parser.add_argument("--payment", metavar="PAY_ID", help="only this payment (pay_...)")
        add_dry_run(parser, "list the operations in doubt without asking the bank")
        add_json(parser)

    def run(
        self, *, watch: bool, limit: int | None, payment: str | None, dry_run: bool, json: bool, **_: Any
    ) -> ExitCode:
        if watch:
            if limit or payment or dry_run or json:
                fail("--watch cannot be combined with other options.")
            return _watch()
        found = pending.in_doubt(payment_named(payment) if payment else None)
        if not dry_run:
            asked = [one for one in found if one.can_be_asked][:limit]
            quiet = json or not sys.stderr.isatty()
            for doubt in tqdm(asked, desc="Asking the bank", unit="", disable=quiet, leave=False):
                recovery.recover(doubt.operation_id)
            found = pending.look_again(found)
        report = pending.Report.of(found)
        passed_over = heartbeats.passed_over()
        if json:
            self.print_json(report.as_dict() | {"passed_over": passed_over})
        else:
            self._print_doubts(found, report, dry_run=dry_run)
            for one, why in passed_over.items():
                self.stdout.write(f"Recovery skips {one}: {why}. See its log for details.")
        return ExitCode.OPEN if report.in_doubt or report.needs_review else ExitCode.CLEAN

    def _print_doubts(self, doubts: list[Doubt], report: pending.Report, *, dry_run: bool) -> None:
        for one in doubts:
            amount = display(one.amount_minor, one.currency)
            self.stdout.write(f"{one.operation} {one.kind} of {amount} for {one.payment}: {one.state}")
        left = f"{report.in_doubt} in doubt, {report.needs_review} under review, {report.in_flight} in flight"
        self.stdout.write(f"{left}." if dry_run else f"{report.settled} settled; {left}.")


def _watch() -> ExitCode:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch_doubts(stop, threads=settings.RECOVERY_THREADS)
    return ExitCode.CLEAN
