"""Windows of the rate limits: one that never ends, or a real one with time left."""

import time

import pytest

from payments.domain.rates import Window, window_at
from payments.models.clock import read_clock


class Windows:
    """Every request of this process is in the window `number`, which ends in 42 s, until `next`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.number = 1
        patch.setattr("payments.engine.callers.rates.window_at", lambda _: Window(self.number, 42))

    def next(self) -> None:
        self.number += 1


def wait_for_time_left(seconds: int) -> None:
    """Return when the current window of the database's clock lasts at least so long: mostly at once."""
    ends_in = window_at(round(read_clock().timestamp() * 1000)).ends_in
    if ends_in < seconds:
        time.sleep(ends_in)
