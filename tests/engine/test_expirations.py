"""Holds that run out."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from payments.models import Event, Operation, Payment
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from tests.support.api_client import ApiClient
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=5)
DAYS = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("scripted")


class TestAHoldThatHasRunOut:
    def test_ends_its_payment_and_gives_the_cardholder_the_money_back(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment, other = live.authorized(), live.captured()
        let_pass(7 * DAYS, bank)
        assert [str(one).replace("-", "") for one in expire_due(limit=10)] == [payment["id"][4:]]
        receipt = live.receipt(payment["id"])
        assert (receipt["state"], receipt["pending_operation"]) == ("EXPIRED", None)
        assert bank.balances()["1111"].held > 0
        assert recover_due(within=WITHIN) == 1
        assert bank.ledger()[-1].type == "VOID"
        assert bank.balances()["1111"].held == 0
        types = list(Event.objects.order_by("id").values_list("type", flat=True))[-3:]
        assert types == ["payment.expired", "release.requested", "release.succeeded"]
        assert live.receipt(other["id"])["state"] == "CAPTURED"
        assert expire_due(limit=10) == []

    def test_and_not_a_second_earlier(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.authorized()
        let_pass(7 * DAYS - timedelta(minutes=1), bank)
        assert expire_due(limit=10) == []

    def test_of_a_payment_with_an_unfinished_operation_is_left_alone(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        let_pass(7 * DAYS - timedelta(minutes=1), bank)
        bank.script("captures", "drop_after")
        bank.script("captures", "drop_before", times=1000)
        assert live.post(f"/payments/{payment['id']}/capture").status == 202
        bank.clear_script()
        let_pass(timedelta(hours=1), bank)
        assert expire_due(limit=10) == []
        recover_due(within=WITHIN)
        assert live.receipt(payment["id"])["state"] == "CAPTURED"

    def test_a_capture_that_comes_first_is_the_banks_to_judge(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        let_pass(7 * DAYS, bank)
        answer = live.post(f"/payments/{payment['id']}/capture")
        assert (answer.status, answer.json["code"]) == (409, "authorization_expired")
        assert expire_due(limit=10) == []
        assert Operation.objects.filter(kind="release").count() == 1

    def test_is_taken_in_batches_the_oldest_first(self, live: ApiClient, bank: SimulatedBank) -> None:
        for _ in range(3):
            live.authorized()
        let_pass(7 * DAYS, bank)
        assert [len(expire_due(limit=2)), len(expire_due(limit=2)), len(expire_due(limit=2))] == [2, 1, 0]

    def test_expires_once_whoever_is_at_it(self, live: ApiClient, bank: SimulatedBank) -> None:
        for _ in range(5):
            live.authorized()
        let_pass(7 * DAYS, bank)
        expired: list[int] = []

        def work() -> None:
            try:
                expired.append(len(expire_due(limit=10)))
            finally:
                connection.close()

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sum(expired) == 5
        assert Payment.objects.filter(state="EXPIRED").count() == 5
        assert Operation.objects.filter(kind="release").count() == 5
