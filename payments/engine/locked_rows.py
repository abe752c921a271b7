"""Wait briefly for a row that another transaction has locked, without holding a connection.

Waiting inside the database would hold one of the process's few connections: one locked payment would stop all
others. Instead the intent is rolled back, its connection is given back, and it is tried again. Only a few
threads may wait at a time.
"""

import random
import threading
import time

from django.conf import settings
from django.db import connection

from payments.engine.leases import boot_clock
from payments.engine.refusals import PaymentLocked

_PATIENCE = 1.5  # seconds; our transactions take milliseconds
_PAUSE = 0.1  # seconds at most between two tries; at first much less
RETRY_AFTER_SECONDS = 2


class RowLocked(Exception):
    """Another transaction has locked a row that this intent needs. Nothing was recorded."""


class _Waiters:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0

    def enter(self) -> bool:
        with self._lock:
            # Each occupies a thread of the server; most of those must stay free.
            is_welcome = self._now < max(1, settings.REQUEST_THREADS // 4)
            self._now += is_welcome
        return is_welcome

    def leave(self) -> None:
        with self._lock:
            self._now -= 1


_waiters = _Waiters()


def now() -> float:
    """The start of the first try, for `wait`."""
    return boot_clock()


def wait(begun: float) -> None:
    """Pause before the next try. Raises PaymentLocked after too long, or where too many already wait."""
    waited = boot_clock() - begun
    if waited >= _PATIENCE or not _waiters.enter():
        raise PaymentLocked(
            "Another transaction is holding it and did not end while FicPay waited.",
            retry_after=RETRY_AFTER_SECONDS,
        )
    try:
        connection.close()
        time.sleep(random.uniform(0.005, min(_PAUSE, 0.02 + waited)))  # noqa: S311 - jitter, not a secret
    finally:
        _waiters.leave()
