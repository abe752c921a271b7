"""An `Idempotency-Key` stands for one request of one merchant in one mode."""

from typing import Any

from payments.domain.states import Mode
from payments.models import IdempotencyKey, Payment
from payments.usecases.merchants import create_merchant, issue_api_key
from tests.support.api_client import CARDS, ApiClient, ApiResponse, order
from tests.support.simulated_bank import SimulatedBank

NUMBER = CARDS["visa"]["number"]
PAYMENT = f"/payments/pay_{'0' * 32}"
POSTS = ["/payments", f"{PAYMENT}/capture", f"{PAYMENT}/void", f"{PAYMENT}/refund"]


def is_replay(answer: ApiResponse) -> bool:
    """Whether it is the first request's answer; what a replay is, test_replay.py shows."""
    return answer.headers.get("Idempotent-Replayed") == "true"


class TestForm:
    def test_every_post_needs_one(self, mistaken: ApiClient) -> None:
        for path in POSTS:
            for headers in ({}, {"Idempotency-Key": ""}):
                answer = mistaken.call("POST", path, body=order(), headers=headers)
                assert (answer.status, answer.json["code"]) == (400, "idempotency_key_missing"), path
                assert answer.json["money_moved"] == "no", path

    def test_it_is_1_to_255_visible_ascii_characters_without_comma_and_the_cards_number(
        self, mistaken: ApiClient
    ) -> None:
        for path in POSTS:
            for key in ("a b", "a,b", "k" * 256, "é", "a\tb", "\x7f", NUMBER, "k-4111-1111-1111-1111"):
                answer = mistaken.post(path, order(), key=key)
                assert (answer.status, answer.json["code"]) == (400, "idempotency_key_invalid"), (path, key)
                assert key not in answer.body.decode(), (path, key)

    def test_any_other_is_taken(self, live: ApiClient, bank: SimulatedBank) -> None:
        uuid = "5d41402a-bc4b-4a76-b971-9d911017c592"
        for key in ("k", "k" * 255, "4512345678908", "~!@#$%^&*()_+{}|:<>?", uuid):
            assert live.post("/payments", order(), key=key).status == 201, key

    def test_a_read_needs_none(self, mistaken: ApiClient) -> None:
        assert mistaken.get("/payments").status == 200


class TestReuse:
    def test_the_cvv_is_no_part_of_the_request(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        live.post("/payments", body, key="k-1")
        retyped = body | {"card": CARDS["visa"] | {"cvv": "999"}}
        assert is_replay(live.post("/payments", retyped, key="k-1"))

    def test_another_body_is_a_422(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        live.post("/payments", body, key="k-1")
        for change in (
            {"amount": 5001},
            {"order_id": "another"},
            {"description": "new"},
            {"metadata": {}},
            {"card": CARDS["visa-500"]},
            {"card": CARDS["visa"] | {"expiry_year": 2031}},
        ):
            answer = live.post("/payments", body | change, key="k-1")
            assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused"), change
            assert answer.json["money_moved"] == "no", change
        assert len(bank.ledger()) == 1

    def test_another_path_is_a_422(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment, other = live.authorized(), live.authorized()
        assert live.post(f"/payments/{payment['id']}/capture", key="k-1").status == 200
        for path in (f"/payments/{payment['id']}/refund", f"/payments/{other['id']}/capture"):
            answer = live.post(path, key="k-1")
            assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")
        assert live.receipt(other["id"])["state"] == "AUTHORIZED"

    def test_the_order_and_spacing_of_the_body_do_not_matter(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        body = order()
        live.post("/payments", body, key="k-1")
        answer = live.post("/payments", dict(reversed(body.items())), key="k-1")
        assert is_replay(answer)

    def test_keys_are_a_merchants_and_a_modes_own(
        self, live: ApiClient, test_mode: ApiClient, bank: SimulatedBank
    ) -> None:
        create_merchant(slug="other", name="Other")
        other = ApiClient(issue_api_key(slug="other", mode=Mode.LIVE).plain)
        for client in (live, test_mode, other):
            assert client.post("/payments", order(), key="k-1").status == 201
        assert IdempotencyKey.objects.count() == 3
        assert len(bank.ledger()) == 2

    def test_two_api_keys_of_one_merchant_share_them(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        live.post("/payments", body, key="k-1")
        second = ApiClient(issue_api_key(slug="ficmart", mode=Mode.LIVE).plain)
        assert is_replay(second.post("/payments", body, key="k-1"))

    def test_a_fingerprint_of_an_older_key_is_compared_with_that_one(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        body = order()
        live.post("/payments", body, key="k-1")
        settings.FINGERPRINT_KEYS = {"newest": "n" * 60, **settings.FINGERPRINT_KEYS}
        assert is_replay(live.post("/payments", body, key="k-1"))
        assert live.post("/payments", order(), key="k-1").json["code"] == "idempotency_key_reused"

    def test_a_fingerprint_whose_key_is_retired_is_never_taken_for_the_same_request(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        body = order()
        live.post("/payments", body, key="k-1")
        settings.FINGERPRINT_KEYS = {"newest": "n" * 60}
        assert live.post("/payments", body, key="k-1").status == 422
        assert len(bank.ledger()) == 1


class TestRefusedRequests:
    def test_an_invalid_request_leaves_its_key_free(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        assert live.post("/payments", body | {"amount": 0}, key="k-1").status == 400
        assert live.post("/payments", body, key="k-1").status == 201

    def test_a_conflict_leaves_its_key_free(self, live: ApiClient, bank: SimulatedBank) -> None:
        first = live.authorized(order_id="o-1")
        again = order(order_id="o-1")
        assert live.post("/payments", again, key="k-1").json["code"] == "order_already_has_payment"
        live.post(f"/payments/{first['id']}/void")
        assert live.post("/payments", again, key="k-1").status == 201

    def test_a_wrong_amount_and_a_wrong_state_leave_their_keys_free(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        path = f"/payments/{payment['id']}"
        assert live.post(f"{path}/capture", {"amount": 1}, key="k-1").status == 422
        assert live.post(f"{path}/refund", key="k-2").json["code"] == "invalid_transition"
        assert live.post(f"{path}/capture", {"amount": 5000}, key="k-1").status == 200
        assert live.post(f"{path}/refund", key="k-2").status == 200

    def test_nothing_of_a_refused_request_is_kept(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.authorized(order_id="o-1")
        live.post("/payments", order(order_id="o-1"))
        live.post(f"{PAYMENT}/capture")
        assert (IdempotencyKey.objects.count(), Payment.objects.count()) == (1, 1)
