"""One order, or one key, and many requests at once in two processes: the customer's money is held once."""

import uuid

from payments.models import IdempotencyKey, Operation, Payment
from tests.adversity.races.books import assert_books_agree
from tests.adversity.races.remote import RemoteClient
from tests.support.api_client import CARDS, order
from tests.support.at_once import at_once
from tests.support.simulated_bank import SimulatedBank


class TestADoubleClick:
    def test_with_two_keys_for_one_order_holds_the_money_once(
        self, shop: RemoteClient, bank: SimulatedBank
    ) -> None:
        bank.weather(min_latency_ms=30, max_latency_ms=60)
        for _ in range(3):
            body = order()
            clicks = at_once(*[lambda body=body: shop.post("/payments", body)] * 3)
            assert sorted(click.status for click in clicks) == [201, 409, 409]
            (won,) = [click.json for click in clicks if click.status == 201]
            for click in clicks:
                if click.status == 409:
                    assert click.json["code"] == "order_already_has_payment"
                    assert click.json["payment"]["id"] == won["id"]
        assert Payment.objects.count() == len(bank.ledger()) == 3
        assert assert_books_agree(bank) == []


class TestManyRequestsWithOneKey:
    def test_and_one_body_make_one_payment_one_operation_and_one_call(
        self, shop: RemoteClient, bank: SimulatedBank
    ) -> None:
        body, key = order(), uuid.uuid4().hex
        bank.weather(min_latency_ms=150, max_latency_ms=150)
        answers = at_once(*[lambda: shop.post("/payments", body, key=key)] * 24)
        answers += at_once(*[lambda: shop.post("/payments", body, key=key)] * 4)
        final = [answer for answer in answers if answer.status == 201]
        assert len(final) > 4
        assert len({answer.body for answer in final}) == 1
        assert len([answer for answer in final if "Idempotent-Replayed" not in answer.headers]) == 1
        others = [answer for answer in answers if answer.status != 201]
        assert {(answer.status, answer.json["code"]) for answer in others} <= {
            (409, "idempotency_key_in_use")
        }
        assert (Payment.objects.count(), Operation.objects.count()) == (1, 1)
        assert Operation.objects.get().attempts.count() == 1
        assert [seen.overlapped for seen in bank.requests()] == [False]
        assert assert_books_agree(bank) == []

    def test_and_one_body_make_one_hold_though_the_banks_answers_are_lost(
        self, shop: RemoteClient, bank: SimulatedBank
    ) -> None:
        """Its sender asks again meanwhile: nobody else does."""
        body, key = order(), uuid.uuid4().hex
        bank.script("authorizations", "fail_before")
        bank.script("authorizations", "drop_after")
        bank.script("authorizations", "fail_before")
        at_once(*[lambda: shop.post("/payments", body, key=key)] * 12)
        assert shop.post("/payments", body, key=key).status == 201
        assert len(bank.ledger()) == 1
        assert assert_books_agree(bank) == []

    def test_and_a_declined_card_are_all_told_so_and_hang_no_retry(
        self, shop: RemoteClient, bank: SimulatedBank
    ) -> None:
        body, key = order(card=CARDS["no-funds"]), uuid.uuid4().hex
        bank.weather(min_latency_ms=100, max_latency_ms=100)
        early = at_once(*[lambda: shop.post("/payments", body, key=key)] * 10)
        assert {answer.status for answer in early} <= {402, 409}
        bank.hold()  # a retry that asked the bank, or waited for it, would not be told 402
        retries = [shop.post("/payments", body, key=key) for _ in range(5)]
        assert {answer.status for answer in retries} == {402}
        assert len({answer.body for answer in [*early, *retries] if answer.status == 402}) == 1
        assert len(bank.requests()) == 1
        bank.release()
        assert shop.post("/payments", body | {"card": CARDS["visa"]}).status == 201
        assert assert_books_agree(bank) == []

    def test_and_different_bodies_let_one_win_and_refuse_the_others(
        self, shop: RemoteClient, bank: SimulatedBank
    ) -> None:
        key = uuid.uuid4().hex
        bodies = [order(amount=1000 + number) for number in range(12)]
        answers = at_once(*[lambda body=body: shop.post("/payments", body, key=key) for body in bodies])
        assert sorted(answer.status for answer in answers) == [201] + [422] * 11
        refused = {answer.json["code"] for answer in answers if answer.status == 422}
        assert refused == {"idempotency_key_reused"}
        (won,) = [answer.json for answer in answers if answer.status == 201]
        assert [entry.amount for entry in bank.ledger()] == [won["amount"]]
        assert (Payment.objects.count(), IdempotencyKey.objects.count()) == (1, 1)
        assert assert_books_agree(bank) == []
