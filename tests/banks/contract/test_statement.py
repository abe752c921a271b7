"""Contract, "Statement file": the only listing the bank gives."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.banks.contract.client import Bank, instant
from tests.banks.contract.control import Control

HEADER = "entry_id,type,reference_id,amount_cents,currency,created_at"
StatementOf = Callable[[str], str]


class TestStatement:
    def test_it_begins_with_the_header_line(self, bank: Bank, statement_of: StatementOf) -> None:
        """CSV, header line: `entry_id,type,reference_id,amount_cents,currency,created_at`."""
        day = bank.authorize().json()["created_at"][:10]
        assert statement_of(day).splitlines()[0] == HEADER

    def test_it_has_a_row_for_each_ledger_entry(self, bank: Bank, statement_of: StatementOf) -> None:
        """One row a ledger entry: `type` is `AUTH_HOLD`, `CAPTURE`, `VOID` or `REFUND`; `entry_id` is the
        object's UUID without prefix; `reference_id` the authorization's UUID for captures and voids, the
        capture's for refunds, empty for holds.
        """
        authorized = bank.authorize(3).json()
        hold = authorized["authorization_id"]
        capture = bank.capture(hold, 3).json()["capture_id"]
        refund = bank.refund(capture, 3).json()["refund_id"]
        voided = bank.a_hold(2)
        void = bank.void(voided).json()["void_id"]

        rows = _rows(statement_of(authorized["created_at"][:10]))

        assert rows[_uuid(hold)] == ("AUTH_HOLD", "", "3", "USD")
        assert rows[_uuid(capture)] == ("CAPTURE", _uuid(hold), "3", "USD")
        assert rows[_uuid(refund)] == ("REFUND", _uuid(capture), "3", "USD")
        assert rows[_uuid(voided)] == ("AUTH_HOLD", "", "2", "USD")
        assert rows[_uuid(void)] == ("VOID", _uuid(voided), "2", "USD")

    def test_it_is_in_order_and_of_one_day(self, bank: Bank, statement_of: StatementOf) -> None:
        """One file a day, oldest first; `created_at` is UTC RFC 3339, the time the object says."""
        first, second = bank.authorize().json(), bank.authorize().json()
        day = first["created_at"][:10]

        lines = list(csv.DictReader(io.StringIO(statement_of(day))))

        times = [instant(line["created_at"]) for line in lines]
        assert times == sorted(times)
        assert all(line["created_at"].endswith("Z") for line in lines)
        assert {time.date().isoformat() for time in times} == {day}
        written = {line["entry_id"]: instant(line["created_at"]) for line in lines}
        at = written[_uuid(first["authorization_id"])]
        assert abs(at - instant(first["created_at"])) <= timedelta(microseconds=1)
        order = [line["entry_id"] for line in lines]
        assert order.index(_uuid(first["authorization_id"])) < order.index(_uuid(second["authorization_id"]))

    @pytest.mark.control_plane
    def test_what_happens_on_the_next_day_is_on_the_next_statement(
        self, bank: Bank, control: Control, statement_of: StatementOf
    ) -> None:
        """One CSV a day: each entry is on the statement of its own day, in UTC, and on no other."""
        today = bank.authorize().json()
        control.move_clock(seconds=24 * 3600)
        tomorrow = bank.authorize().json()
        first = _rows(statement_of(today["created_at"][:10]))
        second = _rows(statement_of(tomorrow["created_at"][:10]))
        assert _uuid(today["authorization_id"]) in first.keys() - second.keys()
        assert _uuid(tomorrow["authorization_id"]) in second.keys() - first.keys()

    def test_a_day_without_entries_has_the_header_alone(self, statement_of: StatementOf) -> None:
        """One CSV a day: of a day on which nothing happened, the header line."""
        assert statement_of("2001-01-01").split() == [HEADER]


def _rows(statement: str) -> dict[str, tuple[str, str, str, str]]:
    return {
        line["entry_id"]: (line["type"], line["reference_id"], line["amount_cents"], line["currency"])
        for line in csv.DictReader(io.StringIO(statement))
    }


def _uuid(reference: str) -> str:
    return reference.partition("_")[2]
