"""What a benchmark measures and for how long: environment variables, read once."""

import os
from pathlib import Path

from tests.support.gateway_server import PROJECT

ROUNDS = int(os.environ.get("ROUNDS") or 3)
SECONDS = float(os.environ.get("SECONDS") or 3)  # of one measurement
CLIENTS = [int(clients) for clients in (os.environ.get("CLIENTS") or "1,32,128").split(",")]
# How many payments the section `growth` has, a database each.
SIZES = [int(size) for size in (os.environ.get("SIZES") or "1000,1000000").split(",")]
if os.environ.get("BENCH_FULL") and not os.environ.get("SIZES"):
    SIZES.append(10_000_000)
DOUBTS = int(os.environ.get("DOUBTS") or 1000)
OUT = Path(os.environ.get("BENCH_OUT") or PROJECT / "var" / "bench")

SECTIONS = (
    "floor",
    "bare",
    "authorize",
    "capture",
    "refund",
    "replay",
    "read",
    "overhead",
    "growth",
    "cold",
    "recovery",
)


def chosen() -> list[str]:
    """The sections that SECTIONS names, or all. Exits where it names one that does not exist."""
    named = [name for name in (os.environ.get("SECTIONS") or ",".join(SECTIONS)).split(",") if name]
    if unknown := [name for name in named if name not in SECTIONS]:
        raise SystemExit(f"No such section: {', '.join(unknown)}. There are {', '.join(SECTIONS)}.")
    return named
