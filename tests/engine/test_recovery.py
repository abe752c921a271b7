"""Operations in doubt are found and settled after their sender is gone, by whoever takes them over."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection
from django.db.models import F

from payments.domain.timing import Timing
from payments.models import Attempt, Operation
from payments.models.clock import ClockTimestamp, clock_in
from payments.usecases.recovery import recover_due
from tests.conftest import forget_pace
from tests.support.api_client import ApiClient, order
from tests.support.gateway_server import GatewayServer
from tests.support.leases import WITHIN, after_the_clients_bound, let_leases_run_out
from tests.support.simulated_bank import Endpoint, SimulatedBank
from tests.support.unguarded import unguarded

_AFTERWARDS = {"capture": "CAPTURED", "void": "VOIDED", "refund": "REFUNDED"}


class TestAGatewayKilledInTheMiddle:
    @pytest.mark.parametrize("at", ["execution", "storing"])
    def test_leaves_doubts_that_recovery_settles_without_doing_anything_twice(
        self, live: ApiClient, bank: SimulatedBank, tmp_path: Path, at: Any
    ) -> None:
        """It dies during a capture, a void and a refund; `at` as SimulatedBank.hold has it."""
        payments = {verb: live.captured() if verb == "refund" else live.authorized() for verb in _AFTERWARDS}
        self._killed(live, bank, tmp_path, payments, at=at)
        for verb, payment in payments.items():
            in_doubt = live.receipt(payment["id"])
            assert (in_doubt["pending_operation"], in_doubt["money_moved"]) == (verb, "unknown")
        bank.release()
        bank.wait_until_idle()
        executed = bank.ledger()

        assert recover_due(within=WITHIN) == 0  # the leases of the dead still run
        let_leases_run_out()
        assert recover_due(within=WITHIN) == 3
        assert bank.ledger() == executed
        for verb, payment in payments.items():
            settled = live.receipt(payment["id"])
            assert (settled["state"], settled["pending_operation"]) == (_AFTERWARDS[verb], None)
            (entry,) = (one for one in executed if one.id == settled["bank"][f"{verb}_id"])
            assert entry.type == verb.upper()
            again = live.post(f"/payments/{payment['id']}/{verb}", key=f"the-{verb}")
            assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
            assert again.json == settled
            epochs = Attempt.objects.filter(
                operation__kind=verb, operation__payment_id=payment["id"].removeprefix("pay_")
            )
            assert list(epochs.order_by("number").values_list("epoch", "result")) == [
                (1, ""),
                (2, "answered"),
            ]

    def _killed(
        self, live: ApiClient, bank: SimulatedBank, home: Path, payments: dict[str, Any], *, at: Any
    ) -> None:
        connection.close()
        endpoints: list[Endpoint] = ["captures", "voids", "refunds"]
        for endpoint in endpoints:
            bank.script(endpoint, "delay", ms=0, ignores_hangup=True)
        bank.hold(*endpoints, at=at)
        with GatewayServer(bank.url, home) as server:

            def send(verb: str) -> None:
                headers = {"Authorization": f"Bearer {live.key}", "Idempotency-Key": f"the-{verb}"}
                address = f"{server.url}/api/v1/payments/{payments[verb]['id']}/{verb}"
                with pytest.raises(requests.ConnectionError):
                    requests.post(address, headers=headers, timeout=30)

            with ThreadPoolExecutor(3) as clients:
                sent = [clients.submit(send, verb) for verb in payments]
                bank.wait_until_held(3, seconds=30)
                server.kill()
                for one in sent:
                    one.result()


class TestLeftInDoubt:
    def test_a_capture_that_found_the_bank_down_is_settled_when_it_is_back(
        self, live: ApiClient, bank: SimulatedBank, scripted: Timing
    ) -> None:
        payment = live.authorized()
        bank.script("captures", "fail_before", times=1000)
        assert live.post(f"/payments/{payment['id']}/capture").status == 202
        bank.clear_script()
        assert recover_due(within=WITHIN) == 0  # it rests first
        let_leases_run_out()
        assert recover_due(within=WITHIN) == 1
        assert live.receipt(payment["id"])["state"] == "CAPTURED"
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE"]

    def test_rests_longer_each_time_the_bank_gives_no_answer(
        self, live: ApiClient, bank: SimulatedBank, scripted: Timing
    ) -> None:
        payment = live.authorized()
        bank.script("captures", "fail_before", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        rests = []
        for _ in range(3):
            operation = Operation.objects.annotate(now=ClockTimestamp()).get(kind="capture")
            assert operation.due_at is not None
            rests.append(round((operation.due_at - operation.now).total_seconds()))
            let_leases_run_out()
            recover_due(within=WITHIN)
        assert rests == [30, 60, 120]

    def test_one_that_cannot_be_settled_does_not_keep_the_others_waiting(
        self, live: ApiClient, bank: SimulatedBank, scripted: Timing
    ) -> None:
        payments = [live.authorized() for _ in range(3)]
        bank.script("captures", "drop_before", times=1000)
        for payment in payments:
            live.post(f"/payments/{payment['id']}/capture")
            forget_pace(retries=3)
        bank.clear_script()
        let_leases_run_out()
        poison = Operation.objects.filter(kind="capture").order_by("lease_expires_at")[0]
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE payments_event ADD CONSTRAINT poison CHECK "
                f"(operation_id <> '{poison.pk}' OR type <> 'payment.captured')"
            )
        try:
            assert recover_due(within=WITHIN) == 3
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE payments_event DROP CONSTRAINT poison")
        states = [live.receipt(payment["id"])["state"] for payment in payments]
        assert sorted(states) == ["AUTHORIZED", "CAPTURED", "CAPTURED"]
        let_leases_run_out()
        assert recover_due(within=WITHIN) == 1
        assert {live.receipt(payment["id"])["state"] for payment in payments} == {"CAPTURED"}


class TestTheMerchantsRetryContinuesAnAuthorize:
    @pytest.mark.parametrize("stored", [True, False])
    def test_with_the_card_it_carries(
        self, live: ApiClient, bank: SimulatedBank, scripted: Timing, stored: bool
    ) -> None:
        """Where the bank has stored no answer there are two holds, and only its statement can show it."""
        bank.script("authorizations", "drop_after", stored=stored)
        bank.script("authorizations", "fail_before", times=1000)
        body = order()
        first = live.post("/payments", body, key="the-order")
        assert first.status == 202
        bank.clear_script()
        after_the_clients_bound()
        second = live.post("/payments", body, key="the-order")
        assert (second.status, second.json["id"], second.json["state"]) == (
            201,
            first.json["id"],
            "AUTHORIZED",
        )
        assert len(bank.ledger()) == (1 if stored else 2)
        operation = Operation.objects.get()
        assert operation.strays_awaited == (0 if stored else 1)
        assert operation.lease_epoch == 2
        again = live.post("/payments", body, key="the-order")
        assert (again.body, again.headers["Idempotent-Replayed"]) == (second.body, "true")

    def test_of_a_killed_gateway_too(self, live: ApiClient, bank: SimulatedBank, tmp_path: Path) -> None:
        connection.close()
        body = order()
        headers = {"Authorization": f"Bearer {live.key}", "Idempotency-Key": "the-order"}
        bank.script("authorizations", "delay", ms=0, ignores_hangup=True)
        bank.hold("authorizations")
        with GatewayServer(bank.url, tmp_path) as server:

            def send() -> None:
                with pytest.raises(requests.ConnectionError):
                    requests.post(f"{server.url}/api/v1/payments", json=body, headers=headers, timeout=30)

            client = threading.Thread(target=send)
            client.start()
            bank.wait_until_held()
            server.kill()
            client.join()
        bank.release()
        bank.wait_until_idle()
        after_the_clients_bound()
        answer = live.post("/payments", body, key="the-order")
        assert (answer.status, answer.json["state"]) == (201, "AUTHORIZED")
        assert len(bank.ledger()) == 1

    def test_not_while_another_sender_holds_the_lease(
        self, live: ApiClient, bank: SimulatedBank, quick: Timing
    ) -> None:
        bank.hold("authorizations")
        body = order()
        assert live.post("/payments", body, key="the-order").status == 202
        with unguarded():
            Operation.objects.update(created_at=clock_in(-25))
        assert live.post("/payments", body, key="the-order").status == 202
        assert set(bank.max_in_flight().values()) == {1}
        bank.release()

    def test_not_later_than_23_hours_after_it_began(
        self, live: ApiClient, bank: SimulatedBank, scripted: Timing
    ) -> None:
        bank.script("authorizations", "drop_before", times=1000)
        body = order()
        live.post("/payments", body, key="the-order")
        bank.clear_script()
        asked = len(bank.requests())
        with unguarded():
            Operation.objects.update(created_at=clock_in(-23 * 3600 - 1))
        assert live.post("/payments", body, key="the-order").status == 202
        assert len(bank.requests()) == asked
        assert bank.ledger() == []

    def test_nor_later_than_that_after_an_earlier_start_with_the_same_bank_key(
        self, live: ApiClient, bank: SimulatedBank, scripted: Timing
    ) -> None:
        body = order()
        bank.stop()
        assert live.post("/payments", body, key="the-order").status == 503
        bank.restart()
        forget_pace()
        with unguarded():
            Operation.objects.update(created_at=clock_in(-22 * 3600))
        bank.script("authorizations", "drop_before", times=1000)
        assert live.post("/payments", body, key="the-order").status == 202
        bank.clear_script()
        let_leases_run_out()
        with unguarded():
            Operation.objects.update(created_at=F("created_at") - timedelta(hours=1, seconds=1))
        assert live.post("/payments", body, key="the-order").status == 202
        assert bank.ledger() == []
