"""Reported of others: captures and refunds executed twice, not at all, or marked as what they were not."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from payments.models import Event, Operation
from payments.usecases.recovery import recover_due
from tests.adversity.doubts import in_doubt
from tests.adversity.races.books import assert_books_agree
from tests.conftest import forget_pace
from tests.support.api_client import ApiClient, order
from tests.support.at_once import at_once
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=5)
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("impatient")


class TestAChargedPayment:
    @pytest.mark.parametrize("lost_by", ["drop_after", "fail_after", "garbage"])
    def test_is_never_marked_failed_and_can_be_refunded(
        self, live: ApiClient, bank: SimulatedBank, lost_by: Any
    ) -> None:
        path = f"/payments/{live.authorized()['id']}"
        bank.script("captures", lost_by)
        bank.script("captures", "fail_before", times=1000)
        assert live.post(f"{path}/capture").status == 202
        for _ in range(3):
            receipt = live.get(path).json
            assert (receipt["state"], receipt["money_moved"]) == ("AUTHORIZED", "unknown")
            let_pass(HOURS, bank)
            recover_due(within=WITHIN)
        bank.clear_script()
        forget_pace()
        let_pass(HOURS, bank)
        recover_due(within=WITHIN)
        assert live.get(path).json["state"] == "CAPTURED"
        assert live.post(f"{path}/refund").status == 200
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE", "REFUND"]
        assert assert_books_agree(bank) == []


class TestARetryWhileTheFirstAttemptIsUnknown:
    @pytest.mark.parametrize("executed", [True, False])
    def test_makes_no_second_capture(self, live: ApiClient, bank: SimulatedBank, executed: bool) -> None:
        path = f"/payments/{live.authorized()['id']}/capture"
        in_doubt(bank, "captures", lambda: live.post(path, key="the-capture"), executed=executed)
        asked = len(bank.requests())
        let_pass(MINUTES, bank)
        assert live.post(path, key="the-capture").status == 202
        other = live.post(path)
        assert (other.status, other.json["code"]) == (409, "operation_in_progress")
        assert len(bank.requests()) == asked
        recover_due(within=WITHIN)
        assert live.post(path, key="the-capture").status == 200
        assert live.post(path).json["code"] == "invalid_transition"
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE"]
        assert assert_books_agree(bank) == []


class TestARefund:
    def test_is_not_recorded_twice_whoever_finds_out_about_it(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.captured()
        path = f"/payments/{payment['id']}/refund"
        in_doubt(bank, "refunds", lambda: live.post(path, key="the-refund"))
        let_pass(5 * MINUTES, bank)
        bank.weather(max_latency_ms=50)
        at_once(
            *[lambda: recover_due(within=timedelta(seconds=1))] * 3,
            *[lambda: live.post(path, key="the-refund").status] * 3,
            *[lambda: live.post(path).status] * 3,
        )
        again = live.post(path, key="the-refund")
        assert (again.status, again.json["refunded_amount"]) == (200, payment["amount"])
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE", "REFUND"]
        assert Operation.objects.filter(kind="refund").count() == 1
        assert Event.objects.filter(type="payment.refunded").count() == 1
        assert assert_books_agree(bank) == []


class TestAKeyOfAnotherOperation:
    """Answered 200 to a refund that refunded nothing, because it carried the capture's key."""

    def test_of_the_same_payment_is_refused_and_nothing_is_executed(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        keys = {verb: uuid.uuid4().hex for verb in ("authorize", "capture", "refund")}
        path = f"/payments/{live.post('/payments', order(), key=keys['authorize']).json['id']}"
        for verb, carried in (("capture", "authorize"), ("void", "authorize")):
            self._assert_refused(live, f"{path}/{verb}", keys[carried])
        assert live.post(f"{path}/capture", key=keys["capture"]).status == 200
        for carried in ("authorize", "capture"):
            self._assert_refused(live, f"{path}/refund", keys[carried])
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE"]
        assert live.get(path).json["state"] == "CAPTURED"
        assert live.post(f"{path}/refund", key=keys["refund"]).status == 200
        self._assert_refused(live, f"{path}/capture", keys["refund"])
        assert len(bank.requests()) == 3
        assert assert_books_agree(bank) == []

    def _assert_refused(self, live: ApiClient, path: str, key: str) -> None:
        refused = live.post(path, key=key)
        assert (refused.status, refused.json["code"]) == (422, "idempotency_key_reused")
        assert refused.json["money_moved"] == "no"
