"""Recovery: how long until DOUBTS (1,000) captures in doubt are settled, once their bank is back.

The bank falls silent, all captures are sent to it, and it hangs up on all of them. Then it is down for a
while, so that recovery has found it down, too.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from payments.domain.states import OperationState
from payments.models import Operation
from tests.benchmarks.gateway import options
from tests.benchmarks.gateway.results import Results
from tests.benchmarks.gateway.stage.load import Plan
from tests.benchmarks.gateway.stage.orders import authorizes, steps
from tests.benchmarks.gateway.stage.scene import Stage, ask, database, gateway
from tests.support.gateway_server import PROJECT, environment_of_a_process

# So many that all doubts are under way at the same time, however unevenly the connections are spread.
WORKERS = 4
CLIENTS = 32
DOWN_SECONDS = 40  # a doubt rests for 30 s before recovery asks about it, and finds the bank down
AUTHORIZING_SECONDS = 120  # at most
LONGEST = 300
NOTE = "Seconds from the bank's return until half of the captures in doubt, and all, are settled; one round."


def measure(results: Results) -> None:
    table = results.table("Recovery", NOTE)
    with database(), gateway(threads=options.DOUBTS // 2 + 16, workers=WORKERS) as on, _recovery(on):
        doubts = _make_doubts(on)
        on.bank.obey("well")
        began = time.perf_counter()
        half = _wait_until(began, doubts // 2)
        whole = _wait_until(began, 0)
        review = Operation.objects.filter(state=OperationState.NEEDS_REVIEW).count()
        table.add(
            f"{doubts:,} captures in doubt",
            half_settled_s=half,
            all_settled_s=whole,
            settled_per_second=doubts / whole,
            need_review=review,
        )


def _make_doubts(on: Stage) -> int:
    plan = Plan(on.server.port, CLIENTS, AUTHORIZING_SECONDS, on.key, authorizes(options.DOUBTS), keep=True)
    held = on.ask(plan).bodies()
    on.bank.obey("silent")
    # Each client has one capture; it is answered 202 when it has waited long enough.
    ask(Plan(on.server.port, len(held), 1.0, on.key, steps(held, "capture")))
    on.bank.obey("down")
    time.sleep(DOWN_SECONDS)
    return _open()


def _open() -> int:
    return Operation.objects.filter(state=OperationState.OPEN).count()


def _wait_until(began: float, left: int) -> float:
    """Seconds until no more than so many are open. Exits where that takes LONGEST."""
    while (still := _open()) > left:
        if time.perf_counter() - began > LONGEST:
            raise SystemExit(f"{still} operations are still in doubt after {LONGEST} s.")
        time.sleep(0.1)
    return time.perf_counter() - began


@contextmanager
def _recovery(on: Stage) -> Iterator[None]:
    """The process that settles what is in doubt, as under `make up`."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "reconcile", "pending", "--watch"],
        cwd=PROJECT,
        env={**environment_of_a_process(on.bank.url), "FICPAY_DB_POOL": "0", "FICPAY_LOG_LEVEL": "ERROR"},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
