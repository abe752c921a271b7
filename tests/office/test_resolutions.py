"""What people decide: verified with the bank, with four eyes, written once."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from payments.models import Discrepancy, Event, Operation, Payment, Resolution
from payments.services import resolutions
from payments.services.recording import Outdated
from payments.services.recovery import recover_due
from payments.services.resolutions import CannotResolve, Evidence, Kind, Proposal
from payments.services.staff import Staff
from reconciliation.services.audit import violations
from tests.api_client import ApiClient, order
from tests.bank_books import disagreements
from tests.simulated_bank import SimulatedBank
from tests.time_travel import let_pass

WITHIN = timedelta(seconds=5)
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("brief")


def member(name: str) -> Staff:
    user = User.objects.create_user(name, password="x", is_staff=True)
    return Staff(user.pk, name, "192.0.2.7", f"request-of-{name}")


@pytest.fixture
def kim(transactional_db: None) -> Staff:
    return member("kim")


@pytest.fixture
def lee(transactional_db: None) -> Staff:
    return member("lee")


def lost_capture(live: ApiClient, bank: SimulatedBank, *, amount: int = 5000) -> Operation:
    """Captured for certain, and its id unknown."""
    payment = live.authorized(amount=amount)
    bank.script("captures", "drop_after", stored=False)
    bank.script("captures", "drop_before", times=1000)
    live.post(f"/payments/{payment['id']}/capture", key="the-capture")
    bank.clear_script()
    let_pass(5 * MINUTES, bank)
    recover_due(within=WITHIN)
    operation = Operation.objects.get(kind="capture", payment__order_id=payment["order_id"])
    assert operation.state == "NEEDS_REVIEW"
    return operation


def recording(operation: Operation, reference: str, **changes: Any) -> Proposal:
    return Proposal(
        Kind.RECORD_REFERENCE,
        "seen in the bank's portal",
        operation=operation,
        seen_epoch=operation.lease_epoch,
        reference=reference,
        **changes,
    )


class TestRecordingTheBanksReference:
    def test_settles_a_lost_capture_as_the_banks_answer_would(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = lost_capture(live, bank)
        resolution = resolutions.propose(kim, recording(operation, bank.ledger()[-1].id))
        assert resolution.state == "APPLIED"
        payment = live.receipt(operation.claimed_payment.public_id)
        assert (payment["state"], payment["pending_operation"]) == ("CAPTURED", None)
        assert payment["bank"]["capture_id"] == bank.ledger()[-1].id
        replay = live.post(f"/payments/{payment['id']}/capture", key="the-capture")
        assert (replay.status, replay.json) == (200, payment)
        assert Discrepancy.objects.get().closed_at is not None
        event = Event.objects.get(type="payment.captured")
        assert (event.actor, event.evidence["reason"]) == ("staff:kim", "seen in the bank's portal")
        assert live.post(f"/payments/{payment['id']}/refund").status == 200
        assert violations() == []
        assert disagreements(bank, settled=True) == []

    def test_that_names_another_authorization_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        other = live.captured()
        operation = lost_capture(live, bank)
        with pytest.raises(CannotResolve, match="belongs to another payment"):
            resolutions.propose(kim, recording(operation, other["bank"]["capture_id"]))
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("UPDATE payments_payment SET bank_capture_id = 'x' WHERE state = 'CAPTURED'")
            cursor.execute("SET session_replication_role = DEFAULT")
        with pytest.raises(CannotResolve, match="belongs to auth_"):
            resolutions.propose(kim, recording(operation, other["bank"]["capture_id"]))
        assert Resolution.objects.count() == 0

    @pytest.mark.parametrize(
        "reference", ["cap_00000000-0000-4000-8000-000000000000", "nonsense", "", "../x"]
    )
    def test_that_the_bank_does_not_know_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, reference: str
    ) -> None:
        operation = lost_capture(live, bank)
        with pytest.raises(CannotResolve, match="knows no capture"):
            resolutions.propose(kim, recording(operation, reference))

    def test_at_a_bank_in_ill_health_changes_nothing(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = lost_capture(live, bank)
        reference = bank.ledger()[-1].id
        bank.database_down()
        with pytest.raises(CannotResolve, match="could not be asked"):
            resolutions.propose(kim, recording(operation, reference))
        bank.database_down(False)
        assert resolutions.propose(kim, recording(operation, reference)).state == "APPLIED"

    def test_is_not_possible_for_a_hold(self, live: ApiClient, bank: SimulatedBank, kim: Staff) -> None:
        operation = too_old(live, bank)
        with pytest.raises(CannotResolve, match="no owner on the wire"):
            resolutions.propose(kim, recording(operation, bank.ledger()[0].id))


class TestFourEyes:
    def test_above_the_limit_another_has_to_approve(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolutions.propose(kim, recording(operation, bank.ledger()[-1].id))
        assert proposed.state == "PROPOSED"
        assert Payment.objects.get().state == "AUTHORIZED"
        with pytest.raises(CannotResolve, match="Nobody approves their own"):
            resolutions.approve(kim, proposed.pk, reason="right")
        assert resolutions.approve(lee, proposed.pk, reason="right").state == "APPLIED"
        assert Payment.objects.get().state == "CAPTURED"
        event = Event.objects.get(type="payment.captured")
        assert (event.actor, event.evidence["proposed_by"]) == ("staff:lee", "kim")
        with pytest.raises(CannotResolve, match="decided already"):
            resolutions.approve(lee, proposed.pk, reason="right")

    def test_the_database_refuses_an_approval_of_ones_own(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolutions.propose(kim, recording(operation, bank.ledger()[-1].id))
        with pytest.raises(Exception, match="resolution_by_two_people"):
            Resolution.objects.filter(pk=proposed.pk).update(state="APPLIED", decided_by_id=kim.user_id)

    def test_a_proposal_can_be_refused_and_made_anew(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolutions.propose(kim, recording(operation, bank.ledger()[-1].id))
        with pytest.raises(CannotResolve, match="proposal for this operation already"):
            resolutions.propose(lee, recording(operation, bank.ledger()[-1].id))
        assert resolutions.refuse(lee, proposed.pk, reason="not convinced").state == "REFUSED"
        assert resolutions.propose(lee, recording(operation, bank.ledger()[-1].id)).state == "PROPOSED"

    def test_the_banks_written_word_needs_another_whatever_the_amount(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = lost_capture(live, bank)
        proposal = not_executed(operation, Evidence.BANK_WORD, quote="We have not seen it.")
        assert resolutions.propose(kim, proposal).state == "PROPOSED"

    def test_approving_what_recovery_has_settled_meanwhile_does_nothing(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        reference = bank.ledger()[-1].id
        proposed = resolutions.propose(kim, recording(operation, reference))
        bank.script("captures", "garbage", status=200, executed=False, body=_captured(operation, reference))
        assert resolutions.ask_again(lee, operation.pk, reason="once more").endswith("is SUCCEEDED.")
        with pytest.raises((CannotResolve, Outdated), match="ended meanwhile"):
            resolutions.approve(lee, proposed.pk, reason="right")
        assert Event.objects.filter(type="payment.captured").count() == 1


class TestRecordingThatNothingWasExecuted:
    def test_ends_an_authorize_nobody_can_ask_about(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = too_old(live, bank)
        proposal = not_executed(operation, Evidence.STATEMENT, quote="statement of 20 November")
        assert resolutions.propose(kim, proposal).state == "APPLIED"
        operation = Operation.objects.get(pk=operation.pk)
        assert (operation.state, operation.awaiting_statement) == ("NOT_EXECUTED", False)
        assert Payment.objects.get().state == "FAILED"
        assert violations() == []

    def test_without_evidence_is_refused(self, live: ApiClient, bank: SimulatedBank, kim: Staff) -> None:
        operation = too_old(live, bank)
        with pytest.raises(CannotResolve, match="which evidence"):
            resolutions.propose(kim, not_executed(operation, ""))
        with pytest.raises(CannotResolve, match="Quote"):
            resolutions.propose(kim, not_executed(operation, Evidence.STATEMENT))

    def test_seen_before_the_bank_was_asked_again_is_outdated(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank)
        proposal = not_executed(operation, Evidence.BANK_ANSWER)
        resolutions.ask_again(lee, operation.pk, reason="once more")
        with pytest.raises(Outdated, match="asked about"):
            resolutions.propose(kim, proposal)

    def test_while_the_bank_is_being_asked_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        bank.hold("authorizations")
        live.post("/payments", order())
        operation = Operation.objects.get()
        with pytest.raises(Outdated, match="at this moment"):
            resolutions.propose(kim, not_executed(operation, Evidence.BANK_ANSWER))

    def test_two_at_the_same_moment_do_it_once(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = too_old(live, bank)
        outcomes: list[str] = []

        def work(staff: Staff) -> None:
            try:
                proposal = not_executed(operation, Evidence.STATEMENT, quote="20 November")
                outcomes.append(resolutions.propose(staff, proposal).state)
            except (CannotResolve, Outdated):
                outcomes.append("no")
            finally:
                connection.close()

        both = [threading.Thread(target=work, args=(staff,)) for staff in (kim, lee)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert sorted(outcomes) == ["APPLIED", "no"]
        assert Event.objects.filter(type="payment.failed").count() == 1


class TestVoidingAHoldOfNobodys:
    def stray(self, live: ApiClient, bank: SimulatedBank, *, age: timedelta = 26 * HOURS) -> str:
        """The second hold of an authorize that was silent first: only the statement shows it."""
        bank.move_clock(seconds=-age.total_seconds())
        bank.script("authorizations", "drop_after", stored=False)
        live.authorized()
        return bank.ledger()[0].id

    def proposal(self, reference: str) -> Proposal:
        return Proposal(Kind.VOID_HOLD, "on the statement", reference=reference, bank="ficmart")

    def test_gives_the_cardholder_the_money_back(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        reference = self.stray(live, bank)
        assert resolutions.propose(kim, self.proposal(reference)).state == "APPLIED"
        assert recover_due(within=WITHIN) == 1
        assert bank.ledger()[-1].type == "VOID"
        assert bank.ledger()[-1].reference_id == reference
        assert bank.balances()["1111"].held == 5000
        with pytest.raises(CannotResolve, match="released already"):
            resolutions.propose(kim, self.proposal(reference))

    def test_that_is_younger_than_25_hours_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        reference = self.stray(live, bank, age=24 * HOURS)
        with pytest.raises(CannotResolve, match="25 hours"):
            resolutions.propose(kim, self.proposal(reference))

    def test_that_a_payment_has_is_refused(self, live: ApiClient, bank: SimulatedBank, kim: Staff) -> None:
        bank.move_clock(seconds=-26 * 3600)
        held = live.authorized()["bank"]["authorization_id"]
        with pytest.raises(CannotResolve, match="a payment's hold"):
            resolutions.propose(kim, self.proposal(held))

    def test_while_an_authorize_of_its_amount_is_open_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        reference = self.stray(live, bank)
        bank.script("authorizations", "drop_before", times=1000)
        live.post("/payments", order())
        with pytest.raises(CannotResolve, match="is open"):
            resolutions.propose(kim, self.proposal(reference))


class TestInstructingForTheMerchant:
    @pytest.mark.parametrize(
        ("kind", "state"), [(Kind.CAPTURE, "CAPTURED"), (Kind.VOID, "VOIDED"), (Kind.REFUND, "REFUNDED")]
    )
    def test_does_what_the_merchant_would(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, kind: Kind, state: str
    ) -> None:
        receipt = live.captured() if kind == Kind.REFUND else live.authorized()
        payment = Payment.objects.get(order_id=receipt["order_id"])
        done = resolutions.propose(kim, Proposal(kind, "the customer called", payment=payment))
        assert done.state == "APPLIED"
        assert live.receipt(receipt["id"])["state"] == state
        assert Operation.objects.get(kind=kind.value).actor == "staff:kim"
        events = live.get(f"/payments/{receipt['id']}/events").json["results"]
        assert not [one for one in events if one["type"].startswith("resolution")]

    def test_above_the_limit_waits_for_another(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        receipt = live.captured(amount=60_000)
        payment = Payment.objects.get(order_id=receipt["order_id"])
        proposed = resolutions.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment))
        assert live.receipt(receipt["id"])["state"] == "CAPTURED"
        resolutions.approve(lee, proposed.pk, reason="right")
        assert live.receipt(receipt["id"])["state"] == "REFUNDED"

    def test_that_the_state_does_not_allow_is_refused_and_says_why(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized()["order_id"])
        with pytest.raises(CannotResolve, match="AUTHORIZED cannot be refunded"):
            resolutions.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment))


class TestAskingAgain:
    def test_settles_what_was_under_review_when_the_bank_has_come_to_its_senses(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        payment = live.authorized()
        bank.script("captures", "fail_before", status=400, code="authorization_not_found", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        for _ in range(2):
            let_pass(5 * MINUTES, bank)
            recover_due(within=WITHIN)
        operation = Operation.objects.get(kind="capture")
        assert operation.state == "NEEDS_REVIEW"
        assert resolutions.ask_again(kim, operation.pk, reason="x").endswith("the capture is NEEDS_REVIEW.")
        bank.clear_script()
        assert resolutions.ask_again(kim, operation.pk, reason="x").endswith("the capture is SUCCEEDED.")
        assert live.receipt(payment["id"])["state"] == "CAPTURED"
        assert Discrepancy.objects.get().closed_at is not None
        assert Event.objects.filter(type="operation.needs_review").count() == 1
        with pytest.raises(CannotResolve, match="has ended"):
            resolutions.ask_again(kim, operation.pk, reason="x")


def too_old(live: ApiClient, bank: SimulatedBank) -> Operation:
    """An authorize in doubt for 23 hours; its hold exists."""
    bank.script("authorizations", "drop_after")
    bank.script("authorizations", "drop_before", times=1000)
    live.post("/payments", order())
    bank.clear_script()
    let_pass(23 * HOURS, bank)
    recover_due(within=WITHIN)
    operation = Operation.objects.get()
    assert operation.state == "NEEDS_REVIEW"
    return operation


def not_executed(operation: Operation, evidence: str, quote: str = "") -> Proposal:
    return Proposal(
        Kind.RECORD_NOT_EXECUTED,
        "as agreed with the bank",
        operation=operation,
        seen_epoch=operation.lease_epoch,
        evidence=evidence,
        quote=quote,
    )


def _captured(operation: Operation, reference: str) -> str:
    return (
        f'{{"capture_id": "{reference}", "authorization_id": "{operation.target_reference}", '
        f'"status": "captured", "amount": {operation.amount_cents}, "currency": "USD", '
        '"captured_at": "2026-11-21T00:00:00Z"}'
    )
