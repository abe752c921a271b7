"""The load on each bank, in each process: threads, a circuit breaker, a retry budget, time limits.

Each bank has its own, so a bank that stalls or fails takes nothing from another.

A slot is taken before anything is recorded and given back when the bank's reply is recorded. So a stalled
bank holds at most as many operations as it has threads; further ones are refused. The breaker stops calls
after failures in a row and lets a single one through from time to time. The budget limits retries to a tenth
of the new operations.
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

_FAILURES_TO_OPEN = 10  # one reply in twenty is a random error of the bank; ten in a row are not
_FIRST_REST = 1.0  # seconds; doubled with each single call that fails
_LONGEST_REST = 30.0
_RETRIES_PER_OPERATION = 0.1
_RETRIES_IN_STOCK = 10.0  # so that a quiet process can retry at all


class BankThreads:
    """The threads that wait for one bank, with one slot each."""

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
                raise Overloaded("FicPay is already waiting for as many replies from this bank as it can.")
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
    """The right to one bank thread. Its taker must give it back, unless `submit` has passed it on."""

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
        log.exception("bank_thread_failed")  # the client may be gone, and nothing else would report it
        raise
    finally:
        connection.close()


class CircuitBreaker:
    """Closed: calls pass. Open: none does. Half open, after a rest: one call passes, and its end decides."""

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
        """Permission for one call now, or None. Its taker must report the call's end."""
        with self._lock:
            if self._opened_at is None:
                return Admission(self, is_trial=False)
            if self._trying or self._clock() - self._opened_at < self._rest:
                return None
            self._trying = True
            return Admission(self, is_trial=True)

    def take_closing(self) -> bool:
        """Whether the breaker has closed since the last call of this. True for one caller only."""
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
    """Permission for one call. In a half-open breaker, its single call decides whether it closes."""

    _breaker: CircuitBreaker
    is_trial: bool

    def report(self, *, answered: bool) -> None:
        """Report the call's end. `answered`: the bank's reply shows that it works."""
        if answered:
            self._breaker._answered()
        else:
            self._breaker._failed(is_trial=self.is_trial)

    def withdraw(self) -> None:
        """The call was not made, so it says nothing about the bank."""
        if self.is_trial:
            self._breaker._not_tried()


class RetryBudget:
    """Each new operation earns a tenth of a retry. An empty budget allows none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stock = _RETRIES_IN_STOCK

    def earn(self) -> None:
        with self._lock:
            self._stock = min(self._stock + _RETRIES_PER_OPERATION, _RETRIES_IN_STOCK)

    def spend(self) -> bool:
        """Take one retry; False where there is none."""
        with self._lock:
            if self._stock < 1:
                return False
            self._stock -= 1
            return True


@dataclass(frozen=True)
class Capacity:
    """One bank's threads, breaker and budget in this process."""

    threads: BankThreads
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    retries: RetryBudget = field(default_factory=RetryBudget)


@cache
def capacity_of(bank: str) -> Capacity:
    """The capacity of the bank of that name. Made at first use, so that each forked worker has its own."""
    return Capacity(BankThreads(abilities_of(bank).calls_in_flight, name=bank))


def timing_of(bank: str) -> Timing:
    """The time limits of the bank of that name."""
    return abilities_of(bank).timing


def longest_attempt() -> float:
    """The longest time limit of one attempt at any bank, in seconds."""
    return max(timing_of(name).attempt for name in registry.NAMES)
