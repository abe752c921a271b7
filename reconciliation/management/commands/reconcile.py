"""`manage.py reconcile`: settles doubts, expires holds, explains a payment, audits the books.

Exit codes: 0 nothing is left, 1 something is still in doubt or a rule is violated, 2 the command failed.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError
from tqdm import tqdm

from payments.domain.ids import PAYMENT_PREFIX, parse_public_id, public_id
from payments.domain.money import display
from payments.engine.abilities import banks_with_statements
from payments.models import Payment
from payments.usecases import expirations, heartbeats, recovery
from reconciliation.services import audit, pending
from reconciliation.services.audit_rules import RULES
from reconciliation.services.digest import digest_of
from reconciliation.services.explain import explain
from reconciliation.services.pending import Doubt
from reconciliation.services.statement_report import report_of
from reconciliation.services.watch import watch
from reconciliation.statements.lines import Unreadable

STILL_IN_DOUBT, FAILED = 1, 2
_EXPIRATIONS_AT_ONCE = 1000


class Command(BaseCommand):
    help = (
        "Settle operations in doubt, expire holds, explain a payment, audit the books. "
        "Exit code 0: nothing is left; 1: something is still in doubt, or a rule is violated; 2: an error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")

        asked = commands.add_parser("pending", help="ask the bank about operations in doubt, due or not")
        asked.add_argument("--watch", action="store_true", help="run recovery until stopped")
        asked.add_argument("--limit", type=_positive, metavar="N", help="ask about at most N operations")
        asked.add_argument("--payment", metavar="PAY_ID", help="only this payment (pay_...)")
        _shared(asked, dry_run="list the operations in doubt without asking the bank")

        expired = commands.add_parser("expirations", help="expire payments whose hold has expired")
        expired.add_argument("--limit", type=_positive, metavar="N", help="at most N payments")
        _shared(expired, dry_run="list the expired holds without changing anything")

        explained = commands.add_parser("explain", help="explain a payment's chain of evidence in sentences")
        explained.add_argument("payment", metavar="PAY_ID", help="the payment (pay_...)")
        _shared(explained)

        _shared(commands.add_parser("audit", help="check every rule of the books and list all violations"))

        read = commands.add_parser(
            "statement", help="read bank statements, report what they contain, keep nothing"
        )
        read.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV or camt.053")
        read.add_argument("--bank", required=True, choices=banks_with_statements())
        _shared(read)

        digested = commands.add_parser("digest", help="a SHA-256 of a day's events, to be kept outside")
        digested.add_argument("--date", type=date.fromisoformat, help="YYYY-MM-DD (UTC); default: yesterday")
        _shared(digested)

    def handle(self, *_args: Any, what: str, **options: Any) -> None:
        commands: dict[str, Callable[..., bool]] = {
            "pending": self._pending,
            "expirations": self._expirations,
            "explain": self._explain,
            "audit": self._audit,
            "statement": self._statement,
            "digest": self._digest,
        }
        try:
            is_well = commands[what](**options)
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(
                f"The database did not respond ({type(error).__name__}). "
                "On a development machine, start it with `make up`; otherwise check DATABASE_URL.",
                returncode=FAILED,
            ) from None
        if not is_well:
            sys.exit(STILL_IN_DOUBT)

    def _pending(
        self, *, watch: bool, limit: int | None, payment: str | None, dry_run: bool, json: bool, **_: Any
    ) -> bool:
        if watch:
            if limit or payment or dry_run or json:
                _fail("--watch cannot be combined with other options.")
            return _watch()
        found = pending.in_doubt(_payment(payment) if payment else None)
        if not dry_run:
            asked = [one for one in found if one.can_be_asked][:limit]
            quiet = json or not sys.stderr.isatty()
            for doubt in tqdm(asked, desc="Asking the bank", unit="", disable=quiet, leave=False):
                recovery.recover(doubt.operation_id)
            found = pending.look_again(found)
        report = pending.Report.of(found)
        passed_over = heartbeats.passed_over()
        if json:
            self._print_json(report.as_dict() | {"passed_over": passed_over})
        else:
            self._print_doubts(found, report, dry_run=dry_run)
            for one, why in passed_over.items():
                self.stdout.write(f"Recovery skips {one}: {why}. See its log for details.")
        return report.in_doubt == 0 and report.needs_review == 0

    def _expirations(self, *, limit: int | None, dry_run: bool, json: bool, **_: Any) -> bool:
        most = limit or _EXPIRATIONS_AT_ONCE
        if dry_run:
            ids = list(
                expirations.expired_holds()
                .order_by("authorization_expires_at")
                .values_list("pk", flat=True)[:most]
            )
        else:
            ids = expirations.expire_due(limit=most)
        names = [public_id(PAYMENT_PREFIX, one) for one in ids]
        left = 0 if dry_run else expirations.expired_holds().count()
        if json:
            self._print_json({"dry_run": dry_run, "expired": names, "left": left})
        else:
            for name in names:
                self.stdout.write(f"{name} {'would expire' if dry_run else 'has expired'}")
            self.stdout.write(f"{len(names)} {'to expire' if dry_run else 'expired'}, {left} left.")
        return left == 0

    def _explain(self, *, payment: str, json: bool, **_: Any) -> bool:
        sentences = explain(_payment(payment))
        if json:
            self._print_json({"payment": payment, "sentences": [one.strip() for one in sentences]})
        else:
            self.stdout.write("\n".join(sentences))
        return True

    def _audit(self, *, json: bool, **_: Any) -> bool:
        found = audit.violations()
        if json:
            self._print_json({"rules": len(RULES), "violations": [vars(one) for one in found]})
            return not found
        for one in found:
            self.stdout.write(f"{one.rule}: {one.subject}: {one.detail}\n    {one.says}")
        self.stdout.write(f"{len(RULES)} rules, {len(found)} violations.")
        return not found

    def _statement(self, *, files: list[Path], bank: str, json: bool, **_: Any) -> bool:
        try:
            reports = [report_of(file, bank=bank) for file in files]
        except Unreadable as error:
            _fail(str(error))
        if json:
            self._print_json({"files": [one.as_dict() for one in reports]})
        else:
            self.stdout.write("\n".join(sentence for one in reports for sentence in one.sentences()))
        return not any(one.malformed for one in reports)

    def _digest(self, *, date: date | None, json: bool, **_: Any) -> bool:
        found = digest_of(date or (datetime.now(UTC) - timedelta(days=1)).date())
        if json:
            self._print_json(vars(found))
        else:
            self.stdout.write(f"{found.day} (UTC): {found.events} events, SHA-256 {found.sha256}")
        return True

    def _print_doubts(self, doubts: list[Doubt], report: pending.Report, *, dry_run: bool) -> None:
        for one in doubts:
            amount = display(one.amount_minor, one.currency)
            self.stdout.write(f"{one.operation} {one.kind} of {amount} for {one.payment}: {one.state}")
        left = f"{report.in_doubt} in doubt, {report.needs_review} under review, {report.in_flight} in flight"
        self.stdout.write(f"{left}." if dry_run else f"{report.settled} settled; {left}.")

    def _print_json(self, report: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(report, indent=2, default=str))


def _watch() -> bool:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch(stop, threads=settings.RECOVERY_THREADS)
    return True


def _shared(parser: Any, *, dry_run: str = "") -> None:
    if dry_run:
        parser.add_argument("--dry-run", action="store_true", help=dry_run)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _payment(text: str) -> Payment:
    payment_id = parse_public_id(PAYMENT_PREFIX, text)
    if payment_id is None:
        _fail(f"{text} is not a payment id: those are `pay_` and 32 hexadecimal digits.")
    payment = Payment.objects.filter(pk=payment_id).first()
    if payment is None:
        _fail(f"There is no payment {text}.")
    return payment


def _fail(message: str) -> NoReturn:
    raise CommandError(message, returncode=FAILED)
