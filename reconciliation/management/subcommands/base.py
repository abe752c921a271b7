"""What all subcommands of `manage.py reconcile` share."""

import json
from abc import ABC, abstractmethod
from argparse import ArgumentTypeError
from datetime import date
from enum import IntEnum
from typing import Any, ClassVar, NoReturn

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from payments.domain.ids import PAYMENT_PREFIX, parse_public_id
from payments.models import Payment
from reconciliation.models import Settlement
from reconciliation.models.settlements import SETTLEMENT_PREFIX


class ExitCode(IntEnum):
    """What a subcommand says to schedulers and scripts."""

    CLEAN = 0  # nothing is left
    OPEN = 1  # something is in doubt, different or violated
    FAILED = 2  # the command could not do its work, or not all of it


class Subcommand(ABC):
    """One subcommand: its arguments, what it does, and what it prints."""

    name: ClassVar[str]
    help: ClassVar[str]

    def __init__(self, stdout: OutputWrapper) -> None:
        self.stdout = stdout

    @classmethod
    @abstractmethod
    def add_arguments(cls, parser: CommandParser) -> None: ...

    @abstractmethod
    def run(self, *_args: Any, **options: Any) -> ExitCode:
        """Takes the options that it needs by name. Raises CommandError, by `fail`."""

    def print_json(self, report: dict[str, Any]) -> None:
        """Amounts are in minor units, times in UTC."""
        self.stdout.write(json.dumps(report, indent=2, default=str))


def add_json(parser: CommandParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_dry_run(parser: CommandParser, does: str) -> None:
    """`--dry-run`, which changes nothing."""
    parser.add_argument("--dry-run", action="store_true", help=does)


def positive(text: str) -> int:
    """An argument's type. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def utc_day(text: str) -> date:
    """An argument's type. Raises ArgumentTypeError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date: YYYY-MM-DD") from None


def payment_named(text: str) -> Payment:
    """The payment of that id (pay_...). Raises CommandError."""
    payment_id = parse_public_id(PAYMENT_PREFIX, text)
    if payment_id is None:
        fail(f"{text} is not a payment id: those are `pay_` and 32 hexadecimal digits.")
    payment = Payment.objects.filter(pk=payment_id).first()
    if payment is None:
        fail(f"There is no payment {text}.")
    return payment


def settlement_named(text: str) -> Settlement:
    """The settlement of that id (stl_...). Raises CommandError."""
    settlement_id = parse_public_id(SETTLEMENT_PREFIX, text)
    if settlement_id is None:
        fail(f"{text} is not a settlement id: those are `stl_` and 32 hexadecimal digits.")
    settlement = Settlement.objects.select_related("merchant").filter(pk=settlement_id).first()
    if settlement is None:
        fail(f"There is no settlement {text}.")
    return settlement


def fail(message: str) -> NoReturn:
    """End with exit code 2 and this message."""
    raise CommandError(message, returncode=ExitCode.FAILED)
