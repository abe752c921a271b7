"""What the worker does by the clock, done at the hours of a simulated day: the same functions."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from office.schedules import books
from office.schedules.schedules import expire
from payments.usecases.recovery import recover_due
from reconciliation.services import inbox
from tests.adversity.month.clock import MovedClock
from tests.support.simulated_bank import SimulatedBank

_RECOVERY = timedelta(seconds=30)
ONE_DAY = timedelta(days=1)


@dataclass
class Day:
    """One day's hours, at the database's clock and at the bank's."""

    date: date
    clock: MovedClock
    bank: SimulatedBank

    def at(self, hour: int, minute: int = 0, second: float = 0) -> None:
        """Let it be so late. Doubts whose time has come are settled, and holds expire."""
        moment = datetime.combine(self.date, time(hour, minute), tzinfo=UTC) + timedelta(seconds=second)
        self.clock.set(moment)
        self.bank.set_clock(moment)
        recover_due(within=_RECOVERY)
        expire()
        recover_due(within=_RECOVERY)  # the releases of what has expired

    def take_in(self, folder: Path) -> None:
        """The statements that have come, and those of test mode."""
        inbox.take_in(folder, actor="month", quiet=0)
        books.write_test_statements()
        books.reconcile()
