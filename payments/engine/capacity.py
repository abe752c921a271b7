"""How hard each bank is asked, in each process: threads, a circuit breaker, a retry budget, bounds of time.

All are each bank's own: one that stalls, fails or is slow takes nothing from another.

A slot is taken before anything is recorded, and given back when the bank's answer is recorded: so a bank that
stalls can hold as many operations as it has threads and no more, and the rest are refused at the door. A bank
that is down is not helped by being asked: the breaker stops the calls after failures in a row and lets a
single one through from time to time; the budget keeps retries to a tenth of the new operations.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import structlog
from django.db import connection

from payments.banks import registry
from payments.domain.timing import Timing
from payments.engine.abilities import abilities_of
from payments.engine.refusals import Overloaded, Refused

log = structlog.get_logger("payments.bank_threads")
T = TypeVar("T")

_FAILURES_TO_OPEN = 10  # one failure in twenty is the bank's ordinary weather; ten in a row are not
_FIRST_REST = 1.0  # seconds; doubled with each single call that fails
_LONGEST_REST = 30.0
_RETRIES_PER_OPERATION = 0.1
_RETRIES_IN_STOCK = 10.0  # so that a quiet process may retry at all


class BankThreads:
    """The threads that wait for one bank, and as many slots."""

    def __init__(self, size: int, *, name: str) -> None:
        self._executor = ThreadPoolExecutor(size, thread_name_prefix=name)
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
                raise Overloaded("FicPay waits for as many answers of this bank as it can.")
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


class CircuitBreaker:
    """Closed: calls pass. Open: none. Half open, after a rest: one call passes, and its end decides."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._rest = _FIRST_REST
        self._opened_at: float | None = None
        self._trying = False
        self._closing = False

    @property
    def is_open(self) -> bool:
        return self._opened_at is not None

    def admit(self) -> "Admission | None":
        """The leave to make one call now, or None. Whoever gets it reports the call's end."""
        with self._lock:
            if self._opened_at is None:
                return Admission(self, is_trial=False)
            if self._trying or self._clock() - self._opened_at < self._rest:
                return None
            self._trying = True
            return Admission(self, is_trial=True)

    def take_closing(self) -> bool:
        """Whether it has closed since this was last asked; only one caller is told."""
        with self._lock:
            closing, self._closing = self._closing, False
        return closing

    def _answered(self) -> None:
        with self._lock:
            self._closing = self._closing or self._opened_at is not None
            self._failures, self._rest, self._opened_at, self._trying = 0, _FIRST_REST, None, False

    def _failed(self, *, is_trial: bool) -> None:
        with self._lock:
            self._failures += 1
            if is_trial:
                self._rest = min(self._rest * 2, _LONGEST_REST)
                self._opened_at, self._trying = self._clock(), False
            elif self._opened_at is None and self._failures >= _FAILURES_TO_OPEN:
                self._opened_at = self._clock()

    def _not_tried(self) -> None:
        with self._lock:
            self._trying = False


@dataclass(frozen=True)
class Admission:
    """The leave to make one call. Only the single call of a half-open breaker decides what follows it."""

    _breaker: CircuitBreaker
    is_trial: bool

    def report(self, *, answered: bool) -> None:
        """The call's end: whether the bank gave an answer that shows it working."""
        if answered:
            self._breaker._answered()
        else:
            self._breaker._failed(is_trial=self.is_trial)

    def withdraw(self) -> None:
        """The call was not made after all, so it says nothing of the bank."""
        if self.is_trial:
            self._breaker._not_tried()


class RetryBudget:
    """Each new operation earns a tenth of a retry; an empty budget ends the retries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stock = _RETRIES_IN_STOCK

    def earn(self) -> None:
        with self._lock:
            self._stock = min(self._stock + _RETRIES_PER_OPERATION, _RETRIES_IN_STOCK)

    def spend(self) -> bool:
        """Take one retry, or say that there is none."""
        with self._lock:
            if self._stock < 1:
                return False
            self._stock -= 1
            return True


@dataclass(frozen=True)
class Capacity:
    """What this process has for one bank, and knows of how it is doing."""

    threads: BankThreads
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    retries: RetryBudget = field(default_factory=RetryBudget)


@cache
def capacity_of(bank: str) -> Capacity:
    """Of the bank of that name, one a process; made at first use, so that a forked worker gets its own."""
    return Capacity(BankThreads(abilities_of(bank).calls_in_flight, name=bank))


def timing_of(bank: str) -> Timing:
    """The bounds of calls to the bank of that name."""
    return abilities_of(bank).timing


def longest_attempt() -> float:
    """The bound of one attempt in seconds, at the bank that has the longest."""
    return max(timing_of(name).attempt for name in registry.NAMES)
