"""One payment: its receipt and its timeline."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from office.payments import timeline
from office.payments.timeline import timeline_of
from payments.domain.states import Mode, OperationKind, OperationState, PaymentState
from payments.models import ApiRequest, Event, Payment
from tests.office.pages.conftest import LIST, PAGE, Staff, text_of
from tests.support.factories import AttemptFactory, EventFactory, OperationFactory, PaymentFactory
from tests.support.searchable import make_searchable

# Session, user, the payment, its operations, their attempts, its events, those of its order and its likely
# duplicates, what waits for a second person, its entries and differences, those in the menu. However long
# its history is.
STATEMENTS = 23
Assertion = Callable[[int], AbstractContextManager[None]]
BEGIN = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def make_request(payment: Payment, **fields: Any) -> None:
    ApiRequest.objects.create(
        payment=payment, kind="capture", actor="api_key:1", request_id="request-2", **fields
    )


@pytest.fixture
def captured(db: None) -> Payment:
    """A payment that was authorized at the third attempt and captured at the first."""
    payment = PaymentFactory(
        captured=True,
        created_at=BEGIN,
        at=after(3),
        customer_email="kim@example.com",
        metadata={"cart": "c-19"},
        card_last4="4242",
    )
    authorize = OperationFactory(
        payment=payment, succeeded=True, created_at=BEGIN, finished_at=after(3), actor="api_key:7"
    )
    AttemptFactory(operation=authorize, not_sent=True, started_at=after(0.001), reply="connection refused")
    EventFactory(payment=payment, type=Event.Type.PAYMENT_CREATED, operation=authorize, at=after(0.002))
    AttemptFactory(
        operation=authorize,
        number=2,
        silent=True,
        started_at=after(1),
        reply="read timeout",
        duration_ms=1234,
    )
    AttemptFactory(operation=authorize, number=3, started_at=after(2), is_replay=True, reply="200 replayed")
    EventFactory(
        payment=payment,
        type=Event.Type.PAYMENT_AUTHORIZED,
        operation=authorize,
        at=after(3),
        evidence={"attempt": 3, "status": 200, "replayed": True},
    )
    capture = OperationFactory(
        payment=payment,
        kind=OperationKind.CAPTURE,
        succeeded=True,
        created_at=after(60),
        finished_at=after(61),
    )
    AttemptFactory(operation=capture, started_at=after(60.5))
    EventFactory(payment=payment, type=Event.Type.PAYMENT_CAPTURED, operation=capture, at=after(61))
    return payment


class TestReceipt:
    def test_shows_its_facts(self, superuser: Staff, captured: Payment) -> None:
        shown = superuser.page(captured)
        for part in (
            captured.public_id,
            captured.order_id,
            captured.bank_authorization_id,
            captured.bank_capture_id,
            *(
                "$50.00",
                "CAPTURED",
                "Money moved yes",
                "visa •••• 4242",
                "12/2030",
                "kim@example.com",
                "cart: c-19",
            ),
            *("Created 2026-11-21 09:30:00 UTC", "Captured 2026-11-21 09:30:03 UTC", "FicMart, live mode"),
        ):
            assert part in shown, part

    def test_says_that_money_is_in_doubt(self, superuser: Staff, captured: Payment) -> None:
        OperationFactory(payment=captured, kind=OperationKind.REFUND)
        shown = superuser.page(captured)
        assert "CAPTURED refund pending" in shown
        assert "Money moved unknown" in shown

    def test_says_why_the_issuer_declined(self, superuser: Staff) -> None:
        payment = PaymentFactory(declined=True, decline_code="insufficient_funds")
        assert "The card has insufficient funds. (insufficient_funds)" in superuser.page(payment)

    @pytest.mark.parametrize(
        ("code", "why"), [("insufficient_funds", "insufficient funds"), ("invalid_cvv", "invalid CVV")]
    )
    def test_says_why_the_issuer_declined_in_the_first_sentence(
        self, superuser: Staff, code: str, why: str
    ) -> None:
        payment = PaymentFactory(declined=True, decline_code=code)
        said = f"The issuer declined it: {why}. No money was taken."
        assert said in superuser.page(payment)

    def test_says_on_top_that_a_test_moved_no_real_money(self, superuser: Staff) -> None:
        tested = superuser.page(PaymentFactory(mode=Mode.TEST))
        assert tested.index("No real money: this is a test payment.") < tested.index("Money moved")
        assert "No real money" not in superuser.page(PaymentFactory())

    def test_links_to_the_others_of_its_order_and_its_customer(self, superuser: Staff) -> None:
        payment = PaymentFactory(order_id="a b&c", customer_id="kim", mode=Mode.TEST)
        page = superuser.client.get(reverse(PAGE, args=[payment.pk])).content.decode()
        for query in ("q=a+b%26c&amp;mode=test", "q=kim&amp;mode=test"):
            assert f'href="{reverse(LIST)}?{query}"' in page

    def test_shows_the_marks_that_turn_a_description_around(self, superuser: Staff) -> None:
        payment = PaymentFactory(
            order_id="a\u202eb", description="paid \u202e00.5$", metadata={"k\u200b": "v\u2066"}
        )
        response = superuser.client.get(reverse(PAGE, args=[payment.pk]))
        shown = text_of(response.content.decode())
        assert "paid U+202E 00.5$" in shown
        assert "k U+200B : v U+2066" in shown
        assert not {"\u202e", "\u2066", "\u200b"} & set(shown)
        assert "a U+202E b" in superuser.payments(mode="test") + superuser.payments()
        assert "<bdi>" in response.content.decode()

    def test_shows_a_foreign_script_as_it_is(self, superuser: Staff) -> None:
        assert "שלום Jürgen 👩‍🚀" in superuser.page(PaymentFactory(description="שלום Jürgen 👩‍🚀"))

    def test_is_found_by_its_public_id(self, superuser: Staff, captured: Payment) -> None:
        assert captured.order_id in superuser.read(reverse(PAGE, args=[captured.public_id]))

    @pytest.mark.parametrize("wrong", ["pay_" + "0" * 32, "nonsense", "1"])
    def test_of_nobody_leads_back_to_the_list_with_advice(self, superuser: Staff, wrong: str) -> None:
        response = superuser.client.get(reverse(PAGE, args=[wrong]), follow=True)
        assert response.redirect_chain[-1][0] == reverse(LIST)
        assert "There is no such payment" in response.content.decode()

    def test_runs_nothing_that_a_merchant_wrote(self, superuser: Staff) -> None:
        payment = PaymentFactory(
            order_id="<b>o", description="<script>alert(1)</script>", metadata={"<i>": "<u>"}
        )
        page = superuser.client.get(reverse(PAGE, args=[payment.pk])).content.decode()
        for part in ("<b>o", "<script>alert", "<i>", "<u>"):
            assert part not in page


class TestRelated:
    def test_lists_the_others_of_its_order(self, superuser: Staff) -> None:
        declined = PaymentFactory(declined=True, order_id="order-7")
        PaymentFactory(declined=True, order_id="order-7", mode=Mode.TEST)
        payment = PaymentFactory(authorized=True, order_id="order-7", amount_minor=4900)
        shown = superuser.page(payment)
        assert f"{declined.public_id} order-7 (same order) $50.00 DECLINED" in shown
        assert shown.count("(same order)") == 1
        assert "DECLINED likely duplicate" not in shown
        assert "Related payments" not in superuser.page(PaymentFactory(order_id="alone", amount_minor=1))

    def test_marks_a_likely_duplicate(self, superuser: Staff) -> None:
        twice = [PaymentFactory(captured=True, order_id=f"click-{number}") for number in (1, 2)]
        for one, other in (twice, reversed(twice)):
            marked = f"{other.public_id} {other.order_id} $50.00 CAPTURED likely duplicate"
            assert marked in superuser.page(one)

    @pytest.mark.parametrize(
        "other",
        [
            {"amount_minor": 5001},
            {"card_last4": "1112"},
            {"card_expiry_year": 2031},
            {"created_at": BEGIN + timedelta(hours=25)},
            {"mode": Mode.TEST},
            {"state": PaymentState.REFUNDED},
            {"state": PaymentState.FAILED},
        ],
    )
    def test_marks_nothing_else(self, superuser: Staff, other: dict[str, Any]) -> None:
        payment = PaymentFactory(captured=True, created_at=BEGIN)
        PaymentFactory(**{"state": PaymentState.CAPTURED, "created_at": BEGIN} | other)
        assert "CAPTURED likely duplicate" not in superuser.page(payment)


class TestTimeline:
    def test_is_one_list_in_order_of_time(self, captured: Payment) -> None:
        assert [
            (entry.sort, entry.title)
            for entry in timeline_of(captured, list(captured.operations.order_by("created_at")))
        ] == [
            ("request", "API request to authorize"),
            ("operation", "Authorize recorded, to be sent to ficmart"),
            ("attempt", "Authorize, attempt 1"),
            ("event", "Payment created"),
            ("attempt", "Authorize, attempt 2"),
            ("attempt", "Authorize, attempt 3"),
            ("event", "Payment authorized"),
            ("request", "API request to capture"),
            ("operation", "Capture recorded, to be sent to ficmart"),
            ("attempt", "Capture, attempt 1"),
            ("event", "Payment captured"),
        ]

    def test_shows_what_is_known_of_every_attempt(self, superuser: Staff, captured: Payment) -> None:
        shown = superuser.page(captured)
        reference = captured.bank_authorization_id
        for part in (
            "09:30:00.001 UTC Authorize, attempt 1 Not sent Reply connection refused Duration 120 ms",
            "09:30:01.000 UTC Authorize, attempt 2 Silent Reply read timeout Duration 1,234 ms "
            "In doubt yes, the bank may have executed it",
            "Authorize, attempt 3 Replied Said approved Reply 200 replayed HTTP status 200 "
            f"Bank reference {reference} "
            "Stored reply yes, to an earlier attempt Duration 120 ms",
        ):
            assert part in shown, part

    def test_shows_who_and_the_evidence(self, superuser: Staff, captured: Payment) -> None:
        shown = superuser.page(captured)
        assert "Actor api_key:7 Request request-1" in shown
        assert "Payment authorized Operation authorize Status 200 Attempt 3 Replayed yes" in shown

    def test_shows_an_attempt_without_an_end_as_in_doubt(self, superuser: Staff) -> None:
        payment = PaymentFactory()
        AttemptFactory(operation=OperationFactory(payment=payment, due_at=after(60)), unended=True)
        shown = superuser.page(payment)
        assert "attempt 1 end not recorded In doubt yes" in shown
        assert "Next attempt not before 2026-11-21 09:31:00 UTC" in shown

    def test_shows_operations_under_review_and_awaiting_the_statement(self, superuser: Staff) -> None:
        payment = PaymentFactory(captured=True)
        OperationFactory(payment=payment, kind=OperationKind.REFUND, needs_review=True, strays_awaited=1)
        shown = superuser.page(payment)
        assert "NEEDS_REVIEW" in shown
        assert "Awaiting statement 1 possible hold without a reply" in shown

    def test_says_where_it_leaves_requests_out(
        self, superuser: Staff, captured: Payment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(timeline, "REQUESTS_AT_MOST", 2)
        for number in range(2):
            make_request(captured, status=409 + number, responded_at=after(100 + number))
        assert "are not shown" not in superuser.page(captured)
        make_request(captured, status=422, responded_at=after(102))
        assert (
            "09:31:01.000 UTC Payment captured Operation capture Actor api_key:1 Request request-1 "
            "Older API requests are not shown, only the newest 2. "
            "2026-11-21 09:31:41.000 UTC API request to capture, response 410"
        ) in superuser.page(captured)

    def test_says_so_where_nothing_was_recorded(self, superuser: Staff) -> None:
        assert "No history is recorded for this payment" in superuser.page(PaymentFactory())

    def test_costs_the_same_for_short_and_long_histories(
        self, superuser: Staff, captured: Payment, django_assert_num_queries: Assertion
    ) -> None:
        for number in range(5):
            kind, state = OperationKind.REFUND, OperationState.NOT_EXECUTED
            refund = OperationFactory(
                payment=captured, kind=kind, state=state, created_at=after(100 + number)
            )
            EventFactory(payment=captured, type=Event.Type.REFUND_NOT_EXECUTED, operation=refund)
            for attempt in range(1, 8):
                AttemptFactory(operation=refund, number=attempt, not_sent=True)
        make_searchable()
        superuser.client.is_followed = False
        with django_assert_num_queries(STATEMENTS):
            superuser.page(captured)
