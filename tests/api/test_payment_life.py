"""A payment's life through the API, at the simulated bank."""

from tests.support.api_client import CARDS, ApiClient, order
from tests.support.simulated_bank import SimulatedBank


class TestPaymentLife:
    def test_authorize_capture_and_refund_move_the_money_at_the_bank_once(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        answer = live.post("/payments", order())
        assert answer.status == 201
        assert answer.json["state"] == "AUTHORIZED"
        assert answer.headers["Location"] == f"/api/v1/payments/{answer.json['id']}"
        assert bank.balances()["1111"].held == 5000

        captured = live.post(f"/payments/{answer.json['id']}/capture", {"amount": 5000, "reason": "shipped"})
        assert captured.status == 200
        assert (captured.json["state"], captured.json["money_moved"]) == ("CAPTURED", "yes")

        refunded = live.post(f"/payments/{answer.json['id']}/refund")
        assert refunded.status == 200
        assert refunded.json["refunded_amount"] == 5000
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE", "REFUND"]
        assert bank.balances()["1111"].available == 1_000_000
        assert live.receipt(answer.json["id"]) == refunded.json

    def test_a_void_releases_the_hold(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        voided = live.post(f"/payments/{payment['id']}/void")
        assert voided.status == 200
        assert voided.json["state"] == "VOIDED"
        assert voided.json["bank"]["void_id"] == bank.ledger()[-1].id
        assert bank.balances()["1111"].held == 0

    def test_a_decline_is_a_402_with_the_receipt(self, live: ApiClient, bank: SimulatedBank) -> None:
        answer = live.post("/payments", order(card=CARDS["no-funds"]))
        assert answer.status == 402
        assert answer.json["code"] == "insufficient_funds"
        assert answer.json["money_moved"] == "no"
        assert answer.json["payment"]["state"] == "DECLINED"
        assert bank.ledger() == []
