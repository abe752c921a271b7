"""The bank's ledger: it survives, and it only grows."""

import sqlite3
from contextlib import closing

import pytest

from tests.support.simulated_bank import CardBalance, SimulatedBank


class TestPersistence:
    def test_entries_stored_answers_and_a_moved_clock_survive_a_killed_bank(self, authorize, post) -> None:
        """No bank wakes up in its own past."""
        with SimulatedBank() as bank:
            bank.move_clock(seconds=1000)
            first = authorize(bank, "a key")
            ledger, now = bank.ledger(), bank.now()
            bank.kill()
            bank.restart()
            assert bank.now() >= now
            again = authorize(bank, "a key")
            assert bank.ledger() == ledger
            assert again.content == first.content
            assert again.headers["X-Idempotent-Replayed"] == "true"
            hold = first.json()["authorization_id"]
            assert post(bank, "captures", "b", authorization_id=hold, amount=100).status_code == 200

    def test_a_bank_without_control_plane_goes_by_the_real_clock(self, tmp_path, authorize) -> None:
        ledger = {"BANK_DB": str(tmp_path / "ledger.sqlite3")}
        with SimulatedBank(environment=ledger) as bank:
            real = bank.now()
            bank.move_clock(seconds=40 * 24 * 3600)
        with SimulatedBank(environment={**ledger, "BANK_CONTROL": "0"}) as bank:
            created_at = authorize(bank, "a key").json()["created_at"]
            assert created_at[:7] == real.isoformat()[:7]


class TestAppendOnly:
    @pytest.mark.parametrize("statement", ["UPDATE entries SET amount_cents = 1", "DELETE FROM entries"])
    def test_no_entry_is_changed_or_removed(self, bank: SimulatedBank, authorize, statement: str) -> None:
        authorize(bank, "a key")
        with closing(sqlite3.connect(bank.database)) as ledger, pytest.raises(sqlite3.IntegrityError):
            ledger.execute(statement)

    def test_card_numbers_are_not_in_it(self, bank: SimulatedBank, authorize) -> None:
        authorize(bank, "a key")
        authorize(bank, "another", card_number="4242424242424242", cvv="456")
        files = bank.database.parent.glob(f"{bank.database.name}*")
        written = b"".join(file.read_bytes() for file in files)
        assert b"4111111111111111" not in written
        assert b"4242424242424242" not in written


class TestBalances:
    def test_they_tell_held_from_gone(self, bank: SimulatedBank, authorize, post) -> None:
        amounts = (1, 20, 300, 4000)
        answers = [authorize(bank, f"key {amount}", amount).json() for amount in amounts]
        _held, captured, voided, refunded = (answer["authorization_id"] for answer in answers)
        post(bank, "captures", "c1", authorization_id=captured, amount=20)
        post(bank, "voids", "v1", authorization_id=voided)
        capture = post(bank, "captures", "c2", authorization_id=refunded, amount=4000).json()["capture_id"]
        post(bank, "refunds", "r1", capture_id=capture, amount=4000)
        assert bank.balances()["1111"] == CardBalance(total=999_980, held=1, available=999_979)
