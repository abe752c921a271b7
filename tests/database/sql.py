"""Raw SQL as somebody with a database console writes it, and what PostgreSQL says to it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Model

Case = TypeVar("Case")


def execute(sql: str, *parameters: Any) -> int:
    """Run a statement and say how many rows it changed. A refused one leaves the transaction usable."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount


def update(row: Model, **columns: Any) -> int:
    """UPDATE one row's columns."""
    assignments = ", ".join(f"{column} = %s" for column in columns)
    table = row._meta.db_table
    return execute(f"UPDATE {table} SET {assignments} WHERE id = %s", *columns.values(), row.pk)


def one_by_one(cases: Iterable[Case]) -> Iterator[Case]:
    """The cases of a loop. What the loop's body writes for one is undone before the next.

    Each is printed, and pytest shows the last of them when a test fails.
    """
    for case in cases:
        print(case)  # noqa: T201
        with transaction.atomic():
            yield case
            transaction.set_rollback(True)


@contextmanager
def refuses(because: str) -> Iterator[None]:
    """`with refuses("one_live_payment_per_order"): ...`: PostgreSQL's refusal, with this in its message.

    Nothing of the block has happened then.
    """
    with pytest.raises(DatabaseError, match=because), transaction.atomic():
        yield
