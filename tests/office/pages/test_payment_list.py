"""The list of payments: what it shows, filters and costs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from office.pages import read_only
from office.payments import payments as payments_admin
from payments.domain.states import Mode, OperationKind
from payments.models import Payment
from tests.office.pages.conftest import LIST, Staff, text_of
from tests.support.factories import ApiKeyFactory, MerchantFactory, OperationFactory, PaymentFactory
from tests.support.searchable import make_searchable

# Session, user, the bound on time (with a savepoint and its release), the filter's merchants, the capped
# count, the page, the open differences in the menu. However many payments there are.
STATEMENTS = 13
Assertion = Callable[[int], AbstractContextManager[None]]


class TestPaymentList:
    def test_shows_the_newest_first(self, superuser: Staff) -> None:
        for day in (2, 3, 1):
            PaymentFactory(order_id=f"day-{day}", created_at=datetime(2026, 11, day, tzinfo=UTC))
        assert superuser.found() == ["day-3", "day-2", "day-1"]

    def test_shows_amounts_states_and_times_as_people_read_them(self, superuser: Staff) -> None:
        PaymentFactory(
            captured=True,
            amount_minor=123456,
            card_last4="4242",
            created_at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        )
        shown = superuser.payments()
        for part in ("$1,234.56", "CAPTURED", "•••• 4242", "2026-11-21 09:30:00", "Created (UTC)", "FicMart"):
            assert part in shown

    def test_shows_the_operation_that_is_pending(self, superuser: Staff) -> None:
        OperationFactory(payment=PaymentFactory(authorized=True), kind=OperationKind.CAPTURE)
        assert "AUTHORIZED capture pending" in superuser.payments()

    def test_says_what_to_do_where_there_is_nothing(self, superuser: Staff) -> None:
        shown = superuser.payments()
        assert "No payments yet" in shown
        assert "API documentation" in shown

    def test_costs_the_same_for_one_payment_and_for_many(
        self, superuser: Staff, django_assert_num_queries: Assertion
    ) -> None:
        for number in range(25):
            merchant = MerchantFactory(slug=f"merchant-{number % 5}")
            OperationFactory(
                payment=PaymentFactory(authorized=True, merchant=merchant), kind=OperationKind.CAPTURE
            )
        make_searchable()
        superuser.client.is_followed = False
        with django_assert_num_queries(STATEMENTS):
            shown = superuser.payments()
        assert shown.count("AUTHORIZED capture pending") == 25


class TestFilters:
    def test_by_state(self, superuser: Staff) -> None:
        PaymentFactory(captured=True, order_id="captured")
        PaymentFactory(declined=True, order_id="declined")
        assert superuser.found(state="DECLINED") == ["declined"]

    def test_by_mode_are_of_live_payments_where_nothing_is_said(self, superuser: Staff) -> None:
        PaymentFactory(order_id="for-real", mode=Mode.LIVE)
        PaymentFactory(order_id="a-test", mode=Mode.TEST)
        assert superuser.found() == superuser.found(mode="live") == ["for-real"]
        assert superuser.found(mode="test") == ["a-test"]
        assert superuser.found(mode="all") == ["a-test", "for-real"]
        assert "Live payments only. Show test payments too" in superuser.payments()
        assert "Test payments: no real money." in superuser.payments(mode="test")
        both = superuser.payments(mode="all")
        assert "Payments marked test moved no real money." in both
        assert "PENDING test" in both

    @pytest.mark.parametrize("query", [{"q": "a-test"}, {"state": "PENDING"}, {}])
    def test_say_that_a_test_payment_would_be_found(self, superuser: Staff, query: dict[str, str]) -> None:
        PaymentFactory(order_id="a-test", mode=Mode.TEST)
        response = superuser.client.get(reverse(LIST), query)
        assert response.context["cl"].result_count == 0
        assert "show test payments too" in text_of(response.content.decode())
        again = superuser.client.get(reverse(LIST) + response.context["cl"].with_tests)
        assert [payment.order_id for payment in again.context["cl"].result_list] == ["a-test"]

    def test_by_what_was_captured_on_a_day_are_in_the_form(self, superuser: Staff) -> None:
        day = datetime(2026, 11, 21, 12, tzinfo=UTC)
        PaymentFactory(captured=True, order_id="that day", at=day, created_at=day - timedelta(days=9))
        PaymentFactory(captured=True, order_id="the next", at=day + timedelta(days=1))
        PaymentFactory(authorized=True, order_id="only held", at=day)
        asked = {"reached": "CAPTURED", "reached_from": "2026-11-21", "reached_to": "2026-11-21"}
        assert superuser.found(**asked) == ["that day"]
        assert "Reached from Reached to" in superuser.payments()

    @pytest.mark.parametrize(
        ("query", "why"),
        [
            (
                {"created_from": "2026-11-22", "created_to": "2026-11-21"},
                "“From” (2026-11-22) is after “to” (2026-11-21). Swap the two days.",
            ),
            (
                {"reached": "CAPTURED", "reached_from": "2026-11-22", "reached_to": "2026-11-21"},
                "“From” (2026-11-22) is after “to” (2026-11-21). Swap the two days.",
            ),
            ({"reached_from": "2026-11-22"}, "Choose which state was reached on these days"),
            ({"state": "BOUGHT"}, "Unknown state. Choose another."),
        ],
    )
    def test_say_what_is_wrong_with_them(self, superuser: Staff, query: dict[str, str], why: str) -> None:
        PaymentFactory()
        shown = superuser.payments(**query)
        assert f"Nothing was searched {why}" in shown
        assert "spelling" not in shown

    def test_without_a_match_name_what_was_asked_for(self, superuser: Staff) -> None:
        PaymentFactory()
        query = {"state": "CAPTURED", "created_to": "2020-01-01"}
        shown = superuser.payments(**query)
        asked = "state CAPTURED ( remove ), created to 2020-01-01 ( remove )"
        assert f"No payments match these filters Filters: {asked}" in shown
        assert "spelling" not in shown
        response = superuser.client.get(reverse(LIST), query)
        [(_, without), _] = response.context["cl"].filters_in_words
        assert without == "?created_to=2020-01-01"

    def test_by_merchant(self, superuser: Staff) -> None:
        PaymentFactory(order_id="ours")
        other = MerchantFactory(slug="other", name="Other")
        PaymentFactory(order_id="theirs", merchant=other)
        assert superuser.found(merchant=other.pk) == ["theirs"]

    def test_by_what_needs_attention(self, superuser: Staff) -> None:
        past = datetime.now(UTC) - timedelta(minutes=1)
        doubtful = PaymentFactory(authorized=True, order_id="in doubt")
        OperationFactory(payment=doubtful, kind=OperationKind.CAPTURE, lease_expires_at=past)
        in_flight = PaymentFactory(authorized=True, order_id="in flight")
        OperationFactory(payment=in_flight, kind=OperationKind.CAPTURE)
        OperationFactory(payment=in_flight, kind=OperationKind.RELEASE, lease_epoch=0, lease_expires_at=past)
        reviewed = PaymentFactory(authorized=True, order_id="needs staff")
        OperationFactory(payment=reviewed, kind=OperationKind.VOID, needs_review=True, lease_expires_at=past)
        awaiting = PaymentFactory(declined=True, order_id="awaiting")
        OperationFactory(payment=awaiting, declined=True, strays_awaited=1)
        assert superuser.found(attention="in_doubt") == ["in doubt"]
        assert superuser.found(attention="needs_review") == ["needs staff"]
        assert superuser.found(attention="awaiting_statement") == ["awaiting"]
        assert superuser.found(attention="awaiting_statement", state="CAPTURED") == []

    def test_by_days_in_utc_with_the_last_one_included(self, superuser: Staff) -> None:
        midnight = datetime(2026, 11, 21, tzinfo=UTC)
        tick = timedelta(microseconds=1)
        PaymentFactory(order_id="day before", created_at=midnight - tick)
        PaymentFactory(order_id="first", created_at=midnight)
        PaymentFactory(order_id="last", created_at=midnight + timedelta(days=1) - tick)
        PaymentFactory(order_id="day after", created_at=midnight + timedelta(days=1))
        assert superuser.found(created_from="2026-11-21", created_to="2026-11-21") == ["last", "first"]
        assert superuser.found(created_to="2026-11-20") == ["day before"]
        assert superuser.found(created_from="2026-11-22") == ["day after"]

    def test_by_days_of_the_zone_that_the_address_names(self, superuser: Staff) -> None:
        """Berlin's shortest day: at two o'clock in the night it is three."""
        midnight = datetime(2026, 3, 28, 23, tzinfo=UTC)
        tick = timedelta(microseconds=1)
        PaymentFactory(order_id="day before", created_at=midnight - tick)
        PaymentFactory(order_id="first", created_at=midnight)
        PaymentFactory(order_id="last", created_at=midnight + timedelta(hours=23) - tick)
        PaymentFactory(order_id="day after", created_at=midnight + timedelta(hours=23))
        day = {"created_from": "2026-03-29", "created_to": "2026-03-29"}
        assert superuser.found(**day, zone="Europe/Berlin") == ["last", "first"]
        assert superuser.found(**day) == ["day after", "last"]
        assert superuser.found(**day, zone="UTC") == ["day after", "last"]

    def test_by_what_was_reached_on_days_of_a_zone(self, superuser: Staff) -> None:
        PaymentFactory(captured=True, order_id="late", at=datetime(2026, 11, 21, 23, 30, tzinfo=UTC))
        asked = {"reached": "CAPTURED", "reached_from": "2026-11-22"}
        assert superuser.found(**asked) == []
        assert superuser.found(**asked, zone="Europe/Berlin") == ["late"]

    @pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "europe/berlin", "\x00"])
    def test_by_days_of_no_zone_find_nothing_and_say_so(self, superuser: Staff, zone: str) -> None:
        PaymentFactory()
        assert superuser.found(created_from="2020-01-01", zone=zone) == []
        shown = superuser.payments(created_from="2020-01-01", zone=zone)
        assert "Nothing was searched Unknown time zone. Choose UTC." in shown
        assert len(superuser.found(zone=zone)) == 1  # where no day is asked for, none is needed

    def test_say_in_the_form_whose_days_they_are(self, superuser: Staff) -> None:
        assert "Days in UTC Reached" in superuser.payments()
        page = superuser.client.get(reverse(LIST), {"created_from": "2026-11-21", "zone": "Asia/Tokyo"})
        assert "<option selected>Asia/Tokyo</option>" in page.content.decode()

    def test_together_with_a_search(self, superuser: Staff) -> None:
        PaymentFactory(declined=True, order_id="no", customer_id="kim")
        PaymentFactory(captured=True, order_id="yes", customer_id="kim")
        PaymentFactory(captured=True, order_id="other", customer_id="joe")
        assert superuser.found(q="kim", state="CAPTURED") == ["yes"]

    def test_are_kept_in_the_form_and_on_the_next_page(self, superuser: Staff) -> None:
        for _ in range(26):
            PaymentFactory(failed=True, customer_id="kim")
        page = superuser.client.get(reverse(LIST), {"state": "FAILED", "q": "kim"}).content.decode()
        assert '<option value="FAILED" selected>' in page
        assert "?p=2&amp;q=kim&amp;state=FAILED" in page

    @pytest.mark.parametrize(
        "query",
        [
            {"state": "BOUGHT"},
            {"mode": "\x00"},
            {"merchant": "0"},
            {"merchant": "x' OR 1=1"},
            {"attention": "no"},
        ],
    )
    def test_find_nothing_by_a_value_that_does_not_exist(
        self, superuser: Staff, query: dict[str, str]
    ) -> None:
        PaymentFactory()
        assert superuser.found(**query) == []

    @pytest.mark.parametrize("day", ["21.11.2026", "2026-02-30", "9999-12-31", "\x00"])
    def test_say_how_a_day_is_written(self, superuser: Staff, day: str) -> None:
        PaymentFactory()
        assert superuser.found(created_to=day) == []
        assert superuser.payments(created_to=day).count("Write days as year-month-day") == 1

    def test_survive_a_day_before_the_calendar_begins(self, superuser: Staff) -> None:
        assert "Write days" in superuser.payments(created_from="0001-01-01", zone="Asia/Tokyo")

    @pytest.mark.parametrize("lookup", ["description__contains", "merchant__api_keys__digest", "metadata__a"])
    def test_are_the_only_lookups_there_are(self, superuser: Staff, lookup: str) -> None:
        """Django's admin would take any lookup on a payment's own columns from the address."""
        response = superuser.client.get(reverse(LIST), {lookup: "x"})
        assert response.status_code == 400


class TestTime:
    def test_that_a_search_takes_is_bounded(self, superuser: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
        PaymentFactory(customer_id="kim")

        def slowly(admin: object, request: HttpRequest) -> QuerySet[Payment]:
            return Payment.objects.extra(where=["pg_sleep(5) IS NULL"])

        monkeypatch.setattr(payments_admin.PaymentAdmin, "get_queryset", slowly)
        monkeypatch.setattr(payments_admin, "LONGEST_STATEMENT_MS", 50)
        response = superuser.client.get(reverse(LIST), {"q": "kim"})
        assert response.status_code == 503
        assert "The search took too long" in response.content.decode()
        assert "Limit the search to some days" in response.content.decode()


class TestPages:
    def test_lead_to_the_next_and_back(self, superuser: Staff) -> None:
        for number in range(26):
            PaymentFactory(order_id=f"order-{number}")
        assert superuser.found(p=2) == ["order-0"]
        assert "26 payments Page 1 of 2 Next" in superuser.payments()
        assert "26 payments Previous Page 2 of 2" in superuser.payments(p=2)

    def test_end_where_counting_does(self, superuser: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(read_only, "COUNTED_AT_MOST", 50)
        for _ in range(51):
            PaymentFactory()
        shown = superuser.payments()
        assert "50 or more payments. Narrow the list" in shown
        assert "Page 1 of 2" in shown

    @pytest.mark.parametrize(
        ("asked", "shown", "rows"), [("99", "2 of 2", 1), ("0", "1 of 2", 25), ("-3", "1 of 2", 25)]
    )
    def test_that_do_not_exist_say_so_and_keep_the_filter(
        self, superuser: Staff, asked: str, shown: str, rows: int
    ) -> None:
        PaymentFactory(declined=True)
        for _ in range(26):
            PaymentFactory(failed=True, customer_id="kim")
        query = {"q": "kim", "state": "FAILED", "p": asked}
        response = superuser.client.get(reverse(LIST), query)
        assert len(response.context["cl"].result_list) == rows
        page = response.content.decode()
        assert f"There is no page {asked}. This is page {shown}." in page
        assert '<option value="FAILED" selected>' in page

    def test_that_do_not_exist_where_there_is_one_say_so(self, superuser: Staff) -> None:
        PaymentFactory(order_id="the one")
        assert superuser.found(p=7) == ["the one"]
        assert "There is no page 7. This is page 1 of 1" in superuser.payments(p=7)


class TestWhatNobodyAsksFor:
    @pytest.mark.parametrize(
        "query",
        [
            {"q": "x", "state": "NOPE"},
            {"q": "x", "created_to": "2026-13-01"},
            {"q": "5000", "merchant": "0"},
            {"q": "x", "reached": "CAPTURED", "reached_from": "x"},
            {"state": "\x00"},
        ],
    )
    def test_a_search_through_a_filter_that_lets_nothing_pass_finds_nothing(
        self, superuser: Staff, query: dict[str, str]
    ) -> None:
        PaymentFactory()
        shown = superuser.payments(**query)
        assert "Nothing was searched" in shown
        assert "spelling" not in shown

    @pytest.mark.parametrize("lookup", ["digest__startswith", "mode", "merchant__slug"])
    def test_other_lists_take_no_filter_from_the_address(self, superuser: Staff, lookup: str) -> None:
        ApiKeyFactory()
        for value in ("a", "\x00"):
            answer = superuser.client.get("/admin/payments/apikey/", {lookup: value})
            assert answer.status_code == 400
