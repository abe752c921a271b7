"""`manage.py reconcile settle`, `settlement` and `correct`, as operators use them."""

import csv
import json
from datetime import timedelta
from pathlib import Path

import pytest

from payments.models.clock import read_clock
from reconciliation.models import Correction, Settlement
from reconciliation.services import settlement_report
from reconciliation.services.correct import correct
from reconciliation.services.settle import settle
from tests.support.book_factories import FeeTermsFactory
from tests.support.reconcile import reconcile
from tests.support.settling import DAY, captured, many_captured, refunded


class TestSettle:
    def test_makes_the_settlements_of_a_day_once(self) -> None:
        FeeTermsFactory()
        capture = captured(10_000)
        refunded(capture, 1_000)
        code, printed = reconcile("settle", "--date", str(DAY))
        settlement = Settlement.objects.get()
        assert (code, printed.splitlines()) == (
            0,
            [
                f"{settlement.public_id} (ficmart, live, ficmart): $86.80 paid; captured $100.00, "
                "refunded $10.00, fees $3.20",
                f"{DAY} (UTC): 1 settlement.",
            ],
        )
        assert reconcile("settle", "--date", str(DAY)) == (code, printed)

    def test_is_of_yesterday_unless_told_otherwise(self) -> None:
        yesterday = read_clock().date() - timedelta(days=1)
        captured(day=yesterday - timedelta(days=1))
        assert reconcile("settle")[0] == 0
        assert Settlement.objects.get().date == yesterday

    def test_shows_beforehand_what_it_would_do(self) -> None:
        captured()
        code, printed = reconcile("settle", "--date", str(DAY), "--dry-run")
        assert (code, printed) == (
            0,
            "to be made (ficmart, live, ficmart): $50.00 paid; captured $50.00\n"
            f"{DAY} (UTC): 1 settlement would be made.\n",
        )
        assert not Settlement.objects.exists()

    def test_tells_machines_in_minor_units(self) -> None:
        captured()
        code, printed = reconcile("settle", "--date", str(DAY), "--json")
        told = json.loads(printed)
        assert (code, told["date"], told["dry_run"]) == (0, str(DAY), False)
        assert told["settlements"] == [
            {
                "id": Settlement.objects.get().public_id,
                "merchant": "ficmart",
                "mode": "live",
                "bank": "ficmart",
                "currency": "USD",
                "captured": 5000,
                "refunded": 0,
                "fees": 0,
                "corrected": 0,
                "brought_forward": 0,
                "amount": 5000,
                "carried_forward": 0,
            }
        ]

    def test_ends_with_2_on_a_day_that_is_not_over(self) -> None:
        today = read_clock().date()
        code, told = reconcile("settle", "--date", str(today))
        assert (code, told) == (2, f"{today} (UTC) is not over yet. Settle it after midnight.")


