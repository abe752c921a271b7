"""A gateway that is killed and started again, and the order service that goes on talking to it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.adversity.crash.case import Case, Until
from tests.adversity.crash.order_service import OrderService
from tests.adversity.crash.points import INSTRUCTIONS, Instruction
from tests.adversity.warm_server import WarmServer
from tests.support.api_client import ApiClient
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_acquirer import SimulatedAcquirer
from tests.support.simulated_bank import SimulatedBank


@pytest.fixture(scope="session")
def one_gateway(
    django_db_setup: None,
    bank_process: SimulatedBank,
    acquirer_process: SimulatedAcquirer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayServer]:
    home = tmp_path_factory.mktemp("gateway")
    with WarmServer(
        bank_process.url,
        home,
        application="tests.adversity.crash.stopping_application:application",
        environment={"ACQUIRER_URL": acquirer_process.url},
    ) as gateway:
        yield gateway


@pytest.fixture
def gateway(bank: SimulatedBank, one_gateway: GatewayServer) -> GatewayServer:
    """A running one. A test kills it and starts a new process, which the next test then kills."""
    if one_gateway.exit_code is not None:
        one_gateway.restart()
    return one_gateway


@pytest.fixture
def order_service(live: ApiClient, gateway: GatewayServer) -> OrderService:
    return OrderService(live.key, gateway)


@pytest.fixture(params=INSTRUCTIONS, ids=str)
def instruction(request: Any) -> Instruction:
    asked: Instruction = request.param
    return asked


@pytest.fixture
def case(
    instruction: Instruction,
    order_service: OrderService,
    bank: SimulatedBank,
    gateway: GatewayServer,
    until: Until,
) -> Case:
    return Case(instruction, order_service, bank, gateway, until)
