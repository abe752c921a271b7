"""`make bench`: what an authorize, a capture, a refund, a replay and a read cost. About two minutes.

The web server of `make up`, PostgreSQL with fsync, and a bank that answers at once, all on this machine.
Each figure is the median of ROUNDS (3) rounds of SECONDS (4), with its spread. Compare two versions in one
session on an idle machine, and their ratios only: machines drift. BENCH_JSON=FILE keeps the figures.
"""

import itertools
import json
import os
import platform
import statistics
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["FICPAY_LOG_LEVEL"] = "ERROR"
django.setup()

from tests.benchmarks.hot_path import meters  # noqa: E402
from tests.benchmarks.hot_path.load import Plan, Report  # noqa: E402
from tests.benchmarks.hot_path.stage import Stage, ask, stage  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS") or 3)
SECONDS = float(os.environ.get("SECONDS") or 4)
CLIENTS = [int(clients) for clients in (os.environ.get("CLIENTS") or "1,32").split(",")]
MOST = 3000  # requests prepared for each client in a round, never all used

CARD = {"number": "4111111111111111", "cvv": "123", "expiry_month": 12, "expiry_year": 2030}
Request = tuple[str, str, dict[str, Any] | None, str]
_orders = itertools.count(1)


def authorizes() -> list[Request]:
    return [
        (
            "POST",
            "/api/v1/payments",
            {
                "order_id": f"order-{next(_orders)}",
                "customer_id": f"customer-{next(_orders) % 977}",
                "amount": 5000,
                "currency": "USD",
                "card": CARD,
            },
            uuid.uuid4().hex,
        )
        for _ in range(MOST)
    ]


def steps(receipts: list[Any], verb: str) -> list[Request]:
    return [("POST", f"/api/v1/payments/{one['id']}/{verb}", {}, uuid.uuid4().hex) for one in receipts]


def reads(receipts: list[Any]) -> list[Request]:
    return [("GET", f"/api/v1/orders/{one['order_id']}", None, "") for one in receipts * 20]


def measured(on: Stage, clients: int, requests: list[Request]) -> tuple[dict[str, float], Report]:
    """One round: requests a second, latencies in ms, and what each request has cost."""
    headers = {"Authorization": f"Bearer {on.key}"}
    before = meters.read(on.web_pid, on.postgres_pid)
    report = ask(Plan(on.server.port, clients, SECONDS, headers, requests))
    used = meters.read(on.web_pid, on.postgres_pid) - before
    done = len(report.latencies)
    wrong = {status: count for status, count in report.statuses.items() if status >= "300"}
    if wrong or not done:
        raise SystemExit(f"The gateway answered {wrong or 'nothing'}: {on.server.log[-2000:]}")
    took = sorted(report.latencies)
    figures = {
        "per_second": done / report.seconds,
        "p50_ms": statistics.median(took) * 1000,
        "p95_ms": took[int(len(took) * 0.95)] * 1000,
        "web_ms": used.web_cpu / done * 1000,
        "postgres_ms": used.postgres_cpu / done * 1000,
        "wal_kb": used.wal / done / 1024,
        "statements": used.statements / done,
    }
    return figures, report


def main() -> int:
    print(
        f"Python {platform.python_version()} ({sys.executable}), {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} before"
    )
    kept: dict[str, list[dict[str, float]]] = {}
    with stage() as on:
        ask(Plan(on.server.port, 8, 2, {"Authorization": f"Bearer {on.key}"}, authorizes()))  # warm
        for clients in CLIENTS:
            for _ in range(ROUNDS):
                _round(on, clients, kept)
    _print(kept)
    if os.environ.get("BENCH_JSON"):
        Path(os.environ["BENCH_JSON"]).write_text(json.dumps(kept, indent=2))
    return 0


def _round(on: Stage, clients: int, kept: dict[str, list[dict[str, float]]]) -> None:
    def keep(name: str, requests: list[Request]) -> Report:
        figures, report = measured(on, clients, requests)
        kept.setdefault(f"{name}, {clients} at once", []).append(figures)
        return report

    asked = authorizes()
    began = time.perf_counter()
    held = keep("authorize", asked).bodies
    if time.perf_counter() - began < SECONDS / 2:
        raise SystemExit("A round ended before its time: raise MOST.")
    keep("replay", asked[: len(held) - clients] * 20)
    keep("read an order", reads(held))
    taken = keep("capture", steps(held, "capture")).bodies
    keep("refund", steps(taken, "refund"))


def _print(kept: dict[str, list[dict[str, float]]]) -> None:
    names = list(next(iter(kept.values()))[0])
    print(f"\n{'':28}" + "".join(f"{name:>14}" for name in names))
    for what, rounds in kept.items():
        cells = []
        for name in names:
            values = [one[name] for one in rounds]
            spread = (max(values) - min(values)) / (statistics.median(values) or 1) * 50
            cells.append(f"{statistics.median(values):8.1f} ±{spread:2.0f}%")
        print(f"{what:28}" + "".join(f"{cell:>14}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
