"""What a bank cannot do is asked of its abilities, by everybody, and never tried."""

from datetime import timedelta

import pytest

from office.decisions.actions import resolutions_of
from office.decisions.kinds.instruct import INSTRUCTIONS
from payments.domain.problems import NEXT_WITHOUT
from payments.domain.replies import Unclear
from payments.domain.states import OperationKind
from payments.engine import conclude, send
from payments.engine.abilities import banks_with_stray_holds
from payments.engine.history import may_send_card
from payments.models import IdempotencyKey, Operation, Resolution
from payments.models.clock import read_clock
from payments.usecases.expirations import expire_due
from reconciliation.services.audit import violations
from reconciliation.services.explain import explain
from tests.support.abilities import can_only, has_abilities
from tests.support.api_client import ApiClient
from tests.support.factories import AttemptFactory, OperationFactory, PaymentFactory
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

AUTHORIZE = OperationKind.AUTHORIZE
STEPS = (OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND)


class TestAnInstructionThatTheBankDoesNotCarryOut:
    def test_is_not_supported_before_any_intent(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held, taken = live.authorized(), live.captured()
        can_only(monkeypatch, "ficmart", AUTHORIZE)
        known = Operation.objects.count(), IdempotencyKey.objects.count(), len(bank.ledger())
        for step in STEPS:
            about = taken if step is OperationKind.REFUND else held
            answer = live.post(f"/payments/{about['id']}/{step}", key=f"try-{step}")
            assert (answer.status, answer.json["code"]) == (409, "not_supported")
            assert answer.json["next"] == NEXT_WITHOUT[step]
            assert answer.json["money_moved"] == "no"
        assert known == (Operation.objects.count(), IdempotencyKey.objects.count(), len(bank.ledger()))

    def test_is_offered_to_nobody(self, live: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        payment = PaymentFactory(authorized=True)
        capture = INSTRUCTIONS[Resolution.Kind.CAPTURE]
        assert not capture.why_not(payment)
        can_only(monkeypatch, "ficmart", AUTHORIZE)
        assert (
            INSTRUCTIONS[Resolution.Kind.CAPTURE].why_not(payment)
            == "The payment's bank does not support capture."
        )
        assert "Its bank supports neither captures nor voids" in explain(payment)[-1]
        assert "voided" not in explain(payment)[-1]


class TestADoubtAtABankThatKnowsNoKeys:
    def test_is_not_asked_about_again(self, live: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        operation = OperationFactory(kind=AUTHORIZE, needs_review=True)
        AttemptFactory(operation=operation, silent=True)
        assert "Ask the bank again" in dict(resolutions_of(operation))
        assert may_send_card(operation, read_clock())
        can_only(monkeypatch, "ficmart", AUTHORIZE)
        assert set(dict(resolutions_of(operation))) == {"Record as not executed"}
        assert not may_send_card(operation, read_clock())
        assert conclude.next_look(operation, read_clock()) is None


class TestAQuestionThatTheBankDoesNotAnswer:
    def test_is_not_put(self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch) -> None:
        assert banks_with_stray_holds() == ["ficmart"]
        assert "ficmart" in send.bank_health()
        can_only(monkeypatch, "ficmart", AUTHORIZE)
        bank.stop()
        try:
            assert send.look_up("ficmart", AUTHORIZE, "auth_1") == Unclear("the bank has no look-up for this")
            assert "ficmart" not in send.bank_health()
            assert banks_with_stray_holds() == []
        finally:
            bank.restart()


class TestAnExpiredHold:
    @pytest.mark.parametrize("is_voided", [True, False])
    def test_is_released_where_that_frees_the_money(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch, is_voided: bool
    ) -> None:
        live.authorized()
        has_abilities(monkeypatch, "ficmart", voids_expired_holds=is_voided)
        let_pass(timedelta(days=7))
        assert len(expire_due(limit=1)) == 1
        assert Operation.objects.filter(kind="release").exists() == is_voided
        assert [one.rule for one in violations() if one.rule == "expired_with_reason_and_released"] == []
