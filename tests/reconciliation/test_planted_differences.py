"""Every difference between a bank's ledger and our books is found, and nothing else."""

from datetime import UTC, date, datetime, timedelta

from payments.domain.statements import GRACE
from payments.models import Merchant
from reconciliation.models import Difference, DifferenceEvent, Match
from reconciliation.services.reconcile import reconcile
from tests.support.planted import AGREEING, DIFFERING, STORIES, Planted, days_between

FIRST = date(2026, 10, 23)
LAST = date(2026, 11, 2)
# Month's end, and the days on which clocks change in Europe and America.
ODD_DAYS = (date(2026, 10, 25), date(2026, 10, 31), date(2026, 11, 1))


def found() -> set[tuple[str, str]]:
    """The open differences."""
    return set(Difference.objects.filter(state="OPEN").values_list("kind", "subject"))


def at(day: date, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def test_thousands_of_payments_with_every_kind_of_difference(merchant: Merchant) -> None:
    planted = Planted(merchant)
    days = days_between(FIRST, LAST)
    for number in range(2000):
        name = list(DIFFERING)[number // 20 % len(DIFFERING)] if number % 20 == 0 else None
        story = name or list(AGREEING)[number % len(AGREEING)]
        moment = at(days[number % len(days)]) + timedelta(seconds=number)
        planted.tell(story, at=moment, amount=1000 + number)
    for story in STORIES:  # around midnight, at month's end, and when clocks change
        for day in ODD_DAYS:
            for moment in (at(day, 0), at(day, 23, 59)):
                planted.tell(story, at=moment, amount=500)
    planted.write()
    planted.deliver(*days_between(FIRST - timedelta(days=1), LAST + timedelta(days=3)))

    run = reconcile("ficmart", actor="test", now=at(LAST) + 3 * GRACE)

    assert found() == planted.differences()
    steps = DifferenceEvent.objects.count()
    assert steps == len(planted.differences())
    again = reconcile("ficmart", actor="test", now=at(LAST) + 3 * GRACE)
    assert (found(), DifferenceEvent.objects.count()) == (planted.differences(), steps)
    assert again.counts["classes"].get("matched") is None
    assert run.counts["classes"]["matched"]["USD"]["count"] == Match.objects.count()
