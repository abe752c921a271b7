"""Calls that begin together, for races that are real."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

from tests.support.api_client import ApiResponse

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


class InBackground:
    """A call made on a thread of its own; `answer()` waits for it."""

    def __init__(self, call: Callable[[], ApiResponse]) -> None:
        self._answers: list[ApiResponse] = []
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def answer(self) -> ApiResponse:
        self._thread.join(timeout=30)
        return self._answers[0]

    def _run(self, call: Callable[[], ApiResponse]) -> None:
        try:
            self._answers.append(call())
        finally:
            connection.close()
