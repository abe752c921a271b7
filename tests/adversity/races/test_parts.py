"""Refunds in parts at once, by threads at a gateway of two processes: never more than was captured."""

import pytest

from payments.domain.states import Mode
from payments.models import Merchant, Operation, Payment
from payments.usecases.merchants import issue_api_key
from reconciliation.services.audit import violations
from tests.adversity.races.remote import RemoteClient
from tests.support.at_once import at_once
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_bank import SimulatedBank

_ROUNDS = 3
_REFUSED = {"operation_in_progress", "invalid_transition", "amount_mismatch"}


@pytest.fixture
def tester(gateway: GatewayServer, merchant: Merchant, bank: SimulatedBank) -> RemoteClient:
    """FicMart's order service with its test key, whose bank takes parts."""
    return RemoteClient(gateway.url, issue_api_key(slug=merchant.slug, mode=Mode.TEST).plain)


@pytest.mark.parametrize("amount", [2000, None])
def test_two_refunds_at_once_give_back_no_more_than_was_captured(
    tester: RemoteClient, amount: int | None
) -> None:
    body = None if amount is None else {"amount": amount}
    for _ in range(_ROUNDS):
        path = f"/payments/{tester.authorized(amount=5000)['id']}"
        tester.post(f"{path}/capture", {"amount": 4370})
        answers = at_once(*[lambda path=path: tester.post(f"{path}/refund", body)] * 6)
        made = [one for one in answers if one.status == 200]
        assert 1 <= len(made) <= (2 if amount else 1)
        assert {one.json["code"] for one in answers if one.status != 200} <= _REFUSED
        receipt = tester.get(path).json
        assert receipt["refunded_amount"] == len(made) * (amount or 4370)
        assert len(receipt["refunds"]) == len(made)
    spent = Operation.objects.filter(kind="refund", state="SUCCEEDED")
    assert sum(one.amount_minor for one in spent) == sum(one.refunded_minor for one in Payment.objects.all())
    assert violations() == []
