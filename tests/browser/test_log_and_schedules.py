"""What staff did, and what the machine does by the clock, as those see it who look after them."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from access.roles import Role
from payments.domain.states import PaymentState
from payments.models import Event
from payments.services import staff
from tests.access.doors import make_groups
from tests.browser.test_staff_at_work import SignIn, photograph
from tests.browser.test_staff_at_work import sign_in as sign_in  # noqa: PLC0414 - a fixture
from tests.factories import make_api_key, make_operation, make_payment

LOG = "/admin/payments/event/"


def member(name: str) -> staff.Staff:
    user = User.objects.create_user(name, is_staff=True)
    return staff.Staff(user.pk, name, "192.0.2.7", "request-1")


@pytest.fixture
def busy_day(transactional_db: None) -> None:
    """One of every kind of action, with the longest of what people type."""
    make_groups()
    kim, lee = member("kim"), member("lee" + "W" * 147)
    payment = make_payment(PaymentState.CAPTURED, order_id="order-".ljust(64, "W"))
    key, _ = make_api_key(payment.merchant)
    staff.assign_to_oneself(kim, make_operation(payment).pk)
    staff.add_note(kim, payment, "The customer called, and wants to hear from us by tonight.")
    proposal = {"kind": "refund", "reason": "The customer sent it back.", "reference": f"ref_{'W' * 60}"}
    staff.log_action(kim, Event.Type.RESOLUTION_PROPOSED, payment=payment, **proposal)
    refusal = proposal | {"because": "It was sent back too late. " * 15, "proposed_by": "kim"}
    staff.log_action(lee, Event.Type.RESOLUTION_REFUSED, payment=payment, **refusal)
    staff.log_export(lee, {"state": "FAILED", "created_from": "2026-11-01"})
    staff.disable_api_key(kim, key.pk, reason="It was in a mail.")
    changed = {
        "is_staff": {"from": False, "to": True},
        "groups": {"from": ["Support"], "to": ["Support lead"]},
        "permissions": {"from": [], "to": ["payments.export_payments", "payments.view_merchant"]},
    }
    staff.log_action(
        lee, Event.Type.USER_CHANGED, account="joe", account_id=1, changed=changed, reason="Promoted."
    )
    staff.log_action(
        staff.Operator(),
        Event.Type.USER_SECOND_FACTOR_RESET,
        account="joe",
        account_id=1,
        reason="Lost phone.",
    )


@pytest.mark.usefixtures("busy_day")
class TestTheLog:
    def test_is_read_and_searched_by_an_auditor(self, sign_in: SignIn) -> None:
        page = sign_in("ann", Role.AUDITOR)
        page.locator(f"a[href='{LOG}']").click()
        rows = page.locator("#result_list tbody")
        expect(rows).to_have_count(8)
        page.wait_for_load_state("networkidle")
        photograph(page, "log")
        page.get_by_label("Who").fill("kim")
        page.get_by_role("combobox", name="What").select_option("Added a note")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**/?actor=kim&type=note.added")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("by tonight")
        photograph(page, "log-searched")
        page.get_by_label("Who").fill("nobody")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("heading", name="Nothing in the log matches")).to_be_visible()
        photograph(page, "log-without-matches")
