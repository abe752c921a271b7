"""The back office's real tasks, walked through by members of its groups, with the bank behind it."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from office.door.roles import Role
from payments.models import Event, Operation, Payment, Resolution
from tests.office.browser.at_work import confirm, decide, photograph
from tests.office.browser.conftest import SignIn
from tests.office.decisions.cases import lost_capture, on_no_statement, too_old
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.simulated_bank import SimulatedBank

LIST = "/admin/payments/payment/"
QUEUE = "/admin/payments/payment/review/"
DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("brief")


class TestSupport:
    def test_finds_a_payment_by_its_last_four_and_its_amount(
        self, live: ApiClient, bank: SimulatedBank, sign_in: SignIn
    ) -> None:
        wanted = live.authorized(card=CARDS["visa-500"], amount=1234)
        for _ in range(3):
            live.captured(amount=5678)
        page = sign_in("kim", Role.SUPPORT)
        page.goto(LIST)
        photograph(page, "list")
        for scrap in ("4242", "$12.34", "12.34", wanted["bank"]["authorization_id"][5:]):
            page.get_by_role("searchbox", name="Search").fill(scrap)
            page.get_by_role("button", name="Search").click()
            rows = page.locator("#result_list tbody")
            expect(rows).to_have_count(1)
            expect(rows).to_contain_text("$12.34")

    def test_settles_a_lost_capture_with_a_wrong_reference_and_then_the_right_one(
        self, live: ApiClient, bank: SimulatedBank, sign_in: SignIn
    ) -> None:
        operation = lost_capture(live, bank)
        page = sign_in("kim", Role.SUPPORT)
        page.goto(QUEUE)
        photograph(page, "review-queue")
        page.get_by_role("button", name="Take").click()
        expect(page.locator("tbody")).to_contain_text("kim")
        page.get_by_role("button", name="Give back").click()
        expect(page.locator("tbody")).to_contain_text("none")
        page.get_by_role("button", name="Take").click()
        page.get_by_role("link", name="Record the bank's reference").click()
        wrong = "cap_00000000-0000-4000-8000-000000000000"
        page.get_by_label("The bank's reference").fill(wrong)
        page.get_by_label("Reason").fill("read off the portal")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_text("Nothing changed. The bank has no capture")).to_be_visible()
        page.goto(f"{LIST}{operation.payment_id}/change/")
        photograph(page, "payment")
        page.get_by_role("heading", name="Timeline").evaluate("heading => heading.scrollIntoView()")
        photograph(page, "timeline")

        page.get_by_role("link", name="Record the bank's reference").click()
        decide(page, **{"The bank's reference": bank.ledger()[-1].id, "Reason": "read off the portal again"})
        photograph(page, "decision")
        confirm(page)
        expect(page.get_by_text("The money is taken. It can be refunded.")).to_be_visible()
        assert Operation.objects.get(pk=operation.pk).state == "SUCCEEDED"

    def test_records_that_nothing_was_executed_when_a_statement_covers_it(
        self, live: ApiClient, bank: SimulatedBank, sign_in: SignIn
    ) -> None:
        operation = too_old(live, bank)
        proposal = on_no_statement(operation, bank)
        assert proposal.covers_from
        assert proposal.covers_to
        page = sign_in("kim", Role.SUPPORT)
        page.goto(QUEUE)
        page.get_by_role("link", name="Record as not executed").click()
        page.get_by_label("Evidence").select_option("statement")
        page.get_by_label("the statement's name").fill("statement 324")
        page.get_by_label("The statement covers").fill((proposal.covers_to + DAY).isoformat())
        page.get_by_label("this day included").fill((proposal.covers_to + DAY).isoformat())
        page.get_by_label("Reason").fill("it is not on it")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_text("Nothing changed. The statement must cover")).to_be_visible()
        page.get_by_label("the statement's name").fill("statement 323")
        page.get_by_label("The statement covers").fill(proposal.covers_from.isoformat())
        page.get_by_label("this day included").fill(proposal.covers_to.isoformat())
        decide(page, Reason="it is not on it")
        photograph(page, "not-executed")
        confirm(page)
        expect(page.get_by_text("not executed, as far as the bank can tell")).to_be_visible()
        assert Payment.objects.get().state == "FAILED"

    def test_confirms_what_is_outdated_and_nothing_happens_twice(
        self, live: ApiClient, bank: SimulatedBank, sign_in: SignIn
    ) -> None:
        live.captured()
        payment = Payment.objects.get()
        page = sign_in("kim", Role.SUPPORT)
        page.goto(f"{LIST}{payment.pk}/change/")
        page.get_by_role("link", name="Refund", exact=True).click()
        decide(page, Reason="the customer sent it back")
        live.post(f"/payments/{payment.public_id}/refund")
        confirm(page)
        expect(page.get_by_text("Nothing changed.")).to_be_visible()
        assert [entry.type for entry in bank.ledger()].count("REFUND") == 1


class TestFourEyes:
    def test_another_person_approves_and_nobody_their_own(
        self, live: ApiClient, bank: SimulatedBank, sign_in: SignIn
    ) -> None:
        live.captured(amount=70_000)
        payment = Payment.objects.get()
        page = sign_in("lee", Role.SUPPORT_LEAD)
        page.goto(f"{LIST}{payment.pk}/change/")
        page.get_by_role("link", name="Refund", exact=True).click()
        decide(page, Reason="the customer sent it back")
        expect(page.get_by_text("Nothing changes until another person approves it.")).to_be_visible()
        page.get_by_role("button", name="Propose").click()
        expect(page.get_by_text("Another person must approve it in the review queue")).to_be_visible()
        page.goto(QUEUE)
        expect(page.get_by_role("link", name="Withdraw")).to_be_visible()
        expect(page.get_by_role("link", name="Approve")).to_have_count(0)
        page.goto(f"{LIST}proposals/{Resolution.objects.get().pk}/approve/")  # no link, so by hand
        expect(page.get_by_text("You cannot approve your own proposal")).to_be_visible()
        assert Payment.objects.get().state == "CAPTURED"

        page = sign_in("max", Role.SUPPORT_LEAD)
        page.goto(QUEUE)
        photograph(page, "proposals")
        page.get_by_role("link", name="Approve").click()
        decide(page, Reason="checked with the shop")
        confirm(page)
        expect(page.get_by_text("Refund: done.")).to_be_visible()
        assert Payment.objects.get().state == "REFUNDED"


class TestFinance:
    def test_takes_a_filtered_list_home(
        self, live: ApiClient, bank: SimulatedBank, sign_in: SignIn, tmp_path: Path
    ) -> None:
        live.captured(amount=1111)
        live.authorized(amount=2222)
        live.post("/payments", order(card=CARDS["no-funds"]))
        page = sign_in("fin", Role.FINANCE)
        page.goto("/admin/")
        photograph(page, "dashboard")
        page.goto(f"{LIST}?state=CAPTURED")
        page.get_by_label("Reason, for the log").fill("the month's end")
        with page.expect_download() as download:
            page.get_by_role("button", name="Export as CSV").click()
        assert download.value.suggested_filename.endswith(".csv")
        file = tmp_path / "payments.csv"
        download.value.save_as(file)
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        assert len(lines) == 2
        assert "11.11" in lines[1]
        exported = Event.objects.get(type=Event.Type.PAYMENTS_EXPORTED)
        assert exported.evidence["filter"] == {"state": "CAPTURED"}
