"""What a silent attempt may have done: how often the card is sent after it, and what later answers mean."""

from typing import Any

import pytest

from payments.engine import leases
from payments.models import Attempt, Operation, Payment
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from reconciliation.services.explain import explain
from tests.adversity.doubts import HOURS, MINUTES, again, found_not_executed, probe
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.bank_books import disagreements, stray_holds
from tests.support.leases import WITHIN, after_the_clients_bound, let_leases_run_out
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass


def silent_for_ever(bank: SimulatedBank) -> None:
    """The bank executes everything, stores no answer, and gives none."""
    bank.script("authorizations", "drop_after", stored=False, times=10_000)


@pytest.mark.usefixtures("quick")
class TestACardAtABankThatNeverAnswers:
    def test_is_held_twice_at_most_however_often_the_merchant_asks(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        silent_for_ever(bank)
        for _ in range(4):
            assert again(live).status == 202
            after_the_clients_bound()
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD"] * 2
        assert violations() == []
        assert disagreements(bank) == []

    def test_is_sent_again_when_probes_have_found_it_not_executed_and_its_strays_are_counted(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        silent_for_ever(bank)
        assert again(live).status == 202
        bank.clear_script()
        probe(bank)
        probe(bank, after=11 * MINUTES)
        first = Operation.objects.get()
        assert (first.state, first.strays_awaited) == ("NOT_EXECUTED", 2)
        assert "2 holds of $50.00 that no reply has named may exist" in explain(first.claimed_payment)[-1]
        assert again(live).status == 201
        assert len(stray_holds(bank)) == 2
        assert disagreements(bank, settled=True) == []

    def test_awaits_one_stray_less_when_a_probe_finds_one_of_them(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.script("authorizations", "drop_after", stored=False)
        bank.script("authorizations", "drop_after")
        assert again(live).status == 202
        probe(bank)
        operation = Operation.objects.get()
        assert (operation.state, operation.strays_awaited) == ("SUCCEEDED", 1)
        assert len(stray_holds(bank)) == 1

    def test_and_one_less_again_when_a_hold_turns_up_late_and_is_released(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.script("authorizations", "drop_after", stored=False)
        bank.script("authorizations", "drop_after")
        assert again(live).status == 202
        bank.script("authorizations", "lookup_fails", times=2)
        probe(bank)
        probe(bank, after=11 * MINUTES)
        assert Operation.objects.get().strays_awaited == 2
        probe(bank, after=HOURS)
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "AUTH_HOLD", "VOID"]
        assert Operation.objects.get(kind="authorize").strays_awaited == 1
        assert disagreements(bank, settled=True) == []

    def test_and_nothing_any_more_when_the_only_one_has_turned_up(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.script("authorizations", "drop_after")
        bank.script("authorizations", "fail_before", times=100)
        assert again(live).status == 202
        bank.clear_script()
        bank.script("authorizations", "lookup_fails", times=2)
        probe(bank)
        probe(bank, after=11 * MINUTES)
        probe(bank, after=HOURS)
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "VOID"]
        assert not Operation.objects.filter(awaiting_statement=True).exists()
        assert violations() == []

    def test_is_not_sent_after_two_senders_have_died_in_their_call(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        bank.script("authorizations", "drop_after", stored=False)
        bank.script("authorizations", "fail_before", times=1000)
        assert again(live).status == 202
        bank.clear_script()
        operation = Operation.objects.get()
        let_leases_run_out()
        assert leases.take_over(operation.pk) is not None  # nobody ever ends it
        after_the_clients_bound()
        asked = len(bank.requests())
        assert leases.take_over(operation.pk) is None
        assert again(live).status == 202
        assert len(bank.requests()) == asked


@pytest.mark.usefixtures("brief")
class TestARunAgainShortlyBeforeTheKeyIsTooOld:
    def _doubt(self, live: ApiClient, bank: SimulatedBank, *, stored: bool) -> Operation:
        found_not_executed(live, bank, executed=False)
        let_pass(22 * HOURS + 30 * MINUTES, bank)
        bank.script("authorizations", "drop_after", stored=stored)
        bank.script("authorizations", "fail_before", times=1000)
        assert again(live).status == 202
        bank.clear_script()
        return Operation.objects.latest("created_at")

    def test_finds_its_hold_though_the_key_has_become_too_old_for_the_card(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        operation = self._doubt(live, bank, stored=True)
        probe(bank, after=30 * MINUTES)
        operation = Operation.objects.get(pk=operation.pk)
        assert (operation.state, operation.claimed_payment.state) == ("SUCCEEDED", "AUTHORIZED")
        assert [entry.id for entry in bank.ledger()] == [operation.bank_reference]

    def test_does_not_send_the_card_once_the_key_is_23_hours_old(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        self._doubt(live, bank, stored=False)
        let_pass(20 * MINUTES, bank)
        asked = len(bank.requests())
        assert again(live).status == 202
        assert len(bank.requests()) == asked

    def test_is_found_not_executed_and_looked_for_again_like_everything_else(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        operation = self._doubt(live, bank, stored=False)
        probe(bank, after=30 * MINUTES)
        probe(bank, after=11 * MINUTES)
        operation = Operation.objects.get(pk=operation.pk)
        assert (operation.state, operation.strays_awaited) == ("NOT_EXECUTED", 1)
        assert operation.look_again_at is not None
        for after in (1 * HOURS, 5 * HOURS, 16 * HOURS):
            looks = Attempt.objects.filter(operation=operation).count()
            probe(bank, after=after)
            assert Attempt.objects.filter(operation=operation).count() == looks + 1
        assert Operation.objects.get(pk=operation.pk).look_again_at is None


@pytest.mark.usefixtures("quick")
class TestARetryBesideOurOwnCall:
    BODY = order(order_id="order-1", card=CARDS["visa-500"], amount=30_000)

    def _beside_a_call_that_is_alive(self, live: ApiClient, bank: SimulatedBank) -> None:
        """The bank has made the hold, is slow to end the call, and has stored no answer yet."""
        bank.script("authorizations", "delay", ms=0, ignores_hangup=True)
        bank.hold("authorizations", at="storing")
        assert live.post("/payments", self.BODY, key="k").status == 202
        after_the_clients_bound()
        bank.wait_until_held()

    def test_is_not_declined_because_our_own_hold_has_used_up_the_funds(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        self._beside_a_call_that_is_alive(live, bank)
        assert live.post("/payments", self.BODY, key="k").status == 202
        assert Attempt.objects.latest("number").reply == "402 insufficient_funds"
        bank.release()
        bank.wait_until_idle()
        let_leases_run_out()
        recover_due(within=WITHIN)
        assert Payment.objects.get().state == "AUTHORIZED"
        assert live.post("/payments", self.BODY, key="k").status == 201
        assert len(bank.ledger()) == 1
        assert Operation.objects.get().strays_awaited == 0

    def test_is_declined_in_the_end_where_the_call_has_made_no_hold(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        """FAILED, and the merchant's next retry hears the issuer's word: nothing of ours is under way."""
        body = order(order_id="order-1", card=CARDS["no-funds"])
        bank.script("authorizations", "hang_before", ignores_hangup=False)
        assert live.post("/payments", body, key="k").status == 202
        after_the_clients_bound()
        assert live.post("/payments", body, key="k").status == 202
        bank.release()
        probe(bank)
        probe(bank, after=11 * MINUTES)
        assert Payment.objects.get().state == "FAILED"
        answer = live.post("/payments", body, key="k")
        assert (answer.status, answer.json["code"]) == (402, "insufficient_funds")


@pytest.mark.usefixtures("quick")
class TestAConnectionThatIsClosed:
    def test_by_whoever_stands_between_keeps_the_lease(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        """As a load balancer does that has waited long enough: the bank works on."""
        settings.BANK_CLOSES_WHEN_FINISHED = False
        bank.script("authorizations", "drop_before", times=1000)
        assert again(live).status == 202
        assert Attempt.objects.count() == 1
        after = Operation.objects.get()
        assert after.lease_expires_at > Attempt.objects.get().ended_at  # type: ignore[operator]
        assert recover_due(within=WITHIN) == 0
