"""What a request costs the database. A number that grows needs a reason beside it.

Three for an operation, each a transaction of its own: who asks and whether the idempotency key is known, the
intent, the outcome.
"""

import pytest

from tests.engine.statements import counted_statements
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.simulated_bank import SimulatedBank


@pytest.fixture(autouse=True)
def warmed_up(live: ApiClient, bank: SimulatedBank) -> None:
    live.receipt(live.authorized()["id"])


class TestStatementsPerRequest:
    def test_an_authorize_takes_three(self, live: ApiClient) -> None:
        with counted_statements() as counted:
            assert live.post("/payments", order()).status == 201
        assert (len(counted.sent), counted.transactions) == (3, 0), counted

    @pytest.mark.parametrize("verb", ["capture", "void"])
    def test_a_capture_or_a_void_takes_three(self, live: ApiClient, verb: str) -> None:
        payment = live.authorized()
        with counted_statements() as counted:
            assert live.post(f"/payments/{payment['id']}/{verb}").status == 200
        assert (len(counted.sent), counted.transactions) == (3, 0), counted

    def test_a_refund_takes_three(self, live: ApiClient) -> None:
        payment = live.captured()
        with counted_statements() as counted:
            assert live.post(f"/payments/{payment['id']}/refund").status == 200
        assert (len(counted.sent), counted.transactions) == (3, 0), counted

    def test_a_replay_claims_nothing(self, live: ApiClient) -> None:
        body = order()
        assert live.post("/payments", body, key="k").status == 201
        with counted_statements() as counted:
            assert live.post("/payments", body, key="k").status == 201
        written = [sql for sql in counted.sent if not sql.startswith("SELECT")]
        assert not any("payments_idempotencykey" in sql for sql in written), counted
        assert sum("payments_idempotencykey" in sql for sql in counted.sent) == 2, counted

    def test_a_decline_takes_three(self, live: ApiClient) -> None:
        with counted_statements() as counted:
            assert live.post("/payments", order(card=CARDS["no-funds"])).status == 402
        assert (len(counted.sent), counted.transactions) == (3, 0), counted

    def test_a_receipt_takes_two(self, live: ApiClient) -> None:
        payment = live.authorized()
        with counted_statements() as counted:
            live.receipt(payment["id"])
        assert len(counted.sent) == 2, counted

    def test_a_page_takes_two_whatever_its_size(self, live: ApiClient) -> None:
        for _ in range(5):
            live.authorized()
        with counted_statements() as counted:
            assert len(live.get("/payments", page_size=5).json["results"]) == 5
        assert len(counted.sent) == 2, counted
