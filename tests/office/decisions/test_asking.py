"""What people ask of the bank again."""

from datetime import timedelta

import pytest

from office.decisions import asking, resolve
from office.decisions.evidence import CannotResolve, Evidence
from office.log.staff import Staff
from payments.models import Discrepancy, Event, Operation, Payment
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from tests.office.decisions.cases import MINUTES, WITHIN, contradicted, not_executed, too_old
from tests.support.api_client import ApiClient
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

pytestmark = pytest.mark.usefixtures("brief")


class TestAskingAgain:
    def test_asks_about_an_authorize_however_old_it_is(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = too_old(live, bank)
        asked = len(bank.requests())
        said = asking.ask_again(kim, operation.pk, reason="perhaps")
        assert said == "The bank replied 400 invalid_card; the authorize is NEEDS_REVIEW."
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
        with pytest.raises(CannotResolve, match="is already SUCCEEDED"):
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
        proposal = not_executed(release, Evidence.BANK_REPLY, attempt=answered.number)
        proposed = resolve.propose(kim, proposal).resolution
        assert resolve.approve(lee, proposed.pk, reason="so it is").is_done
        assert Operation.objects.get(kind="release").state == "NOT_EXECUTED"
        assert Payment.objects.get().state == "EXPIRED"
        assert Event.objects.filter(type="release.not_executed").count() == 1
        assert recover_due(within=WITHIN) == 0
