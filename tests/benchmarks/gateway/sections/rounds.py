"""One measured round at a gateway, and what is drawn from it."""

from tests.benchmarks.gateway import options
from tests.benchmarks.gateway.stage.load import Plan, Report, Request
from tests.benchmarks.gateway.stage.orders import authorizes, steps
from tests.benchmarks.gateway.stage.scene import Stage

# What is done at most in a second, by bare: so many requests are prepared.
_FASTEST = 1500
_FASTEST_READS = 6000


def enough() -> int:
    """How many authorizes a round may need."""
    return int(_FASTEST * options.SECONDS) + 200


def enough_reads() -> int:
    return int(_FASTEST_READS * options.SECONDS) + 200


def warm(on: Stage, requests: list[Request]) -> None:
    """Connections, prepared statements and caches are there before anything is measured."""
    on.ask(Plan(on.server.port, 16, min(2.0, options.SECONDS), on.key, requests))


def warm_steps(on: Stage) -> None:
    """Likewise for captures and refunds: PostgreSQL plans a statement anew ten times on each connection."""
    asked = authorizes(enough())
    for verb in ("capture", "refund"):
        plan = Plan(on.server.port, 16, min(2.0, options.SECONDS), on.key, asked, keep=True)
        asked = steps(on.ask(plan).bodies(), verb)
    on.ask(Plan(on.server.port, 16, min(2.0, options.SECONDS), on.key, asked))


def measured(
    on: Stage, clients: int, requests: list[Request], *, keep: bool = False
) -> tuple[dict[str, float], Report]:
    """A round's figures, a request each where not said otherwise, and what came back."""
    before = on.used()
    report = on.ask(Plan(on.server.port, clients, options.SECONDS, on.key, requests, keep=keep))
    used = on.used() - before
    if report.seconds < options.SECONDS and len(report.answers) >= _FASTEST * options.SECONDS:
        raise SystemExit("A round ended before its time: prepare more requests (rounds.py).")
    done = len(report.answers)
    figures = {
        "per_second": report.per_second,
        **percentiles([took for _, _, took, _ in report.answers]),
        "web_CPU_ms": used.web_cpu / done * 1000,
        "PostgreSQL_CPU_ms": used.postgres_cpu / done * 1000,
        "statements": used.statements / done,
        "WAL_kB": used.wal / done / 1024,
        "clients'_CPU_%": report.cpu / report.seconds * 100,
    }
    return figures, report


def percentiles(seconds: list[float]) -> dict[str, float]:
    """In milliseconds."""
    took = sorted(seconds)
    return {f"p{part}_ms": took[int(len(took) * part / 100)] * 1000 for part in (50, 95, 99)}
