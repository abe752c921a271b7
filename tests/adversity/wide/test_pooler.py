"""FicPay behind PgBouncer in transaction mode: nothing relies on a connection that stays its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from dev.postgres import APPLICATION
from ficpay.database.bounds import role_bounds, server_bounds
from ficpay.database.checks import check_bounds
from payments.engine import statements
from payments.models import Merchant
from payments.models.patience import unhurried
from reconciliation.services.audit import violations
from tests.adversity.wide.pooler import Pooler, PoolerMissing
from tests.settings import POSTGRES
from tests.support.application_role import grant_privileges

CALLER = {"idempotency_key": "key", "payment_id": None, "digest": "d"}


@pytest.fixture
def bounded_role(transactional_db: None) -> Iterator[None]:
    """The application's role as docs/scaling.md has it."""
    grant_privileges()
    with connection.cursor() as cursor:
        for statement in role_bounds(APPLICATION, settings.DATABASE_TIMING):
            cursor.execute(statement)
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {APPLICATION} RESET ALL")


@pytest.fixture
def pooler(transactional_db: None, tmp_path: Path) -> Iterator[Pooler]:
    """With two connections to PostgreSQL, which all share; this process's connections go through it."""
    direct = dict(connection.settings_dict)
    try:
        pooler = Pooler(tmp_path, direct["HOST"], database=direct["NAME"], size=2)
    except PoolerMissing as missing:
        pytest.skip(str(missing))
    grant_privileges()
    connection.close()
    with pooler:
        connection.settings_dict |= pooler.django_settings()
        yield pooler
        connection.close()
        connection.settings_dict |= direct


def shown(setting: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting FROM pg_settings WHERE name = %s", [setting])
        return cursor.fetchone()[0]


class TestBehindAPooler:
    def test_the_roles_bounds_hold(self, bounded_role: None, pooler: Pooler) -> None:
        for name, ms in server_bounds(settings.DATABASE_TIMING).items():
            assert shown(name) == str(ms)
        assert check_bounds() == []

    def test_the_deployments_check_names_what_is_missing(self, pooler: Pooler) -> None:
        (warning,) = check_bounds()
        assert warning.id == "ficpay.W002"
        assert f'ALTER ROLE "{APPLICATION}" SET statement_timeout = 8000' in str(warning.hint)

    def test_what_takes_longer_is_one_transaction(self, bounded_role: None, pooler: Pooler) -> None:
        with unhurried():
            assert connection.in_atomic_block
            assert shown("statement_timeout") == "0"
        assert shown("statement_timeout") == "8000"
        assert violations() == []

    def test_a_long_list_is_read_to_its_end(self, pooler: Pooler) -> None:
        """Forms read so, outside a transaction; a cursor would stay with the first connection."""
        Merchant.objects.bulk_create(Merchant(slug=f"m{n}", name="M") for n in range(5))
        rows = Merchant.objects.iterator(chunk_size=2)
        next(rows)
        with psycopg.connect(pooler.url) as another:
            another.execute("SELECT 1")  # in a transaction, on the connection that we had
            assert len(list(rows)) == 4

    def test_prepared_statements_are_found_by_everybody(self, pooler: Pooler) -> None:
        if not pooler.prepares:
            pytest.skip("this PgBouncer is older than 1.21")
        for _ in range(10):  # prepared from the fifth time on
            assert statements.fetch(statements.READ_CALLER, CALLER) is None
        connection.close()
        with psycopg.connect(POSTGRES.url("postgres"), autocommit=True) as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
                [APPLICATION],
            )
        for _ in range(10):
            assert statements.fetch(statements.READ_CALLER, CALLER) is None


class TestWithoutOne:
    def test_our_own_options_are_enough(self, transactional_db: None) -> None:
        assert check_bounds() == []
