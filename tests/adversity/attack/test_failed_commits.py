"""A statement of the fast path commits by itself: its row is there before its commit, which may still fail.

Whoever took the row for the record would send to the bank what nobody has recorded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection

from payments.models import IdempotencyKey, Operation, Payment
from payments.usecases.recovery import recover_due
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

# PostgreSQL sends a row as long as this before it commits.
LARGE = {f"key-{number}": "x" * 500 for number in range(20)}
WAYS = {
    "is refused": "RAISE EXCEPTION 'refused at the commit'",
    "breaks off": "PERFORM pg_terminate_backend(pg_backend_pid())",
}


@contextmanager
def failing_at_commit(table: str, deed: str) -> Iterator[None]:
    """Whatever is inserted into the table fails as it commits."""
    with connection.cursor() as cursor:
        cursor.execute(f"""
            CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN {deed}; RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER fail_at_commit AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION fail_at_commit()""")
    try:
        yield
    finally:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER fail_at_commit ON {table}; DROP FUNCTION fail_at_commit()")


@pytest.mark.parametrize("way", WAYS)
def test_an_intent_that_does_not_commit_sends_nothing(live: ApiClient, bank: SimulatedBank, way: str) -> None:
    payment = live.authorized(metadata=LARGE)
    with failing_at_commit("payments_operation", WAYS[way]):
        assert live.post("/payments", order()).status in (500, 503)
        assert live.post(f"/payments/{payment['id']}/capture").status in (500, 503)
    assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD"]
    assert len(bank.requests()) == 1
    assert (Operation.objects.count(), IdempotencyKey.objects.count(), Payment.objects.count()) == (1, 1, 1)


def test_an_outcome_that_does_not_commit_is_not_told(live: ApiClient, bank: SimulatedBank) -> None:
    payment = live.authorized()
    with failing_at_commit("payments_event", "IF NEW.type = 'payment.captured' THEN RAISE 'refused'; END IF"):
        answer = live.post(f"/payments/{payment['id']}/capture", key="k")
    assert (answer.status, answer.json["money_moved"]) == (500, "unknown")
    assert live.receipt(payment["id"])["pending_operation"] == "capture"
    let_pass(timedelta(minutes=1), bank)
    recover_due(within=timedelta(seconds=5))
    assert live.post(f"/payments/{payment['id']}/capture", key="k").status == 200
    assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE"]
