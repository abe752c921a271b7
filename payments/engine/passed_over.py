"""What recovery passes over for a while, because something about the row itself keeps it from being done.

Kept by each process for itself: it is tried again after a rest that grows, and said in the heartbeat.
"""

import threading
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from payments.domain.ids import OPERATION_PREFIX, public_id
from payments.engine.leases import boot_clock

_TOLD_AT_MOST = 50
# Whoever has not been tried again by then is not due any more: somebody else has dealt with it.
_FORGOTTEN_AFTER = 4000.0  # seconds; the longest rest is an hour


@dataclass(frozen=True)
class _Passed:
    reason: str
    times: int
    until: float  # boot-time clock, seconds


class PassedOver:
    """Operations and why they were passed over. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[UUID, _Passed] = {}

    def add(self, operation_id: UUID, *, reason: str) -> None:
        """Pass it over for longer than the last time."""
        with self._lock:
            times = self._times(operation_id) + 1
            until = boot_clock() + settings.BANK_TIMING.pause_after(times)
            self._rows[operation_id] = _Passed(reason, times, until)

    def note(self, operation_id: UUID, *, reason: str) -> None:
        """It could be taken, and not be done: it rests by its own row's word."""
        with self._lock:
            times = self._times(operation_id) + 1
            self._rows[operation_id] = _Passed(reason, times, boot_clock())

    def _times(self, operation_id: UUID) -> int:
        before = self._rows.get(operation_id)
        return before.times if before else 0

    def forget(self, operation_id: UUID) -> None:
        """It could be done."""
        with self._lock:
            self._rows.pop(operation_id, None)

    def for_now(self) -> list[UUID]:
        """Which are not to be tried at this moment."""
        now = boot_clock()
        with self._lock:
            return [one for one, passed in self._rows.items() if passed.until > now]

    def told(self) -> dict[str, str]:
        """Why, by the operation's id, for people to read; the first so many."""
        now = boot_clock()
        with self._lock:
            known = {one: row for one, row in self._rows.items() if row.until + _FORGOTTEN_AFTER > now}
            self._rows = known
            rows = list(known.items())[:_TOLD_AT_MOST]
        return {public_id(OPERATION_PREFIX, one): f"{row.reason}, {row.times} times" for one, row in rows}


PASSED_OVER = PassedOver()
