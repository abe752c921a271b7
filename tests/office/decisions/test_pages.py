"""The pages on which staff decide, without a browser: who gets there, what they show, what they do."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from office.decisions.kinds.settle_late_reply import SettledForm
from payments.models import ApiKey, Event, Operation, Payment, Resolution
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from tests.conftest import wait_for_bank_threads
from tests.office.decisions.cases import contradicted, lost_capture, on_no_statement, too_old
from tests.office.decisions.members import QUEUE, Member
from tests.office.pages.conftest import text_of
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

pytestmark = pytest.mark.usefixtures("brief")


@pytest.fixture
def kim(transactional_db: None) -> Member:
    return Member("kim", "resolve_operation", "instruct_payment")


@pytest.fixture
def lee(transactional_db: None) -> Member:
    return Member("lee", "resolve_operation", "instruct_payment", "approve_resolution", "disable_apikey")


class TestTheReviewQueue:
    def test_is_empty_and_says_what_would_be_there(self, kim: Member) -> None:
        assert "Nothing needs review" in kim.read(QUEUE)

    def test_shows_what_needs_people_why_and_what_to_do(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        operation = lost_capture(live, bank)
        shown = kim.read(QUEUE)
        assert "capture NEEDS_REVIEW" in shown
        assert "but not under which id. Ask the bank for the capture's id, then record it." in shown
        assert "$50.00" in shown
        assert "none" in shown
        assert operation.claimed_payment.order_id in shown

    def test_shows_a_doubt_after_an_hour_and_not_before(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = live.authorized()
        bank.script("captures", "fail_before", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        assert "Nothing needs review" in kim.read(QUEUE)
        let_pass(timedelta(hours=1, minutes=1), bank)
        assert "Recovery keeps asking" in kim.read(QUEUE)

    def test_is_there_for_those_who_may_look_only(
        self, live: ApiClient, bank: SimulatedBank, transactional_db: None
    ) -> None:
        lost_capture(live, bank)
        auditor = Member("ann")
        shown = auditor.read(QUEUE)
        assert "but not under which id" in shown
        assert "Take" not in shown
        assert "Record the bank's reference" not in shown
        payment = Payment.objects.get()
        shown = auditor.read("admin:payments_payment_change", payment.pk)
        assert "Timeline" in shown
        for offered in ("Record the bank's reference", "Ask the bank", "Capture Void", "Add note"):
            assert offered not in shown


class TestThePaymentsPage:
    def test_says_on_top_what_is_known_and_what_happens_next(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = lost_capture(live, bank).claimed_payment
        shown = kim.read("admin:payments_payment_change", payment.pk)
        assert (
            "The bank says it is captured, but the capture's id is unknown. Look it up in the statement of"
            in shown
        )
        assert "Record the bank's reference" in shown
        assert "Record as not executed" not in shown  # the bank has called it done
        live.authorized()
        other = Payment.objects.latest("created_at")
        shown = kim.read("admin:payments_payment_change", other.pk)
        assert "It can be captured or voided until" in shown
        assert "Capture Void" in shown

    def test_takes_notes_and_refuses_card_numbers_in_them(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        live.authorized()
        payment = Payment.objects.get()
        note = reverse("admin:payments_add_note", args=[payment.pk])
        kim.client.post(note, {"note": "The customer called twice."})
        assert "The customer called twice." in kim.read("admin:payments_payment_change", payment.pk)
        for parted in (" ", ",", " | ", "    ", "', '"):
            number = parted.join(["4111", "1111", "1111", "1111"])
            refused = kim.client.post(note, {"note": f"card {number}"}, follow=True)
            assert "looks like a card number" in text_of(refused.content.decode()), parted
        assert Event.objects.filter(type="note.added").count() == 1

    def test_shows_the_amounts_of_parts_before_and_after(self, test_mode: ApiClient, kim: Member) -> None:
        test_mode.captured(amount=50_000)
        payment = Payment.objects.get()
        address = reverse("admin:payments_instruct", args=[payment.pk, "refund"])
        shown = {
            typed: text_of(
                kim.client.post(address, {"amount_minor": typed, "reason": "x"}, follow=True).content.decode()
            )
            for typed in ("100.00", "$100.00", "100", "500.01", "€100.00")
        }
        for typed in ("100.00", "$100.00"):
            assert "The payment stays CAPTURED." in shown[typed]
            assert "$100.00 goes back to the card; $400.00 can be refunded later." in shown[typed]
        assert "Write an amount like $500.00." in shown["100"]
        assert "Write an amount like $500.00." in shown["€100.00"]
        assert "At most $500.00 is left." in shown["500.01"]
        kim.confirm("admin:payments_instruct", payment.pk, "refund", amount_minor="100.00", reason="x")
        kim.confirm("admin:payments_instruct", payment.pk, "refund", amount_minor="50.00", reason="x")
        page = kim.read("admin:payments_payment_change", payment.pk)
        assert "Refunded $150.00" in page
        assert "$100.00 at" in page
        assert "$50.00 at" in page

    def test_says_what_waits_for_a_second_person(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured(amount=70_000)["order_id"])
        assert "Nothing needs review" in kim.read(QUEUE)
        kim.confirm("admin:payments_instruct", payment.pk, "refund", reason="returned")
        assert "Nothing else needs review" in kim.read(QUEUE)
        shown = kim.read("admin:payments_payment_change", payment.pk)
        assert "Refund: proposed by kim, waits for a second person." in shown

    def test_says_where_a_hold_has_run_out_and_is_not_voided_yet(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized()["order_id"])
        let_pass(timedelta(days=7, minutes=1), bank)
        shown = kim.read("admin:payments_payment_change", payment.pk)
        assert "Within a minute the payment expires and the hold is voided" in shown
        assert "It can be captured" not in shown
        expire_due(limit=10)
        shown = kim.read("admin:payments_payment_change", payment.pk)
        assert "A hold still blocks the cardholder's money, as far as we know." in shown
        assert "The release has not been sent yet: recovery sends it within seconds." in shown

    def test_says_where_the_bank_may_still_be_working(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = live.authorized()
        bank.script("captures", "hang_before")
        live.post(f"/payments/{payment['id']}/capture")
        wait_for_bank_threads()
        operation = Operation.objects.get(kind="capture")
        shown = kim.read("admin:payments_payment_change", operation.payment_id)
        assert "The bank may still be working on the capture: recovery asks at 20" in shown
        said = kim.decide("admin:payments_ask_again", operation.pk, reason="now, please")
        assert "The bank was not asked: a call about the capture may still be in flight." in said

    def test_says_that_an_authorize_too_old_goes_to_people(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        bank.script("authorizations", "drop_before", times=1000)
        live.post("/payments", order())
        let_pass(timedelta(hours=24, minutes=1), bank)
        shown = kim.read("admin:payments_payment_change", Payment.objects.get().pk)
        assert "hands it over to staff if nothing is found, within seconds" in shown

    def test_takes_notes_of_somebody_with_a_long_name(
        self, live: ApiClient, bank: SimulatedBank, transactional_db: None
    ) -> None:
        live.authorized()
        payment = Payment.objects.get()
        somebody = Member("k" * 150, "resolve_operation")
        somebody.client.post(reverse("admin:payments_add_note", args=[payment.pk]), {"note": "well"})
        assert Event.objects.get(type="note.added").actor == "staff:" + "k" * 94


class TestDeciding:
    def test_the_second_person_sees_what_it_is_about(
        self, live: ApiClient, bank: SimulatedBank, kim: Member, lee: Member
    ) -> None:
        operation = contradicted(live, bank)
        kim.confirm(
            "admin:payments_record_not_executed",
            operation.pk,
            seen=operation.lease_epoch,
            evidence="bank_word",
            quote="We have never seen it.",
            reason="they wrote",
        )
        shown = lee.read("admin:payments_approve", Resolution.objects.get().pk)
        for part in (
            f"capture {operation.public_id}: NEEDS_REVIEW",
            ", replied: 400 authorization_not_found",
            "We have never seen it.",
            "they wrote",
        ):
            assert part in shown, (part, shown)
        queue = lee.read(QUEUE)
        assert "Record that it was not executed (capture)" in queue
        assert "We have never seen it." in queue

    def test_what_is_decided_is_not_offered_again(
        self, live: ApiClient, bank: SimulatedBank, kim: Member, lee: Member
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured(amount=70_000)["order_id"])
        kim.confirm("admin:payments_instruct", payment.pk, "refund", reason="returned")
        proposed = Resolution.objects.get()
        lee.confirm("admin:payments_approve", proposed.pk, reason="checked")
        for page in ("approve", "refuse"):
            address = reverse(f"admin:payments_{page}", args=[proposed.pk])
            answer = lee.client.get(address, follow=True)
            assert "already decided: approved by lee" in text_of(answer.content.decode())

    def test_what_the_state_does_not_allow_is_not_offered(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized()["order_id"])
        address = reverse("admin:payments_instruct", args=[payment.pk, "refund"])
        answer = kim.client.post(address, {"reason": "x"}, follow=True)
        assert "Nothing changed. A payment that is AUTHORIZED cannot be refunded." in text_of(
            answer.content.decode()
        )
        assert "What will happen" not in text_of(answer.content.decode())

    def test_what_an_unclear_bank_has_done_is_not_called_done(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured()["order_id"])
        bank.script("refunds", "drop_before", times=1000)
        shown = kim.decide("admin:payments_instruct", payment.pk, "refund", reason="returned")
        assert "Refund: done." not in shown
        assert "the bank has not replied clearly yet" in shown

    def test_a_wrong_reference_changes_nothing_and_the_right_one_does(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        operation = lost_capture(live, bank)
        page = "admin:payments_record_reference"
        wrong = "cap_00000000-0000-4000-8000-000000000000"
        given = {"seen": operation.lease_epoch, "reason": "portal"}
        address = reverse(page, args=[operation.pk])
        for confirmed in ({}, {"confirmed": "yes"}):
            answer = kim.client.post(address, {"reference": wrong, **given, **confirmed}, follow=True)
            shown = text_of(answer.content.decode())
            assert "Nothing changed. The bank has no capture" in shown
            assert "What will happen" not in shown
        assert Resolution.objects.count() == 0
        done = kim.decide(page, operation.pk, reference=bank.ledger()[-1].id, **given)
        assert "Record the bank's reference: done." in done
        assert "The money is taken. It can be refunded." in done

    def test_without_a_reason_is_not_possible(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        operation = lost_capture(live, bank)
        address = reverse("admin:payments_record_not_executed", args=[operation.pk])
        answer = kim.client.post(address, {"evidence": "bank_reply", "confirmed": "yes"}, follow=True)
        assert "This field is required." in text_of(answer.content.decode())
        assert Resolution.objects.count() == 0

    def test_an_outdated_decision_is_told_and_nothing_is_done_twice(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        """Recovery settles the operation while somebody looks at its page."""
        payment = live.authorized()
        bank.script("captures", "drop_after")
        bank.script("captures", "drop_before", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        bank.clear_script()
        operation = Operation.objects.get(kind="capture")
        seen = operation.lease_epoch
        address = reverse("admin:payments_record_not_executed", args=[operation.pk])
        given = {
            "seen": seen,
            "evidence": "bank_word",
            "quote": "We have not seen it.",
            "reason": "so it seems",
        }
        preview = kim.client.post(address, given, follow=True)
        assert "What will happen" in text_of(preview.content.decode())
        let_pass(timedelta(minutes=5), bank)
        recover_due(within=timedelta(seconds=5))
        confirmed = kim.client.post(address, {**given, "confirmed": "yes"}, follow=True)
        shown = text_of(confirmed.content.decode())
        assert "Nothing changed. The capture has already ended: it is SUCCEEDED." in shown
        assert live.receipt(payment["id"])["state"] == "CAPTURED"

    def test_who_has_the_page_open_while_the_bank_is_asked_goes_on_from_how_it_is_now(
        self, live: ApiClient, bank: SimulatedBank, kim: Member, lee: Member
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        reference = bank.ledger()[-1].id
        name = "admin:payments_record_reference"
        given = {"reference": reference, "reason": "seen in the bank's portal"}

        def now(name: str, about: Any, posted: dict[str, Any]) -> dict[str, Any]:
            """What the page says is outdated, and what it shows instead."""
            page = lee.client.post(reverse(name, args=[about]), posted, follow=True)
            assert "was asked about the capture after this page was loaded" in text_of(page.content.decode())
            assert "What will happen" not in text_of(page.content.decode())
            return {**posted, "seen": page.context["seen"]}

        posted = {**given, "seen": operation.lease_epoch}
        kim.confirm("admin:payments_ask_again", operation.pk, reason="perhaps")
        assert "proposed" in lee.decide(name, operation.pk, **now(name, operation.pk, posted))

        # The same for whoever approves, however often the bank has been asked since it was proposed.
        max_ = Member("max", "approve_resolution")
        proposed = Resolution.objects.get()
        approve = "admin:payments_approve"
        seen = max_.client.get(reverse(approve, args=[proposed.pk])).context["seen"]
        kim.confirm("admin:payments_ask_again", operation.pk, reason="once more")
        late = max_.client.post(
            reverse(approve, args=[proposed.pk]),
            {"seen": seen, "reason": "right", "confirmed": "yes"},
            follow=True,
        )
        assert "Nothing changed. The bank was asked about the capture after" in text_of(late.content.decode())
        seen = max_.client.get(reverse(approve, args=[proposed.pk])).context["seen"]
        assert "Record the bank's reference: done." in max_.decide(
            approve, proposed.pk, seen=seen, reason="x"
        )
        assert Payment.objects.get().state == "CAPTURED"

    def test_what_was_agreed_about_a_late_reply_rests_on_the_banks_word_alone(self) -> None:
        given = {"quote": "They gave it back.", "reason": "agreed"}
        assert SettledForm(given | {"evidence": "bank_word"}).is_valid()
        for other in ("statement", "x" * 500, ""):
            assert not SettledForm(given | {"evidence": other}).is_valid(), other

    def test_a_second_person_approves_and_nobody_their_own(
        self, live: ApiClient, bank: SimulatedBank, lee: Member
    ) -> None:
        max_ = Member("max", "instruct_payment", "approve_resolution")
        payment = Payment.objects.get(order_id=live.captured(amount=70_000)["order_id"])
        address = reverse("admin:payments_instruct", args=[payment.pk, "refund"])
        preview = text_of(lee.client.post(address, {"reason": "returned"}, follow=True).content.decode())
        assert "What will happen Nothing changes until another person approves it. Then:" in preview
        done = lee.decide("admin:payments_instruct", payment.pk, "refund", reason="returned")
        assert "Another person must approve it" in done
        proposed = Resolution.objects.get()
        own = lee.client.post(
            reverse("admin:payments_approve", args=[proposed.pk]),
            {"reason": "me again", "confirmed": "yes"},
            follow=True,
        )
        assert "You cannot approve your own proposal" in text_of(own.content.decode())
        tried = Event.objects.get(type="resolution.failed")
        assert (tried.actor, tried.evidence["because"]) == ("staff:lee", "me again")
        assert Payment.objects.get().state == "CAPTURED"
        assert "Approve" in max_.read(QUEUE)
        assert "Refund: done." in max_.decide("admin:payments_approve", proposed.pk, reason="checked")
        assert Payment.objects.get().state == "REFUNDED"

    def test_ones_own_proposal_can_be_taken_back(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured(amount=70_000)["order_id"])
        kim.confirm("admin:payments_instruct", payment.pk, "refund", reason="returned")
        assert "the proposal is closed" in kim.decide(
            "admin:payments_refuse", Resolution.objects.get().pk, reason="wrong order"
        )
        assert Resolution.objects.get().state == "REFUSED"

    def test_refunds_on_behalf_of_the_merchant(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured()["order_id"])
        shown = kim.decide("admin:payments_instruct", payment.pk, "refund", reason="the customer called")
        assert "Refund: done." in shown
        assert "The money was taken and refunded." in shown
        assert Payment.objects.get().state == "REFUNDED"
        assert bank.ledger()[-1].type == "REFUND"
        applied = Event.objects.get(type="resolution.applied")
        assert (applied.actor, applied.evidence["from"]) == ("staff:kim", "127.0.0.1")

    def test_asks_the_bank_again(self, live: ApiClient, bank: SimulatedBank, kim: Member) -> None:
        operation = lost_capture(live, bank)
        shown = kim.decide("admin:payments_ask_again", operation.pk, reason="once more")
        answered = "The bank replied 400 authorization_already_used: the hold was already captured or voided"
        assert f"{answered}; the capture is NEEDS_REVIEW." in shown

    def test_records_that_nothing_was_executed(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        operation = too_old(live, bank)
        proposal = on_no_statement(operation, bank)
        shown = kim.decide(
            "admin:payments_record_not_executed",
            operation.pk,
            seen=operation.lease_epoch,
            evidence="statement",
            quote="statement 324",
            covers_from=proposal.covers_from,
            covers_to=proposal.covers_to,
            reason="not on it",
        )
        assert "Record that it was not executed: done." in shown
        assert Payment.objects.get().state == "FAILED"

    def test_disables_an_api_key(self, live: ApiClient, lee: Member) -> None:
        shown = lee.client.post(
            reverse("admin:payments_disable_key", args=[ApiKey.objects.get().pk]),
            {"reason": "leaked", "confirmed": "yes"},
        )
        assert shown.status_code == 302
        assert live.get("/payments").status == 401
        assert Event.objects.get(type="api_key.disabled").evidence["reason"] == "leaked"

    def test_is_not_for_those_who_may_only_look(
        self, live: ApiClient, bank: SimulatedBank, transactional_db: None
    ) -> None:
        operation = lost_capture(live, bank)
        auditor = Member("ann")
        for name, args in {
            "record_reference": [operation.pk],
            "record_not_executed": [operation.pk],
            "ask_again": [operation.pk],
            "void_stray_hold": [],
            "instruct": [operation.payment_id, "refund"],
        }.items():
            address = reverse(f"admin:payments_{name}", args=args)
            assert auditor.client.get(address).status_code == 403, name
            assert auditor.client.post(address, {"reason": "x", "confirmed": "yes"}).status_code == 403, name
