"""A bank's statements compared with our books: what a run looks at, what matches, and what it heals.

Each SQL file is one statement with named parameters. A run reads what it looks at once, into a table that
ends with its transaction: the work grows with what is new, not with what is kept.
"""

from pathlib import Path
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

HERE = Path(__file__).parent


def execute(cursor: CursorWrapper, name: str, parameters: dict[str, Any]) -> None:
    """Run the statements of that file, one after the other."""
    for statement in (HERE / f"{name}.sql").read_text().split(";\n"):
        if statement.strip():
            cursor.execute(statement, parameters)


def rows(name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows of that file's statement, by their columns' names. For few."""
    with connection.cursor() as cursor:
        execute(cursor, name, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
