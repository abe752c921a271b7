"""The days of the month, one after the other, and a line for each."""

import random
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from django.conf import settings

from office.schedules import books
from payments.models import Operation
from reconciliation.models import Difference, Match, Run, StatementLine
from reconciliation.services.bank_check import check_bank
from tests.adversity.month.clock import MovedClock
from tests.adversity.month.night import ONE_DAY, Day
from tests.adversity.month.plants import Plants
from tests.adversity.month.shop import Shop, Tally
from tests.support.simulated_acquirer import SimulatedAcquirer
from tests.support.simulated_bank import Endpoint, SimulatedBank

# Days after the traffic: a line and an operation wait two days for each other, and a hold is voided then.
DRAINED = 4
_VOIDED_FROM = 2  # of those days: from then on orphan holds are voided
_ROUND = 8  # days from one planting to the next
_LOOK_UPS = 500.0  # a second
_FAULTS: list[tuple[Endpoint, str, dict[str, bool]]] = [
    ("authorizations", "drop_after", {"stored": False}),  # a hold that no reply shows
    ("authorizations", "drop_after", {"stored": True}),
    ("authorizations", "drop_before", {}),
    ("authorizations", "lookup_fails", {}),
    ("captures", "drop_after", {"stored": False}),  # the capture's id is lost
    ("captures", "fail_before", {}),
    ("voids", "drop_after", {"stored": False}),
    ("refunds", "drop_after", {"stored": False}),
    ("refunds", "fail_before", {}),
]


@dataclass
class Month:
    """The traffic, the nights and the plants."""

    first: date
    days: int
    payments: int
    clock: MovedClock
    bank: SimulatedBank
    acquirer: SimulatedAcquirer
    shop: Shop
    plants: Plants
    home: Path
    withheld: list[date] = field(default_factory=list)

    def pass_by(self, chance: random.Random) -> None:
        """All days, those after the traffic too."""
        (self.home / "statements" / "ficmart").mkdir(parents=True)
        print(HEADER, flush=True)
        for number in range(self.days + DRAINED):
            began = time.monotonic()
            day = Day(self.first + ONE_DAY * number, self.clock, self.bank)
            settings.VOID_ORPHAN_HOLDS = number >= self.days + _VOIDED_FROM
            self._morning(day)
            traffic = [self._trade(day, 9, chance)] if number < self.days else []
            self._noon(day, number)
            if number < self.days:
                traffic += [self._trade(day, 18, chance), self._trade_over_midnight(day)]
            print(_line(day.date, traffic, time.monotonic() - began), flush=True)
        self.bank.wait_until_idle()

    def _morning(self, day: Day) -> None:
        """The statements that have come, and settlements."""
        day.at(0, 20)
        yesterday = day.date - ONE_DAY
        delivered = [one for one in self.withheld if one + 3 * ONE_DAY == day.date]
        delivered += [yesterday] if yesterday >= self.first and yesterday not in self.withheld else []
        for one in delivered:
            path = self.home / "statements" / "ficmart" / f"{one}.csv"
            path.write_text(self.plants.statement(one))
        day.take_in(self.home / "statements")
        day.at(6, 5)
        books.settle_yesterday()

    def _noon(self, day: Day, number: int) -> None:
        """What is missing is looked for, the bank is asked about our books, and differences are planted."""
        day.at(12, 30)
        books.look_for_missing_days()
        checked = check_bank("ficmart", actor="month", rate=_LOOK_UPS, apart=timedelta(0))
        assert checked.asked == checked.agreed, checked
        if number < self.days:
            self._plant(day.date, number)

    def _trade(self, day: Day, hour: int, chance: random.Random) -> Tally:
        """Two fifths of the day's payments, in bad weather. What it leaves in doubt is settled after it."""
        day.at(hour)
        self._disturb(chance)
        tally = self.shop.trade(2 * self.payments // 5)
        self.bank.clear_script()
        for minute in (15, 30):
            day.at(hour, minute)
        return tally

    def _trade_over_midnight(self, day: Day) -> Tally:
        day.at(23, 59, 59.8)
        return self.shop.trade(self.payments - 2 * (2 * self.payments // 5))

    def _disturb(self, chance: random.Random) -> None:
        for endpoint, step, options in chance.sample(_FAULTS, k=4):
            self.bank.script(endpoint, step, times=chance.randint(1, 2), **options)
        self.acquirer.script("payments", "unavailable")

    def _plant(self, day: date, number: int) -> None:
        if number == self.days - 1:
            self.plants.use_holds_outside()
        if number % _ROUND == 1 and number < self.days - 1:
            self.plants.orphan_hold()
            self.plants.refund_outside()
            self.plants.in_statement_of(day)
            self.withheld.append(day + ONE_DAY)
            self.plants.without_statement(day + ONE_DAY)


HEADER = "day         done  left  lines  matched  healed  differences  awaiting  seconds"


def _line(day: date, tallies: list[Tally], seconds: float) -> str:
    done = sum(sum(one.done.values()) for one in tallies)
    left = sum(sum(one.left.values()) for one in tallies)
    runs = Run.objects.filter(kind=Run.Kind.STATEMENTS)
    healed = sum(sum(run.counts.get("healed", {}).values()) for run in runs)
    still_open = Difference.objects.filter(state__in=["OPEN", "ASSIGNED"]).count()
    awaiting = Operation.objects.filter(awaiting_statement=True).count()
    lines, matched = StatementLine.objects.count(), Match.objects.count()
    return (
        f"{day}  {done:4}  {left:4}  {lines:5}  {matched:7}  {healed:6}  {still_open:11}  {awaiting:8}  "
        f"{seconds:7.1f}"
    )
