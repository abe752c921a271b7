"""Operations that recovery skips for a while because handling them failed.

Each process keeps its own list. A skipped operation is tried again after growing pauses, and the heartbeat
reports it.
"""

import threading
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from payments.domain.ids import OPERATION_PREFIX, public_id
from payments.engine.leases import boot_clock

_TOLD_AT_MOST = 50
# An operation not tried again by then is no longer due: another process has handled it.
_FORGOTTEN_AFTER = 4000.0  # seconds; the longest rest is an hour


@dataclass(frozen=True)
class _Passed:
    reason: str
    times: int
    until: float  # boot-time clock, seconds


class PassedOver:
    """The skipped operations and the reasons. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[UUID, _Passed] = {}

    def add(self, operation_id: UUID, *, reason: str) -> None:
        """Skip it, for longer than the last time."""
        with self._lock:
            times = self._times(operation_id) + 1
            until = boot_clock() + settings.BANK_TIMING.pause_after(times)
            self._rows[operation_id] = _Passed(reason, times, until)

    def note(self, operation_id: UUID, *, reason: str) -> None:
        """Report it without skipping it: it was taken, so its own row says when it is due again."""
        with self._lock:
            times = self._times(operation_id) + 1
            self._rows[operation_id] = _Passed(reason, times, boot_clock())

    def _times(self, operation_id: UUID) -> int:
        before = self._rows.get(operation_id)
        return before.times if before else 0

    def forget(self, operation_id: UUID) -> None:
        """Remove it: it was handled."""
        with self._lock:
            self._rows.pop(operation_id, None)

    def for_now(self) -> list[UUID]:
        """The operations to skip now."""
        now = boot_clock()
        with self._lock:
            return [one for one, passed in self._rows.items() if passed.until > now]

    def told(self) -> dict[str, str]:
        """The reasons by public id, for the heartbeat; 50 at most."""
        now = boot_clock()
        with self._lock:
            known = {one: row for one, row in self._rows.items() if row.until + _FORGOTTEN_AFTER > now}
            self._rows = known
            rows = list(known.items())[:_TOLD_AT_MOST]
        return {public_id(OPERATION_PREFIX, one): f"{row.reason}, {row.times} times" for one, row in rows}


PASSED_OVER = PassedOver()
