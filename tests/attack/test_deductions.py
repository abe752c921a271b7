"""What the bank says is done already was not done by us, if our every attempt was refused in clear words."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
import requests

from payments.models import Discrepancy, Operation, Payment
from payments.services.expirations import expire_due
from payments.services.recovery import recover_due
from tests.api_client import ApiClient
from tests.simulated_bank import SimulatedBank
from tests.time_travel import let_pass

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
