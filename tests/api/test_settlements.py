"""Settlements as a merchant reads them: lists, one, its lines, and nothing of anybody else's."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from payments.api.pages import LineCursor, SettlementCursor
from payments.api.settlements.serializers import LinePageSerializer, SettlementFilterSerializer
from payments.domain.states import Mode, OperationKind
from reconciliation.models import Settlement
from tests.api.judged import problems_of_query, problems_of_read
from tests.support.api_client import ApiClient
from tests.support.book_factories import (
    DAY,
    CorrectionFactory,
    SettlementFactory,
    SettlementLineFactory,
)
from tests.support.factories import MerchantFactory, OperationFactory, PaymentFactory

NOBODYS = f"stl_{'0' * 32}"


def days(count: int, **columns: Any) -> list[str]:
    """The settlements of so many days, newest first; their ids."""
    made = [SettlementFactory(date=DAY + timedelta(days=number), **columns) for number in range(count)]
    return [settlement.public_id for settlement in reversed(made)]


def pages(client: ApiClient, path: str, *, link: str = "next", **query: Any) -> list[list[Any]]:
    """The results of all pages, from the first on."""
    found = []
    while True:
        page = client.get(path, **query)
        assert page.status == 200, page
        found.append(page.json["results"])
        if page.json[link] is None:
            return found
        query = {name: one for name, (one,) in parse_qs(urlsplit(page.json[link]).query).items()}


def ids(client: ApiClient, **query: Any) -> list[str]:
    return [settlement["id"] for page in pages(client, "/settlements", **query) for settlement in page]


class TestSettlements:
    def test_say_what_is_paid_and_of_what_it_consists(self, mistaken: ApiClient) -> None:
        made = SettlementFactory(
            date=DAY, captured_minor=9_000, refunded_minor=10_000, fees_minor=300, corrected_minor=100
        )
        expected = {
            "id": made.public_id, "livemode": True, "date": "2026-11-21", "bank": "ficmart",
            "currency": "USD", "amount": 0, "captured_amount": 9_000, "refunded_amount": 10_000,
            "fees_amount": 300, "corrected_amount": 100, "brought_forward": 0, "carried_forward": -1_200,
        }  # fmt: skip
        read = mistaken.get(f"/settlements/{made.public_id}").json
        assert read.pop("created_at").endswith("Z")
        assert read == expected
        (listed,) = mistaken.get("/settlements").json["results"]
        assert listed | {"created_at": ""} == expected | {"created_at": ""}

    def test_come_newest_first_and_each_once_forward_and_back(self, mistaken: ApiClient) -> None:
        everything = days(5)
        for currency in ("EUR", "GBP"):
            everything.insert(2, SettlementFactory(date=DAY + timedelta(days=3), currency=currency).public_id)
        everything[1:4] = sorted(everything[1:4], reverse=True)  # of one day: by their ids
        assert ids(mistaken) == everything
        for size in (1, 2, 3, 7):
            assert ids(mistaken, page_size=size) == everything, size
        oldest = Settlement.objects.get(pk=everything[-1].removeprefix("stl_"))
        cursor = str(SettlementCursor.at(oldest, older=False))
        back = pages(mistaken, "/settlements", link="previous", cursor=cursor, page_size=2)
        assert [one["id"] for page in reversed(back) for one in page] == everything[:-1]

    def test_are_found_by_days_and_currency(self, mistaken: ApiClient) -> None:
        newest, middle, oldest = days(3)
        euros = SettlementFactory(date=DAY, currency="EUR").public_id
        assert ids(mistaken, date_from="2026-11-22") == [newest, middle]
        assert ids(mistaken, date_to="2026-11-22", currency="USD") == [middle, oldest]
        assert ids(mistaken, date_from="2026-11-22", date_to="2026-11-22") == [middle]
        assert ids(mistaken, date_from="2026-11-23", date_to="2026-11-22") == []
        assert ids(mistaken, currency="EUR") == [euros]
        assert ids(mistaken, currency="JPY") == []

    def test_wrong_parameters_are_named(self, mistaken: ApiClient) -> None:
        for day in ("", "now", "2026-11-31", "2026-1-1", "20261121", "2026-11-21T00:00:00Z", "٢٠٢٦-11-21"):
            for name in ("date_from", "date_to"):
                assert list(problems_of_query(SettlementFilterSerializer, **{name: day})) == [name], day
        for cursor in ("", "x", "o" + "0" * 36, "o" + "0" * 45, "O" + "0" * 37):
            assert list(problems_of_query(SettlementFilterSerializer, cursor=cursor)) == ["cursor"], cursor
        for cursor in ("", "x", "o" + "0" * 14, "o" + "0" * 37):
            assert list(problems_of_query(LinePageSerializer, cursor=cursor)) == ["cursor"], cursor
        wrong = {"currency": "usd", "date_from": "x", "page_size": "0", "state": "PAID"}
        assert set(problems_of_read(mistaken.get("/settlements", **wrong))) == set(wrong)

    def test_a_cursor_that_no_list_made_is_a_place_like_any_other(self, mistaken: ApiClient) -> None:
        made = SettlementFactory()
        for kind, digits, path in (
            (SettlementCursor, 37, "/settlements"),
            (LineCursor, 15, f"/settlements/{made.public_id}/lines"),
        ):
            for text in ("o" + "0" * digits, "n" + "0" * digits, "o" + "f" * digits, "n" + "f" * digits):
                assert str(kind.parse(text)) == text
                assert mistaken.get(path, cursor=text).status == 200, text


class TestLines:
    def test_are_the_captures_refunds_and_corrections(self, mistaken: ApiClient) -> None:
        settlement = SettlementFactory()
        payment = PaymentFactory(captured=True, order_id="order-1")
        capture = OperationFactory(payment=payment, kind=OperationKind.CAPTURE, succeeded=True)
        refund = OperationFactory(
            payment=payment, kind=OperationKind.REFUND, succeeded=True, amount_minor=20, bank_reference=""
        )
        SettlementLineFactory(settlement=settlement, operation=capture, fee_minor=175)
        SettlementLineFactory(settlement=settlement, operation=refund)
        for operation in (None, capture):
            correction = CorrectionFactory(operation=operation, amount_minor=-3)
            SettlementLineFactory(settlement=settlement, operation=None, correction=correction)
        SettlementLineFactory()
        (lines,) = pages(mistaken, f"/settlements/{settlement.public_id}/lines")
        assert all(line.pop("at").endswith("Z") for line in lines)
        about = {"payment_id": payment.public_id, "order_id": "order-1"}
        of_capture = {**about, "operation_id": capture.public_id, "bank_reference": capture.bank_reference}
        of_refund = {**about, "operation_id": refund.public_id, "bank_reference": None}
        corrected = {
            "kind": "correction", "amount": -3, "fee": 0, "reason": "The bank reported another fee.",
        }  # fmt: skip
        assert lines == [
            {**corrected, **of_capture},
            {**corrected, **dict.fromkeys(of_capture)},
            {"kind": "refund", "amount": -20, "fee": 0, "reason": None, **of_refund},
            {"kind": "capture", "amount": 5000, "fee": 175, "reason": None, **of_capture},
        ]

    def test_come_in_pages_each_once_and_in_few_statements(
        self, mistaken: ApiClient, django_assert_max_num_queries: Any
    ) -> None:
        settlement = SettlementFactory()
        made = [SettlementLineFactory(settlement=settlement) for _ in range(5)]
        path = f"/settlements/{settlement.public_id}/lines"
        # The caller, for which the test's transaction needs a savepoint; the settlement; its lines.
        with django_assert_max_num_queries(5):
            mistaken.get(path)
        newest_first = [line.operation.public_id for line in reversed(made)]
        for size in (1, 2, 5):
            found = pages(mistaken, path, page_size=size)
            assert [line["operation_id"] for page in found for line in page] == newest_first, size


class TestIsolation:
    @pytest.fixture(params=["other mode", "other merchant"])
    def foreign(self, request: Any, mistaken: ApiClient) -> Settlement:
        """A settlement with a line, which the caller must not see."""
        columns: dict[str, Any] = {"mode": Mode.TEST}
        if request.param == "other merchant":
            columns = {"merchant": MerchantFactory(slug="other")}
        settlement: Settlement = SettlementFactory(**columns)
        SettlementLineFactory(settlement=settlement)
        return settlement

    def test_anothers_settlement_is_a_404_like_one_that_never_was(
        self, mistaken: ApiClient, foreign: Settlement
    ) -> None:
        for path in ("", "/lines"):
            theirs = mistaken.get(f"/settlements/{foreign.public_id}{path}")
            nobodys = mistaken.get(f"/settlements/{NOBODYS}{path}")
            assert theirs.status == nobodys.status == 404
            assert theirs.json | {"request_id": ""} == nobodys.json | {"request_id": ""}
        assert ids(mistaken) == []

    def test_what_is_no_id_is_a_404(self, mistaken: ApiClient) -> None:
        for text in ("1", "stl_1", f"pay_{'0' * 32}", f"STL_{'0' * 32}"):
            refused = mistaken.get(f"/settlements/{text}")
            assert (refused.status, refused.json["detail"]) == (404, "There is no such settlement."), text

    def test_nothing_is_written_by_a_merchant(self, mistaken: ApiClient) -> None:
        for path in ("/settlements", f"/settlements/{NOBODYS}", f"/settlements/{NOBODYS}/lines"):
            assert mistaken.post(path, {}).status == 405, path
