# ruff: noqa: RUF001 - other scripts' digits are part of the attack
"""Lists: newest first, in pages that stay true while payments are being made, filtered."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from payments.api.serializers import PageSerializer, PaymentFilterSerializer
from tests.api.judged import problems_of_query, problems_of_read
from tests.support.api_client import ApiClient, ApiResponse
from tests.support.factories import PaymentFactory

BROKEN_CURSORS = [
    *("", "x", "o", "cD1nYXJiYWdl", "é", "\x00", "4111111111111111"),
    *("o" + "g" * 45, "x" + "0" * 45, "o" + "0" * 44, "o" + "0" * 46),
]
LISTS = (PaymentFilterSerializer, PageSerializer)  # queries: of all payments, of a customer's
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def made(count: int, **fields: Any) -> list[str]:
    """So many payments, a second apart, newest first; their ids."""
    payments = [PaymentFactory(created_at=NOON + timedelta(seconds=age), **fields) for age in range(count)]
    return [payment.public_id for payment in reversed(payments)]


def follow(client: ApiClient, link: str) -> ApiResponse:
    parts = urlsplit(link)
    query = {name: value for name, (value,) in parse_qs(parts.query).items()}
    return client.get(parts.path.removeprefix("/api/v1"), **query)


def ids(answer: ApiResponse) -> list[str]:
    assert answer.status == 200, answer
    return [payment["id"] for payment in answer.json["results"]]


class TestPages:
    def test_payments_come_newest_first_25_at_a_time(self, mistaken: ApiClient) -> None:
        everything = made(30)
        first = mistaken.get("/payments")
        assert ids(first) == everything[:25]
        assert first.json["previous"] is None
        second = follow(mistaken, first.json["next"])
        assert ids(second) == everything[25:]
        assert second.json["next"] is None
        assert ids(follow(mistaken, second.json["previous"])) == everything[:25]

    def test_forward_and_back_every_payment_is_shown_once(self, mistaken: ApiClient) -> None:
        everything = made(7)
        for size in (1, 2, 3, 7, 100):
            page, seen = mistaken.get("/payments", page_size=size), []
            while True:
                seen += ids(page)
                if page.json["next"] is None:
                    break
                page = follow(mistaken, page.json["next"])
            assert seen == everything, size
            back = ids(page)
            while page.json["previous"]:
                page = follow(mistaken, page.json["previous"])
                back = ids(page) + back
            assert back == everything, size

    def test_payments_of_one_moment_are_parted_by_their_ids(self, mistaken: ApiClient) -> None:
        payments = [PaymentFactory(created_at=NOON) for _ in range(5)]
        everything = sorted((payment.public_id for payment in payments), reverse=True)
        page = mistaken.get("/payments", page_size=2)
        assert ids(page) == everything[:2]
        page = follow(mistaken, page.json["next"])
        assert ids(page) == everything[2:4]
        assert ids(follow(mistaken, page.json["next"])) == everything[4:]
        assert ids(follow(mistaken, page.json["previous"])) == everything[:2]

    def test_payments_made_meanwhile_shift_nothing(self, mistaken: ApiClient) -> None:
        everything = made(6)
        page = mistaken.get("/payments", page_size=2)
        seen = ids(page)
        while page.json["next"]:
            PaymentFactory(created_at=NOON + timedelta(hours=1))
            page = follow(mistaken, page.json["next"])
            seen += ids(page)
        assert seen == everything

    def test_going_back_finds_what_was_made_meanwhile(self, mistaken: ApiClient) -> None:
        made(3)
        page = follow(mistaken, mistaken.get("/payments", page_size=2).json["next"])
        new = PaymentFactory(created_at=NOON + timedelta(hours=1)).public_id
        page = follow(mistaken, page.json["previous"])
        assert new not in ids(page)
        assert ids(follow(mistaken, page.json["previous"])) == [new]

    def test_a_link_keeps_filters_and_size_and_the_customers_own_spelling(self, mistaken: ApiClient) -> None:
        everything = made(3, customer_id="a/b?c#d&e%20")
        page = mistaken.get("/customers/a/b%3Fc%23d&e%2520/payments", page_size=1)
        seen = ids(page)
        while page.json["next"]:
            parts = urlsplit(page.json["next"])
            query = {name: value for name, (value,) in parse_qs(parts.query).items()}
            assert query["page_size"] == "1"
            page = mistaken.get(parts.path.removeprefix("/api/v1"), **query)
            seen += ids(page)
        assert seen == everything

    def test_a_broken_cursor_is_a_400(self, mistaken: ApiClient) -> None:
        for cursor in BROKEN_CURSORS:
            for kind in LISTS:
                assert list(problems_of_query(kind, cursor=cursor)) == ["cursor"], (kind, cursor)
        for path in ("/payments", "/customers/c/payments"):
            assert list(problems_of_read(mistaken.get(path, cursor="x"))) == ["cursor"], path

    def test_a_cursor_that_no_list_made_is_a_place_like_any_other(self, mistaken: ApiClient) -> None:
        everything = made(1)
        for cursor in ("o" + "0" * 45, "n" + "0" * 45, "o" + "f" * 45, "n" + "f" * 45):
            assert ids(mistaken.get("/payments", cursor=cursor)) in ([], everything), cursor

    def test_a_cursor_of_another_list_shows_nothing_of_that_list(self, mistaken: ApiClient) -> None:
        made(3, customer_id="c-1")
        cursor = parse_qs(urlsplit(mistaken.get("/payments", page_size=1).json["next"]).query)["cursor"][0]
        assert ids(mistaken.get("/customers/c-2/payments", cursor=cursor)) == []

    def test_a_page_size_is_1_to_100_in_plain_digits(self, mistaken: ApiClient) -> None:
        strange = ("1.0", "1e1", "+5", " 5", "1_0", "５", "٥", "0x5", "9" * 2000)
        for size in ("0", "-1", "101", "abc", "", *strange):
            for kind in LISTS:
                assert list(problems_of_query(kind, page_size=size)) == ["page_size"], (kind, size)
        for path in ("/payments", "/customers/c/payments"):
            assert list(problems_of_read(mistaken.get(path, page_size="0"))) == ["page_size"], path


class TestFilters:
    def test_all_conditions_must_hold(self, mistaken: ApiClient) -> None:
        wanted = PaymentFactory(voided=True, order_id="o-1", customer_id="c-1").public_id
        PaymentFactory(voided=True, order_id="o-1", customer_id="c-2")
        PaymentFactory(captured=True, order_id="o-1", customer_id="c-1")
        assert len(ids(mistaken.get("/payments", order_id="o-1"))) == 3
        assert ids(mistaken.get("/payments", order_id="o-1", customer_id="c-1", state="VOIDED")) == [wanted]
        assert ids(mistaken.get("/payments", order_id="o-2")) == []

    def test_created_from_is_inclusive_and_created_to_is_not(self, mistaken: ApiClient) -> None:
        newest, middle, _oldest = made(3)
        at = "2026-11-21T12:00:01Z"
        assert ids(mistaken.get("/payments", created_from=at)) == [newest, middle]
        assert middle not in ids(mistaken.get("/payments", created_to=at))
        assert ids(mistaken.get("/payments", created_from=at, created_to="2026-11-21T12:00:02Z")) == [middle]
        assert ids(mistaken.get("/payments", created_from=at, created_to=at)) == []

    def test_times_are_rfc_3339(self, mistaken: ApiClient) -> None:
        everything = made(1)
        for moment in (
            "2026-11-21T13:00:00+01:00",
            "2026-11-21T12:00:00Z",
            "2026-11-21t12:00:00z",
            "2026-11-21T12:00:00.000000000Z",
            "2026-11-22T08:02:00+20:02",
            "0001-01-01T00:00:00+14:00",
        ):
            assert ids(mistaken.get("/payments", created_from=moment)) == everything, moment
            assert ids(mistaken.get("/payments", created_to=moment)) == [], moment

    def test_anything_else_is_a_400(self) -> None:
        for moment in (
            *("", "now", "2026-11-21", "2026-11-21T12:00:00", "20261121T120000Z", "2026-W47-6T12:00:00Z"),
            *("2026-11-21 12:00:00Z", "2026-13-01T00:00:00Z", "1763726400", "2026-11-21T12:00:00+0100"),
            *("２０２６-11-21T12:00:00Z", "2026-11-21T25:00:00Z", "2026-11-21T12:00Z", "\x00"),
        ):
            for name in ("created_from", "created_to"):
                found = problems_of_query(PaymentFilterSerializer, **{name: moment})
                assert list(found) == [name], (name, moment)

    def test_a_state_that_is_none_is_a_400(self) -> None:
        for state in ("", "authorized", "DONE", "AUTHORIZED,CAPTURED", "\x00"):
            assert list(problems_of_query(PaymentFilterSerializer, state=state)) == ["state"], state

    def test_every_wrong_parameter_is_named(self, mistaken: ApiClient) -> None:
        wrong = {"created_from": "now", "created_to": "", "page_size": "0", "cursor": "?"}
        answer = mistaken.get("/payments", sort="x", state="x", order_id="a b", **wrong)
        assert set(problems_of_read(answer)) == {"sort", "state", "order_id", *wrong}

    def test_a_parameter_given_twice_is_a_400(self, mistaken: ApiClient) -> None:
        answer = mistaken.get("/payments", state=["VOIDED", "CAPTURED"])
        assert problems_of_read(answer) == {"state": "repeated"}

    def test_a_parameter_named_by_a_card_number_is_not_repeated(self, mistaken: ApiClient) -> None:
        for value in ("1", ["1", "2"]):
            answer = mistaken.get("/payments", **{"4111111111111111": value})
            assert list(problems_of_read(answer)) == ["************1111"], value

    def test_an_order_is_found_whose_number_looks_like_a_card(self, mistaken: ApiClient) -> None:
        own = made(1, order_id="4111111111111111")
        assert ids(mistaken.get("/payments", order_id="4111111111111111")) == own


class TestCustomers:
    def test_a_customers_payments_are_listed_newest_first(self, mistaken: ApiClient) -> None:
        own = made(2, customer_id="c-1")
        made(2, customer_id="c-2")
        assert ids(mistaken.get("/customers/c-1/payments")) == own

    def test_a_customer_nobody_has_heard_of_has_none(self, mistaken: ApiClient) -> None:
        assert mistaken.get("/customers/nobody/payments").json == {
            "next": None, "previous": None, "results": [],
        }  # fmt: skip
