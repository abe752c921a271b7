"""The bounded pool of threads that wait for banks.

A slot is taken before anything is recorded, and given back when the bank's answer is recorded: so a
bank that stalls can hold this many operations and no more, and the rest are refused at the door.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import connection

from payments.engine.refusals import Overloaded, Refused

log = structlog.get_logger("payments.bank_threads")
T = TypeVar("T")


class BankThreads:
    """So many threads and as many slots."""

    def __init__(self, size: int) -> None:
        self._executor = ThreadPoolExecutor(size, thread_name_prefix="bank")
        self._size = size
        self._lock = threading.Lock()
        self._busy = 0

    @property
    def busy(self) -> int:
        """How many slots are taken."""
        return self._busy

    @contextmanager
    def reserve(self) -> Iterator["Slot"]:
        """A slot for one operation. Raises Overloaded at once where none is free."""
        with self._lock:
            if self._busy >= self._size:
                raise Overloaded("FicPay waits for as many bank answers as it can.")
            self._busy += 1
        slot = Slot(self._executor, self._release)
        try:
            yield slot
        finally:
            slot.leave()

    def _release(self) -> None:
        with self._lock:
            self._busy -= 1


class Slot:
    """The right to one bank thread. Whoever got it gives it back, unless the thread has taken it over."""

    def __init__(self, executor: ThreadPoolExecutor, release: Callable[[], None]) -> None:
        self._executor = executor
        self._release = release
        self._taken_over = False

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Run the work on a bank thread, with this request's log context and a connection of its own."""
        future = self._executor.submit(copy_context().run, _then_disconnect, work)
        self._taken_over = True
        future.add_done_callback(lambda _: self._release())
        return future

    def leave(self) -> None:
        if not self._taken_over:
            self._release()


def _then_disconnect(work: Callable[[], T]) -> T:
    try:
        return work()
    except Refused:
        raise
    except Exception:
        log.exception("bank_thread_failed")  # the client may be gone: nobody else would tell of it
        raise
    finally:
        connection.close()


@cache
def bank_threads() -> BankThreads:
    """This process's pool; made at its first use, so that a forked worker gets one of its own."""
    return BankThreads(settings.BANK_THREADS)
