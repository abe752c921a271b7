"""`manage.py migrate`: runs as the tables' owner and then grants the application's role what it needs.

Its statements have no time limit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from ficpay.privileges import grant
from payments.domain.patience import patient


class Command(migrate.Command):
    help = migrate.Command.help + " Runs as the role of DATABASE_OWNER_URL if that is set."

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_older_database()
        if not settings.DATABASE_OWNER or options["database"] != "default":
            with _no_statement_timeout():
                super().handle(*args, **options)
            return
        application, database = _role_and_database()
        with _as_owner():
            owner, owners_database = _role_and_database()
            if owners_database != database:
                raise CommandError("DATABASE_OWNER_URL and DATABASE_URL must name the same database.")
            with _no_statement_timeout():
                super().handle(*args, **options)
            if owner != application and not (options["plan"] or options["check_unapplied"]):
                with transaction.atomic(), connection.cursor() as cursor:
                    grant(cursor, application)


def _refuse_older_database() -> None:
    """Raise CommandError for a database from before the first release, when all migrations were rewritten."""
    known = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    applied = MigrationRecorder(connection).applied_migrations()
    if any(app == "payments" and (app, name) not in known for app, name in applied):
        raise CommandError(
            "This database was created by FicPay before its first release, and cannot be migrated. On a "
            "development machine, `make reset` deletes it and `make up` creates a new one."
        )


def _role_and_database() -> tuple[str, Any]:
    """The role that we are connected as, and what identifies the database and its server."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, (SELECT oid FROM pg_database WHERE datname = current_database()),"
            " pg_postmaster_start_time()"
        )
        role, *where = cursor.fetchone()
    return role, where


@contextmanager
def _no_statement_timeout() -> Iterator[None]:
    """Reconnect without a statement timeout. A pooler would ignore this.

    Within a transaction, the connection stays as it is.
    """
    usual = connection.settings_dict["OPTIONS"]
    options = f"{usual.get('options', '')} -c statement_timeout=0".strip()
    _reconnect({**usual, "options": options, "pool": False})
    try:
        with patient():
            yield
    finally:
        _reconnect(usual)


def _reconnect(options: dict[str, Any]) -> None:
    """Use these options from the next statement on."""
    if not connection.in_atomic_block:
        connection.close()  # by the options that opened it: a pool takes back its own connections only
    connection.settings_dict["OPTIONS"] = options


@contextmanager
def _as_owner() -> Iterator[None]:
    """Connected as the role of DATABASE_OWNER_URL."""
    ours = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict |= dict(settings.DATABASE_OWNER)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict |= ours
