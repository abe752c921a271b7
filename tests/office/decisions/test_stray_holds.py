"""Holds that no payment has, voided by people."""

from datetime import timedelta
from typing import Any

import pytest

from office.decisions import resolve
from office.decisions.evidence import CannotResolve, Kind, Proposal
from office.decisions.kinds import void_hold
from office.log.staff import Staff
from payments.models import Payment, Resolution
from payments.usecases import holds
from payments.usecases.recovery import recover_due
from tests.office.decisions.cases import HOURS, WITHIN
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.usefixtures("quick")  # a second attempt follows a silent one, also on a busy machine


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
        assert resolve.propose(kim, self.proposal(reference)).resolution.state == "APPLIED"
        assert recover_due(within=WITHIN) == 1
        assert bank.ledger()[-1].type == "VOID"
        assert bank.ledger()[-1].reference_id == reference
        assert bank.balances()["1111"].held == 5000
        with pytest.raises(CannotResolve, match="already being released"):
            resolve.propose(kim, self.proposal(reference))

    def test_that_is_released_while_the_bank_is_asked_leaves_no_proposal(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bank.move_clock(seconds=-(26 * HOURS).total_seconds())
        bank.script("authorizations", "drop_after", stored=False)
        live.authorized(amount=60_000)
        reference = bank.ledger()[0].id
        look_up = void_hold.look_up

        def released_meanwhile(*args: Any) -> Any:
            found = look_up(*args)
            with unguarded():  # whatever the reason
                holds.request_release(Payment.objects.get(), hold=reference, because="a late hold")
            return found

        monkeypatch.setattr(void_hold, "look_up", released_meanwhile)
        with pytest.raises(CannotResolve, match="already being released"):
            resolve.propose(kim, self.proposal(reference))
        assert not Resolution.objects.exists()

    def test_that_is_younger_than_25_hours_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        reference = self.stray(live, bank, age=24 * HOURS)
        with pytest.raises(CannotResolve, match="25 hours"):
            resolve.propose(kim, self.proposal(reference))

    def test_that_a_payment_has_is_refused(self, live: ApiClient, bank: SimulatedBank, kim: Staff) -> None:
        bank.move_clock(seconds=-26 * 3600)
        held = live.authorized()["bank"]["authorization_id"]
        with pytest.raises(CannotResolve, match="the hold of a payment"):
            resolve.propose(kim, self.proposal(held))

    def test_while_an_authorize_of_its_amount_is_open_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        reference = self.stray(live, bank)
        bank.script("authorizations", "drop_before", times=1000)
        live.post("/payments", order())
        with pytest.raises(CannotResolve, match="is open"):
            resolve.propose(kim, self.proposal(reference))
