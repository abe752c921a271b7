"""`manage.py reconcile`: settles doubts, audits the books, compares them with banks, settles with merchants.

Each subcommand is a module in `reconciliation/management/subcommands`. Exit codes: 0 nothing is left,
1 something is in doubt, different or violated, 2 the command failed.
"""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, InterfaceError

from reconciliation.management.subcommands import SUBCOMMANDS
from reconciliation.management.subcommands.base import ExitCode, fail


class Command(BaseCommand):
    help = (
        "Settle operations in doubt, audit the books, compare them with banks, settle with merchants. "
        "Exit code 0: nothing is left; 1: something is in doubt, different or violated; 2: an error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
        for one in SUBCOMMANDS:
            one.add_arguments(commands.add_parser(one.name, help=one.help))

    def handle(self, *_args: Any, what: str, **options: Any) -> None:
        subcommand = next(one for one in SUBCOMMANDS if one.name == what)
        try:
            code = subcommand(self.stdout).run(**options)
            self.stdout.flush()
        except BrokenPipeError:  # `| head` has read enough
            # Or Python itself would try to write the rest, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = ExitCode.FAILED
        except (DatabaseError, InterfaceError) as error:
            fail(
                f"The database did not respond ({type(error).__name__}). "
                "On a development machine, start it with `make up`; otherwise check DATABASE_URL."
            )
        if code:
            sys.exit(code)
