"""The simulated bank as tests use it: a real process on a real port, with its control plane on.

    with SimulatedBank() as bank:
        bank.script("captures", "drop_after", stored=False)
        ...                               # the gateway talks to bank.url
        assert bank.ledger()[-1].type == "CAPTURE"

What the steps of a script do is written in bank/plans.py, the rest of the control plane in
bank/control.py. Nothing of the bank's code is imported: it is a stranger to the gateway's tests too.
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
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import requests

PROJECT = Path(__file__).resolve().parent.parent

# Below the range from which systems take the ports of outgoing connections: a port from within it could be
# taken by a client while the bank is down between kill() and restart().
PORTS = range(20_000, 32_000)

Endpoint = Literal["authorizations", "captures", "voids", "refunds", "reads", "health"]
Step = Literal[
    "fail_before",
    "fail_after",
    "hang_before",
    "hang_after",
    "drop_before",
    "drop_after",
    "delay",
    "garbage",
    "alter",
    "dribble",
    "lookup_fails",
    "database_down",
    "database_fails_midway",
]


class BankDidNotStart(Exception):
    """The process ended, or did not answer /health in time. The message holds what it printed."""


@dataclass(frozen=True)
class LedgerEntry:
    """One line of the bank's ledger; `type` as in the statement file, ids with their prefixes."""

    type: Literal["AUTH_HOLD", "CAPTURE", "VOID", "REFUND"]
    id: str
    reference_id: str | None
    amount: int
    card_last4: str
    idempotency_key: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class CardBalance:
    """A card's money in cents."""

    total: int
    held: int
    available: int


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


class SimulatedBank:
    """One bank process with a ledger of its own. Fair weather unless asked otherwise."""

    def __init__(
        self,
        *,
        failure_rate: float = 0.0,
        min_latency_ms: int = 0,
        max_latency_ms: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="simulated-bank-")
        self._log = Path(self._home.name) / "bank.log"
        self._environment = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONUNBUFFERED": "1",
            "BANK_CONTROL": "1",
            "BANK_DB": str(Path(self._home.name) / "ledger.sqlite3"),
            "FAILURE_RATE": str(failure_rate),
            "MIN_LATENCY_MS": str(min_latency_ms),
            "MAX_LATENCY_MS": str(max_latency_ms),
            **(environment or {}),
        }
        self.database = Path(self._environment["BANK_DB"])
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy from the environment is not for loopback
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    # The process.

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
        """Start on a free port and wait until it is healthy; raises BankDidNotStart."""
        for attempt in range(20):
            self.port = random.choice(PORTS)
            try:
                return self._start()
            except BankDidNotStart as failed:
                if "is taken" not in str(failed) or attempt == 19:
                    raise
        raise AssertionError("unreachable")

    def restart(self) -> Self:
        """Start again on the same port and ledger, after stop() or kill() or while it runs."""
        self.stop()
        return self._start()

    def stop(self) -> None:
        """Ask it to stop, as a process manager does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without warning (SIGKILL)."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop for good and remove the ledger."""
        self.stop()
        self._http.close()
        self._home.cleanup()

    # The control plane.

    def reset(self) -> None:
        """Hang up on everyone; empty ledger, no script, bank's clock, database and weather as at start."""
        self._order("reset")

    def script(self, endpoint: Endpoint, step: Step, *, times: int = 1, **options: Any) -> None:
        """Add a step for the next requests of an endpoint; each request takes one. See bank/plans.py."""
        self._order("script", endpoint=endpoint, step=step, times=times, options=options)

    def clear_script(self) -> None:
        """Forget the steps that are still to come."""
        self._call("DELETE", "script")

    def hold(self, *endpoints: Endpoint, at: Literal["execution", "storing"] = "execution") -> None:
        """Hold requests (default: all four instructions) until release().

        "execution": the key was looked up, nothing is done yet. "storing": the entry is committed, its
        answer is not stored yet. See wait_until_held.
        """
        self._order("hold", at=at, **({"endpoints": list(endpoints)} if endpoints else {}))

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

    def database_down(self, down: bool = True) -> None:
        """Take the bank's own database away, or give it back."""
        self._order("database", down=down)

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

    def move_clock(self, *, seconds: float) -> None:
        """Move the bank's clock, forward or back. Requests in flight age with it (15 s to answer)."""
        self._order("clock", seconds=seconds)

    def set_clock(self, at: datetime) -> None:
        """Set the bank's clock to an instant; it runs on from there."""
        self._order("clock", at=at.isoformat())

    def now(self) -> datetime:
        """The bank's time."""
        return _instant(self._read("state")["now"])

    def ledger(self) -> list[LedgerEntry]:
        """All entries, oldest first."""
        return [
            LedgerEntry(
                **{
                    **entry,
                    "created_at": _instant(entry["created_at"]),
                    "expires_at": entry["expires_at"] and _instant(entry["expires_at"]),
                }
            )
            for entry in self._read("ledger")["entries"]
        ]

    def balances(self) -> dict[str, CardBalance]:
        """The money of each test card, by its last four digits."""
        return {last4: CardBalance(**balance) for last4, balance in self._read("balances").items()}

    def requests(self) -> list[SeenRequest]:
        """All requests since the last reset or start, oldest first, those in flight included."""
        return [
            SeenRequest(**{**seen, "received_at": _instant(seen["received_at"])})
            for seen in self._read("requests")["requests"]
        ]

    def max_in_flight(self) -> dict[str, int]:
        """Per idempotency key: how many requests to one path were at most in flight at once."""
        return dict(self._read("requests")["max_in_flight"])

    def statement(self, day: date) -> str:
        """The statement file of a UTC day, as `python -m bank statement` writes it."""
        command = [sys.executable, "-m", "bank", "statement", "--date", day.isoformat()]
        done = subprocess.run(
            command, cwd=PROJECT, env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    # Within.

    def _start(self) -> Self:
        printed_before = len(self.log)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bank"],
                cwd=PROJECT,
                env={**self._environment, "PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self._process.poll() is None:
            # Its own word that it listens comes first: another process's /health must not pass for it.
            if "listening on" in self.log[printed_before:] and self._is_healthy():
                return self
            time.sleep(0.02)
        self.kill()
        raise BankDidNotStart(self.log[printed_before:] or "it printed nothing")

    def _is_healthy(self) -> bool:
        try:
            return self._http.get(f"{self.url}/health", timeout=10).status_code == 200
        except requests.ConnectionError:
            return False

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


def _instant(text: str) -> datetime:
    """Read the bank's RFC 3339; it writes up to nine fractional digits, datetime keeps six."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
