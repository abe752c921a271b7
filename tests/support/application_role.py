"""The application's role in the tests' database, whose owner and superuser the tests are themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.backends.signals import connection_created

from dev.postgres import APPLICATION
from ficpay.privileges import grant


def grant_privileges() -> None:
    """As `manage.py migrate` does in production."""
    with transaction.atomic(), connection.cursor() as cursor:
        grant(cursor, APPLICATION)


@contextmanager
def as_application() -> Iterator[None]:
    """This process has the application's privileges, on all its threads; `unguarded()` has the owner's."""
    connection.close()
    connection_created.connect(_become_application)
    try:
        yield
    finally:
        connection_created.disconnect(_become_application)
        connection.close()


def _become_application(connection: Any, **_signal: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {APPLICATION}")