class TestReport:
    def test_has_a_line_for_each_operation_and_totals(self, tmp_path: Path) -> None:
        FeeTermsFactory()
        capture = captured(10_000, order_id="=cmd|'/c calc'!A0")
        refund = refunded(capture, 1_000)
        (settlement,) = settle(DAY, actor="operator")
        file = tmp_path / "settlement.csv"
        assert reconcile("settlement", settlement.public_id, "--csv", str(file)) == (0, "")
        columns, *rows = csv.reader(file.read_text(encoding="utf-8-sig").splitlines())
        payment = capture.claimed_payment.public_id
        order = "'=cmd|'/c calc'!A0"
        assert columns == list(settlement_report.COLUMNS)
        assert rows == [
            [
                *("capture", payment, order, capture.public_id, "100.00", "3.20", "USD"),
                *(capture.bank_reference, "2026-11-21 12:00:00", ""),
            ],
            [
                *("refund", payment, order, refund.public_id, "-10.00", "0.00", "USD"),
                *(refund.bank_reference, "2026-11-21 13:00:00", ""),
            ],
            ["total", "", "", "", "90.00", "3.20", "USD", "", "", ""],
            ["brought forward", "", "", "", "0.00", "0.00", "USD", "", "", ""],
            ["paid", "", "", "", "86.80", "0.00", "USD", "", "", ""],
            ["carried forward", "", "", "", "0.00", "0.00", "USD", "", "", ""],
        ]
        assert reconcile("settlement", settlement.public_id, "--csv", "-") == (0, file.read_bytes().decode())

    def test_names_corrections_and_their_reasons(self) -> None:
        capture = captured()
        (settlement,) = settle(DAY, actor="operator")
        correct(settlement, amount_minor=-5, reason="@ cents", actor="staff:kim", operation=capture)
        now = read_clock()
        (corrected,) = settle(now.date(), actor="operator", now=now + timedelta(days=1))
        _, row, *_ = csv.reader("".join(settlement_report.as_csv(corrected)).splitlines())
        assert row[:4] == ["correction", capture.claimed_payment.public_id, row[2], capture.public_id]
        assert (row[4], row[9]) == ("-0.05", "'@ cents")

    def test_of_thousands_comes_in_parts(self) -> None:
        many_captured(2_500)
        (settlement,) = settle(DAY, actor="operator")
        parts = list(settlement_report.as_csv(settlement))
        _, *rows = csv.reader("".join(parts).splitlines())
        assert [row[4] for row in rows[:2_500]] == [f"{n // 100}.{n % 100:02}" for n in range(1, 2_501)]
        assert len(parts) == 4

    def test_of_what_does_not_exist_ends_with_2(self, tmp_path: Path) -> None:
        assert reconcile("settlement", "stl_1") == (
            2, "stl_1 is not a settlement id: those are `stl_` and 32 hexadecimal digits.",
        )  # fmt: skip
        unknown = f"stl_{'0' * 32}"
        assert reconcile("settlement", unknown) == (2, f"There is no settlement {unknown}.")
        captured()
        (settlement,) = settle(DAY, actor="operator")
        code, told = reconcile("settlement", settlement.public_id, "--csv", str(tmp_path / "no" / "file"))
        assert (code, "cannot be written: No such file or directory." in told) == (2, True)

    def test_without_a_file_is_a_sentence(self) -> None:
        captured()
        (settlement,) = settle(DAY, actor="operator")
        told = f"{settlement.public_id} (ficmart, live, ficmart): $50.00 paid; captured $50.00"
        assert reconcile("settlement", settlement.public_id) == (0, f"{DAY} (UTC): {told}\n")
        assert json.loads(reconcile("settlement", settlement.public_id, "--json")[1])["amount"] == 5000


class TestCorrect:
    @pytest.fixture
    def settlement(self) -> Settlement:
        captured()
        (settlement,) = settle(DAY, actor="operator")
        return settlement

    def test_says_what_it_has_done(self, settlement: Settlement) -> None:
        given = (settlement.public_id, "--amount=-500", "--reason", "settled twice")
        told = f"{settlement.public_id} is corrected by -$5.00, in the next settlement.\n"
        assert reconcile("correct", *given) == (0, told)
        correction = Correction.objects.get()
        assert (correction.amount_minor, correction.actor) == (-500, "operator")

    def test_is_about_one_operation_if_told(self, settlement: Settlement) -> None:
        operation = settlement.lines.get().operation
        assert operation is not None
        given = (settlement.public_id, "--amount", "1", "--reason", "a cent", "--json")
        code, told = reconcile("correct", *given, "--operation", operation.public_id)
        assert (code, json.loads(told)["amount"]) == (0, 1)
        assert Correction.objects.get().operation == operation
        assert reconcile("correct", *given, "--operation", "op_1") == (2, "There is no operation op_1.")

    def test_without_a_reason_ends_with_2(self, settlement: Settlement) -> None:
        refused = reconcile("correct", settlement.public_id, "--amount", "1", "--reason", " ")
        assert refused == (2, "A correction needs a reason.")
