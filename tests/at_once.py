"""Calls that begin together, for races that are real."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def at_once(*calls: Callable[[], T]) -> list[T]:
    """What the calls return, in their order. Each has a thread of its own; raises what one of them raises."""
    gate = threading.Barrier(len(calls))

    def begin(call: Callable[[], T]) -> T:
        try:
            gate.wait(timeout=10)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))
