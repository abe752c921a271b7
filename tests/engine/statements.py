"""Counts what all threads of this process ask of the database, BEGIN and COMMIT apart."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper


@dataclass
class Statements:
    """The statements in the order they were sent, and how many transactions were committed."""

    sent: list[str] = field(default_factory=list)
    transactions: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __str__(self) -> str:
        return "\n".join(f"{number}. {sql[:150]}" for number, sql in enumerate(self.sent, 1))


@contextmanager
def counted_statements() -> Iterator[Statements]:
    """Everything sent inside the block, by any thread."""
    counted = Statements()
    execute, commit = CursorWrapper._execute, BaseDatabaseWrapper.commit  # type: ignore[attr-defined]

    def counting_execute(self: Any, sql: str, params: Any, *ignored: Any) -> Any:
        with counted._lock:
            counted.sent.append(str(sql))
        return execute(self, sql, params, *ignored)

    def counting_commit(self: Any) -> None:
        with counted._lock:
            counted.transactions += 1
        commit(self)

    with (
        mock.patch.object(CursorWrapper, "_execute", counting_execute),
        mock.patch.object(BaseDatabaseWrapper, "commit", counting_commit),
    ):
        yield counted
