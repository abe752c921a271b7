"""A gateway of two processes, and a client that gives up its attempts soon."""

from collections.abc import Iterator
from typing import Any

import pytest

from payments.domain.timing import Timing
from tests.adversity.races.remote import RemoteClient
from tests.support.api_client import ApiClient
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_bank import SimulatedBank


@pytest.fixture(scope="package")
def gateway(
    bank_process: SimulatedBank, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayServer]:
    """Two worker processes: what they share is the database, and nothing else."""
    with GatewayServer(bank_process.url, tmp_path_factory.mktemp("gateway"), workers=2, threads=32) as server:
        yield server


@pytest.fixture
def shop(gateway: GatewayServer, live: ApiClient, bank: SimulatedBank) -> RemoteClient:
    """FicMart's order service at that gateway."""
    return RemoteClient(gateway.url, live.key)


@pytest.fixture
def impatient(settings: Any) -> Timing:
    """For this process: hardly any second attempts, so that silence soon ends in a 202. Real otherwise."""
    settings.BANK_TIMING = Timing(start_window=0.03, backoff_base=0.01, backoff_cap=0.02)
    timing: Timing = settings.BANK_TIMING
    return timing
