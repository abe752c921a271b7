"""What the bank says is done already was not done by us, if our every attempt was refused in clear words."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
import requests

from payments.models import Discrepancy, Operation, Payment
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from tests.support.api_client import ApiClient
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

WITHIN = timedelta(seconds=5)
MINUTES = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("brief")


def captured_behind_our_back(bank: SimulatedBank, payment: dict[str, Any]) -> None:
    """As by an operation that our database has lost in a failover."""
    answer = requests.post(
        f"{bank.url}/api/v1/captures",
        json={"authorization_id": payment["bank"]["authorization_id"], "amount": payment["amount"]},
        headers={"Idempotency-Key": uuid.uuid4().hex},
        timeout=10,
    )
    assert answer.status_code == 200


class TestAHoldThatSomebodyElseHasCaptured:
    def test_is_not_found_voided_because_the_bank_has_repeated_its_contradiction(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        captured_behind_our_back(bank, payment)
        assert live.post(f"/payments/{payment['id']}/void").status == 202
        for _ in range(3):
            let_pass(5 * MINUTES, bank)
            recover_due(within=WITHIN)
        assert Payment.objects.get().state == "AUTHORIZED"
        assert Operation.objects.get(kind="void").state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "contradiction"

    def test_is_not_found_released_either(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        captured_behind_our_back(bank, payment)
        let_pass(timedelta(days=7), bank)
        assert len(expire_due(limit=1)) == 1
        for _ in range(4):
            let_pass(5 * MINUTES, bank)
            recover_due(within=WITHIN)
        assert Operation.objects.get(kind="release").state == "NEEDS_REVIEW"


class TestTheDatabasesClock:
    def test_set_back_does_not_make_a_captured_payment_voided(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        """An earlier capture that the bank executed, and people recorded as not executed."""
        payment = live.authorized()
        bank.script("captures", "drop_after", stored=False)
        bank.script("captures", "fail_before", status=400, code="amount_mismatch", times=1000)
        assert live.post(f"/payments/{payment['id']}/capture").status == 202
        bank.clear_script()
        earlier = Operation.objects.get(kind="capture")
        earlier.become_not_executed()
        earlier.finished_at, earlier.outcome_code = earlier.created_at, "found_by_people"
        with unguarded():
            earlier.save()
        # From here on the clock shows ten minutes less: what came before lies in its future.
        let_pass(-10 * MINUTES)
        bank.script("voids", "drop_before", times=1)
        live.post(f"/payments/{payment['id']}/void")
        assert Payment.objects.get().state == "AUTHORIZED"
        assert Operation.objects.get(kind="void").state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "not_deducible"


class TestAnErrorOfTheBanksOwn:
    @pytest.mark.parametrize("verb", ["void", "capture"])
    def test_proves_that_nothing_was_done_so_that_nothing_is_deduced_after_it(
        self, live: ApiClient, bank: SimulatedBank, verb: str
    ) -> None:
        payment = live.authorized()
        captured_behind_our_back(bank, payment)
        bank.script(f"{verb}s", "fail_before", times=1)  # type: ignore[arg-type]
        assert live.post(f"/payments/{payment['id']}/{verb}").status == 202
        for _ in range(3):
            let_pass(5 * MINUTES, bank)
            recover_due(within=WITHIN)
        assert Payment.objects.get().state == "AUTHORIZED"
        assert Operation.objects.get(kind=verb).state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "contradiction"

    def test_nor_after_a_silence_that_came_when_the_bank_had_said_so_already(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        captured_behind_our_back(bank, payment)
        bank.script("voids", "fail_before")
        assert live.post(f"/payments/{payment['id']}/void").status == 202
        bank.script("voids", "drop_before", times=1)
        for _ in range(3):
            let_pass(5 * MINUTES, bank)
            recover_due(within=WITHIN)
        assert Operation.objects.get(kind="void").state == "NEEDS_REVIEW"
        assert Payment.objects.get().state == "AUTHORIZED"
