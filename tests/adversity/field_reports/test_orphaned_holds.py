"""Reported of a competitor: 17 of 80 interrupted authorizes left a hold at the bank that no record knew.

Here every hold stands on a receipt, is voided, or belongs to an operation that awaits the statement.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection

from payments.models import Operation, Payment
from payments.usecases.recovery import recover_due
from tests.adversity.races.books import assert_books_agree
from tests.adversity.races.remote import RemoteClient
from tests.support.api_client import ApiClient, order
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=20)
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)


def killed_while(
    live: ApiClient, bank: SimulatedBank, home: Path, bodies: list[dict[str, Any]], moment: Callable[[], None]
) -> None:
    """A gateway killed when so many authorizes have been sent and `moment` has come. An order is its key."""
    connection.close()
    environment = {"FICPAY_BANK_THREADS": "64"}
    with GatewayServer(bank.url, home, threads=64, environment=environment) as server:
        client = RemoteClient(server.url, live.key)

        def send(body: dict[str, Any]) -> None:
            with suppress(requests.RequestException):  # killed
                assert client.post("/payments", body, key=body["order_id"]).status == 201

        threads = [threading.Thread(target=send, args=(body,)) for body in bodies]
        for thread in threads:
            thread.start()
        moment()
        server.kill()
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
        self, live: ApiClient, bank: SimulatedBank, tmp_path: Path
    ) -> None:
        """A third is executed although the caller is gone, a third without a stored answer, a third not."""
        bodies = [order() for _ in range(24)]
        bank.script("authorizations", "hang_before", ignores_hangup=True, times=8)
        bank.script("authorizations", "hang_after", stored=False, times=8)
        bank.script("authorizations", "hang_before", times=8)
        killed_while(live, bank, tmp_path, bodies, lambda: bank.wait_until_held(24, seconds=30))
        assert set(Payment.objects.values_list("state", flat=True)) == {"PENDING"}
        assert len(bank.ledger()) == 16

        recover_all(bank)
        assert len(assert_books_agree(bank)) == 8
        assert Payment.objects.filter(state="AUTHORIZED").count() == 8
        assert Operation.objects.filter(state="NOT_EXECUTED", awaiting_statement=True).count() == 16

        answers = [live.post("/payments", body, key=body["order_id"]) for body in bodies]
        assert {answer.status for answer in answers} == {201}
        let_pass(HOURS, bank)
        recover_due(within=WITHIN)  # late looks find holds that the retries have claimed
        assert len(assert_books_agree(bank)) == 8
        assert Payment.objects.filter(state="AUTHORIZED").count() == 24
        assert len(bank.ledger()) == 24 + 8

    def test_orphan_no_hold_in_any_weather(
        self, live: ApiClient, bank: SimulatedBank, tmp_path: Path
    ) -> None:
        bodies = [order() for _ in range(40)]
        bank.weather(min_latency_ms=20, max_latency_ms=600, failure_rate=0.05)

        def when_some_are_done() -> None:
            deadline = time.monotonic() + 20
            while len(bank.ledger()) < 15 and time.monotonic() < deadline:
                time.sleep(0.005)

        killed_while(live, bank, tmp_path, bodies, when_some_are_done)
        bank.weather(min_latency_ms=0, max_latency_ms=0, failure_rate=0)
        assert Operation.objects.filter(state="OPEN").exists()
        recover_all(bank)
        assert_books_agree(bank)
        for body in bodies:
            assert live.post("/payments", body, key=body["order_id"]).status == 201
        assert_books_agree(bank)
        assert Payment.objects.filter(state="AUTHORIZED").count() == 40


class TestASequentialReplay:
    @pytest.mark.usefixtures("quick")
    def test_that_makes_a_second_hold_because_the_banks_look_up_failed_awaits_the_statement(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.script("authorizations", "drop_after")
        bank.script("authorizations", "lookup_fails")
        receipt = live.authorized()
        first, second = bank.ledger()
        assert receipt["bank"]["authorization_id"] == second.id
        assert Operation.objects.get().awaiting_statement
        assert assert_books_agree(bank) == [first]
