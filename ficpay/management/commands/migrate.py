"""`manage.py migrate`: as the tables' owner, who then grants the application's role what it needs.

Its statements may take longer than a request's.
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
    help = migrate.Command.help + " Where DATABASE_OWNER_URL is set, as that role."

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_older_database()
        if not settings.DATABASE_OWNER or options["database"] != "default":
            with _unhurried():
                super().handle(*args, **options)
            return
        application, database = _who_and_where()
        with _as_owner():
            owner, owners_database = _who_and_where()
            if owners_database != database:
                raise CommandError("DATABASE_OWNER_URL names another database than DATABASE_URL.")
            with _unhurried():
                super().handle(*args, **options)
            if owner != application and not (options["plan"] or options["check_unapplied"]):
                with transaction.atomic(), connection.cursor() as cursor:
                    grant(cursor, application)


def _refuse_older_database() -> None:
    """Migrations were written anew before the first release. Raises CommandError for a database of before."""
    known = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    applied = MigrationRecorder(connection).applied_migrations()
    if any(app == "payments" and (app, name) not in known for app, name in applied):
        raise CommandError(
            "A FicPay of before the first release has made this database, and its migrations begin anew. "
            "On a development machine `make reset` deletes it, and `make up` makes a new one."
        )


def _who_and_where() -> tuple[str, Any]:
    """The role that we are connected as, and which database of which server it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, (SELECT oid FROM pg_database WHERE datname = current_database()),"
            " pg_postmaster_start_time()"
        )
        role, *where = cursor.fetchone()
    return role, where


@contextmanager
def _unhurried() -> Iterator[None]:
    """Connected anew, so that the server gives no statement up. A pooler between would ignore this.

    A transaction that goes on already keeps its connection.
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
    """With these options from the next statement on."""
    connection.settings_dict["OPTIONS"] = options
    if not connection.in_atomic_block:
        connection.close()


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
