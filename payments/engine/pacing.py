"""How hard a bank is asked: a circuit breaker and a retry budget for each bank, in each process.

A bank that is down is not helped by being asked. The breaker stops the calls after failures in a row and
lets a single one through from time to time; the budget keeps retries to a tenth of the new operations.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

_FAILURES_TO_OPEN = 10  # one failure in twenty is the bank's ordinary weather; ten in a row are not
_FIRST_REST = 1.0  # seconds; doubled with each single call that fails
_LONGEST_REST = 30.0
_RETRIES_PER_OPERATION = 0.1
_RETRIES_IN_STOCK = 10.0  # so that a quiet process may retry at all


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
class Pace:
    """What this process knows of how a bank is doing."""

    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    retries: RetryBudget = field(default_factory=RetryBudget)


@cache
def pace_of(_bank: str) -> Pace:
    """The pace of the bank of that name, one a process."""
    return Pace()
