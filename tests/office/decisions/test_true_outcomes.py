"""Whatever is true at the bank can be recorded, and the page never contradicts itself about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from office.decisions import resolve
from office.decisions.actions import resolutions_of
from office.decisions.evidence import CannotResolve, Kind, Proposal
from office.log.staff import Staff
from payments.domain.states import OperationKind, PaymentState
from payments.models import Discrepancy, Event, Operation, Payment
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.office.decisions.cases import MINUTES, WITHIN, lost_capture, recording
from tests.office.decisions.members import QUEUE, Member
from tests.support.api_client import ApiClient
from tests.support.bank_books import disagreements
from tests.support.factories import AttemptFactory, OperationFactory, PaymentFactory
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

PAGE = "admin:payments_payment_change"
pytestmark = pytest.mark.usefixtures("brief")


def void_of_what_the_bank_had_captured(live: ApiClient, bank: SimulatedBank, amount: int = 4600) -> Operation:
    """People took a capture for not executed; the void that followed is under review."""
    payment = live.authorized(amount=amount)
    bank.script("captures", "drop_after", stored=False)
    bank.script("captures", "drop_before", times=1000)
    live.post(f"/payments/{payment['id']}/capture", key="the-capture")
    let_pass(1 * MINUTES, bank)
    capture = Operation.objects.filter(kind="capture").latest("created_at")
    wrong = Proposal(
        Kind.RECORD_NOT_EXECUTED,
        "they were wrong",
        operation=capture,
        seen_epoch=capture.lease_epoch,
        evidence="bank_word",
        quote="We have never seen it.",
    )
    proposed = resolve.propose(_staff("ann"), wrong)
    resolve.approve(_staff("bob"), proposed.resolution.pk, reason="so they say")
    bank.clear_script()
    bank.script("voids", "drop_before", times=1000)
    live.post(f"/payments/{payment['id']}/void", key="the-void")
    bank.clear_script()
    for _ in range(3):
        let_pass(5 * MINUTES, bank)
        recover_due(within=WITHIN)
    void = Operation.objects.get(kind="void")
    assert void.state == "NEEDS_REVIEW"
    return void


def _staff(name: str) -> Staff:
    member = Member(name, "resolve_operation", "approve_resolution", "instruct_payment")
    return Staff(member.user.pk, name, "192.0.2.7", "")


@pytest.fixture
def kim(transactional_db: None) -> Member:
    return Member("kim", "resolve_operation", "instruct_payment")


class TestAVoidThatTheBankHadCaptured:
    def test_is_recorded_as_the_capture_that_it_was(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        void = void_of_what_the_bank_had_captured(live, bank)
        payment = void.claimed_payment
        assert "Record that it was captured" in kim.read(PAGE, payment.pk)
        captured = next(entry for entry in bank.ledger() if entry.type == "CAPTURE")
        told = kim.decide(
            "admin:payments_record_captured",
            void.pk,
            seen=void.lease_epoch,
            reference=captured.id.removeprefix("cap_"),
            reason="their portal shows it",
        )
        assert "Record that it was captured: done." in told
        receipt = live.receipt(payment.public_id)
        assert (receipt["state"], receipt["bank"]["capture_id"]) == ("CAPTURED", captured.id)
        assert receipt["captured_amount"] == 4600
        assert Operation.objects.get(kind="void").state == "NOT_EXECUTED"
        assert Event.objects.get(type="payment.captured").evidence["reason"] == "their portal shows it"
        assert live.post(f"/payments/{payment.public_id}/void", key="the-void").status == 409
        assert live.post(f"/payments/{payment.public_id}/refund").status == 200
        assert "executed by ficmart without FicPay" in kim.read(PAGE, payment.pk)
        assert violations() == []
        assert disagreements(bank, settled=True) == []

    def test_needs_the_capture_of_this_very_hold(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        other = live.captured()
        void = void_of_what_the_bank_had_captured(live, bank)
        for reference, no in (
            (other["bank"]["capture_id"], "belongs to another capture"),
            ("cap_00000000-0000-4000-8000-000000000000", "has no capture"),
        ):
            proposal = Proposal(
                Kind.RECORD_CAPTURED,
                "seen",
                operation=void,
                seen_epoch=void.lease_epoch,
                reference=reference,
            )
            with pytest.raises(CannotResolve, match=no):
                resolve.propose(_staff("max" + no[:1]), proposal)
        assert Payment.objects.get(pk=void.payment_id).state == "AUTHORIZED"


RECORDED_BY = {
    # What is true at the bank of something under review, and by which page it is recorded.
    (OperationKind.AUTHORIZE, "not executed"): "not-executed",
    (OperationKind.AUTHORIZE, "held under our key"): "ask-again",
    (OperationKind.AUTHORIZE, "held, and voided since"): "not-executed",
    (OperationKind.CAPTURE, "not executed"): "not-executed",
    (OperationKind.CAPTURE, "captured"): "reference",
    (OperationKind.CAPTURE, "voided"): "voided",
    (OperationKind.VOID, "not executed"): "not-executed",
    (OperationKind.VOID, "captured"): "captured",
    (OperationKind.VOID, "voided"): "voided",
    (OperationKind.REFUND, "not executed"): "not-executed",
    (OperationKind.REFUND, "refunded"): "reference",
    (OperationKind.RELEASE, "not executed"): "not-executed",
    (OperationKind.RELEASE, "captured"): "not-executed",
    (OperationKind.RELEASE, "voided"): "voided",
}
# What the bank has said of it rules some of it out: what is left must be recordable still.
SAYS = {
    "already_used": ("captured", "voided"),
    "already_captured": ("captured",),
    "already_voided": ("voided",),
    "already_refunded": ("refunded",),
    "bank_error": None,
}


@pytest.mark.django_db
def test_every_true_outcome_of_every_operation_has_a_page_that_records_it() -> None:
    for (kind, truth), page in RECORDED_BY.items():
        for said, leaves in SAYS.items():
            if leaves is not None and truth not in leaves:
                continue
            payment = PaymentFactory(
                state=PaymentState.CAPTURED if kind == OperationKind.REFUND else PaymentState.AUTHORIZED
            )
            operation = OperationFactory(payment=payment, kind=kind, needs_review=True)
            AttemptFactory(operation=operation, said=said, in_doubt=True)
            offered = [address.rstrip("/").rpartition("/")[2] for _, address in resolutions_of(operation)]
            assert page in offered, (kind, truth, said)


class TestThePaymentsPage:
    def test_of_a_capture_that_the_bank_calls_done_says_so_everywhere(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        capture = lost_capture(live, bank)
        shown = kim.read(PAGE, capture.payment_id)
        assert "The bank says it is captured, but the capture's id is unknown." in shown
        assert "Money moved unknown (capture: done, according to the bank)" in shown
        assert "Captured $0.00 recorded; $50.00 according to the bank" in shown
        assert "for certain" not in shown

    def test_of_a_void_of_a_used_hold_does_not_call_it_done(self, kim: Member) -> None:
        """The bank may have captured it; only `already_voided` says that the void is done."""
        for already, said in (
            ("already_used", "captured or voided, according to the bank"),
            ("already_voided", "done, according to the bank"),
        ):
            payment = PaymentFactory(authorized=True)
            void = OperationFactory(payment=payment, kind=OperationKind.VOID, needs_review=True)
            AttemptFactory(operation=void, said=already, in_doubt=True)
            assert f"Money moved unknown (void: {said})" in kim.read(PAGE, payment.pk)

    def test_of_a_hold_that_the_bank_calls_captured_offers_no_void(self, kim: Member) -> None:
        payment = PaymentFactory(authorized=True)
        capture = OperationFactory(payment=payment, kind=OperationKind.CAPTURE, needs_review=True)
        assert "Record that the hold was voided" in kim.read(PAGE, payment.pk)
        AttemptFactory(operation=capture, said="already_captured", in_doubt=True)
        assert "Record that the hold was voided" not in kim.read(PAGE, payment.pk)
        page = reverse("admin:payments_record_voided", args=[capture.pk])
        assert kim.client.get(page).status_code == 404

    def test_of_a_late_reply_offers_only_what_brings_it_into_our_books(self, kim: Member) -> None:
        payment = PaymentFactory(authorized=True)
        capture = OperationFactory(payment=payment, kind=OperationKind.CAPTURE, not_executed=True)
        Discrepancy.objects.create(kind="late_reply", operation=capture, payment=payment)
        shown = kim.read(PAGE, payment.pk)
        assert "The bank has executed the capture, but our books say it was not executed" in shown
        assert "Captured $0.00 recorded; $50.00 according to the bank" in shown
        instruct = {verb: reverse("admin:payments_instruct", args=[payment.pk, verb]) for verb in VERBS}
        page = kim.client.get(reverse(PAGE, args=[payment.pk])).content.decode()
        assert [verb for verb, address in instruct.items() if address in page] == ["capture"]
        told = kim.client.get(instruct["void"], follow=True).content.decode()
        assert "The bank executed a capture that our books do not have. Settle that first." in told

    def test_of_a_hold_that_has_run_out_offers_no_capture(self, kim: Member) -> None:
        past = datetime.now(UTC) - timedelta(seconds=5)
        payment = PaymentFactory(authorized=True, authorization_expires_at=past)
        page = kim.client.get(reverse(PAGE, args=[payment.pk])).content.decode()
        assert "The hold ran out at" in page
        assert reverse("admin:payments_instruct", args=[payment.pk, "capture"]) not in page


VERBS = ("capture", "void", "refund")


class TestAskingAgain:
    @pytest.mark.parametrize(
        ("kind", "state", "may"),
        [
            ("capture", PaymentState.AUTHORIZED, "The bank may take $50.00 now if it has not yet"),
            ("void", PaymentState.AUTHORIZED, "The bank may free the hold of $50.00 now if it has not yet"),
            ("refund", PaymentState.CAPTURED, "The bank may give back $50.00 now if it has not yet"),
            ("authorize", PaymentState.PENDING, "No money moves. The bank is asked what it has stored"),
        ],
    )
    def test_says_before_that_it_may_move_money(
        self, kim: Member, kind: str, state: PaymentState, may: str
    ) -> None:
        operation = OperationFactory(payment=PaymentFactory(state=state), kind=OperationKind(kind))
        address = reverse("admin:payments_ask_again", args=[operation.pk])
        preview = kim.client.post(address, {"reason": "the customer waits"}, follow=True)
        assert may in preview.content.decode()

    def test_says_afterwards_what_the_bank_answered(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        payment = live.authorized()
        bank.script("captures", "drop_before", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        bank.clear_script()
        let_pass(5 * MINUTES, bank)
        operation = Operation.objects.get(kind="capture")
        said = kim.decide("admin:payments_ask_again", operation.pk, reason="the customer waits")
        reference = bank.ledger()[-1].id
        executed = f"The bank replied that it has executed the capture: {reference}"
        assert f"{executed}; the capture is SUCCEEDED." in said


class TestARecordedReference:
    def test_carries_the_banks_time(self, live: ApiClient, bank: SimulatedBank, kim: Member) -> None:
        """Recorded a day later, it counts as captured on the day on which the bank did it."""
        operation = lost_capture(live, bank)
        entry = bank.ledger()[-1]
        told: Any = resolve.propose(_staff("lee"), recording(operation, entry.id))
        payment = Payment.objects.get()
        recorded_at = Operation.objects.get(kind="capture").finished_at
        assert payment.captured_at == told.resolution.executed_at
        assert abs(payment.captured_at - entry.created_at) < timedelta(milliseconds=1)
        assert payment.captured_at < recorded_at
        assert violations() == []

    @pytest.mark.parametrize("written", ["bare", "CAPITALS", "with what nobody sees"])
    def test_is_taken_as_a_statement_writes_it(
        self, live: ApiClient, bank: SimulatedBank, kim: Member, written: str
    ) -> None:
        operation = lost_capture(live, bank)
        reference = bank.ledger()[-1].id
        typed = {
            "bare": reference.removeprefix("cap_"),
            "CAPITALS": reference.upper(),
            "with what nobody sees": f"\u200b{reference}\u00a0\ufeff",
        }[written]
        kim.confirm(
            "admin:payments_record_reference",
            operation.pk,
            seen=operation.lease_epoch,
            reference=typed,
            reason="read off the statement",
        )
        assert Payment.objects.get().bank_capture_id == reference

    def test_shows_the_case_to_whoever_may_settle_it(
        self, live: ApiClient, bank: SimulatedBank, kim: Member
    ) -> None:
        void_of_what_the_bank_had_captured(live, bank)
        assert "that it was captured (with the capture's reference)" in kim.read(QUEUE)
