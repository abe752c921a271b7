"""`make wide`: shoppers at two machines for WIDE_SECONDS (60); half-way the database's machine dies.

Each machine runs a web server, a worker, a recovery and a search. PgBouncer in transaction mode stands
between them and PostgreSQL, whose standby is synchronous. The primary is killed with SIGKILL while payments
flow; the standby is promoted and PgBouncer pointed at it, as an operator or Patroni would. The shoppers ask
again with their keys, each time at the other machine. Ends with 1 if anything that a shopper was told is
lost, if a bank has done anything twice or anything our books do not know, if the audit finds a violation, or
if the back office's search does not find a payment as it is.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

import psycopg  # noqa: E402
import requests  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

from dev.postgres import APPLICATION, EmbeddedPostgres  # noqa: E402
from ficpay.database.bounds import role_bounds  # noqa: E402
from office.search.models import FoundPayment  # noqa: E402
from payments.domain.states import Mode  # noqa: E402
from payments.models import Operation, Payment  # noqa: E402
from payments.usecases.merchants import create_merchant, issue_api_key  # noqa: E402
from tests.adversity.soak import books  # noqa: E402
from tests.adversity.soak.peace import wait_for_peace, wait_for_probes  # noqa: E402
from tests.adversity.soak.shoppers import FINAL, Shopper  # noqa: E402
from tests.adversity.soak.tally import Tally  # noqa: E402
from tests.adversity.wide import servers  # noqa: E402
from tests.adversity.wide.machines import InTurn, Machine  # noqa: E402
from tests.adversity.wide.pooler import Pooler, PoolerMissing  # noqa: E402
from tests.settings import POSTGRES  # noqa: E402
from tests.support.application_role import grant_privileges  # noqa: E402
from tests.support.gateway_server import GatewayServer  # noqa: E402
from tests.support.simulated_acquirer import SimulatedAcquirer  # noqa: E402
from tests.support.simulated_bank import SimulatedBank  # noqa: E402

MACHINES, SHOPPERS = 2, 16
HISTORIES = 20  # payments whose receipts and events are read at the standby
# What passes before somebody notices that the primary is gone. Patroni's default is up to 30 s.
NOTICED_AFTER = 3.0  # seconds
WORKS_AGAIN_WITHIN = 60.0
SEARCHED_WITHIN = 15.0
COMPLAINTS = ("prepared statement", "cached plan")


def main() -> int:
    seconds = float(os.environ.get("WIDE_SECONDS") or 60)
    tally = Tally()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wide-")))
        try:
            pooler = Pooler(home, servers.socket_directory(POSTGRES))
        except PoolerMissing as missing:
            sys.exit(str(missing))
        key = _start_primary(stack)
        standby = servers.start_standby(POSTGRES, home / "standby")
        stack.callback(standby.stop)
        stack.enter_context(pooler)
        weather = {"failure_rate": 0.02, "min_latency_ms": 20, "max_latency_ms": 400}
        bank = stack.enter_context(SimulatedBank(**weather))
        acquirer = stack.enter_context(SimulatedAcquirer(**weather))
        environment = {
            "DATABASE_URL": pooler.url,
            "ACQUIRER_URL": acquirer.url,
            "FICPAY_DB_POOL": "6",
            "FICPAY_DB_PREPARE": str(pooler.prepares).lower(),
        }
        machines = [Machine(stack, home / f"machine{n}", bank.url, environment) for n in range(MACHINES)]
        history = stack.enter_context(_history(bank.url, home, standby))
        _announce(pooler, seconds)
        _shop(InTurn(machines), history, key, tally, seconds, pooler, standby)
        wait_for_probes(bank)
        _compare_search(tally)
        logs = sorted(home.glob("*/*.log"))
        _print_complaints([*logs, pooler.log])
        return books.close(bank, acquirer, tally, logs)


def _start_primary(stack: ExitStack) -> str:
    """With all tables and a merchant, whose key is returned."""
    POSTGRES.options |= servers.DURABLE
    stack.enter_context(POSTGRES)
    POSTGRES.create_database("ficpay")
    call_command("migrate", verbosity=0)
    grant_privileges()
    with psycopg.connect(POSTGRES.url("ficpay")) as session:
        for statement in role_bounds(APPLICATION, settings.DATABASE_TIMING):
            session.execute(statement.encode())
    return issue_api_key(slug=create_merchant(slug="wide", name="Wide").slug, mode=Mode.LIVE).plain


def _history(bank_url: str, home: Path, standby: EmbeddedPostgres) -> GatewayServer:
    """A web server on the standby, for reads alone."""
    (home / "history").mkdir()
    environment = {"DATABASE_URL": standby.url("ficpay", role=APPLICATION)}
    return GatewayServer(bank_url, home / "history", environment=environment)


def _announce(pooler: Pooler, seconds: float) -> None:
    version = ".".join(map(str, pooler.version))
    how = (
        "statements prepared"
        if pooler.prepares
        else "too old for prepared statements: FICPAY_DB_PREPARE=false"
    )
    print(f"PgBouncer {version}, {how}")
    print(f"{MACHINES} machines, {SHOPPERS} shoppers for {seconds:.0f} s", flush=True)


def _shop(
    gateway: InTurn, history: GatewayServer, key: str, tally: Tally, seconds: float,
    pooler: Pooler, standby: EmbeddedPostgres,
) -> None:  # fmt: skip
    end, peace_is_over = time.monotonic() + seconds, threading.Event()
    shoppers = [Shopper(gateway, key, tally, end=end, peace_is_over=peace_is_over) for _ in range(SHOPPERS)]
    for shopper in shoppers:
        shopper.start()
    time.sleep(seconds / 2)
    _read_history(history, key, tally)
    _fail_over(tally, pooler, standby)
    time.sleep(max(0.0, end - time.monotonic()))
    print("The shoppers ask for their last answers.", flush=True)
    wait_for_peace(shoppers)
    peace_is_over.set()
    for shopper in shoppers:
        shopper.join()


def _read_history(history: GatewayServer, key: str, tally: Tally) -> None:
    """What the standby tells of payments that shoppers know."""
    known = list(tally.told)[:HISTORIES]
    paths = [f"/payments/{payment}{what}" for payment in known for what in ("", "/events")]
    for path in ("/payments", *paths):
        answer = requests.get(
            f"{history.url}/api/v1{path}", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
        if answer.status_code != 200:
            tally.accuse(f"the standby answered {path} with {answer.status_code}")
    print(f"The standby answered {len(paths) + 1} reads.", flush=True)


def _fail_over(tally: Tally, pooler: Pooler, standby: EmbeddedPostgres) -> None:
    open_ones, known = Operation.objects.filter(state="OPEN").count(), len(tally.told)
    died = time.monotonic()
    servers.kill(POSTGRES)
    time.sleep(NOTICED_AFTER)
    servers.promote(standby)
    pooler.point_at(servers.socket_directory(standby))
    promoted, answered = time.monotonic(), _final_responses(tally)
    while _final_responses(tally) == answered:
        if time.monotonic() - promoted > WORKS_AGAIN_WITHIN:
            tally.accuse(f"nothing was answered for {WORKS_AGAIN_WITHIN:.0f} s after the failover")
            break
        time.sleep(0.05)
    tally.inject("primaries killed")
    print(f"The primary was killed with {open_ones} operations open and {known} payments told of.")
    print(
        f"Promoted after {promoted - died:.1f} s, answers after {time.monotonic() - died:.1f} s.", flush=True
    )


def _compare_search(tally: Tally) -> None:
    deadline = time.monotonic() + SEARCHED_WITHIN
    while True:
        wrong = set(Payment.objects.values_list("id", "state")) ^ set(
            FoundPayment.objects.values_list("id", "state")
        )
        if not wrong or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    if wrong:
        tally.accuse(f"the search does not know {len(wrong)} payments as they are")


def _final_responses(tally: Tally) -> int:
    return sum(tally.answers[str(status)] for status in FINAL)


def _print_complaints(logs: list[Path]) -> None:
    """What anybody said of prepared statements, on either server."""
    lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
    found = [line for line in lines if any(word in line for word in COMPLAINTS)]
    print(f"Prepared statements that failed: {len(found)}")
    for line in found[:5]:
        print(f"  {line[:300]}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with it
    sys.exit(main())
