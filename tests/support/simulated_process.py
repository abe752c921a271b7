"""A simulated bank as tests use it: a real process on a real port, with its control plane on.

What all of them have stands here; simulated_bank.py and simulated_acquirer.py beside it are the two.
What the steps of a script do is written in bank/plans.py, the rest of the control plane in
bank/control.py. Nothing of the banks' code is imported: they are strangers to the gateway's tests too.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import requests

from tests.support.project import PROJECT

# Below the range from which systems take the ports of outgoing connections: a port from within it could be
# taken by a client while the bank is down between kill() and restart().
PORTS = range(20_000, 32_000)


class BankDidNotStart(Exception):
    """The process ended, or was not ready in time. The message holds what it printed."""


@dataclass(frozen=True)
class SeenRequest:
    """A request as the bank saw it; `status` is None if it gave no answer, `ended` None while in flight."""

    method: str
    path: str
    idempotency_key: str | None
    received_at: datetime
    status: int | None
    ended: Literal["answered", "closed without an answer", "caller hung up"] | None
    replayed: bool
    overlapped: bool


class ControlPlane:
    """The orders that every simulated bank takes, from wherever it runs."""

    def __init__(self) -> None:
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy from the environment is not for loopback

    @property
    def url(self) -> str:
        """Where the bank is reached; whoever knows it says so."""
        raise NotImplementedError

    def reset(self) -> None:
        """Hang up on everyone; empty books, no script, everything else as it was at start."""
        self._order("reset")

    def script(self, endpoint: str, step: str, *, times: int = 1, **options: Any) -> None:
        """Add a step for the next requests of an endpoint; each request takes one. See bank/plans.py."""
        self._order("script", endpoint=endpoint, step=step, times=times, options=options)

    def clear_script(self) -> None:
        """Forget the steps that are still to come."""
        self._call("DELETE", "script")

    def script_left(self) -> dict[str, int]:
        """How many steps are still to come, per endpoint."""
        return dict(self._read("state")["script"])

    def release(self) -> None:
        """Let every request go on that is held, or hangs by a step, and hold no more."""
        self._order("release")

    def wait_until_held(self, count: int = 1, *, seconds: float = 10) -> None:
        """Wait until so many requests are held or hang; raises AssertionError if they never are."""
        self._wait(lambda: self.waiting() >= count, seconds, f"{count} requests held")

    def waiting(self) -> int:
        """How many requests are held or hang at this moment."""
        return int(self._read("state")["waiting"])

    def wait_until_idle(self, *, seconds: float = 10) -> None:
        """Wait until the bank works on no request, so that its ledger has come to rest."""
        self._wait(lambda: all(one.ended for one in self.requests()), seconds, "the bank to be idle")

    def weather(
        self,
        *,
        failure_rate: float | None = None,
        min_latency_ms: int | None = None,
        max_latency_ms: int | None = None,
    ) -> None:
        """Change the weather; what is not given stays as it is."""
        wanted = {
            "failure_rate": failure_rate,
            "min_latency_ms": min_latency_ms,
            "max_latency_ms": max_latency_ms,
        }
        self._order("weather", **{name: value for name, value in wanted.items() if value is not None})

    def requests(self) -> list[SeenRequest]:
        """All requests since the last reset or start, oldest first, those in flight included."""
        return [
            SeenRequest(**{**seen, "received_at": instant(seen["received_at"])})
            for seen in self._read("requests")["requests"]
        ]

    def most_at_once(self, path: str) -> int:
        """How many requests to a path were at most in flight at once."""
        return int(self._read("requests")["most_at_once"].get(path, 0))

    # Within.

    def _order(self, what: str, **fields: Any) -> Any:
        return self._call("POST", what, fields)

    def _read(self, what: str) -> Any:
        return self._call("GET", what)

    def _call(self, method: str, what: str, fields: dict[str, Any] | None = None) -> Any:
        response = self._http.request(method, f"{self.url}/control/{what}", json=fields, timeout=10)
        if response.status_code != 200:
            raise AssertionError(f"the bank's control plane refused {what} {fields}: {response.text}")
        return response.json()

    def _wait(self, until: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds} s in vain for {what}")
            time.sleep(0.01)


class SimulatedProcess(ControlPlane):
    """One bank process. Fair weather unless asked otherwise.

    `command` is what follows `python -m bank`, `port_variable` where the process reads its port,
    `variables` what this kind of bank needs; `environment` wins over all of them.
    """

    command: tuple[str, ...] = ()
    port_variable: str

    def __init__(
        self,
        variables: Mapping[str, str],
        *,
        failure_rate: float = 0.0,
        min_latency_ms: int = 0,
        max_latency_ms: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._home = tempfile.TemporaryDirectory(prefix="simulated-bank-")
        self._log = self.home / "bank.log"
        self._environment = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONUNBUFFERED": "1",
            "FAILURE_RATE": str(failure_rate),
            "MIN_LATENCY_MS": str(min_latency_ms),
            "MAX_LATENCY_MS": str(max_latency_ms),
            **variables,
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def home(self) -> Path:
        """A directory of its own, removed by close()."""
        return Path(self._home.name)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running process; raises AssertionError if there is none."""
        assert self._process is not None, "the bank is not running"
        return self._process

    @property
    def log(self) -> str:
        """Everything the bank has printed so far, over all its lives."""
        return self._log.read_text() if self._log.exists() else ""

    def start(self) -> Self:
        """Start on a free port and wait until it is ready; raises BankDidNotStart."""
        for attempt in range(20):
            self.port = random.choice(PORTS)
            try:
                return self._start()
            except BankDidNotStart as failed:
                if "is taken" not in str(failed) or attempt == 19:
                    raise
        raise AssertionError("unreachable")

    def restart(self) -> Self:
        """Start again on the same port, after stop() or kill() or while it runs."""
        self.stop()
        return self._start()

    def stop(self) -> None:
        """Ask it to stop, as a process manager does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without warning (SIGKILL)."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop for good and remove what it kept."""
        self.stop()
        self._http.close()
        self._home.cleanup()

    # Within.

    def _start(self) -> Self:
        printed_before = len(self.log)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bank", *self.command],
                cwd=PROJECT,
                env={**self._environment, self.port_variable: str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self._process.poll() is None:
            # Its own word that it listens comes first: another process's answer must not pass for it.
            if "listening on" in self.log[printed_before:] and self._is_ready():
                return self
            time.sleep(0.02)
        self.kill()
        raise BankDidNotStart(self.log[printed_before:] or "it printed nothing")

    def _is_ready(self) -> bool:
        """Whether it answers; that it listens it has said by now."""
        return True

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(with_signal)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def instant(text: str) -> datetime:
    """Read the bank's RFC 3339; it writes up to nine fractional digits, datetime keeps six."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
