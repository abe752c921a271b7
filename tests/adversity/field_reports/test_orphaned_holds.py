"""Reported of a competitor: 17 of 80 interrupted authorizes left a hold at the bank that no record knew.

Here every hold stands on a receipt, is voided, or belongs to an operation that awaits the statement.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import requests

from payments.models import Operation, Payment
from payments.usecases.recovery import recover_due
from tests.adversity.races.books import assert_books_agree
from tests.adversity.races.remote import RemoteClient
from tests.adversity.warm_server import WarmServer
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=20)
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(scope="module")
def one_gateway(
    bank_process: SimulatedBank, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WarmServer]:
    with WarmServer(
        bank_process.url,
        tmp_path_factory.mktemp("gateway"),
        application="ficpay.asgi:application",
        threads=64,
        environment={"FICPAY_BANK_THREADS": "64"},
    ) as server:
        yield server


@pytest.fixture
def gateway(live: ApiClient, bank: SimulatedBank, one_gateway: WarmServer) -> WarmServer:
    """A running one: each test kills it."""
    if one_gateway.exit_code is not None:
        one_gateway.restart()
    return one_gateway


def killed_while(
    gateway: WarmServer,
    live: ApiClient,
    bank: SimulatedBank,
    bodies: list[dict[str, Any]],
    moment: Callable[[], None],
) -> None:
    """The gateway is killed when so many authorizes have been sent and `moment` has come.

    An order is its key.
    """
    client = RemoteClient(gateway.url, live.key)

    def send(body: dict[str, Any]) -> None:
        with suppress(requests.RequestException):  # killed
            assert client.post("/payments", body, key=body["order_id"]).status == 201

    threads = [threading.Thread(target=send, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    try:
        moment()
    finally:
        gateway.kill()
    for thread in threads:
        thread.join()
    bank.release()
    bank.wait_until_idle()


def recover_all(bank: SimulatedBank) -> None:
    """The doubts of the dead: asked about twice, ten minutes apart."""
    for pause in (5 * MINUTES, 11 * MINUTES):
        let_pass(pause, bank)
        recover_due(within=WITHIN)


class TestInterruptedAuthorizes:
    def test_orphan_no_hold_whatever_the_bank_had_done_by_then(
        self, live: ApiClient, bank: SimulatedBank, gateway: WarmServer
    ) -> None:
        """A third is executed although the caller is gone, a third without a stored reply, a third not."""
        bodies = [order() for _ in range(12)]
        bank.script("authorizations", "hang_before", ignores_hangup=True, times=4)
        bank.script("authorizations", "hang_after", stored=False, times=4)
        bank.script("authorizations", "hang_before", times=4)
        killed_while(gateway, live, bank, bodies, lambda: bank.wait_until_held(12, seconds=30))
        assert set(Payment.objects.values_list("state", flat=True)) == {"PENDING"}
        assert len(bank.ledger()) == 8

        recover_all(bank)
        assert len(assert_books_agree(bank)) == 4
        assert Payment.objects.filter(state="AUTHORIZED").count() == 4
        assert Operation.objects.filter(state="NOT_EXECUTED", awaiting_statement=True).count() == 8

        answers = [live.post("/payments", body, key=body["order_id"]) for body in bodies]
        assert {answer.status for answer in answers} == {201}
        let_pass(HOURS, bank)
        recover_due(within=WITHIN)  # late looks find holds that the retries have claimed
        assert len(assert_books_agree(bank)) == 4
        assert Payment.objects.filter(state="AUTHORIZED").count() == 12
        assert len(bank.ledger()) == 12 + 4

    def test_orphan_no_hold_in_any_weather(
        self, live: ApiClient, bank: SimulatedBank, gateway: WarmServer
    ) -> None:
        bodies = [order() for _ in range(20)]
        bank.weather(min_latency_ms=20, max_latency_ms=300, failure_rate=0.05)

        def when_some_are_done() -> None:
            deadline = time.monotonic() + 20
            while len(bank.ledger()) < 8 and time.monotonic() < deadline:
                time.sleep(0.005)

        killed_while(gateway, live, bank, bodies, when_some_are_done)
        bank.weather(min_latency_ms=0, max_latency_ms=0, failure_rate=0)
        assert Operation.objects.filter(state="OPEN").exists()
        recover_all(bank)
        assert_books_agree(bank)
        for body in bodies:
            assert live.post("/payments", body, key=body["order_id"]).status == 201
        assert_books_agree(bank)
        assert Payment.objects.filter(state="AUTHORIZED").count() == 20
