"""The command line of the simulated banks.

`python -m bank` runs the bank, `python -m bank statement` writes one day of its statement, and
`python -m bank acquirer` runs the acquirer.
"""

import argparse
import asyncio
import logging
import os
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

from bank.ficmart.ledger import LedgerUnusable
from bank.ficmart.statement import write_statement
from bank.settings import CannotListen, SettingInvalid, Settings, database_path, of_acquirer

SETTINGS_HELP = """\
settings (environment):
  FAILURE_RATE       share of requests that fail at random, 0 to 1 (0.05)
  MIN_LATENCY_MS     minimum latency of every request (100)
  MAX_LATENCY_MS     maximum latency of every request (2000)
  AUTH_EXPIRY_HOURS  how long a hold can be captured (168)
  PORT, BANK_PORT    port to listen on; PORT takes precedence (8787)
  BANK_HOST          address to listen on (127.0.0.1)
  BANK_DB            the ledger's file (bank/ledger.sqlite3 under FICPAY_VAR, or under ./var)
  BANK_CONTROL       1 switches the control plane on, like --control (0)
The acquirer uses the same FAILURE_RATE, MIN_LATENCY_MS and MAX_LATENCY_MS, and its own
  ACQUIRER_PORT (8080), ACQUIRER_HOST (127.0.0.1), ACQUIRER_CONTROL (0)
"""


def main() -> None:
    arguments = _parser().parse_args()
    try:
        if arguments.command == "statement":
            _statement(arguments.date, arguments.output)
        elif arguments.command == "acquirer":
            _serve_acquirer(control=arguments.control)
        else:
            _serve_bank(control=arguments.control)
    except (SettingInvalid, LedgerUnusable, CannotListen) as wrong:
        sys.exit(f"bank: {wrong}")
    except KeyboardInterrupt:  # before the server handles it
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bank",
        description="The simulated banks. Without a command, the bank runs until it is stopped.",
        epilog=SETTINGS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_control(parser, default=False)
    commands = parser.add_subparsers(dest="command", metavar="statement|acquirer")
    statement = commands.add_parser("statement", help="write the bank's statement of one day as CSV")
    statement.add_argument("--date", type=_day, required=True, help="the day (UTC), as YYYY-MM-DD")
    statement.add_argument("--output", type=Path, help="file to write (standard output)")
    acquirer = commands.add_parser("acquirer", help="run the simulated acquirer until it is stopped")
    _add_control(acquirer, default=argparse.SUPPRESS)  # or it would reset a --control before the command
    return parser


def _add_control(parser: argparse.ArgumentParser, *, default: bool | str) -> None:
    parser.add_argument(
        "--control", action="store_true", default=default, help="switch the control plane on (tests only)"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-11-30") from None


def _statement(day: date, output: Path | None) -> None:
    database = database_path(os.environ)
    if output is None:
        write_statement(day, database, sys.stdout)
        return
    try:
        file = output.open("w", encoding="utf-8", newline="")
    except OSError as refused:
        sys.exit(f"bank: Cannot write {output}: {refused.strerror}.")
    with file:
        write_statement(day, database, file)


def _serve_bank(*, control: bool) -> None:
    from bank.ficmart.server import Server  # noqa: PLC0415
    from bank.reception import serve  # noqa: PLC0415 - the statement needs no web server

    settings = Settings.from_environment(os.environ)
    settings = replace(settings, control=settings.control or control)
    _log_to_stdout()
    asyncio.run(serve(Server(settings).application(), settings, books=f"ledger in {settings.database}"))


def _serve_acquirer(*, control: bool) -> None:
    from bank.acquirer.server import Acquirer  # noqa: PLC0415 - the statement needs no web server
    from bank.reception import serve  # noqa: PLC0415

    settings = of_acquirer(os.environ)
    settings = replace(settings, control=settings.control or control)
    _log_to_stdout()
    asyncio.run(serve(Acquirer(settings).application(), settings, books="books in memory"))


def _log_to_stdout() -> None:
    """Log one plain line per request, without a time: `make up` or a service manager adds it.

    aiohttp's own errors are not logged, because they quote the malformed request.
    """
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)


if __name__ == "__main__":
    main()
