"""Recovery, while the merchant retries and other workers are at it: one call at a time, one hold."""

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from payments.models import Attempt, Operation
from payments.usecases.recovery import recover_due
from tests.adversity.doubts import in_doubt
from tests.adversity.races.books import assert_books_agree
from tests.adversity.races.remote import RemoteClient
from tests.conftest import wait_for_bank_threads
from tests.support.api_client import ApiClient, ApiResponse, order
from tests.support.at_once import at_once
from tests.support.gateway_server import PROJECT, GatewayServer
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=5)
MINUTES = timedelta(minutes=1)
_BODIES = 5
pytestmark = pytest.mark.usefixtures("impatient")


def authorize_in_doubt(live: ApiClient, bank: SimulatedBank, *, executed: bool) -> dict[str, Any]:
    """The body; its order is its key, too."""
    body = order()
    in_doubt(
        bank,
        "authorizations",
        lambda: live.post("/payments", body, key=body["order_id"]),
        executed=executed,
    )
    return body


def retry(client: ApiClient, body: dict[str, Any]) -> ApiResponse:
    try:
        return client.post("/payments", body, key=body["order_id"])
    finally:
        connection.close()  # the thread may end here


class TestTheMerchantsRetryAgainstRecovery:
    def test_while_recovery_probes_the_retry_waits(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = authorize_in_doubt(live, bank, executed=False)
        let_pass(5 * MINUTES, bank)
        bank.hold("authorizations")
        with ThreadPoolExecutor(1) as recovery:
            probing = recovery.submit(_recover)
            bank.wait_until_held()
            assert retry(live, body).status == 202
            bank.release()
            assert probing.result() == 1
        assert retry(live, body).status == 201
        assert len(bank.ledger()) == 1
        assert assert_books_agree(bank) == []

    def test_while_the_retry_is_at_the_bank_recovery_leaves_it_alone(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        body = authorize_in_doubt(live, bank, executed=False)
        let_pass(5 * MINUTES, bank)
        bank.hold("authorizations")
        with ThreadPoolExecutor(1) as merchant:
            retrying = merchant.submit(retry, live, body)
            bank.wait_until_held()
            assert recover_due(within=WITHIN) == 0
            bank.release()
            assert retrying.result().status == 201
        assert len(bank.ledger()) == 1
        assert assert_books_agree(bank) == []

    @pytest.mark.parametrize("executed", [True, False])
    def test_whoever_comes_first_there_is_one_hold_and_never_two_calls_at_a_time(
        self, live: ApiClient, shop: RemoteClient, bank: SimulatedBank, executed: bool
    ) -> None:
        bodies = [authorize_in_doubt(live, bank, executed=executed) for _ in range(_BODIES)]
        let_pass(5 * MINUTES, bank)
        bank.weather(max_latency_ms=60)

        def retries(body: dict[str, Any]) -> set[int]:
            time.sleep(random.uniform(0, 0.4))
            return {retry(client, body).status for client in (shop, live)}

        recoveries = [lambda: recover_due(within=timedelta(seconds=1))] * 3
        merchants = [lambda body=body: retries(body) for body in bodies for _ in range(2)]
        told = at_once(*recoveries, *merchants)[len(recoveries) :]
        assert set().union(*told) <= {201, 202}
        finally_told = [retry(shop, body) for body in bodies]
        assert [answer.status for answer in finally_told] == [201] * _BODIES
        assert len(bank.ledger()) == _BODIES
        assert assert_books_agree(bank) == []


class TestSeveralRecoveries:
    def test_as_processes_ask_about_each_operation_once(
        self, live: ApiClient, gateway: GatewayServer, bank: SimulatedBank
    ) -> None:
        asked_for: list[str] = []
        for verb in ["authorize", "capture", "void", "refund"] * 2:
            executed = len(asked_for) % 3 != 0 or verb == "authorize"
            if verb == "authorize":
                authorize_in_doubt(live, bank, executed=executed)
            else:
                payment = live.captured() if verb == "refund" else live.authorized()
                address, endpoint = f"/payments/{payment['id']}/{verb}", f"{verb}s"
                in_doubt(bank, endpoint, lambda at=address: live.post(at), executed=executed)  # type: ignore[arg-type]
            asked_for.append(verb)
        let_pass(5 * MINUTES, bank)
        bank.weather(max_latency_ms=40)
        before = len(bank.requests())
        connection.close()

        printed = subprocess.run(
            [sys.executable, "-m", "tests.adversity.races.recovery_workers", "3"],
            cwd=PROJECT, env=gateway.environment, stdout=subprocess.PIPE, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip
        done = [int(line) for line in printed.splitlines() if line.isdigit()]
        assert len(done) == 3
        assert sum(done) == len(asked_for)
        assert len([seen for seen in bank.requests()[before:] if seen.path != "/health"]) == len(asked_for)
        assert not Operation.objects.exclude(state="SUCCEEDED").exists()
        taken_over = Attempt.objects.filter(epoch__gt=1)
        assert taken_over.count() == len(asked_for)
        assert assert_books_agree(bank) == []

    def test_as_threads_beside_the_senders_themselves_never_make_two_calls(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        """Leases keep recovery from what is still being sent, however slow the bank is."""
        bank.weather(min_latency_ms=100, max_latency_ms=200)
        clients = [lambda: live.post("/payments", order()).status for _ in range(8)]
        recoveries = [lambda: sum(_recover(timedelta(seconds=0.2)) for _ in range(3))] * 3
        found = at_once(*recoveries, *clients)
        assert found == [0] * 3 + [201] * 8
        wait_for_bank_threads()
        assert assert_books_agree(bank) == []


def _recover(within: timedelta = WITHIN) -> int:
    try:
        return recover_due(within=within)
    finally:
        connection.close()
