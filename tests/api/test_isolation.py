"""Merchants and modes never see each other's data: what is another's does not exist."""

from typing import Any

import pytest

from payments.domain.states import Mode
from payments.models import ApiKey, Event, Operation, Payment
from payments.usecases.merchants import create_merchant, issue_api_key
from tests.support.api_calls import calls, filled
from tests.support.api_client import ApiClient, order
from tests.support.book_factories import SettlementFactory
from tests.support.factories import ApiKeyFactory, EventFactory, MerchantFactory, PaymentFactory

OTHERS: list[dict[str, Any]] = [
    {"mode": Mode.TEST},
    {"merchant": "other"},
    {"merchant": "other", "mode": Mode.TEST},
]


@pytest.fixture(params=OTHERS, ids=["other mode", "other merchant", "both"])
def foreign(request: Any, db: None) -> Any:
    """A payment that the caller must not see."""
    fields = dict(request.param)
    merchant = MerchantFactory(slug=fields.pop("merchant", "ficmart"))
    payment = PaymentFactory(
        authorized=True, merchant=merchant, order_id="order-f", customer_id="customer-f", **fields
    )
    EventFactory(payment=payment, type=Event.Type.PAYMENT_CREATED)
    return payment


class TestEveryCall:
    def test_finds_and_changes_nothing_of_another(self, mistaken: ApiClient, foreign: Any) -> None:
        """A parameter that this test does not know is a KeyError: say what another has of it."""
        key = ApiKeyFactory(merchant=foreign.merchant, mode=foreign.mode, name="of the other")
        others = {
            "payment_id": foreign.public_id,
            "order_id": foreign.order_id,
            "customer_id": foreign.customer_id,
            "key_id": key.public_id,
            "settlement_id": SettlementFactory(merchant=foreign.merchant, mode=foreign.mode).public_id,
        }
        secret = (*others.values(), foreign.id.hex, key.name, str(key), "Other")
        models: list[Any] = [Payment, Operation, ApiKey]
        before = [list(model.objects.order_by("pk").values()) for model in models]
        for method, path in calls():
            address = filled(path, others)
            headers = {"Idempotency-Key": "k"} if method == "POST" else {}
            answer = mistaken.call(method, address, headers=headers)
            has_id_of_ours = any(f"{{{name}}}" in path for name in ("payment_id", "key_id", "settlement_id"))
            assert answer.status in ((404,) if has_id_of_ours else (200, 400, 404)), (method, path, answer)
            shown = answer.body.decode()
            assert not [one for one in secret if one in shown], (method, path, answer)
        assert [list(model.objects.order_by("pk").values()) for model in models] == before


class TestIsolation:
    def test_anothers_payment_is_a_404_to_every_call(self, mistaken: ApiClient, foreign: Any) -> None:
        assert mistaken.get(f"/payments/{foreign.public_id}").status == 404
        assert mistaken.get(f"/payments/{foreign.public_id}/events").status == 404
        for verb in ("capture", "void", "refund"):
            answer = mistaken.post(f"/payments/{foreign.public_id}/{verb}")
            assert (answer.status, answer.json["code"]) == (404, "not_found")
            assert "payment" not in answer.json

    def test_what_is_anothers_is_told_from_what_never_was_by_nothing(
        self, mistaken: ApiClient, foreign: Any
    ) -> None:
        theirs = mistaken.get(f"/payments/{foreign.public_id}").json
        nobodys = mistaken.get(f"/payments/pay_{'0' * 32}").json
        assert theirs | {"request_id": ""} == nobodys | {"request_id": ""}

    def test_anothers_orders_and_customers_are_empty(self, mistaken: ApiClient, foreign: Any) -> None:
        assert mistaken.get("/orders/order-f").status == 404
        assert mistaken.get("/customers/customer-f/payments").json["results"] == []
        assert mistaken.get("/payments").json["results"] == []
        assert mistaken.get("/payments", order_id="order-f").json["results"] == []

    def test_the_same_order_id_is_another_order(self, mistaken: ApiClient, foreign: Any) -> None:
        own = PaymentFactory(captured=True, order_id="order-f", customer_id="customer-f")
        answer = mistaken.get("/orders/order-f").json
        assert [payment["id"] for payment in answer["payments"]] == [own.public_id]
        listed = mistaken.get("/customers/customer-f/payments").json["results"]
        assert [payment["id"] for payment in listed] == [own.public_id]

    def test_an_order_is_live_once_a_merchant_and_mode(
        self, live: ApiClient, test_mode: ApiClient, bank: Any
    ) -> None:
        create_merchant(slug="other", name="Other")
        other = ApiClient(issue_api_key(slug="other", mode=Mode.LIVE).plain)
        same = order(order_id="order-same")
        assert [client.post("/payments", same).status for client in (live, test_mode, other)] == [201] * 3
        assert live.post("/payments", same).status == 409
