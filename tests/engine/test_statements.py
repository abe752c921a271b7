"""What a request costs the database. A number that grows needs a reason beside it.

Three for an operation, each a transaction of its own: who asks and whether the idempotency key is known, the
intent, the outcome.
"""

import re

import pytest
from django.db import connection

from payments.engine import statements
from tests.engine.statements import counted_statements
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.simulated_bank import SimulatedBank

_PARAMETER = re.compile(r"%\((\w+)\)s")


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


class TestPlans:
    def test_find_a_payment_by_its_id_also_without_statistics(self) -> None:
        """A plan that reads all payments of a merchant costs as little, as far as a new database knows."""
        for statement in (statements.READ_CALLER, statements.STEP, statements.OUTCOME):
            assert indexes_of_payments(statement) == {"payments_payment_pkey"}, statement


def indexes_of_payments(statement: str) -> set[str]:
    """By which indexes the statement finds payments, in a plan made while nothing is known of their table."""
    names = list(dict.fromkeys(_PARAMETER.findall(statement)))
    numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    with connection.cursor() as cursor:
        # As new: an index that many payments of another test have made large looks dear.
        cursor.execute("REINDEX TABLE payments_payment")
        cursor.execute("SELECT pg_clear_relation_stats('public', 'payments_payment')")
        cursor.execute(f"EXPLAIN (GENERIC_PLAN) {numbered}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    return set(re.findall(r"using (\w+) on payments_payment\b", plan))
