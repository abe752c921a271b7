"""The back office on a phone, by keyboard and for a screen reader."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from payments.domain.states import Mode, OperationKind
from payments.models import Assignment, Payment, Resolution
from tests.office.browser.conftest import scrolls_sideways
from tests.support.factories import AttemptFactory, OperationFactory, PaymentFactory

LIST = "/admin/payments/payment/"
PHONE: Any = {"width": 390, "height": 844}
# Parts of the page that stick out of the screen, and amounts that stand on more than one line.
OUTSIDE = """() => [...document.querySelectorAll('main *')]
    .filter(one => one.offsetParent && one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.outerHTML.slice(0, 80))"""
BROKEN = """() => [...document.querySelectorAll('.ficpay-amount, .ficpay-number, td.ficpay-right')]
    .filter(one => {
        const range = document.createRange();
        const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
        const lines = new Set();
        while (texts.nextNode()) {
            if (texts.currentNode.data.trim() && !texts.currentNode.parentElement.closest('.ficpay-labels')) {
                range.selectNodeContents(texts.currentNode);
                [...range.getClientRects()].forEach(box => lines.add(Math.round(box.top / 8)));
            }
        }
        return lines.size > 1;
    })
    .map(one => one.innerText)"""


@pytest.fixture
def payment(transactional_db: None) -> Payment:
    """The longest values there can be, a likely duplicate, a case with a proposal."""
    now = datetime.now(UTC)
    largest: dict[str, Any] = {"amount_minor": 99_999_999, "card_last4": "4242", "created_at": now}
    payment = PaymentFactory(
        captured=True,
        order_id="W" * 64,
        customer_id="W" * 64,
        description="shoes" * 100,
        metadata={"k" * 40: "v" * 500},
        **largest,
    )
    PaymentFactory(captured=True, order_id="M" * 64, **largest)
    AttemptFactory(
        operation=OperationFactory(payment=payment, succeeded=True, created_at=now), started_at=now
    )
    refund = OperationFactory(payment=payment, kind=OperationKind.REFUND, needs_review=True)
    other = User.objects.create_user("W" * 150)
    Assignment.objects.create(operation=refund, owner=other)
    Resolution.objects.create(
        kind=Resolution.Kind.RECORD_NOT_EXECUTED,
        payment=payment,
        operation=refund,
        bank="ficmart",
        amount_minor=payment.amount_minor,
        currency="USD",
        reason="W" * 500,
        evidence="bank_word",
        quote="W" * 1000,
        proposed_by=other,
    )
    return payment


class TestOnAPhone:
    def test_everything_is_within_the_screen_and_amounts_stay_whole(
        self, signed_in: Page, payment: Payment
    ) -> None:
        page = signed_in
        PaymentFactory(mode=Mode.TEST)
        page.set_viewport_size(PHONE)
        for path in (
            *("/admin/", LIST, f"{LIST}?q=4242&mode=all", f"{LIST}?q=lost", f"{LIST}?p=9"),
            *(f"{LIST}{payment.public_id}/change/", f"{LIST}review/", f"{LIST}stray-hold/"),
            *("/admin/payments/event/", "/admin/payments/apikey/", "/admin/schedules/"),
        ):
            page.goto(path)
            page.evaluate("document.fonts.ready")
            assert not scrolls_sideways(page), path
            assert page.evaluate(OUTSIDE) == [], path
            assert page.evaluate(BROKEN) == [], path

    def test_cells_say_which_column_they_were_in(self, signed_in: Page, payment: Payment) -> None:
        signed_in.set_viewport_size(PHONE)
        signed_in.goto(f"{LIST}review/")
        amount = signed_in.locator("td.ficpay-right").first
        expect(amount).to_have_attribute("data-label", "Amount")


@pytest.mark.usefixtures("payment")
class TestByKeyboard:
    def test_the_first_stop_leads_past_the_menu(self, signed_in: Page, payment: Payment) -> None:
        page = signed_in
        page.goto(f"{LIST}{payment.public_id}/change/")
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_be_focused()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")

    def test_a_slash_leads_to_the_search_from_everywhere(self, signed_in: Page, payment: Payment) -> None:
        page = signed_in
        box = page.get_by_role("searchbox", name="Search")
        for path in ("/admin/", f"{LIST}{payment.public_id}/change/", "/admin/schedules/", LIST):
            page.goto(path)
            page.evaluate("document.activeElement.blur()")
            page.keyboard.press("/")
            expect(box).to_be_focused()
            expect(box).to_have_value("")

    def test_a_slash_in_a_field_is_a_slash(self, signed_in: Page, payment: Payment) -> None:
        page = signed_in
        page.goto(f"{LIST}{payment.public_id}/change/")
        note = page.get_by_label("Note for other staff")
        note.focus()
        page.keyboard.type("1/2")
        expect(note).to_have_value("1/2")

    def test_the_menu_opens_on_a_phone(self, signed_in: Page) -> None:
        page = signed_in
        page.set_viewport_size(PHONE)
        page.goto(LIST)
        menu = page.get_by_role("button", name="Menu", exact=True)
        menu.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Review queue")).to_be_visible()
        page.get_by_role("button", name="Close the menu").press("Enter")
        expect(page.get_by_role("link", name="Review queue")).to_be_hidden()


class TestForAScreenReader:
    def test_icons_are_decoration(self, signed_in: Page) -> None:
        """Links are called what they say, not `payments Payments`."""
        page = signed_in
        page.goto(LIST)
        expect(page.get_by_role("link", name="Payments", exact=True).first).to_be_visible()
        assert page.locator(".material-symbols-outlined:not([aria-hidden=true])").count() == 0
        assert page.get_by_role("main").count() == 1
