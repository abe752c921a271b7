"""What staff did, and what the machine does by the clock, as those see it who look after them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_q.models import Schedule, Task
from playwright.sync_api import Page, expect

from office.cases import assignments
from office.door.roles import Role, make_groups
from office.log import staff
from office.schedules import schedules
from payments.models import Event, Heartbeat
from payments.usecases.merchants import disable_api_key
from tests.office.browser.at_work import confirm, decide, photograph
from tests.office.browser.conftest import AnotherLaptop, SignIn
from tests.support.factories import ApiKeyFactory, OperationFactory, PaymentFactory

LOG = "/admin/payments/event/"
SCHEDULES = "/admin/schedules/"


def member(name: str) -> staff.Staff:
    user = User.objects.create_user(name, is_staff=True)
    return staff.Staff(user.pk, name, "192.0.2.7", "request-1")


@pytest.fixture
def busy_day(transactional_db: None) -> None:
    """One of every kind of action, with the longest of what people type."""
    make_groups()
    kim, lee = member("kim"), member("lee" + "W" * 147)
    payment = PaymentFactory(captured=True, order_id="order-".ljust(64, "W"))
    key = ApiKeyFactory(merchant=payment.merchant)
    assignments.take(kim, OperationFactory(payment=payment))
    staff.add_note(kim, payment, "The customer called, and wants to hear from us by tonight.")
    proposal = {"kind": "refund", "reason": "The customer sent it back.", "reference": f"ref_{'W' * 60}"}
    staff.log_action(kim, Event.Type.RESOLUTION_PROPOSED, payment=payment, **proposal)
    refusal = proposal | {"because": "It was sent back too late. " * 15, "proposed_by": "kim"}
    staff.log_action(lee, Event.Type.RESOLUTION_REFUSED, payment=payment, **refusal)
    staff.log_export(lee, {"state": "FAILED", "created_from": "2026-11-01"}, reason="The auditors asked.")
    disable_api_key(key.pk, reason="It was in a mail.", by=kim)
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
        page.goto("/admin/")
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
        expect(page.get_by_role("heading", name="No log lines match")).to_be_visible()
        photograph(page, "log-without-matches")


@pytest.fixture
def by_the_clock(transactional_db: None) -> None:
    """Schedules that run, but for one that has failed; and recovery is away."""
    schedules.install()
    now = datetime.now(UTC)
    Heartbeat.objects.create(process="worker", beat_at=now - timedelta(seconds=20))
    Heartbeat.objects.create(process="recovery", beat_at=now - timedelta(minutes=12))
    for row in Schedule.objects.all():
        failed = row.name == "expirations"
        task = Task.objects.create(
            id=uuid4().hex,
            name="four-funny-words",
            func=row.func,
            group=row.name,
            started=now - timedelta(seconds=31),
            stopped=now - timedelta(seconds=30),
            success=not failed,
            result=f"Bank {'W' * 200} is away : Traceback ..." if failed else 3,
        )
        Schedule.objects.filter(pk=row.pk).update(task=task.pk, next_run=now + timedelta(minutes=10))


@pytest.mark.usefixtures("by_the_clock")
class TestSchedules:
    def test_are_looked_after_by_operations(self, sign_in: SignIn) -> None:
        page = sign_in("olga", Role.OPERATIONS)
        page.goto("/admin/")
        page.locator(f"a[href='{SCHEDULES}']").click()
        expect(page.get_by_text("Recovery is not running. Start")).to_be_visible()
        page.wait_for_load_state("networkidle")
        photograph(page, "schedules")
        page.get_by_role("row", name="expirations").get_by_role("link", name="Run now…").click()
        decide(page, Reason="the bank is back")
        photograph(page, "run-now")
        confirm(page)
        expect(page.get_by_text("The worker runs it within half a minute.")).to_be_visible()
        photograph(page, "schedules-run-now")
        assert Event.objects.get().evidence["reason"] == "the bank is back"

    def test_fit_a_laptop_in_a_zone_with_a_long_name_and_all_overdue(
        self, sign_in: SignIn, another_laptop: AnotherLaptop
    ) -> None:
        Schedule.objects.update(next_run=datetime.now(UTC) - timedelta(days=2, hours=13))
        sign_in("ann", Role.AUDITOR)
        with another_laptop(timezone_id="Asia/Kolkata") as page:
            page.goto(SCHEDULES)
            expect(page.get_by_text("overdue for 2 d 13 h")).to_have_count(len(schedules.SCHEDULES))
            expect(page.locator("time").first).to_contain_text("GMT+5:30")
            page.wait_for_load_state("networkidle")
            photograph(page, "schedules-overdue")

    def test_say_what_to_do_where_there_are_none(self, sign_in: SignIn) -> None:
        Schedule.objects.all().delete()
        Task.objects.all().delete()
        Heartbeat.objects.all().delete()
        page = sign_in("olga", Role.OPERATIONS)
        page.goto(SCHEDULES)
        expect(page.get_by_text("No schedule is installed")).to_be_visible()
        page.wait_for_load_state("networkidle")
        photograph(page, "no-schedules")


@pytest.mark.usefixtures("transactional_db")
class TestUsers:
    def test_are_changed_with_a_reason_and_get_a_new_second_factor(self, signed_in: Page) -> None:
        page = signed_in
        kim = User.objects.create_user("kim", is_staff=True)
        TOTPDevice.objects.create(user=kim, name="Authenticator app")
        page.goto(f"/admin/auth/user/{kim.pk}/change/")
        page.wait_for_load_state("networkidle")
        photograph(page, "user")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("This field is required.")).to_be_visible()
        page.get_by_role("link", name="Reset the second factor…").click()
        decide(page, Reason="lost phone")
        photograph(page, "reset-second-factor")
        confirm(page)
        expect(page.get_by_text("needs only the password")).to_be_visible()
        page.goto(f"/admin/auth/user/{kim.pk}/password/")
        page.wait_for_load_state("networkidle")
        photograph(page, "set-password")
        page.goto(LOG)
        page.wait_for_load_state("networkidle")
        expect(page.locator("#result_list tbody")).to_contain_text("lost phone")
