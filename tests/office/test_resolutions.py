"""What people decide with four eyes, and what they ask of the bank again."""

from datetime import timedelta

import pytest

from payments.models import Discrepancy, Event, Operation, Payment, Resolution
from payments.services import resolutions
from payments.services.concluding import Outdated
from payments.services.evidence import CannotResolve, Evidence
from payments.services.expirations import expire_due
from payments.services.recovery import recover_due
from payments.services.staff import Staff
from tests.api_client import ApiClient
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

pytestmark = pytest.mark.usefixtures("brief")


class TestFourEyes:
    def test_above_the_limit_another_has_to_approve(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolutions.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        assert proposed.state == "PROPOSED"
        assert Payment.objects.get().state == "AUTHORIZED"
        with pytest.raises(CannotResolve, match="Nobody approves their own"):
            resolutions.approve(kim, proposed.pk, reason="right")
        assert resolutions.approve(lee, proposed.pk, reason="right").resolution.state == "APPLIED"
        assert Payment.objects.get().state == "CAPTURED"
        event = Event.objects.get(type="payment.captured")
        assert (event.actor, event.evidence["proposed_by"]) == ("staff:lee", "kim")
        with pytest.raises(CannotResolve, match="decided already"):
            resolutions.approve(lee, proposed.pk, reason="right")

    def test_the_database_refuses_an_approval_of_ones_own(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolutions.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        with pytest.raises(Exception, match="resolution_by_two_people"):
            Resolution.objects.filter(pk=proposed.pk).update(state="APPLIED", decided_by_id=kim.user_id)

    def test_a_proposal_can_be_refused_and_made_anew(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        proposed = resolutions.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        with pytest.raises(CannotResolve, match="proposal for this already"):
            resolutions.propose(lee, recording(operation, bank.ledger()[-1].id))
        assert resolutions.refuse(lee, proposed.pk, reason="not convinced").resolution.state == "REFUSED"
        assert (
            resolutions.propose(lee, recording(operation, bank.ledger()[-1].id)).resolution.state
            == "PROPOSED"
        )

    def test_the_banks_written_word_needs_another_whatever_the_amount(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = contradicted(live, bank)
        proposal = not_executed(operation, Evidence.BANK_WORD, quote="We have not seen it.")
        assert resolutions.propose(kim, proposal).resolution.state == "PROPOSED"

    def test_approving_what_recovery_has_settled_meanwhile_does_nothing(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank, amount=50_001)
        reference = bank.ledger()[-1].id
        proposed = resolutions.propose(kim, recording(operation, reference)).resolution
        bank.script("captures", "garbage", status=200, executed=False, body=_captured(operation, reference))
        assert resolutions.ask_again(lee, operation.pk, reason="once more").endswith("is SUCCEEDED.")
        with pytest.raises((CannotResolve, Outdated), match="ended meanwhile"):
            resolutions.approve(lee, proposed.pk, reason="right")
        assert Event.objects.filter(type="payment.captured").count() == 1


class TestAskingAgain:
    def test_says_where_the_bank_was_not_asked(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = too_old(live, bank)
        asked = len(bank.requests())
        said = resolutions.ask_again(kim, operation.pk, reason="perhaps")
        assert said == "The bank was not asked (too old to ask); the authorize is NEEDS_REVIEW."
        assert len(bank.requests()) == asked

    def test_settles_what_was_under_review_when_the_bank_has_come_to_its_senses(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = contradicted(live, bank)
        assert resolutions.ask_again(kim, operation.pk, reason="x").endswith("the capture is NEEDS_REVIEW.")
        bank.clear_script()
        assert resolutions.ask_again(kim, operation.pk, reason="x").endswith("the capture is SUCCEEDED.")
        assert live.receipt(operation.claimed_payment.public_id)["state"] == "CAPTURED"
        assert Discrepancy.objects.get().closed_at is not None
        assert Event.objects.filter(type="operation.needs_review").count() == 1
        with pytest.raises(CannotResolve, match="has ended"):
            resolutions.ask_again(kim, operation.pk, reason="x")


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
        assert resolutions.ask_again(kim, release.pk, reason="x").endswith("the release is NEEDS_REVIEW.")
        release = Operation.objects.get(kind="release")
        answered = release.attempts.exclude(verdict="").latest("number")
        proposal = not_executed(release, Evidence.BANK_ANSWER, attempt=answered.number)
        proposed = resolutions.propose(kim, proposal).resolution
        assert resolutions.approve(lee, proposed.pk, reason="so it is").is_done
        assert Operation.objects.get(kind="release").state == "NOT_EXECUTED"
        assert Payment.objects.get().state == "EXPIRED"
        assert Event.objects.filter(type="release.not_executed").count() == 1
        assert recover_due(within=WITHIN) == 0
