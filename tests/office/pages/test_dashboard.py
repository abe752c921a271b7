"""The admin's first page: what it shows, where its figures lead, and to whom."""

import html
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from office.dashboard import links
from office.pages.words import age
from payments.domain.states import Mode, OperationKind, PaymentState
from payments.models import Merchant, Payment
from tests.office.pages.conftest import Staff
from tests.support.factories import AttemptFactory, MerchantFactory, OperationFactory, PaymentFactory
from tests.support.searchable import make_searchable

PAGE = "/admin/"
# Session, user, her own and her groups' permissions, merchants, the database's clock; payments, money,
# operations, late holds, differences, banks.
STATEMENTS = 17
Assertion = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def now() -> datetime:
    """The middle of the part of today that is over, so that midnight is far enough."""
    midnight = datetime.combine(datetime.now(UTC), time.min, tzinfo=UTC)
    return midnight + (datetime.now(UTC) - midnight) / 2


def links_of(staff: Staff, section: str, **query: Any) -> dict[str, str]:
    """The links of one section of the page by their words."""
    page = staff.client.get(PAGE, query_params=query).content.decode()
    (part,) = re.findall(rf'<section[^>]*aria-labelledby="{section}".*?</section>', page, re.DOTALL)
    found = re.findall(r'<a href="([^"]+)"[^>]*>(.*?)</a>', part, re.DOTALL)
    return {re.sub(r"<[^>]+>|\s+", "", text): html.unescape(link) for link, text in found}


