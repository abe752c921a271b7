"""The gateway's own time, beyond the bank's: at half load, and with hundreds of payments at a slow bank.

The stub bank writes into each authorization's id how long it took, so the rest of a payment's time is known
for each payment alone.
"""

from collections.abc import Callable
from functools import partial

from tests.benchmarks.gateway import options
from tests.benchmarks.gateway.results import Results, Table
from tests.benchmarks.gateway.sections.rounds import enough, percentiles, warm
from tests.benchmarks.gateway.stage import meters
from tests.benchmarks.gateway.stage.load import Plan, Report
from tests.benchmarks.gateway.stage.orders import authorizes
from tests.benchmarks.gateway.stage.scene import Stage, ask, database, gateway

IN_FLIGHT = 300
SETTLING = 2.0  # seconds at half load that are not measured: what full load has left to do is done by then
WEATHER = (0.1, 2.0)  # seconds the bank takes
NOTE = (
    "Milliseconds of an authorize beyond what its bank took. *Half load*: payments come at random moments, "
    "half as many as the gateway can do with 32 clients. *Weather*: the bank takes 100 to 2,000 ms and 300 "
    "clients wait at any moment; where the gateway is slower than the bank, this is mostly the queue before "
    "it. *Refused* is the part of payments that were not answered with 201. Threads and memory are the web "
    "processes'."
)

COLUMNS = ("per second", "p50 ms", "p95 ms", "p99 ms", "refused %", "threads", "connections", "memory MiB")


def measure(results: Results) -> None:
    table = results.table("Overhead", NOTE, COLUMNS)
    # A worker has to bear more than its half: connections are not spread evenly.
    with database(), gateway(threads=256) as on:
        warm(on, authorizes(enough()))
        table.add("at rest", **_sample(on))
        for _ in range(options.ROUNDS):
            rate = _ask(on, clients=32, seconds=options.SECONDS).per_second / 2
            _ask(on, clients=128, seconds=SETTLING, per_second=rate)
            # To sample memory stops the web processes for some milliseconds: not while they are measured.
            half = _ask(on, clients=128, seconds=2 * options.SECONDS, per_second=rate)
            table.add("half load", **_figures(half), **_sample(on))
        on.bank.obey(f"delay {WEATHER[0]} {WEATHER[1]}")
        for _ in range(options.ROUNDS):
            weather = partial(_ask, on, clients=IN_FLIGHT, seconds=max(options.SECONDS, 4 * WEATHER[1]))
            _keep(table, f"weather, {IN_FLIGHT} in flight", on, weather)


def _keep(table: Table, row: str, on: Stage, asking: Callable[[], Report]) -> None:
    report, sampled = meters.meanwhile(asking, partial(_sample, on))
    table.add(row, **_figures(report), **sampled)


def _ask(on: Stage, *, clients: int, seconds: float, per_second: float = 0.0) -> Report:
    requests = authorizes(enough())
    return ask(Plan(on.server.port, clients, seconds, on.key, requests, per_second, keep=True))


def _figures(report: Report) -> dict[str, float]:
    own = [
        took - _bank_seconds(receipt["bank"]["authorization_id"])
        for took, receipt in zip(_made(report), report.bodies(), strict=True)
    ]
    return {
        "per_second": report.per_second,
        **percentiles(own),
        "refused_%": (1 - len(own) / len(report.answers)) * 100,
    }


def _made(report: Report) -> list[float]:
    return [took for _, status, took, _ in report.answers if status < 300]


def _bank_seconds(authorization_id: str) -> float:
    return int(authorization_id[-12:], 16) / 1e6


def _sample(on: Stage) -> meters.Sampled:
    return {
        "threads": meters.threads_of(on.web_pid),
        "connections": meters.connections(),
        "memory_MiB": meters.memory_of(on.web_pid) / 1024**2,
    }
