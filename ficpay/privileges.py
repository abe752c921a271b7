"""The database privileges of the application's role: it owns nothing and has only what the code needs.

The tables' owner migrates and then grants these privileges (`manage.py migrate`). So the application cannot
disable a guard, empty a table or rewrite the history, not even through an SQL injection.
"""

from typing import Any

from django.core import checks
from django.db import DatabaseError, connection
from psycopg import sql

# For the libraries' tables, and for those of ours whose rows are deleted: old keys and requests, assignments
# and routes.
_ALL = "SELECT, INSERT, UPDATE, DELETE"
_KEPT = "SELECT, INSERT, UPDATE"  # triggers guard the updates
_APPENDED = "SELECT, INSERT"
_READ = "SELECT"
_EXCEPTIONS = {
    **dict.fromkeys(("payments_idempotencykey", "payments_apirequest", "payments_assignment"), _ALL),
    "payments_route": _ALL,
    **dict.fromkeys(("payments_event", "payments_merchant", "django_admin_log"), _APPENDED),
    **dict.fromkeys(("payments_ledgerentry", "payments_ledgerposting"), _APPENDED),
    **dict.fromkeys(
        ("reconciliation_statementfile", "reconciliation_statementline", "reconciliation_match"), _APPENDED
    ),
    **dict.fromkeys(("reconciliation_settlement", "reconciliation_settlementline"), _APPENDED),
    **dict.fromkeys(("reconciliation_correction", "reconciliation_feeterms"), _APPENDED),
    "reconciliation_differenceevent": _APPENDED,
    **dict.fromkeys(("django_migrations", "django_content_type", "auth_permission"), _READ),
    "auth_user": _KEPT,
}


def privileges_on(table: str) -> str:
    """The application's privileges on a table, in GRANT's syntax. Most new tables need no exception above."""
    return _EXCEPTIONS.get(table, _KEPT if table.startswith(("payments_", "reconciliation_")) else _ALL)


def grant(cursor: Any, role: str) -> None:
    """Give the role exactly what it needs on each of our tables, in one transaction.

    Runs as the tables' owner. Safe to repeat, also while the application runs.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('ficpay privileges'))")
    cursor.execute(
        "SELECT tablename FROM pg_tables"
        " WHERE schemaname = 'public' AND pg_has_role(tableowner, 'USAGE') ORDER BY 1"
    )
    to = sql.Identifier(role)
    statements = [sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(to)]
    for (name,) in cursor.fetchall():
        table = sql.Identifier(name)
        statements += [
            sql.SQL("REVOKE ALL ON public.{} FROM {}").format(table, to),
            sql.SQL("GRANT {} ON public.{} TO {}").format(sql.SQL(privileges_on(name)), table, to),
        ]
    # An event that waited for another of its payment takes a new number (`guards/event.sql`). A statement
    # file takes one before its lines are counted.
    for name in ("payments_event_id_seq", "reconciliation_statementfile_id_seq"):
        statements.append(
            sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(sql.Identifier("public", name), to)
        )
    cursor.execute(sql.SQL("; ").join(statements))


_MAY_CHANGE_GUARDS = """
    SELECT current_user,
        pg_has_role(tables.relowner, 'USAGE')
        OR has_table_privilege(tables.oid, 'TRUNCATE, TRIGGER')
        OR has_schema_privilege('public', 'CREATE')
        OR has_parameter_privilege('session_replication_role', 'SET')
    FROM pg_class tables WHERE tables.oid = to_regclass('public.payments_payment')
"""


@checks.register(checks.Tags.security, deploy=True)
def check_role(**_options: Any) -> list[checks.CheckMessage]:
    """Warn if the application's role can change its own guards. Silent if the database is unreachable."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_MAY_CHANGE_GUARDS)
            found = cursor.fetchone()
    except DatabaseError:
        return []
    finally:
        connection.close()
    if found is None or not found[1]:
        return []
    return [
        checks.Warning(
            f"DATABASE_URL's role, {found[0]}, owns the tables or may change their guards.",
            hint="Give the application a role of its own, and pass the owner to `manage.py migrate` as "
            "DATABASE_OWNER_URL: see docs/operations.md, “First deployment”.",
            id="ficpay.W001",
        )
    ]
