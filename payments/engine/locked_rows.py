"""Waiting for a row that another transaction has locked: for a moment, by a few, and with nothing in hand.

Whoever waited inside the database would hold one of the process's few connections, and a thread of the
server: one locked payment would stop every other. So an intent that meets a lock is undone, its connection
is given back, and it is tried again.
"""

import random
import threading
import time

from django.conf import settings
from django.db import connection

from payments.engine.leases import boot_clock
from payments.engine.refusals import PaymentLocked

_PATIENCE = 1.5  # seconds; transactions of ours take milliseconds
_PAUSE = 0.1  # seconds, at most, between two tries; at first much less
RETRY_AFTER_SECONDS = 2


class RowLocked(Exception):
    """Another transaction has a row that this intent needs. Nothing was recorded."""


class _Waiters:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0

    def enter(self) -> bool:
        with self._lock:
            # Each waits on a thread of the server: most of those stay free for the others.
            is_welcome = self._now < max(1, settings.REQUEST_THREADS // 4)
            self._now += is_welcome
        return is_welcome

    def leave(self) -> None:
        with self._lock:
            self._now -= 1


_waiters = _Waiters()


def now() -> float:
    """When somebody begins to try, for `wait`."""
    return boot_clock()


def wait(begun: float) -> None:
    """Before the next try. Raises PaymentLocked where it has lasted too long, or too many wait already."""
    waited = boot_clock() - begun
    if waited >= _PATIENCE or not _waiters.enter():
        raise PaymentLocked(
            "Another transaction holds it, and has not ended while FicPay waited.",
            retry_after=RETRY_AFTER_SECONDS,
        )
    try:
        connection.close()
        time.sleep(random.uniform(0.005, min(_PAUSE, 0.02 + waited)))  # noqa: S311 - jitter, not a secret
    finally:
        _waiters.leave()
