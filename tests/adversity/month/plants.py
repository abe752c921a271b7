"""Differences that are planted on purpose: at the bank, behind FicPay's back, and in its statements.

Each is remembered by its kind and what it is about: in the end there is exactly one case of it.
"""

import csv
import io
import uuid
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import requests

from tests.adversity.month.shop import Api
from tests.support.api_client import CARDS, order
from tests.support.simulated_bank import SimulatedBank

AMOUNT = 150  # cents
_TOO_MUCH = 7
Row = dict[str, str]


@dataclass(frozen=True)
class Planted:
    """One difference. `about` is the bank's reference of a line or an operation, or a day."""

    kind: str
    about: str


@dataclass
class Plants:
    """All that is planted in the books of one bank. Plant in fair weather."""

    bank: SimulatedBank
    live: Api
    all: list[Planted] = field(default_factory=list)
    captured_outside: int = 0  # cents that the bank has captured, and our books have not
    refunded_outside: int = 0
    unmatched_captures: list[str] = field(
        default_factory=list
    )  # their lines are gone, or show something else
    too_much: int = 0  # cents that statements show beyond what the bank's ledger has
    _edits: dict[date, dict[str, str]] = field(default_factory=dict)  # by day: capture -> kind

    def orphan_hold(self) -> None:
        """A hold that nobody of ours asked for."""
        card = CARDS["visa"]
        made = self._at_bank(
            "authorizations",
            card_number=card["number"],
            **{name: card[name] for name in ("cvv", "expiry_month", "expiry_year")},
            amount=AMOUNT,
        )
        self._plant("orphan_hold", made["authorization_id"])

    def refund_outside(self) -> None:
        """Captured by us, refunded by somebody else."""
        capture = self._captured()
        made = self._at_bank("refunds", capture_id=capture, amount=AMOUNT)
        self._plant("refunded_outside", made["refund_id"])
        self.refunded_outside += AMOUNT

    def use_holds_outside(self) -> None:
        """A capture and a void of our holds, made by somebody else."""
        made = self._at_bank("captures", authorization_id=self._held()[1], amount=AMOUNT)
        self._plant("captured_outside", made["capture_id"])
        self.captured_outside += AMOUNT
        made = self._at_bank("voids", authorization_id=self._held()[1])
        self._plant("voided_outside", made["void_id"])

    def in_statement_of(self, day: date) -> None:
        """Four captures of this day, which its statement will show wrongly, twice or not at all."""
        kinds = ("missing_at_bank", "amount_mismatch", "currency_mismatch", "duplicate_at_bank")
        self._edits[day] = {self._captured(): kind for kind in kinds}
        for capture, kind in self._edits[day].items():
            self._plant(kind, capture)
            if kind != "duplicate_at_bank":
                self.unmatched_captures.append(capture)

    def without_statement(self, day: date) -> None:
        """A day whose statement comes only after days."""
        self._plant("statement_missing", str(day))

    def statement(self, day: date) -> str:
        """The bank's statement of the day, with what was planted in it."""
        text = self.bank.statement(day)
        edits = self._edits.get(day)
        if not edits:
            return text
        rows = csv.DictReader(io.StringIO(text))
        output = io.StringIO()
        written = csv.DictWriter(output, rows.fieldnames or [], lineterminator="\n")
        written.writeheader()
        for row in rows:
            written.writerows(self._edited(row, edits.get(f"cap_{row['entry_id']}")))
        return output.getvalue()

    def _edited(self, row: Row, kind: str | None) -> list[Row]:
        match kind:
            case "missing_at_bank":
                self.too_much -= int(row["amount_cents"])
                return []
            case "amount_mismatch":
                self.too_much += _TOO_MUCH
                return [{**row, "amount_cents": str(int(row["amount_cents"]) + _TOO_MUCH)}]
            case "currency_mismatch":
                self.too_much -= int(row["amount_cents"])  # no dollars
                return [{**row, "currency": "EUR"}]
            case "duplicate_at_bank":
                return [row, row]  # kept once
            case _:
                return [row]

    def _held(self) -> tuple[str, str]:
        """A payment that nobody uses, and its hold."""
        status, receipt = self.live.post("/payments", order(amount=AMOUNT))
        assert status == 201, receipt
        return receipt["id"], receipt["bank"]["authorization_id"]

    def _captured(self) -> str:
        """The capture of a payment that nobody refunds."""
        status, receipt = self.live.post(f"/payments/{self._held()[0]}/capture")
        assert status == 200, receipt
        capture: str = receipt["bank"]["capture_id"]
        return capture

    def _at_bank(self, endpoint: str, **body: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        response = requests.post(f"{self.bank.url}/api/v1/{endpoint}", json=body, headers=headers, timeout=30)
        assert response.status_code == 200, response.text
        made: dict[str, Any] = response.json()
        return made

    def _plant(self, kind: str, about: str) -> None:
        self.all.append(Planted(kind, about))
