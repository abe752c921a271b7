"""Test payments have statements as live ones do: they are written from what the sandbox replied."""

import io
from datetime import date, timedelta

import pytest

from office.schedules import books
from payments.models import Operation
from payments.models.clock import read_clock
from reconciliation.models import Match, StatementFile
from reconciliation.services.sandbox_statements import DayNotOver, deliver, deliver_due, write_statement
from tests.support.api_client import ApiClient, order
from tests.support.reconcile import reconcile
from tests.support.time_travel import let_pass

ONE_DAY = timedelta(days=1)


def written(day: date) -> list[str]:
    output = io.StringIO()
    write_statement("sandbox", day, output)
    return output.getvalue().splitlines()


def shopped(test_mode: ApiClient) -> None:
    """A payment captured and refunded in parts, one voided, one in yen, and a decline."""
    payment = test_mode.authorized(amount=5000)
    for verb, amount in (("capture", 4000), ("refund", 1000), ("refund", 500)):
        assert test_mode.post(f"/payments/{payment['id']}/{verb}", {"amount": amount}).status == 200
    voided = test_mode.authorized(amount=300, currency="JPY")
    assert test_mode.post(f"/payments/{voided['id']}/void").status == 200
    assert test_mode.post("/payments", order(amount=2_000_000)).status == 402


class TestAStatement:
    def test_has_what_the_sandbox_has_approved(self, test_mode: ApiClient) -> None:
        shopped(test_mode)
        header, *lines = written(read_clock().date())
        assert header == "entry_id,type,reference_id,amount_cents,currency,created_at"
        rows = [line.split(",") for line in lines]
        assert [(row[1], row[3], row[4]) for row in rows] == [
            *(("AUTH_HOLD", "5000", "USD"), ("CAPTURE", "4000", "USD")),
            *(("REFUND", "1000", "USD"), ("REFUND", "500", "USD")),
            *(("AUTH_HOLD", "300", "JPY"), ("VOID", "300", "JPY")),
        ]
        hold, capture, *_ = rows
        assert (hold[2], capture[2], rows[2][2]) == ("", hold[0], capture[0])

    def test_has_a_day_s_replies_only(self, test_mode: ApiClient) -> None:
        test_mode.authorized()
        today = read_clock().date()
        assert [len(written(today + ONE_DAY * days)) for days in (-1, 0, 1)] == [1, 2, 1]


class TestItsDelivery:
    def test_matches_every_operation_that_succeeded(self, test_mode: ApiClient) -> None:
        shopped(test_mode)
        let_pass(ONE_DAY)
        (imported,) = deliver_due(actor="test")
        assert (imported.file.bank, imported.file.lines) == ("sandbox", 6)
        assert imported.file.name == f"sandbox-{read_clock().date() - ONE_DAY}.csv"
        assert Match.objects.count() == Operation.objects.filter(state="SUCCEEDED").count() == 6

    def test_is_of_days_that_are_over(self, test_mode: ApiClient) -> None:
        test_mode.authorized()
        assert deliver_due(actor="test") == []
        with pytest.raises(DayNotOver):
            deliver(read_clock().date(), actor="test")
        code, printed = reconcile("test-statement", "--date", str(read_clock().date()))
        assert (code, "is not over yet" in printed) == (2, True)

    def test_catches_up_with_days_that_were_missed_empty_ones_too(self, test_mode: ApiClient) -> None:
        test_mode.authorized()
        let_pass(3 * ONE_DAY)
        deliver(read_clock().date() - 2 * ONE_DAY, actor="test")
        assert books.write_test_statements() == 2
        days = [one.covers_from.date() for one in StatementFile.objects.order_by("covers_from")]
        today = read_clock().date()
        assert days == [today - 3 * ONE_DAY, today - 2 * ONE_DAY, today - ONE_DAY]
        assert books.write_test_statements() == 0

    def test_is_done_once_by_command_too(self, test_mode: ApiClient) -> None:
        test_mode.authorized()
        let_pass(ONE_DAY)
        code, printed = reconcile("test-statement")
        assert (code, ": 1 lines, 1 of them new." in printed) == (0, True)
        code, printed = reconcile("test-statement")
        assert (code, "was imported before" in printed) == (0, True)

    def test_is_not_owed_where_nobody_tests(self) -> None:
        assert deliver_due(actor="test") == []
