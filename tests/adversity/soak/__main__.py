"""`make soak`: shoppers for SOAK_SECONDS (120), while FicPay, its database and its banks are disturbed.

Both banks have bad weather, and act in silence; processes are killed; PostgreSQL stands still for seconds;
idle transactions hold rows; headers come twice. Then all that ends, every shopper asks until each of its
instructions has a final response, and the books are closed. Ends with 1 if money was lost or doubled, a stray
hold is not counted, anything is in doubt that is not left to people, or a rule of the books is broken. All on
a database and banks of its own, with the real bounds of time; only the minutes between two probes, which come
after the last shopper, are passed by moving the clocks.
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

from django.core.management import call_command  # noqa: E402

from payments.domain.states import Mode  # noqa: E402
from payments.usecases.merchants import create_merchant, issue_api_key  # noqa: E402
from tests.adversity.soak import books  # noqa: E402
from tests.adversity.soak.disturbances import Disturbances  # noqa: E402
from tests.adversity.soak.peace import wait_for_peace, wait_for_probes  # noqa: E402
from tests.adversity.soak.processes import Behind  # noqa: E402
from tests.adversity.soak.shoppers import Shopper  # noqa: E402
from tests.adversity.soak.tally import Tally  # noqa: E402
from tests.settings import POSTGRES  # noqa: E402
from tests.support.application_role import grant_privileges  # noqa: E402
from tests.support.gateway_server import GatewayServer  # noqa: E402
from tests.support.simulated_acquirer import SimulatedAcquirer  # noqa: E402
from tests.support.simulated_bank import SimulatedBank  # noqa: E402
from tests.support.simulated_process import SimulatedProcess  # noqa: E402

SHOPPERS = 24


def main() -> int:
    seconds = float(os.environ.get("SOAK_SECONDS") or 120)
    tally = Tally()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        stack.enter_context(POSTGRES)
        POSTGRES.create_database("ficpay")
        call_command("migrate", verbosity=0)
        grant_privileges()
        key = issue_api_key(slug=create_merchant(slug="soak", name="Soak").slug, mode=Mode.LIVE).plain
        weather = {"failure_rate": 0.05, "min_latency_ms": 100, "max_latency_ms": 2000}
        bank = stack.enter_context(SimulatedBank(**weather))  # type: ignore[arg-type]
        acquirer = stack.enter_context(SimulatedAcquirer(**weather))
        server = stack.enter_context(
            GatewayServer(bank.url, home, workers=2, environment={"ACQUIRER_URL": acquirer.url})
        )
        behind = [
            Behind(server.environment, home / "worker.log", "worker"),
            Behind(server.environment, home / "recovery.log", "reconcile", "pending", "--watch"),
        ]
        for process in behind:
            process.start()
            stack.callback(process.kill)
        print(f"{SHOPPERS} shoppers for {seconds:.0f} s", flush=True)
        disturbances = Disturbances(server, behind, bank, acquirer, key, tally)
        _shop(server, key, tally, disturbances, seconds, [bank, acquirer])
        wait_for_probes(bank)
        return books.close(bank, acquirer, tally, sorted(home.glob("*.log")))


def _shop(
    server: GatewayServer,
    key: str,
    tally: Tally,
    disturbances: Disturbances,
    seconds: float,
    banks: list[SimulatedProcess],
) -> None:
    end, peace_is_over = time.monotonic() + seconds, threading.Event()
    shoppers = [Shopper(server, key, tally, end=end, peace_is_over=peace_is_over) for _ in range(SHOPPERS)]
    for thread in (*shoppers, disturbances):
        thread.start()
    time.sleep(seconds)
    disturbances.stop()
    for bank in banks:
        bank.weather(failure_rate=0, max_latency_ms=100, min_latency_ms=0)
    print("All is calm; the shoppers ask for their last answers.", flush=True)
    wait_for_peace(shoppers)
    peace_is_over.set()
    for shopper in shoppers:
        shopper.join()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with it
    sys.exit(main())
