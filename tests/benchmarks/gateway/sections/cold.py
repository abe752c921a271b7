"""Cold and wide: `make up` from nothing to ready, and what its programs keep in memory."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import requests

from dev.instance import SUPERVISOR, Instance
from tests.benchmarks.gateway import options
from tests.benchmarks.gateway.results import Results, Table
from tests.benchmarks.gateway.sections.rounds import enough
from tests.benchmarks.gateway.stage import meters
from tests.benchmarks.gateway.stage.load import Plan
from tests.benchmarks.gateway.stage.orders import authorizes
from tests.benchmarks.gateway.stage.scene import ask
from tests.support.gateway_server import PORTS, PROJECT

READY_SECONDS = 120
CLIENTS = 32
START_NOTE = (
    "Seconds from `make up` to the first 200 of `/health/ready`, packages installed: from nothing (a new "
    "database, migrations, seed), and again with all of that there."
)
MEMORY_NOTE = (
    "MiB of each program with its children under `make up`; what several share is divided among them (PSS). "
    "*At load*: the most while 32 clients authorize."
)
# What a shell has; the rest of ours belongs to the tests.
_SHELL = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "PYTHONPATH")


def measure(results: Results) -> None:
    start, memory = results.table("Cold start", START_NOTE), results.table("Memory", MEMORY_NOTE)
    for number in range(options.ROUNDS):
        with tempfile.TemporaryDirectory(prefix="bench-") as home:
            with _up(Path(home)) as (seconds, _url):
                start.add("from nothing", seconds=seconds)
            with _up(Path(home)) as (seconds, url):
                start.add("again", seconds=seconds)
                if number == 0:
                    _measure_memory(memory, Path(home), url)


@contextmanager
def _up(home: Path) -> Iterator[tuple[float, str]]:
    """FicPay as `make up` starts it: seconds until it was ready, and its address."""
    ports = _free_ports()
    environment = {name: os.environ[name] for name in _SHELL if name in os.environ}
    environment |= {"FICPAY_VAR": str(home), **{name: str(port) for name, port in ports.items()}}
    log = home.with_suffix(".log")
    began = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dev.up"], cwd=PROJECT, env=environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{ports['FICPAY_PORT']}"
        while not _is_ready(url):
            if process.poll() is not None or time.perf_counter() - began > READY_SECONDS:
                raise SystemExit(f"`make up` was not ready: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        # It writes down its programs when it finds them ready itself.
        while not (home / "credentials.json").exists() or not Instance(home).pids():
            time.sleep(0.1)
        yield seconds, url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.unlink()


def _measure_memory(memory: Table, home: Path, url: str) -> None:
    time.sleep(3)  # the programs' first tasks
    pids = Instance(home).pids()
    pids["PostgreSQL"] = int((home / "postgres/data/postmaster.pid").read_text().partition("\n")[0])
    key = json.loads((home / "credentials.json").read_text())["live_api_key"]
    plan = Plan(int(url.rpartition(":")[2]), CLIENTS, max(4.0, options.SECONDS), key, authorizes(enough()))
    rest = _memory(pids)
    _, most = meters.meanwhile(partial(ask, plan), partial(_memory, pids))
    for name, at_rest in rest.items():
        memory.add(name, at_rest=at_rest, at_load=most[name])


def _memory(pids: dict[str, int]) -> dict[str, float]:
    """In MiB. The supervisor's children are the programs, which count by themselves."""
    of = {
        name: (meters.memory_of_one if name == SUPERVISOR else meters.memory_of)(pid) / 1024**2
        for name, pid in pids.items()
    }
    return {**of, "all": sum(of.values())}


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/health/ready", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def _free_ports() -> dict[str, int]:
    ports: dict[str, int] = {}
    for name in ("FICPAY_PORT", "BANK_PORT", "ACQUIRER_PORT"):
        while (port := random.choice(PORTS)) in ports.values() or not _is_free(port):
            pass
        ports[name] = port
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
