"""Rows as no code of ours makes them: made up, aged, or broken on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def unguarded() -> Iterator[None]:
    """Write with all triggers off, foreign keys included: for this connection, in one transaction.

    Unique indexes still hold and, in the tests' own database, what every row keeps to: `keep_rows_whole`.
    Only a superuser may do this, as whom the tests log in.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('role'), current_setting('session_replication_role')")
        ((role, before),) = cursor.fetchall()
        cursor.execute("SET LOCAL ROLE NONE; SET LOCAL session_replication_role = replica")
        yield
        if not connection.needs_rollback:
            cursor.execute(f"SET LOCAL session_replication_role = {before}; SET LOCAL ROLE {role}")


def keep_rows_whole() -> None:
    """Let even unguarded rows keep to the rules of a single row, by a trigger for unguarded writes alone."""
    with connection.cursor() as cursor:
        for table in ("payment", "operation", "attempt", "idempotency_key"):
            name = table.replace("_", "")
            cursor.execute(f"""
                CREATE OR REPLACE FUNCTION keep_{table}_whole() RETURNS trigger LANGUAGE plpgsql AS $$
                DECLARE broken text := public.rule_broken_by_{table}(NEW);
                BEGIN
                    IF broken IS NOT NULL THEN
                        RAISE EXCEPTION '%', broken USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                END $$;
                CREATE OR REPLACE TRIGGER keep_whole BEFORE INSERT OR UPDATE ON payments_{name}
                    FOR EACH ROW EXECUTE FUNCTION keep_{table}_whole();
                ALTER TABLE payments_{name} ENABLE REPLICA TRIGGER keep_whole""")
