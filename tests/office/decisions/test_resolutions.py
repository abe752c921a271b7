"""What people decide with four eyes."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User

from office.decisions import asking, resolve
from office.decisions.evidence import CannotResolve, Evidence, last_attempt
from office.log.staff import Staff
from payments.banks.registry import bank_named
from payments.engine import leases
from payments.engine.conclude import Outdated
from payments.models import Event, Operation, Payment, Resolution, outdated_proposals
from payments.models.clock import ClockTimestamp
from tests.office.decisions.cases import (
    MINUTES,
    _captured,
    contradicted,
    lost_capture,
    not_executed,
    recording,
)
from tests.support.api_client import ApiClient
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

pytestmark = pytest.mark.usefixtures("brief")


class TestFourEyes:
    def test_above_the_limit_another_has_to_approve(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolve.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        assert proposed.state == "PROPOSED"
        assert Payment.objects.get().state == "AUTHORIZED"
        with pytest.raises(CannotResolve, match="You cannot approve your own"):
            resolve.approve(kim, proposed.pk, reason="right")
        assert resolve.approve(lee, proposed.pk, reason="right").resolution.state == "APPLIED"
        assert Payment.objects.get().state == "CAPTURED"
        event = Event.objects.get(type="payment.captured")
        assert (event.actor, event.evidence["proposed_by"]) == ("staff:lee", "kim")
        with pytest.raises(CannotResolve, match="already decided"):
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
        with pytest.raises(CannotResolve, match="already a proposal for this"):
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
        assert (told.actor, because) == ("staff:lee", "The capture is already SUCCEEDED.")
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
        with pytest.raises(Outdated, match="was asked about the capture after"):
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
        with pytest.raises(Outdated, match="sent again after this was proposed"):
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
        with pytest.raises(Outdated, match="right now"):
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
        with pytest.raises(Outdated, match="after this page was loaded"):
            resolve.propose(kim, replace(word, seen_attempt=last - 1))
        proposed = resolve.propose(kim, replace(word, seen_attempt=last)).resolution
        epoch = operation.lease_epoch
        with pytest.raises(Outdated, match="after this page was loaded"):
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
        with pytest.raises(CannotResolve, match="kim is no longer allowed to propose this"):
            resolve.approve(lee, proposed.pk, reason="right")
        assert Payment.objects.get().state == "AUTHORIZED"
        assert resolve.refuse(lee, proposed.pk, reason="make a new proposal").resolution.state == "REFUSED"

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
        assert wrong.evidence["told"].startswith("The bank has no capture cap_0000")
        assert own.evidence["told"].startswith("You cannot approve your own proposal")
        assert (own.evidence["because"], own.evidence["resolution"]) == ("nobody else is here", proposed.pk)
        assert own.payment == operation.payment
