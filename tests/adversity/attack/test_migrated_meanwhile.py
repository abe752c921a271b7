"""A column gets another type while the gateway runs, with statements prepared on its connections."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import NotSupportedError, close_old_connections, connection

from payments.engine import callers
from tests.settings import POSTGRES


@contextmanager
def migrated() -> Iterator[None]:
    """By a connection of another process: psycopg forgets what it has prepared after an ALTER of its own."""
    with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"]), autocommit=True) as other:
        other.execute("ALTER TABLE payments_merchant ALTER name TYPE varchar(101)")
        try:
            yield
        finally:
            connection.close()
            other.execute("ALTER TABLE payments_merchant ALTER name TYPE varchar(100)")


@pytest.mark.django_db(transaction=True)
def test_a_connection_fails_one_request_and_not_all_that_follow() -> None:
    for _ in range(10):
        callers.find_caller("sk_live_unknown")
    with migrated():
        with pytest.raises(NotSupportedError, match="cached plan"):
            callers.find_caller("sk_live_unknown")
        close_old_connections()  # as the end of the request does
        assert callers.find_caller("sk_live_unknown") is None
