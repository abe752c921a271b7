"""What the API's introduction (docs/api.md) tells an integrator is so."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from payments.domain.states import LIVE_PAYMENTS, Mode, PaymentState
from payments.domain.timing import Timing
from payments.engine.responses import RETRY_AFTER_SECONDS
from payments.usecases.merchants import issue_api_key
from tests.support.api_client import CARDS, ApiClient, document, order
from tests.support.factories import PaymentFactory
from tests.support.simulated_bank import SimulatedBank

TOLD = (settings.BASE_DIR / "docs" / "api.md").read_text()
_CARD = re.compile(r"^\| `(\d+)` \| (\w+) \| (\d\d)/(\d{4}) \| (\d{3}) ?`?(\w*)", re.MULTILINE)


class TestTestCards:
    @pytest.mark.parametrize("mode", [Mode.TEST, Mode.LIVE])
    def test_are_answered_as_told(
        self, live: ApiClient, test_mode: ApiClient, bank: SimulatedBank, mode: Mode
    ) -> None:
        client = live if mode is Mode.LIVE else test_mode
        told = _CARD.findall(TOLD)
        assert len(told) == 5
        for number, cvv, month, year, status, code in told:
            card = {"number": number, "expiry_month": int(month), "expiry_year": int(year)}
            answer = client.post("/payments", order(card=card | {"cvv": "123" if cvv == "any" else cvv}))
            assert (str(answer.status), answer.json.get("code", "")) == (status, code)


class TestKeysOfAMerchant:
    def test_a_rotated_key_finds_what_the_old_one_began(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        first = live.post("/payments", body, key="k")
        rotated = ApiClient(issue_api_key(slug="ficmart", mode=Mode.LIVE).plain)
        assert rotated.post("/payments", body, key="k").body == first.body


class TestIdempotencyKeys:
    def test_a_corrected_cvv_needs_a_new_key(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order(card=CARDS["visa"] | {"cvv": "999"})
        corrected = body | {"card": CARDS["visa"]}
        declined = live.post("/payments", body, key="k")
        assert declined.json["code"] == "invalid_cvv"
        assert live.post("/payments", corrected, key="k").body == declined.body
        assert live.post("/payments", corrected).status == 201

    def test_an_order_is_free_again_after_every_end_but_a_live_payment(self, test_mode: ApiClient) -> None:
        for state in PaymentState:
            if state not in LIVE_PAYMENTS:
                PaymentFactory(state=state, order_id=f"o-{state}", mode=Mode.TEST, bank="sandbox")
                assert test_mode.post("/payments", order(order_id=f"o-{state}")).status == 201

    def test_a_refusal_leaves_its_key_free_for_another_body(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        body = order()
        assert live.post("/payments", body | {"amount": "50"}, key="k").status == 400
        assert live.post("/payments/x/capture", key="k").status == 404
        receipt = live.post("/payments", body, key="k")
        assert receipt.status == 201
        assert live.post(f"/payments/{receipt.json['id']}/capture", {"amount": 1}, key="c").status == 422
        assert live.post(f"/payments/{receipt.json['id']}/refund", key="c").status == 409
        assert live.post(f"/payments/{receipt.json['id']}/capture", key="c").status == 200


class TestWaiting:
    def test_a_clients_time_out_and_pause_are_told_as_they_are(self) -> None:
        assert f"FicPay waits {Timing().client_wait:.0f} seconds for the bank" in TOLD
        assert f"after `Retry-After` ({RETRY_AFTER_SECONDS} seconds)" in TOLD


class TestHeaders:
    def test_location_stands_on_a_refusal_about_a_payment_too(self, mistaken: ApiClient) -> None:
        payment = PaymentFactory(captured=True)
        refused = mistaken.post(f"/payments/{payment.public_id}/capture")
        assert refused.headers["Location"] == f"/api/v1/payments/{payment.public_id}"

    def test_no_browser_of_another_site_is_let_in(self, mistaken: ApiClient) -> None:
        headers: dict[str, Any] = {
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Authorization": f"Bearer {mistaken.key}",
        }
        for method in ("GET", "OPTIONS", "POST"):
            response = Client().generic(method, "/api/v1/payments", headers=headers)
            assert not [name for name in response.headers if name.startswith("Access-Control")], method


class TestAddresses:
    def test_ids_are_percent_encoded(self, mistaken: ApiClient) -> None:
        told = re.findall(r"`(\S+)` becomes `(\S+)`", TOLD)
        assert len(told) == 1
        for given, address in (*told, ("a/b", "a/b"), ("a/c", "a%2Fc")):
            PaymentFactory(order_id=given, customer_id=given)
            assert mistaken.get(f"/orders/{address}").json["order_id"] == given
            assert len(mistaken.get(f"/customers/{address}/payments").json["results"]) == 1


class TestDocument:
    def test_names_its_server_licence_and_contact(self) -> None:
        assert all(server["url"].startswith("http") for server in document()["servers"])
        assert document()["info"]["license"]["name"]
        assert document()["info"]["contact"]["email"]

    def test_leads_from_an_authorize_to_the_operations(self) -> None:
        paths = document()["paths"]
        links = paths["/api/v1/payments"]["post"]["responses"]["201"]["links"]
        known = {operation["operationId"] for methods in paths.values() for operation in methods.values()}
        assert {link["operationId"] for link in links.values()} <= known
        assert {"capture", "void"} <= links.keys()
