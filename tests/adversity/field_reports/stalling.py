"""A sender that has its answer and comes to record it too late."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from payments.engine import record


@contextmanager
def the_first_stalls(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The first sender that comes to record an answer is kept until the block ends; set when it has come."""
    record_end = record.record_end
    first, has_come, may_go = threading.Lock(), threading.Event(), threading.Event()

    def stalling(*args: Any) -> Any:
        if first.acquire(blocking=False):
            has_come.set()
            assert may_go.wait(timeout=30)
        return record_end(*args)

    monkeypatch.setattr(record, "record_end", stalling)
    try:
        yield has_come
    finally:
        may_go.set()
