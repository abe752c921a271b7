"""What people decide with four eyes, and what they ask of the bank again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from office.decisions import asking, resolve
from office.decisions.evidence import CannotResolve, Evidence, Kind, Proposal, last_attempt
from office.decisions.proposals import why_outdated
from office.log.staff import Staff
from payments.banks.registry import bank_named
from payments.domain.states import OperationKind, OperationState, PaymentState
from payments.engine import leases
from payments.engine.conclude import Outdated
from payments.models import (
    Discrepancy,
    Event,
    Operation,
    Payment,
    Resolution,
    outdated_proposals,
    standing_proposals,
)
from payments.models.clock import ClockTimestamp
from payments.models.discrepancies import LATE_ANSWER
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from tests.api_client import ApiClient
from tests.factories import make_operation, make_payment
from tests.office.cases import (
    MINUTES,
    WITHIN,
    _captured,
    contradicted,
    lost_capture,
    not_executed,
    recording,
    too_old,
)
from tests.simulated_bank import SimulatedBank
from tests.time_travel import let_pass
from tests.unguarded import unguarded

pytestmark = pytest.mark.usefixtures("brief")


class TestFourEyes:
    def test_above_the_limit_another_has_to_approve(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolve.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        assert proposed.state == "PROPOSED"
        assert Payment.objects.get().state == "AUTHORIZED"
        with pytest.raises(CannotResolve, match="Nobody approves their own"):
            resolve.approve(kim, proposed.pk, reason="right")
        assert resolve.approve(lee, proposed.pk, reason="right").resolution.state == "APPLIED"
        assert Payment.objects.get().state == "CAPTURED"
        event = Event.objects.get(type="payment.captured")
        assert (event.actor, event.evidence["proposed_by"]) == ("staff:lee", "kim")
        with pytest.raises(CannotResolve, match="decided already"):
            resolve.approve(lee, proposed.pk, reason="right")

    def test_the_database_refuses_an_approval_of_ones_own(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolve.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        with pytest.raises(Exception, match="resolution_by_two_people"):
            Resolution.objects.filter(pk=proposed.pk).update(
                state="APPLIED", decided_by_id=kim.user_id, decided_at=ClockTimestamp()
            )

    def test_a_proposal_can_be_refused_and_made_anew(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolve.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        with pytest.raises(CannotResolve, match="proposal for this already"):
            resolve.propose(lee, recording(operation, bank.ledger()[-1].id))
        assert resolve.refuse(lee, proposed.pk, reason="not convinced").resolution.state == "REFUSED"
        assert resolve.propose(lee, recording(operation, bank.ledger()[-1].id)).resolution.state == "PROPOSED"

    def test_the_banks_written_word_needs_another_whatever_the_amount(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = contradicted(live, bank)
        proposal = not_executed(operation, Evidence.BANK_WORD, quote="We have not seen it.")
        assert resolve.propose(kim, proposal).resolution.state == "PROPOSED"

    def test_approving_what_recovery_has_settled_meanwhile_does_nothing(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        reference = bank.ledger()[-1].id
        proposed = resolve.propose(kim, recording(operation, reference)).resolution
        bank.script("captures", "garbage", status=200, executed=False, body=_captured(operation, reference))
        assert asking.ask_again(lee, operation.pk, reason="once more").endswith("is SUCCEEDED.")
        assert list(outdated_proposals()) == [proposed]
        with pytest.raises(CannotResolve, match="This proposal is outdated"):
            resolve.approve(lee, proposed.pk, reason="right")
        proposed.refresh_from_db()
        assert (proposed.state, proposed.decided_by, bool(proposed.decided_at)) == ("OUTDATED", None, True)
        told = Event.objects.get(type="resolution.outdated")
        assert told.evidence | {"user": lee.user_id, "from": lee.address} == told.evidence
        because = told.evidence["because"]
        assert (told.actor, because) == ("staff:lee", "The capture has ended: it is SUCCEEDED.")
        assert (told.evidence["resolution"], told.evidence["proposed_by"]) == (proposed.pk, "kim")
        assert (told.payment, told.operation) == (operation.payment, operation)
        assert not Event.objects.filter(type="resolution.failed").exists()
        with pytest.raises(CannotResolve, match="This proposal is outdated"):
            resolve.approve(lee, proposed.pk, reason="right")
        with pytest.raises(CannotResolve, match="This proposal is outdated"):
            resolve.refuse(kim, proposed.pk, reason="taken back")
        assert Event.objects.filter(type="payment.captured").count() == 1

    def test_a_proposal_outlives_recoverys_questions_and_is_approved_on_what_is_seen_now(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolve.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        asking.ask_again(lee, operation.pk, reason="once more")
        with pytest.raises(Outdated, match="has been asked about the capture since"):
            resolve.approve(lee, proposed.pk, reason="right", seen_epoch=operation.lease_epoch)
        now = Operation.objects.get(pk=operation.pk).lease_epoch
        resolve.check_approval(lee, proposed, seen_epoch=now)
        assert Payment.objects.get().state == "AUTHORIZED"
        done = resolve.approve(lee, proposed.pk, reason="right", seen_epoch=now)
        assert done.resolution.state == "APPLIED"
        assert Payment.objects.get().state == "CAPTURED"

    def test_the_banks_word_tells_nothing_of_what_was_sent_after_it(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = contradicted(live, bank)
        proposal = not_executed(operation, Evidence.BANK_WORD, quote="We have not seen it.")
        proposed = resolve.propose(kim, proposal).resolution
        bank.clear_script()
        bank.script("captures", "drop_after", stored=False)
        bank.script("captures", "drop_before", times=1000)
        asking.ask_again(lee, operation.pk, reason="once more")
        assert bank.ledger()[-1].type == "CAPTURE"
        let_pass(1 * MINUTES, bank)  # its lease has run out
        now = Operation.objects.get(pk=operation.pk).lease_epoch
        with pytest.raises(Outdated, match="sent again since this was proposed"):
            resolve.approve(lee, proposed.pk, reason="right", seen_epoch=now)
        assert Operation.objects.get(pk=operation.pk).state == "NEEDS_REVIEW"
        resolve.refuse(kim, proposed.pk, reason="asked the bank anew")
        proposal = replace(proposal, seen_epoch=now)
        assert resolve.propose(kim, proposal).resolution.state == "PROPOSED"

    def test_the_banks_word_is_not_taken_while_a_call_is_under_way(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        """The call began before the word was given, and the bank executes it after."""
        operation = contradicted(live, bank)
        bank.clear_script()
        lease = leases.take_for_recovery(operation.pk)
        assert lease is not None
        seen = Operation.objects.get(pk=operation.pk)
        word = not_executed(seen, Evidence.BANK_WORD, quote="We have not seen it.")
        with pytest.raises(Outdated, match="at this moment"):
            resolve.propose(kim, word)
        bank_named("ficmart").send(lease.instruction, card=None, may_send=lambda: True)
        assert bank.ledger()[-1].type == "CAPTURE"
        assert Resolution.objects.count() == 0

    def test_what_was_sent_after_the_page_was_made_in_the_same_epoch_is_noticed(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = contradicted(live, bank)
        word = not_executed(operation, Evidence.BANK_WORD, quote="We have not seen it.")
        last = last_attempt(operation)
        with pytest.raises(Outdated, match="since this page was made"):
            resolve.propose(kim, replace(word, seen_attempt=last - 1))
        proposed = resolve.propose(kim, replace(word, seen_attempt=last)).resolution
        epoch = operation.lease_epoch
        with pytest.raises(Outdated, match="since this page was made"):
            resolve.approve(lee, proposed.pk, reason="x", seen_epoch=epoch, seen_attempt=last - 1)
        done = resolve.approve(lee, proposed.pk, reason="x", seen_epoch=epoch, seen_attempt=last)
        assert done.resolution.state == "APPLIED"

    @pytest.mark.parametrize("why", ["deactivated", "another group"])
    def test_what_somebody_has_proposed_who_may_not_any_more_is_not_carried_out(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff, why: str
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolve.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        user = User.objects.get(username="kim")
        if why == "deactivated":
            user.is_active = False
            user.save()
        else:
            user.user_permissions.clear()
        with pytest.raises(CannotResolve, match="kim may not propose this any more"):
            resolve.approve(lee, proposed.pk, reason="right")
        assert Payment.objects.get().state == "AUTHORIZED"
        assert resolve.refuse(lee, proposed.pk, reason="propose it anew").resolution.state == "REFUSED"

    def test_who_confirms_what_does_not_hold_is_in_the_log(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        with pytest.raises(CannotResolve):
            resolve.propose(kim, recording(operation, "cap_00000000-0000-0000-0000-000000000000"))
        proposed = resolve.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        with pytest.raises(CannotResolve):
            resolve.approve(kim, proposed.pk, reason="nobody else is here")
        wrong, own = Event.objects.filter(type="resolution.failed").order_by("id")
        assert (wrong.actor, own.actor) == ("staff:kim", "staff:kim")
        assert wrong.evidence["reference"] == "cap_00000000-0000-0000-0000-000000000000"
        assert wrong.evidence["told"].startswith("The bank knows no capture cap_0000")
        assert own.evidence["told"].startswith("Nobody approves their own proposal")
        assert (own.evidence["because"], own.evidence["resolution"]) == ("nobody else is here", proposed.pk)
        assert own.payment == operation.payment


class TestAProposalIsOutdatedWithWhatItIsAbout:
    @pytest.mark.parametrize("how", ["the merchant refunds", "the merchant is refused"])
    def test_an_instruction_when_the_payments_state_changes(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, how: str
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured(amount=50_001)["order_id"])
        proposal = Proposal(Kind.REFUND, "returned", payment=payment)
        proposed = resolve.propose(kim, proposal).resolution
        if how == "the merchant is refused":
            bank.stop()
        live.post(f"/payments/{payment.public_id}/refund", key="the-refund")
        if how == "the merchant is refused":
            bank.restart()
        outdated = [proposed] if how == "the merchant refunds" else []
        assert list(outdated_proposals()) == outdated
        assert list(standing_proposals()) == ([] if outdated else [proposed])

    def test_an_instruction_when_the_hold_runs_out(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized(amount=50_001)["order_id"])
        proposed = resolve.propose(kim, Proposal(Kind.CAPTURE, "they called", payment=payment)).resolution
        let_pass(timedelta(days=7, minutes=1), bank)
        assert expire_due(limit=10)
        assert list(outdated_proposals()) == [proposed]
        with pytest.raises(CannotResolve, match="This proposal is outdated"):
            resolve.refuse(kim, proposed.pk, reason="taken back")
        assert Resolution.objects.get().state == "OUTDATED"
        assert Event.objects.get(type="resolution.outdated").evidence["because"] == "The payment is EXPIRED."

    def test_and_ends_when_something_else_is_proposed_for_the_same(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized(amount=50_001)["order_id"])
        proposed = resolve.propose(kim, Proposal(Kind.CAPTURE, "they called", payment=payment)).resolution
        live.post(f"/payments/{payment.public_id}/capture")
        payment = Payment.objects.get()
        refund = resolve.propose(lee, Proposal(Kind.REFUND, "returned", payment=payment)).resolution
        states = Resolution.objects.order_by("pk").values_list("pk", "state")
        assert list(states) == [(proposed.pk, "OUTDATED"), (refund.pk, "PROPOSED")]
        assert list(standing_proposals()) == [refund]
        assert Event.objects.get(type="resolution.outdated").actor == "staff:lee"

    def test_of_whatever_kind(self, kim: Staff) -> None:
        """Each kind stands until what it is about has changed, and a count of them is one statement."""

        def proposed(kind: Kind, operation: Operation | None = None, **about: Any) -> Resolution:
            known = {"bank": "ficmart", "amount_minor": 5000, "currency": "USD", "reason": "x"}
            return Resolution.objects.create(
                kind=kind, operation=operation, proposed_by_id=kim.user_id, **(known | about)
            )

        def under_review(kind: OperationKind, state: PaymentState) -> Operation:
            return make_operation(make_payment(state), kind, OperationState.NEEDS_REVIEW)

        capture = under_review(OperationKind.CAPTURE, PaymentState.AUTHORIZED)
        void = under_review(OperationKind.VOID, PaymentState.AUTHORIZED)
        refund = under_review(OperationKind.REFUND, PaymentState.CAPTURED)
        late = make_operation(make_payment(PaymentState.CAPTURED), OperationKind.REFUND)
        with unguarded():
            Operation.objects.filter(pk=late.pk).update(state="NOT_EXECUTED", finished_at=ClockTimestamp())
        case = Discrepancy.objects.create(kind=LATE_ANSWER, operation=late, payment=late.payment)
        held, taken = make_payment(PaymentState.AUTHORIZED), make_payment(PaymentState.CAPTURED)
        all_of_them = [
            proposed(Kind.RECORD_REFERENCE, capture, payment=capture.payment, reference="cap_1"),
            proposed(Kind.RECORD_VOIDED, void, payment=void.payment),
            proposed(Kind.RECORD_NOT_EXECUTED, refund, payment=refund.payment),
            proposed(Kind.SETTLE_LATE_ANSWER, late, payment=late.payment),
            proposed(Kind.VOID_HOLD, reference="auth_stray"),
            proposed(Kind.CAPTURE, payment=held),
            proposed(Kind.REFUND, payment=taken),
        ]
        assert set(standing_proposals()) == set(all_of_them)
        with unguarded():
            for one in (void, refund):
                Operation.objects.filter(pk=one.pk).update(state="NOT_EXECUTED", finished_at=ClockTimestamp())
            # Without a reference there is something to record still.
            Operation.objects.filter(pk=capture.pk).update(state="SUCCEEDED", finished_at=ClockTimestamp())
            Discrepancy.objects.filter(pk=case.pk).update(closed_at=ClockTimestamp())
            hold = {"target_reference": "auth_stray", "bank": "ficmart"}
            release = make_operation(None, OperationKind.RELEASE, OperationState.OPEN, **hold)
            Payment.objects.filter(pk=held.pk).update(state="VOIDED", voided_at=ClockTimestamp())
            Payment.objects.filter(pk=taken.pk).update(
                state="REFUNDED", refunded_at=ClockTimestamp(), refunded_minor=F("captured_minor")
            )
        assert list(standing_proposals()) == all_of_them[:1]
        assert list(outdated_proposals().order_by("pk")) == all_of_them[1:]
        assert [why_outdated(one) for one in outdated_proposals().order_by("pk")] == [
            "The void has ended: it is NOT_EXECUTED.",
            "The refund has ended: it is NOT_EXECUTED.",
            "The late answer has been settled.",
            "auth_stray is being released.",
            "The payment is VOIDED.",
            "The payment is REFUNDED.",
        ]
        with unguarded():
            Operation.objects.filter(pk=capture.pk).update(bank_reference="cap_2")
            Operation.objects.filter(pk=release.pk).update(state="NOT_EXECUTED", finished_at=ClockTimestamp())
        with CaptureQueriesContext(connection) as statements:
            assert standing_proposals().count() == 1  # the hold was not freed
        assert len(statements) == 1

    @pytest.mark.parametrize("what", ["an instruction", "what is recorded"])
    def test_whoever_approves_locks_what_it_is_about_first(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff, what: str
    ) -> None:
        """Whoever proposes has that locked, and may wait for the proposal: or they meet in a deadlock."""
        if what == "an instruction":
            payment = Payment.objects.get(order_id=live.captured(amount=50_001)["order_id"])
            proposal = Proposal(Kind.REFUND, "returned", payment=payment)
        else:
            operation = lost_capture(live, bank, amount=50_001)
            payment = operation.claimed_payment
            proposal = recording(operation, bank.ledger()[-1].id)
        proposed = resolve.propose(kim, proposal).resolution

        def approve() -> str:
            try:
                return resolve.approve(lee, proposed.pk, reason="right").resolution.state
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
                approving = pool.submit(approve)
                while not _somebody_waits_for_a_lock():
                    assert not approving.done()
                Resolution.objects.select_for_update(nowait=True).get(pk=proposed.pk)
            assert approving.result() == "APPLIED"

    def test_proposals_and_outcomes_at_the_same_moment_leave_none_behind(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        """Whoever comes second finds what the first has done: no deadlock, and nothing seems to wait."""
        for _ in range(5):
            payment = Payment.objects.get(order_id=live.captured(amount=50_001)["order_id"])

            def propose(payment: Payment = payment) -> str:
                try:
                    resolve.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment))
                except (CannotResolve, Outdated) as no:
                    return str(no)
                finally:
                    connection.close()
                return "proposed"

            def refund(payment: Payment = payment) -> int:
                try:
                    return live.post(f"/payments/{payment.public_id}/refund").status
                finally:
                    connection.close()

            with ThreadPoolExecutor(2) as pool:
                said, status = pool.submit(propose), pool.submit(refund)
            assert status.result() == 200, said.result()
            assert not standing_proposals().filter(payment=payment).exists()

    def test_approvals_and_outcomes_at_the_same_moment_refund_once(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        for _ in range(5):
            payment = Payment.objects.get(order_id=live.captured(amount=50_001)["order_id"])
            proposed = resolve.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment)).resolution

            def approve(proposed: Resolution = proposed) -> str:
                try:
                    return resolve.approve(lee, proposed.pk, reason="right").resolution.state
                except (CannotResolve, Outdated) as no:
                    return str(no)
                finally:
                    connection.close()

            def refund(payment: Payment = payment) -> int:
                try:
                    return live.post(f"/payments/{payment.public_id}/refund").status
                finally:
                    connection.close()

            with ThreadPoolExecutor(2) as pool:
                said, status = pool.submit(approve), pool.submit(refund)
            assert (said.result() == "APPLIED") == (status.result() == 409), said.result()
            assert Operation.objects.filter(payment=payment, kind="refund").count() == 1
            assert not standing_proposals().filter(payment=payment).exists()


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


class TestAskingAgain:
    def test_asks_about_an_authorize_however_old_it_is(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = too_old(live, bank)
        asked = len(bank.requests())
        said = asking.ask_again(kim, operation.pk, reason="perhaps")
        assert said == "The bank answered 400 invalid_card; the authorize is NEEDS_REVIEW."
        assert len(bank.requests()) > asked

    def test_settles_what_was_under_review_when_the_bank_has_come_to_its_senses(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = contradicted(live, bank)
        assert asking.ask_again(kim, operation.pk, reason="x").endswith("the capture is NEEDS_REVIEW.")
        bank.clear_script()
        assert asking.ask_again(kim, operation.pk, reason="x").endswith("the capture is SUCCEEDED.")
        assert live.receipt(operation.claimed_payment.public_id)["state"] == "CAPTURED"
        assert Discrepancy.objects.get().closed_at is not None
        assert Event.objects.filter(type="operation.needs_review").count() == 1
        with pytest.raises(CannotResolve, match="has ended"):
            asking.ask_again(kim, operation.pk, reason="x")


class TestAReleaseUnderReview:
    def test_can_be_asked_about_and_closed_by_people(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        live.authorized()
        let_pass(timedelta(days=7, minutes=1), bank)
        bank.script("voids", "fail_before", status=400, code="authorization_not_found", times=1000)
        expire_due(limit=10)
        for _ in range(3):
            let_pass(5 * MINUTES, bank)
            recover_due(within=WITHIN)
        release = Operation.objects.get(kind="release")
        assert release.state == "NEEDS_REVIEW"
        assert asking.ask_again(kim, release.pk, reason="x").endswith("the release is NEEDS_REVIEW.")
        release = Operation.objects.get(kind="release")
        answered = release.attempts.exclude(verdict="").latest("number")
        proposal = not_executed(release, Evidence.BANK_ANSWER, attempt=answered.number)
        proposed = resolve.propose(kim, proposal).resolution
        assert resolve.approve(lee, proposed.pk, reason="so it is").is_done
        assert Operation.objects.get(kind="release").state == "NOT_EXECUTED"
        assert Payment.objects.get().state == "EXPIRED"
        assert Event.objects.filter(type="release.not_executed").count() == 1
        assert recover_due(within=WITHIN) == 0
