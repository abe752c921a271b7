"""A hold runs out at the moment in which its goods ship."""

import random
import time
from datetime import timedelta

import pytest

from payments.models import Event, Operation, Payment
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from tests.adversity.races.books import assert_books_agree
from tests.adversity.races.remote import RemoteClient
from tests.support.api_client import ApiResponse
from tests.support.at_once import at_once
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

_PAYMENTS = 6


class TestExpiryAgainstCapture:
    @pytest.mark.parametrize("clocks", ["both", "ours only"])
    def test_a_hold_is_captured_or_released_and_never_both(
        self, shop: RemoteClient, bank: SimulatedBank, clocks: str
    ) -> None:
        """Where only our clock has come so far the bank still captures: its word counts, if it is asked."""
        payments = [shop.authorized() for _ in range(_PAYMENTS)]
        let_pass(timedelta(days=7), bank if clocks == "both" else None)
        bank.weather(max_latency_ms=30)

        def capture(payment_id: str) -> ApiResponse:
            time.sleep(random.uniform(0, 0.2))
            return shop.post(f"/payments/{payment_id}/capture")

        def expire() -> None:
            for _ in range(_PAYMENTS):
                expire_due(limit=1)
                time.sleep(random.uniform(0, 0.04))

        captures = [lambda payment=payment: capture(payment["id"]) for payment in payments]
        answers = [one for one in at_once(expire, expire, *captures) if one is not None]
        assert {(one.status, one.json.get("code")) for one in answers} <= {
            (200, None),
            (409, "authorization_expired"),
        }
        expire_due(limit=_PAYMENTS)
        recover_due(within=timedelta(seconds=5))

        captured = [one.json["id"] for one in answers if one.status == 200]
        assert clocks == "ours only" or captured == []
        assert Payment.objects.filter(state="CAPTURED").count() == len(captured)
        assert Payment.objects.filter(state="EXPIRED").count() == _PAYMENTS - len(captured)
        assert Operation.objects.filter(kind="release").count() == _PAYMENTS - len(captured)
        assert Event.objects.filter(type="payment.expired").count() == _PAYMENTS - len(captured)
        assert bank.balances()["1111"].held == 0
        assert assert_books_agree(bank) == []
