"""Rows as no code of ours makes them: made up, aged, or broken on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def unguarded() -> Iterator[None]:
    """Write with all triggers off, foreign keys included: for this connection, in one transaction.

    Checks and unique indexes still hold. Only a superuser may do this, as whom the tests log in.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('role'), current_setting('session_replication_role')")
        ((role, before),) = cursor.fetchall()
        cursor.execute("SET LOCAL ROLE NONE; SET LOCAL session_replication_role = replica")
        yield
        if not connection.needs_rollback:
            cursor.execute(f"SET LOCAL session_replication_role = {before}; SET LOCAL ROLE {role}")
