"""The hot path's SQL: one statement per file, each its own transaction, prepared on its connection.

The careful path (`intent`, `steps`, `conclude`) does the same through the ORM. Parameters are named. The
result is one row, the tuple that the file's last SELECT lists, or None.
"""

import re
from pathlib import Path
from typing import Any

from django.db import connection, transaction

_HERE = Path(__file__).parent
_COMMENT = re.compile(r"--.*")


def _read(name: str) -> str:
    """A file's statement without comments and extra blanks: psycopg caches the parsing of short ones only."""
    return " ".join(_COMMENT.sub("", (_HERE / f"{name}.sql").read_text()).split())


READ_CALLER = _read("read_caller")
AUTHORIZE = _read("authorize")
STEP = _read("step")
OUTCOME = _read("outcome")


def fetch(statement: str, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
    """The statement's one row. Raises what Django raises, and RuntimeError inside a transaction."""
    if connection.in_atomic_block:
        with transaction.atomic(durable=True):
            return _fetch(statement, parameters)
    return _fetch(statement, parameters)


def _fetch(statement: str, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
