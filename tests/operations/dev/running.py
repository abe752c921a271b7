"""A `make up` of the tests' own: free ports, its own FICPAY_VAR, a bank in fair weather."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.project import PROJECT

MAKE = str(shutil.which("make"))
FAIR_WEATHER = {"FAILURE_RATE": "0", "MIN_LATENCY_MS": "0", "MAX_LATENCY_MS": "50"}
# The tests' own settings must not reach what they start, nor must those of the make that runs them.
FOREIGN = ("DJANGO_", "FICPAY_", "BANK_", "ACQUIRER_", "DATABASE_", "MAKE", "MFLAGS", "PYTEST_")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(var: Path, **settings: object) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    given = {name: str(value) for name, value in settings.items()}
    return {**inherited, **FAIR_WEATHER, "FICPAY_VAR": str(var), **given}


def make(target: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MAKE, "-s", target], cwd=PROJECT, env=env, capture_output=True, text=True, check=False
    )


def left_over(var: Path) -> list[str]:
    """The command lines of all processes that were started with this FICPAY_VAR."""
    mark = f"FICPAY_VAR={var}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = mark in process.joinpath("environ").read_bytes().split(b"\0")
            command = process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if is_ours:
            found.append(command)
    return found


class Up:
    """`make up`, from a terminal of its own."""

    def __init__(self, env: dict[str, str]) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [MAKE, "-s", "up"], cwd=PROJECT, env=env, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        self.wait()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_until_ready(self) -> str:
        """Returns what it says to a newcomer."""
        self.wait_for("Ctrl-C here stops everything.")
        print(f"ready after {time.monotonic() - self.started:.1f} s")  # noqa: T201 (to be read, not judged)
        return self.output[self.output.index("FicPay is ready.") :]

    def wait_for(self, words: str) -> None:
        while words not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < self.started + 90, self.output
            time.sleep(0.02)

    def end(self, number: signal.Signals) -> None:
        """As the terminal does it: the signal goes to make and to all it runs in the foreground."""
        os.killpg(self.process.pid, number)
        self.wait()

    def wait(self) -> int:
        status = self.process.wait(90)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def curl(self) -> str:
        (line,) = re.findall(r"^curl .*$", self.output, re.MULTILINE)
        return str(line)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)


def is_running(pid: int) -> bool:
    """Not for a zombie, which a container's first process may leave in the table."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def wait_until_gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)
