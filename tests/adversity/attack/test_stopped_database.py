"""A PostgreSQL that stands still ends nothing by itself, and takes what it is sent."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError, connection

from payments.domain.patience import hurried
from payments.domain.timing import DatabaseTiming
from payments.models.patience import unhurried
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank
from tests.support.stopped_database import stopped


def test_requests_end_in_bounded_time_and_the_next_ones_work(
    live: ApiClient, bank: SimulatedBank, settings: Any
) -> None:
    settings.DATABASE_TIMING = replace(DatabaseTiming(), connect=1, lock=0.1, statement=0.2, silence=0.3)
    payment = live.authorized()
    body = order()
    with stopped():
        read, written = live.get(f"/payments/{payment['id']}"), live.post("/payments", body, key="k")
    assert (read.status, read.json["code"]) == (503, "service_unavailable")
    assert (written.status, written.json["code"]) == (503, "service_unavailable")
    assert live.receipt(payment["id"])["state"] == "AUTHORIZED"
    assert live.post("/payments", body, key="k").status == 201
    assert len(bank.ledger()) == 2


@pytest.mark.django_db(transaction=True)
class TestAConnection:
    def test_has_every_bound_at_the_server(self) -> None:
        timing = DatabaseTiming()
        shown = {}
        with connection.cursor() as cursor:
            for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute("SELECT setting::int FROM pg_settings WHERE name = %s", [name])
                shown[name] = cursor.fetchone()[0] / 1000
        assert list(shown.values()) == [timing.lock, timing.statement, timing.idle_in_transaction]

    def test_has_every_bound_at_the_client(self) -> None:
        options = connection.get_connection_params()
        for name in ("connect_timeout", "tcp_user_timeout", "keepalives", "keepalives_idle"):
            assert int(options[name]) > 0

    def test_is_given_up_where_the_server_says_nothing(self) -> None:
        with hurried(0.2), pytest.raises(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        connection.close()  # as the end of a request does with one that does not work any more
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def test_waits_for_what_an_operator_has_started(self, settings: Any) -> None:
        settings.DATABASE_TIMING = replace(DatabaseTiming(), lock=0.1, statement=0.2, silence=0.3)
        with unhurried(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), pg_sleep(0.6)")
            assert cursor.fetchone()[0] == "0"
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone()[0] == "8s"
