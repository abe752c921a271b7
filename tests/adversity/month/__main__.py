"""`make month`: DAYS (30) days of PAYMENTS (100) payments each, and what their nights do with the books.

Traffic goes through the API of a running server, to both simulated banks and in test mode, and the bank
loses replies, fails and acts twice. Each night brings its statements, which heal what was in doubt; each
morning settles. Differences are planted at the bank and in its statements. The month passes by moving the
clocks of the database and the bank; nothing else is pretended. In the end everything must agree to the minor
unit, and each planted difference must have exactly one case. Ends with 1 if not.
"""

import io
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django
import psycopg

os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "FICPAY_LOG_LEVEL": "ERROR"}
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from payments.domain.states import Mode  # noqa: E402
from payments.usecases.merchants import create_merchant, issue_api_key  # noqa: E402
from tests.adversity.month.clock import MovedClock  # noqa: E402
from tests.adversity.month.month import DRAINED, Month  # noqa: E402
from tests.adversity.month.plants import Plants  # noqa: E402
from tests.adversity.month.shop import Api, Shop  # noqa: E402
from tests.adversity.month.verdict import FEES, faults  # noqa: E402
from tests.settings import POSTGRES  # noqa: E402
from tests.support.application_role import grant_privileges  # noqa: E402
from tests.support.gateway_server import GatewayServer  # noqa: E402
from tests.support.simulated_acquirer import SimulatedAcquirer  # noqa: E402
from tests.support.simulated_bank import SimulatedBank  # noqa: E402


def main() -> int:
    days, payments = (int(os.environ.get(name) or usual) for name, usual in (("DAYS", 30), ("PAYMENTS", 100)))
    seed = int(os.environ.get("SEED") or random.randrange(2**32))
    print(f"{days} days of {payments} payments; SEED={seed} repeats what is instructed", flush=True)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="month-")))
        stack.enter_context(POSTGRES)
        clock = MovedClock(stack.enter_context(_database()))
        clock.install()
        first = (datetime.now(UTC) - timedelta(days=days + DRAINED)).date()
        clock.set(datetime(first.year, first.month, first.day, tzinfo=UTC))
        bank, acquirer = stack.enter_context(SimulatedBank()), stack.enter_context(SimulatedAcquirer())
        settings.BANK_URL, settings.ACQUIRER_URL = bank.url, acquirer.url
        server = stack.enter_context(
            GatewayServer(
                bank.url, home, workers=1 + (payments > 50), environment={"ACQUIRER_URL": acquirer.url}
            )
        )
        merchant = create_merchant(slug="month", name="Month").slug
        live, test = (
            Api(server.url, issue_api_key(slug=merchant, mode=mode).plain) for mode in (Mode.LIVE, Mode.TEST)
        )
        for mode, currency, basis_points, fixed in FEES:
            terms = {"mode": mode, "currency": currency, "basis_points": basis_points, "fixed": fixed}
            call_command("fees", merchant, **terms, reason="the contract", stdout=io.StringIO())
        plants = Plants(bank, live)
        month = Month(first, days, payments, clock, bank, acquirer, Shop(live, test, seed), plants, home)
        month.pass_by(random.Random(seed))
        return _tell(list(faults(plants, {"live": live.receipts(), "test": test.receipts()})))


@contextmanager
def _database() -> Iterator[str]:
    """A database of its own, which this process and those that it starts use; its URL."""
    name = f"month_{os.getpid()}"
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
    if not _copied(name):
        POSTGRES.create_database(name)
        call_command("migrate", verbosity=0)
    grant_privileges()
    connection.close()
    try:
        yield POSTGRES.url(name)
    finally:
        connection.close()
        with psycopg.connect(POSTGRES.url("postgres"), autocommit=True) as session:
            session.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _copied(name: str) -> bool:
    """Whether the database is a copy of the tests' own, which is made sooner; not if that is in use."""
    if not (template := os.environ.get("MONTH_TEMPLATE")):
        return False
    with psycopg.connect(POSTGRES.url("postgres"), autocommit=True) as session:
        try:
            session.execute(f'CREATE DATABASE {name} TEMPLATE "{template}"')
        except psycopg.errors.ObjectInUse:
            return False
    return True


def _tell(found: list[str]) -> int:
    for fault in found:
        print(fault)
    print("All books agree." if not found else f"{len(found)} faults.")
    return 1 if found else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with it
    sys.exit(main())
