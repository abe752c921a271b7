"""Deciding by keyboard, on a phone, and with the browser's Back."""

import os
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from payments.domain.states import OperationKind
from payments.models import Event, Operation, Payment, Resolution
from tests.office.browser.conftest import hardly_legible, log_in, scrolls_sideways
from tests.office.decisions.cases import lost_capture
from tests.office.decisions.members import Member
from tests.support.api_client import ApiClient
from tests.support.factories import OperationFactory, PaymentFactory
from tests.support.simulated_bank import SimulatedBank

PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}
OUTSIDE = """() => [...document.querySelectorAll('#content-main :is(a, button, input, select, textarea)')]
    .filter(one => one.offsetParent !== null && one.type !== 'hidden')
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1 || one.getBoundingClientRect().left < 0)
    .map(one => one.innerText || one.name)"""


def address(name: str, *args: object) -> str:
    return reverse(f"admin:payments_{name}", args=args)


def look_at(page: Page, name: str) -> None:
    """At both widths: nothing beside the screen, everything legible; photographed where it is asked for."""
    for width, size in (("1280", LAPTOP), ("390", PHONE)):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        folder = os.environ.get("FICPAY_LOOKED_AT")
        if folder:
            page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True, animations="disabled")
        if name not in ("payment", "dashboard", "users", "user"):  # of these only what is decided on
            assert not scrolls_sideways(page), (name, width)
            assert page.evaluate(OUTSIDE) == [], (name, width)
    assert hardly_legible(page, "#content-main :is(p, dd, dt, a, button, label, h2, strong)") == [], name
    page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]


@pytest.mark.usefixtures("brief")
class TestADecisionByKeyboard:
    def test_moves_the_focus_to_what_is_wrong_and_to_what_will_happen(
        self, signed_in: Page, live: ApiClient, bank: SimulatedBank
    ) -> None:
        operation = lost_capture(live, bank)
        page, keys = signed_in, signed_in.keyboard
        payment = f"**{address('payment_change', operation.payment_id)}"
        page.goto(address("payment_change", operation.payment_id))
        page.get_by_role("link", name="Record the bank's reference").focus()
        keys.press("Enter")
        page.wait_for_url("**/reference/")
        page.get_by_label("The bank's reference").focus()
        keys.type("cap_00000000-0000-4000-8000-000000000000")
        keys.press("Tab")
        keys.type("read off the portal")
        keys.press("Tab")  # Back
        keys.press("Tab")
        keys.press("Enter")
        wrong = page.get_by_text("Nothing changed. The bank has no capture")
        expect(wrong).to_be_focused()
        assert page.get_by_label("Reason").input_value() == "read off the portal"
        keys.press("Tab")
        expect(page.get_by_label("The bank's reference")).to_be_focused()
        keys.press("Control+A")
        keys.type(bank.ledger()[-1].id)
        keys.press("Enter")
        expect(page.locator(".ficpay-changes")).to_be_focused()
        look_at(page, "preview")
        for _ in range(3):  # Back, Update preview, Confirm
            keys.press("Tab")
        keys.press("Enter")
        page.wait_for_url(payment)
        expect(page.get_by_text("Record the bank's reference: done.")).to_be_visible()

        # Back is the payment again, twice over: no page to be sent once more, no form that was decided.
        for _ in range(2):
            page.go_back()
            page.wait_for_url(payment)
            expect(page.get_by_text("The money is taken. It can be refunded.")).to_be_visible()
        assert Event.objects.filter(type="resolution.applied").count() == 1


class TestWhatASecondPersonSees:
    def test_fits_a_phone_and_keeps_its_lines(self, signed_in: Page, transactional_db: None) -> None:
        payment = PaymentFactory(authorized=True, order_id="order-2026-11-28-000000000000007-of-a-shop")
        void = OperationFactory(payment=payment, kind=OperationKind.VOID, needs_review=True)
        Operation.objects.update(lease_expires_at=payment.created_at)
        kim = Member("kim", "resolve_operation")
        kim.client.post(address("take", void.pk))
        sent = {"evidence": "statement", "quote": "statement 324,\r\nline 7", "reason": "There.\r\nTwice."}
        kim.client.post(
            address("record_voided", void.pk), sent | {"seen": f"{void.lease_epoch}.0", "confirmed": "yes"}
        )
        proposed = Resolution.objects.get()
        page = signed_in
        page.goto(address("review_queue"))
        expect(page.get_by_text("Waiting for a second person (1)")).to_be_visible()
        look_at(page, "queue")
        page.goto(address("payment_change", payment.pk))
        expect(page.locator(".ficpay-waiting")).to_contain_text("A statement that shows it")
        quote = page.locator(".ficpay-waiting dd", has_text="statement 324")
        assert quote.inner_text() == "statement 324,\nline 7"
        look_at(page, "payment")
        page.goto(address("record_voided", void.pk))  # a rival
        expect(page.get_by_text("kim has already proposed “Record that the hold was voided”")).to_be_visible()
        page.goto(address("ask_again", void.pk))
        expect(page.get_by_text("kim owns this case.")).to_be_visible()
        look_at(page, "anothers-case")
        page.get_by_label("kim owns this case.").check()
        page.get_by_label("Reason").fill("the customer waits")
        page.get_by_role("button", name="Preview").click()
        expect(
            page.get_by_text("The bank may free the hold of $50.00 now if it has not yet.")
        ).to_be_visible()
        page.goto(address("approve", proposed.pk))
        look_at(page, "approve")
        page.goto("/admin/")
        expect(page.get_by_text("Waiting for approval")).to_be_visible()
        look_at(page, "dashboard")
        page.goto("/admin/auth/user/")
        look_at(page, "users")
        page.goto(f"/admin/auth/user/{kim.user.pk}/change/")
        look_at(page, "user")


class TestANote:
    def test_that_is_refused_comes_back_and_back_leads_to_the_payment(
        self, signed_in: Page, transactional_db: None
    ) -> None:
        payment = PaymentFactory(captured=True)
        page, at = signed_in, f"**{address('payment_change', payment.pk)}"
        page.goto(address("payment_change", payment.pk))
        page.get_by_label("Note for other staff").fill("One.\ncard 4111 1111 1111 1111")
        page.get_by_role("button", name="Add note").click()
        expect(page.get_by_text("This looks like a card number")).to_be_visible()
        note = page.get_by_label("Note")
        expect(note).to_have_value("One.\ncard 4111 1111 1111 1111")
        look_at(page, "note")
        note.fill("One.\nTwo.")
        page.get_by_role("button", name="Add note").click()
        page.wait_for_url(at)
        assert page.locator(".ficpay-timeline dd", has_text="One.").inner_text() == "One.\nTwo."
        assert Payment.objects.get().events.filter(type="note.added").count() == 1

    def test_comes_back_after_the_session_has_ended(self, signed_in: Page, transactional_db: None) -> None:
        payment = PaymentFactory(captured=True)
        page = signed_in
        page.goto(address("payment_change", payment.pk))
        page.get_by_label("Note for other staff").fill("One.\nTwo.")
        page.context.clear_cookies(name="sessionid")
        page.get_by_role("button", name="Add note").click()
        expect(page.get_by_text("Your input comes back after the login")).to_be_visible()
        log_in(page)
        expect(page.get_by_label("Note")).to_have_value("One.\nTwo.")
        page.get_by_role("button", name="Add note").click()
        page.wait_for_url(f"**{address('payment_change', payment.pk)}")
        expect(page.locator(".ficpay-timeline")).to_contain_text("Two.")
