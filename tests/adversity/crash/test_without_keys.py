"""The gateway is killed in an authorize at a bank that knows no keys: nobody sends it again, people are told.

The points are those of the crash matrix. What the acquirer has decided stands in its books; ours say that it
is in doubt until people look there.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests

from payments.engine.capacity import timing_of
from payments.models import Discrepancy, Operation, Payment
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.adversity.crash.case import KEY, WITHIN, open_transactions
from tests.adversity.crash.order_service import OrderService
from tests.adversity.crash.points import announcement
from tests.support.api_client import order
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_acquirer import SimulatedAcquirer
from tests.support.time_travel import let_pass

Until = Callable[[Callable[[], Any]], Any]
AT_THE_BANK = "at the bank"
# In the order of a request's life: how many calls the acquirer has seen, and how many payments it decided.
IN_DOUBT = {
    "unsent": (0, 0),
    AT_THE_BANK: (1, 1),
    "unrecorded": (1, 1),
    "outcome uncommitted": (1, 1),
}


class Case:
    """An authorize in euros, during which the gateway dies."""

    def __init__(
        self, service: OrderService, acquirer: SimulatedAcquirer, gateway: GatewayServer, until: Until
    ) -> None:
        self.service, self.acquirer, self.gateway, self.until = service, acquirer, gateway, until
        self.order = order(currency="EUR")

    def ask(self, **headers: str) -> Any:
        return self.service.post("/payments", self.order, key=KEY, **headers)

    def kill_gateway(self, point: str) -> None:
        if point == AT_THE_BANK:
            self.acquirer.script("payments", "delay", ms=0, ignores_hangup=True)
            self.acquirer.hold()
        logged = len(self.gateway.log)
        with ThreadPoolExecutor(1) as client:
            asked = client.submit(self.ask, **{"X-Stand-Still": point})
            try:
                if point == AT_THE_BANK:
                    self.acquirer.wait_until_held()
                else:
                    self.until(lambda: announcement(point) in self.gateway.log[logged:])
            finally:
                self.gateway.kill()
            with pytest.raises(requests.ConnectionError):
                asked.result()
        self.until(lambda: not open_transactions())
        self.acquirer.release()
        self.acquirer.wait_until_idle()
        self.gateway.restart()

    def seen(self) -> tuple[int, int]:
        return len(self.acquirer.requests()), len(self.acquirer.decisions())


@pytest.fixture
def case(
    order_service: OrderService, acquirer: SimulatedAcquirer, gateway: GatewayServer, until: Until
) -> Case:
    return Case(order_service, acquirer, gateway, until)


class TestAGatewayKilledAtABankWithoutKeys:
    @pytest.mark.parametrize("recovery_first", [True, False], ids=["recovery first", "client first"])
    @pytest.mark.parametrize("point", IN_DOUBT)
    def test_leaves_a_doubt_that_people_settle(self, case: Case, point: str, recovery_first: bool) -> None:
        case.kill_gateway(point)
        assert case.seen() == IN_DOUBT[point]
        let_pass(timedelta(seconds=timing_of("acquirer").lease))
        if recovery_first:
            assert recover_due(within=WITHIN) == 1
        told = case.ask()
        assert (told.status, told.json["pending_operation"], told.json["money_moved"]) == (
            202,
            "authorize",
            "unknown",
        )
        assert recover_due(within=WITHIN) == (0 if recovery_first else 1)
        assert Operation.objects.get().state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "cannot_ask"
        let_pass(timedelta(hours=30))
        assert recover_due(within=WITHIN) == 0
        assert case.ask().status == 202
        assert case.seen() == IN_DOUBT[point]
        assert violations() == []

    @pytest.mark.parametrize("point", ["intent uncommitted", "unanswered"])
    def test_before_its_intent_or_after_its_outcome_leaves_no_doubt(self, case: Case, point: str) -> None:
        case.kill_gateway(point)
        assert recover_due(within=WITHIN) == 0
        assert case.ask().status == 201
        assert case.seen() == (1, 1)
        assert Payment.objects.get().bank_authorization_id == case.acquirer.decisions()[0].authorization_code
        assert violations() == []
