"""After the disturbances: the time in which everything in doubt can settle."""

import threading
import time
from collections.abc import Sequence
from datetime import timedelta

from tests.adversity.soak import books
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

# Peace ends when nothing can settle for so long that every shopper has asked again, or at the latest then:
# a lock (25 s), the lease of an attempt that it has delayed (45 s) and a rest (240 s) follow each other.
QUIET, LONGEST_PEACE = 20.0, 330.0  # seconds
# Two probes, ten minutes apart, end the doubt of an authorize whose card must not be sent again.
PROBES, BETWEEN_PROBES, A_PROBE_TAKES = 2, timedelta(minutes=11), 30.0  # the last in seconds


def wait_for_peace(shoppers: Sequence[threading.Thread]) -> None:
    """Until nothing can settle any more, or every shopper has its answers."""
    begun = unsettled = time.monotonic()
    while any(shopper.is_alive() for shopper in shoppers):
        time.sleep(1)
        now = time.monotonic()
        if books.may_settle_soon():
            unsettled = now
        if now - unsettled > QUIET or now - begun > LONGEST_PEACE:
            return


def wait_for_probes(bank: SimulatedBank) -> None:
    """Let the minutes between probes pass, for what only they can end."""
    for _ in range(PROBES):
        if not books.is_anything_open():
            return
        let_pass(BETWEEN_PROBES, bank)
        end = time.monotonic() + A_PROBE_TAKES
        while books.is_anything_open() and time.monotonic() < end:
            time.sleep(1)