def counted(staff: Staff, link: str) -> int:
    """How many payments the list behind a link has."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    return len(staff.found(**query))


def refund(payment: Payment, at: datetime) -> None:
    OperationFactory(
        payment=payment,
        kind=OperationKind.REFUND,
        succeeded=True,
        amount_minor=payment.amount_minor,
        bank_reference=f"ref_{payment.pk}",
        finished_at=at,
    )


class TestDashboard:
    def test_shows_money_payments_and_declines_of_today(self, support: Staff, now: datetime) -> None:
        PaymentFactory(captured=True, created_at=now, at=now, amount_minor=123_456)
        PaymentFactory(declined=True, created_at=now)
        shown = support.read(PAGE)
        for part in (
            "Captured $1,234.56 1 payment",
            "Refunded $0.00 0 payments",
            "Decline rate 50.0% 1 of 2 decided",
            "CAPTURED 1 $1,234.56",
            "insufficient_funds 1 50.0%",
            f"UTC day {now.date()}",
        ):
            assert part in shown

    def test_shows_what_is_unsettled_and_since_when(self, support: Staff) -> None:
        asked = datetime.now(UTC) - timedelta(hours=3, seconds=30)
        OperationFactory(lease_expires_at=asked, created_at=asked)
        shown = support.read(PAGE)
        assert "In doubt WAITING 1 oldest 3 h 0 min" in shown.replace("waiting", "WAITING")
        assert "Needs review clear 0 None" in shown

    def test_shows_how_the_banks_behave(self, support: Staff) -> None:
        operation = OperationFactory()
        AttemptFactory(operation=operation, said="not_done")
        AttemptFactory(operation=operation, number=2)
        shown = support.read(PAGE)
        assert "ficmart Last hour 2 50.0% 1 0 0 120 ms 120 ms mostly unavailable" in shown

    def test_is_about_live_mode_and_switches_to_test_mode(self, support: Staff, now: datetime) -> None:
        PaymentFactory(captured=True, created_at=now, at=now)
        PaymentFactory(captured=True, created_at=now, at=now, mode=Mode.TEST, amount_minor=777)
        assert "$50.00" in support.read(PAGE)
        shown = support.read(PAGE, mode="test")
        assert "Test mode: no real money" in shown
        assert "Captured $7.77 1 payment" in shown
        assert "$50.00" not in shown

    def test_looks_back_seven_days(self, support: Staff, now: datetime) -> None:
        PaymentFactory(captured=True, created_at=now - timedelta(days=6), at=now - timedelta(days=6))
        PaymentFactory(created_at=now - timedelta(days=7))
        shown = support.read(PAGE, days=7)
        assert "Captured $50.00 1 payment" in shown
        assert "1 created in the last 7 days" in shown

    def test_narrows_to_a_merchant_where_there_are_several(self, support: Staff, now: datetime) -> None:
        PaymentFactory(created_at=now)
        assert "All merchants" not in support.read(PAGE)
        other = MerchantFactory(slug="other", name="Other")
        PaymentFactory(declined=True, created_at=now, merchant=other)
        assert "1 created today" in support.read(PAGE, merchant=other.pk)
        leads = links_of(support, "states", merchant=other.pk)
        assert f"merchant={other.pk}" in leads["1"]

    @pytest.mark.parametrize(
        "query", [{"mode": "\x00", "days": "9" * 400}, {"days": "-1", "merchant": "x' OR 1=1"}, {"o": "1.2"}]
    )
    def test_takes_what_it_does_not_know_for_nothing(self, support: Staff, query: dict[str, str]) -> None:
        assert "No payments today" in support.read(PAGE, **query)

    def test_costs_the_same_for_one_payment_and_for_many(
        self, support: Staff, now: datetime, django_assert_num_queries: Assertion
    ) -> None:
        for number in range(20):
            merchant = MerchantFactory(slug=f"merchant-{number % 4}")
            AttemptFactory(
                operation=OperationFactory(payment=PaymentFactory(merchant=merchant, created_at=now))
            )
        make_searchable()
        support.client.is_followed = False
        with django_assert_num_queries(STATEMENTS):
            support.read(PAGE, days=7)

    def test_has_no_script_and_no_style_of_its_own(self, support: Staff, now: datetime) -> None:
        """Both stay out where a strict Content-Security-Policy comes in."""
        PaymentFactory(declined=True, created_at=now)
        page = support.client.get(PAGE, {"days": 7}).content.decode()
        own = page.partition('id="content-main"')[2].partition('id="modal-overlay"')[0]
        assert "<svg" in own
        assert not re.findall(r"<script|<style|\sstyle=|\son\w+=|javascript:|x-data|https?://", own)


class TestLinks:
    """A figure leads to a list of as many payments."""

    @pytest.fixture(autouse=True)
    def payments(self, db: None, now: datetime) -> Merchant:
        other = MerchantFactory(slug="other", name="Other")
        for day in (0, 1, 6, 7):
            at = now - timedelta(days=day)
            for state in PaymentState:
                for mode in Mode:
                    paid = PaymentFactory(state=state, created_at=at, at=at, mode=mode)
                    if state == PaymentState.REFUNDED:
                        refund(paid, at)
            refund(PaymentFactory(refunded=True, created_at=at, at=now, merchant=other), now)
            PaymentFactory(declined=True, created_at=at, decline_code="card_expired", merchant=other)
        return other

    def test_of_states_and_declines(self, support: Staff) -> None:
        for days, mode, section in product((1, 7), Mode, ("states", "declines")):
            leads = links_of(support, section, days=days, mode=mode)
            assert leads, (days, mode, section)
            assert {number: counted(support, link) for number, link in leads.items()} == {
                number: int(number) for number in leads
            }, (days, mode, section)

    def test_of_money(self, support: Staff, payments: Merchant) -> None:
        for days, made in ((1, 1), (7, 3)):
            leads = links_of(support, "money", days=days, merchant=payments.pk)
            # All refunded today, on whichever day they were made.
            assert [counted(support, link) for link in leads.values()][:1] == [4], days
            assert "reached=" in next(iter(leads.values()))
            everybody = links_of(support, "money", days=days)
            assert sorted(counted(support, link) for link in everybody.values()) == sorted(
                (4 + 5 * made, 4 + 2 * made, 4 + made, 2 * made)
            ), days

    def test_of_days(self, support: Staff, now: datetime) -> None:
        leads = links_of(support, "chart", days=7)
        assert leads["10"].endswith("mode=live")
        assert counted(support, leads["10"]) == 10

    def test_of_what_is_unsettled(self, support: Staff) -> None:
        OperationFactory(needs_review=True)
        found = links_of(support, "attention").values()
        assert "/admin/payments/payment/?attention=needs_review&mode=live" in found


class TestTheFilterByWhatAPaymentReached:
    """Where figures of money lead."""

    @pytest.fixture(autouse=True)
    def payments(self, db: None) -> None:
        for state in PaymentState:
            PaymentFactory(state=state)

    @pytest.mark.parametrize("reached", ["VOIDED", "x", "\x00"])
    def test_finds_nothing_by_what_is_not_dated(self, support: Staff, reached: str) -> None:
        assert support.found(reached=reached) == []

    @pytest.mark.parametrize("day", ["21.11.2026", "9999-12-31", "\x00"])
    def test_says_how_a_day_is_written(self, support: Staff, day: str) -> None:
        query = {"reached": "CAPTURED", "reached_to": day}
        assert support.found(**query) == []
        assert support.payments(**query).count("Write days as year-month-day") == 1

    def test_stays_in_the_form(self, support: Staff) -> None:
        page = support.client.get("/admin/payments/payment/", {"reached": "CAPTURED"}).content.decode()
        assert '<option value="CAPTURED" selected>' in page
        assert 'name="decline_code"' not in page
        assert '<option value="CAPTURED">' in support.client.get("/admin/payments/payment/").content.decode()


class TestReviewQueue:
    @pytest.mark.parametrize(("address", "linked"), [("admin:index", True), ("admin:no_such_page", False)])
    def test_is_linked_where_there_is_one(
        self, support: Staff, monkeypatch: pytest.MonkeyPatch, address: str, linked: bool
    ) -> None:
        monkeypatch.setattr(links, "REVIEW_QUEUE", address)
        assert ("Review queue and owners" in support.read(PAGE)) is linked


class TestEmpty:
    def test_says_what_to_do(self, support: Staff) -> None:
        shown = support.read(PAGE)
        for part in ("No payments today", "API documentation", "Show the last 7 days", "Show test mode"):
            assert part in shown
        assert "No payments in the last 7 days" in support.read(PAGE, days=7)

    def test_still_shows_money_of_older_payments(self, support: Staff, now: datetime) -> None:
        PaymentFactory(captured=True, created_at=now - timedelta(days=3), at=now)
        shown = support.read(PAGE)
        assert "Captured $50.00 1 payment" in shown
        assert "No payments today" in shown


class TestWhoMayLook:
    def test_a_stranger_on_the_staff_sees_no_figures(self, stranger: Staff, now: datetime) -> None:
        PaymentFactory(captured=True, created_at=now, at=now)
        shown = stranger.read(PAGE)
        assert "Welcome, joe" in shown
        assert "Can view payment" in shown
        assert "$50.00" not in shown

    def test_others_are_asked_to_sign_in(self, client: Any) -> None:
        assert client.get(PAGE)["Location"].startswith("/admin/login/")


class TestAge:
    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (11_100, "3 h 5 min"),
            (187_200, "2 d 4 h"),
        ],
    )
    def test_is_told_in_two_units(self, seconds: int, words: str) -> None:
        assert age(timedelta(seconds=seconds)) == words
