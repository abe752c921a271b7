"""The simulated bank as tests use it: a real process on a real port, with its control plane on.

with SimulatedBank() as bank:
    bank.script("captures", "drop_after", stored=False)
    ...                               # the gateway talks to bank.url
    assert bank.ledger()[-1].type == "CAPTURE"
"""

import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import requests

from tests.support.simulated_process import PORTS, PROJECT, SeenRequest, SimulatedProcess, instant

__all__ = ["PORTS", "PROJECT", "CardBalance", "Endpoint", "LedgerEntry", "SeenRequest", "SimulatedBank"]

Endpoint = Literal["authorizations", "captures", "voids", "refunds", "reads", "health"]


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


class SimulatedBank(SimulatedProcess):
    """One bank process with a ledger of its own, which outlives kill() and restart()."""

    port_variable = "PORT"

    def __init__(self, **options: Any) -> None:
        super().__init__({"BANK_CONTROL": "1"}, **options)
        self._environment.setdefault("BANK_DB", str(self.home / "ledger.sqlite3"))
        self.database = Path(self._environment["BANK_DB"])

    def hold(self, *endpoints: Endpoint, at: Literal["execution", "storing"] = "execution") -> None:
        """Hold requests (default: all four instructions) until release().

        "execution": the key was looked up, nothing is done yet. "storing": the entry is committed, its
        answer is not stored yet. See wait_until_held.
        """
        self._order("hold", at=at, **({"endpoints": list(endpoints)} if endpoints else {}))

    def database_down(self, down: bool = True) -> None:
        """Take the bank's own database away, or give it back."""
        self._order("database", down=down)

    def move_clock(self, *, seconds: float) -> None:
        """Move the bank's clock, forward or back. Requests in flight age with it (15 s to answer)."""
        self._order("clock", seconds=seconds)

    def set_clock(self, at: datetime) -> None:
        """Set the bank's clock to an instant; it runs on from there."""
        self._order("clock", at=at.isoformat())

    def now(self) -> datetime:
        """The bank's time."""
        return instant(self._read("state")["now"])

    def ledger(self) -> list[LedgerEntry]:
        """All entries, oldest first."""
        return [
            LedgerEntry(
                **{
                    **entry,
                    "created_at": instant(entry["created_at"]),
                    "expires_at": entry["expires_at"] and instant(entry["expires_at"]),
                }
            )
            for entry in self._read("ledger")["entries"]
        ]

    def balances(self) -> dict[str, CardBalance]:
        """The money of each test card, by its last four digits."""
        return {last4: CardBalance(**balance) for last4, balance in self._read("balances").items()}

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

    def _is_ready(self) -> bool:
        try:
            return self._http.get(f"{self.url}/health", timeout=10).status_code == 200
        except requests.ConnectionError:
            return False
