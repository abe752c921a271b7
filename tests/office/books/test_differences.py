"""The queue of differences: who sees what, and what they do about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from office.search.follow import catch_up
from payments.domain.states import OperationKind
from payments.models import Event
from reconciliation.models import Difference
from tests.office.pages.conftest import Staff, text_of
from tests.support.book_factories import (
    DifferenceEventFactory,
    DifferenceFactory,
    RunFactory,
    StatementLineFactory,
)
from tests.support.factories import MerchantFactory, OperationFactory, PaymentFactory

LIST = "/admin/reconciliation/difference/"
Kind = Difference.Kind
# Looks like a card: sixteen digits, Visa's first, Luhn-valid. Nobody's.
CARD_NUMBER = "4539578763621486"


def page_of(difference: Difference) -> str:
    return reverse("admin:reconciliation_difference_change", args=[difference.pk])


def listed(staff: Staff, **query: Any) -> list[int]:
    response = staff.client.get(LIST, query_params=query)
    assert response.status_code == 200, response
    return [one.pk for one in response.context["cl"].result_list]


class TestTheQueue:
    def test_has_open_cases_oldest_first_with_what_to_do(self, support: Staff) -> None:
        now = datetime.now(UTC)
        young = DifferenceFactory(happened_at=now - timedelta(hours=3), assigned=True)
        old = DifferenceFactory(happened_at=now - timedelta(days=4), amount_minor=123_400)
        DifferenceFactory(resolved=True)
        DifferenceFactory(bank="sandbox")
        assert listed(support) == [old.pk, young.pk]
        shown = support.read(LIST)
        assert "A hold that no payment claims" in shown
        assert f"{old.line.reference} open $1,234.00 ficmart 4 d 0 h none Void the hold" in shown

    def test_is_narrowed_by_kind_state_bank_and_mode(self, support: Staff) -> None:
        hold = DifferenceFactory()
        captured = DifferenceFactory(kind=Kind.CAPTURED_OUTSIDE)
        ended = DifferenceFactory(accepted=True)
        test = DifferenceFactory(bank="sandbox")
        assert listed(support, kind="captured_outside") == [captured.pk]
        assert listed(support, state="ACCEPTED") == [ended.pk]
        assert listed(support, bank="ficmart") == [hold.pk, captured.pk]
        assert listed(support, mode="test") == [test.pk]
        assert listed(support, state="all") == [hold.pk, captured.pk, ended.pk]
        assert "Unknown kind. Choose another." in support.read(LIST, kind="nothing")

    def test_is_searched_by_reference_payment_order_and_operation(self, support: Staff) -> None:
        payment = PaymentFactory(captured=True, order_id="order-77")
        capture = OperationFactory(payment=payment, kind=OperationKind.CAPTURE, succeeded=True)
        ours = DifferenceFactory(kind=Kind.MISSING_AT_BANK, line=None, operation=capture)
        hold = DifferenceFactory()
        catch_up()
        for text in ("order-77", payment.public_id, capture.public_id, capture.bank_reference):
            assert listed(support, about=text) == [ours.pk], text
        assert listed(support, about=f" {hold.line.reference} ") == [hold.pk]
        assert listed(support, about="order-7") == []
        assert "Without a state, only open cases are searched" in support.read(LIST, about="order-7")

    def test_is_not_searched_by_a_card_number(self, support: Staff) -> None:
        refused = support.client.post(
            f"{LIST}search/", {"about": CARD_NUMBER, "bank": "ficmart"}, follow=True
        )
        assert refused.redirect_chain == [(LIST, 302)]
        assert "Your search contained a card number" in text_of(refused.content.decode())
        assert support.client.get(LIST, query_params={"about": CARD_NUMBER}).status_code == 400
        asked = support.client.post(f"{LIST}search/", {"about": "order-7", "bank": "ficmart", "kind": ""})
        assert asked["Location"] == f"{LIST}?about=order-7&bank=ficmart"

    def test_is_searched_by_those_who_may_see_it(self, db: None) -> None:
        stranger = Staff(User.objects.create_user("joe", password="x", is_staff=True))
        assert stranger.client.post(f"{LIST}search/", {"about": "order-7"}).status_code == 403

    def test_leaves_out_of_its_address_what_was_not_chosen(self, support: Staff) -> None:
        response = support.client.get(LIST, query_params={"kind": "", "bank": "ficmart"})
        assert response["Location"] == f"{LIST}?bank=ficmart"

    def test_counts_open_cases_of_real_money_in_the_menu(self, support: Staff) -> None:
        assert "Differences fact_check" in support.read(LIST)
        DifferenceFactory()
        DifferenceFactory(bank="sandbox")
        assert "Differences 1 fact_check" in support.read(LIST)


class TestItsPage:
    def test_shows_both_sides_and_how_it_went_on(self, support: Staff) -> None:
        payment = PaymentFactory(captured=True, order_id="order-77")
        capture = OperationFactory(payment=payment, kind=OperationKind.CAPTURE, succeeded=True)
        line = StatementLineFactory(of=capture, amount_minor=4000)
        evidence = {
            "bank": {"word": "CAPTURE", "amount_minor": 4000},
            "books": {"seen_at": "2026-11-22T08:00:00+00:00"},
        }
        difference = DifferenceFactory(
            kind=Kind.AMOUNT_MISMATCH, line=line, operation=capture, evidence=evidence, found_by=RunFactory()
        )
        DifferenceEventFactory(difference=difference, actor="worker")
        page = support.client.get(page_of(difference)).content.decode()
        shown = text_of(page)
        assert "Ask the bank for the right amount" in shown
        assert page.count(f"Another amount: {line.reference}") >= 2  # in the title and the header
        assert f"Line capture {line.reference} Names {line.target_reference} Amount $40.00" in shown
        assert f"Statement {line.file.name} , line {line.number} Word CAPTURE" in shown
        assert f"Operation capture {capture.public_id} State SUCCEEDED" in shown
        assert "Order order-77 Amount $50.00" in shown
        assert "Seen at 2026-11-22 08:00:00 UTC" in shown
        assert "Found worker" in shown
        for name, of in (
            ("payments_payment", payment),
            ("reconciliation_statementfile", line.file),
            ("reconciliation_run", difference.found_by),
        ):
            assert reverse(f"admin:{name}_change", args=[of.pk]) in page

    def test_says_what_the_run_saw_where_a_side_has_no_row(self, support: Staff) -> None:
        seen = {"amount_minor": 4000, "currency": "USD", "reference": "cap_1", "nothing": None}
        shown = support.read(page_of(DifferenceFactory(evidence={"books": seen})))
        assert "Our books Currency USD Reference cap_1 Amount $40.00" in shown
        assert "Our books Have nothing about this" in support.read(page_of(DifferenceFactory()))

    def test_leads_to_what_closes_it(self, finance: Staff) -> None:
        hold = DifferenceFactory()
        page = finance.client.get(page_of(hold)).content.decode()
        assert f"stray-hold/?bank=ficmart&amp;reference={hold.line.reference}" in page
        day = DifferenceFactory(
            kind=Kind.STATEMENT_MISSING,
            line=None,
            bank="ficmart",
            amount_minor=None,
            currency="",
            happened_at=datetime(2026, 11, 21, tzinfo=UTC),
        )
        page = finance.client.get(page_of(day)).content.decode()
        assert "statementfile/upload/?bank=ficmart&amp;day=2026-11-21" in page
        DifferenceFactory()
        closed = DifferenceFactory(accepted=True)
        shown = finance.read(page_of(closed))
        assert "Accepted because: The bank wrote it off. It happened at" in shown
        assert "Void the hold" not in shown

    def test_fills_the_hold_in_where_it_is_voided(self, superuser_of_books: Staff) -> None:
        MerchantFactory()  # with a route to the bank
        hold = DifferenceFactory()
        page = superuser_of_books.client.get(
            "/admin/payments/payment/stray-hold/",
            query_params={"bank": "ficmart", "reference": hold.line.reference},
        ).content.decode()
        assert f'value="{hold.line.reference}"' in page
        assert '<option value="ficmart" selected>' in page

    def test_is_on_the_page_of_its_payment(self, support: Staff) -> None:
        capture = OperationFactory(
            payment=PaymentFactory(captured=True), kind=OperationKind.CAPTURE, succeeded=True
        )
        difference = DifferenceFactory(kind=Kind.MISSING_AT_BANK, line=None, operation=capture)
        page = support.client.get(reverse("admin:payments_payment_change", args=[capture.payment_id]))
        assert page_of(difference) in page.content.decode()

    def test_is_not_found_by_nonsense(self, support: Staff) -> None:
        for address in (f"{LIST}999/change/", f"{LIST}abc/change/"):
            assert support.client.get(address)["Location"] == LIST


class TestSteps:
    def test_take_give_back_and_take_over(self, finance: Staff, lead: Staff) -> None:
        difference = DifferenceFactory()
        page = page_of(difference)
        assert "Take</button>" in finance.client.get(page).content.decode()
        self._post(finance, difference, "take", owner="")
        assert "Owner: fin." in lead.read(page)
        assert "Take over</button>" in lead.client.get(page).content.decode()
        fin = User.objects.get(username="fin")
        self._post(lead, difference, "take", owner=str(fin.pk))
        assert "Owner: flo." in lead.read(page)
        self._post(lead, difference, "give-back")
        difference.refresh_from_db()
        assert (difference.state, difference.owner) == ("OPEN", None)
        logged = Event.objects.filter(evidence__difference=str(difference.pk)).order_by("id")
        assert [(one.type, one.actor, one.evidence.get("taken_from")) for one in logged] == [
            ("difference.assigned", "staff:fin", None),
            ("difference.assigned", "staff:flo", "fin"),
            ("difference.given_back", "staff:flo", None),
        ]

    def test_nobody_takes_what_another_has_taken_meanwhile(self, finance: Staff, lead: Staff) -> None:
        difference = DifferenceFactory()
        self._post(finance, difference, "take", owner="")
        page = self._post(lead, difference, "take", owner="")
        assert "Nothing changed. The case belongs to fin now." in page
        assert "Nothing changed. The case is not yours." in self._post(lead, difference, "give-back")
        assert Event.objects.filter(type=Event.Type.DIFFERENCE_ASSIGNED).count() == 1

    def test_accept_asks_for_a_reason_and_again(self, finance: Staff) -> None:
        difference = DifferenceFactory()
        accept = f"{LIST}{difference.pk}/accept/"
        asked = finance.client.post(accept, {"reason": "Written off."}, follow=True)
        assert "What will happen" in text_of(asked.content.decode())
        assert Difference.objects.get().state == "OPEN"
        done = finance.client.post(accept, {"reason": "Written off.", "confirmed": "yes"}, follow=True)
        assert "The difference is accepted." in text_of(done.content.decode())
        difference.refresh_from_db()
        assert (difference.state, difference.reason) == ("ACCEPTED", "Written off.")
        assert Event.objects.get(type=Event.Type.DIFFERENCE_ACCEPTED).evidence["reason"] == "Written off."
        again = finance.client.post(accept, {"reason": "x", "confirmed": "yes"}, follow=True)
        assert "Nothing changed. This case is already ACCEPTED." in text_of(again.content.decode())

    def test_anothers_case_is_accepted_only_knowingly(self, lead: Staff) -> None:
        difference = DifferenceFactory(assigned=True)
        accept = f"{LIST}{difference.pk}/accept/"
        lead.client.post(accept, {"reason": "Written off.", "confirmed": "yes"})
        assert Difference.objects.get().state == "ASSIGNED"
        lead.client.post(accept, {"reason": "Written off.", "confirmed": "yes", "anothers_case": "on"})
        assert Difference.objects.get().state == "ACCEPTED"

    def test_are_not_for_those_who_only_view(self, support: Staff) -> None:
        difference = DifferenceFactory()
        page = support.client.get(page_of(difference)).content.decode()
        assert "Take</button>" not in page
        assert "Accept" not in text_of(page)
        for step in ("take", "give-back", "accept"):
            assert support.client.post(f"{LIST}{difference.pk}/{step}/", {"reason": "x"}).status_code == 403

    def _post(self, staff: Staff, difference: Difference, step: str, **given: str) -> str:
        response = staff.client.post(f"{LIST}{difference.pk}/{step}/", given, follow=True)
        return text_of(response.content.decode())


@pytest.fixture
def superuser_of_books(db: None) -> Staff:
    return Staff(User.objects.create_superuser("ada", password="x"))
