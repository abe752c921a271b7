"""Floor, bare, authorize, capture, refund, replay and read: what each costs at 1, 32 and 128 clients.

All of a round is measured within the same seconds, so that a ratio says nothing of how busy the machine was.
"""

from contextlib import ExitStack

from tests.benchmarks.gateway import options
from tests.benchmarks.gateway.results import Results, Table
from tests.benchmarks.gateway.sections import bare, floor
from tests.benchmarks.gateway.sections.rounds import enough, enough_reads, measured, warm, warm_steps
from tests.benchmarks.gateway.stage.load import Request
from tests.benchmarks.gateway.stage.orders import authorizes, reads, steps
from tests.benchmarks.gateway.stage.scene import Stage, database, gateway

SECTIONS = ("floor", "bare", "authorize", "capture", "refund", "replay", "read")
NOTE = (
    "*To bare* and *to floor* are ratios of requests a second to those of bare and floor in the same round, "
    "*CPU to bare* is one of CPU, web and PostgreSQL together. "
    "CPU, statements (as PostgreSQL counts them, deferred checks included) and WAL are of one request. The "
    "clients' CPU is a part of one core."
)

COLUMNS = (
    *("per second", "to bare", "to floor", "CPU to bare", "p50 ms", "p95 ms", "p99 ms"),
    *("web CPU ms", "PostgreSQL CPU ms", "statements", "WAL kB", "clients' CPU %"),
)


def measure(results: Results, chosen: list[str]) -> None:
    table = results.table("Hot path", NOTE, COLUMNS)
    with database(), ExitStack() as held:
        on = held.enter_context(gateway(threads=96))
        beside = held.enter_context(bare.server(on)) if "bare" in chosen else None
        warm(on, authorizes(enough()))
        if {"capture", "refund"} & set(chosen):
            warm_steps(on)
        if beside:
            warm(beside, authorizes(enough()))
        for clients in options.CLIENTS:
            for _ in range(options.ROUNDS):
                if "floor" in chosen:
                    table.add(_row("floor", clients), **floor.measured(on.key, clients))
                if beside:
                    figures, _report = measured(beside, clients, authorizes(enough()))
                    table.add(_row("bare", clients), **figures)
                _Round(table, on, clients, chosen).measure()


class _Round:
    """One round at the gateway, kept in the table."""

    def __init__(self, table: Table, on: Stage, clients: int, chosen: list[str]) -> None:
        self._table, self._on, self._clients, self._chosen = table, on, clients, chosen

    def measure(self) -> None:
        """Each step finds the payments that the one before it has made."""
        if not {"authorize", "capture", "refund", "replay", "read"} & set(self._chosen):
            return
        asked = authorizes(enough())
        held = self._ask("authorize", asked)
        if "replay" in self._chosen:
            answered = {one["order_id"] for one in held}
            again = [one for one in asked if one[2] and one[2]["order_id"] in answered]
            self._ask("replay", [again[at % len(again)] for at in range(enough_reads())])
        if "read" in self._chosen:
            self._ask("read", reads([f"orders/{one['order_id']}" for one in held], enough_reads()))
        if {"capture", "refund"} & set(self._chosen):
            taken = self._ask("capture", steps(held, "capture"))
            if "refund" in self._chosen:
                self._ask("refund", steps(taken, "refund"))

    def _ask(self, what: str, requests: list[Request]) -> list[dict[str, str]]:
        """The receipts that came back."""
        keeps = what in ("authorize", "capture")
        figures, report = measured(self._on, self._clients, requests, keep=keeps)
        if what in self._chosen:
            self._table.add(_row(what, self._clients), **self._ratios(figures), **figures)
        return report.bodies() if keeps else []

    def _ratios(self, figures: dict[str, float]) -> dict[str, float]:
        """To bare and to floor, as far as they were measured in this round."""
        bare, floor = (self._table.latest(_row(base, self._clients)) for base in ("bare", "floor"))
        ratios = {}
        if bare:
            ratios["to_bare"] = figures["per_second"] / bare["per second"]
        if floor:
            ratios["to_floor"] = figures["per_second"] / floor["per second"]
        if bare:
            own = figures["web_CPU_ms"] + figures["PostgreSQL_CPU_ms"]
            ratios["CPU_to_bare"] = own / (bare["web CPU ms"] + bare["PostgreSQL CPU ms"])
        return ratios


def _row(what: str, clients: int) -> str:
    return f"{what}, {clients} client{'s' if clients > 1 else ''}"
