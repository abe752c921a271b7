"""Every difference between a bank's ledger and our books is found, and nothing else."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.domain.statements import GRACE
from payments.models import Merchant
from reconciliation.models import Difference, DifferenceEvent, Match
from reconciliation.services.comparison_rules import COMPARISON
from reconciliation.services.reconcile import reconcile
from tests.conftest import empty_tables
from tests.support.factories import MerchantFactory
from tests.support.planted import AGREEING, DIFFERING, STORIES, Planted, days_between
from tests.support.unguarded import unguarded

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


told = st.tuples(
    st.sampled_from(list(STORIES)),
    st.integers(0, 2),  # the day
    st.sampled_from([timedelta(0), timedelta(hours=12), timedelta(days=1) - timedelta(minutes=1)]),
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories=st.lists(told, min_size=1, max_size=8), days=st.permutations(range(-1, 6)))
def test_in_whatever_order_statements_come(
    transactional_db: None, stories: list[tuple[str, int, timedelta]], days: list[int]
) -> None:
    """With a run after each, which looks only at what may have changed. In the end all is as if at once."""
    with unguarded():  # as each example begins anew
        empty_tables(None)
    planted = Planted(MerchantFactory())
    for number, (story, day, time) in enumerate(stories):
        planted.tell(story, at=at(FIRST + timedelta(days=day), 0) + time, amount=500 + number)
    planted.write()
    for day in days:
        planted.deliver(FIRST + timedelta(days=day))
        reconcile("ficmart", actor="test", now=at(FIRST + timedelta(days=max(days))))
    reconcile("ficmart", actor="test", now=at(FIRST + timedelta(days=12)))
    assert found() == planted.differences()
    steps = DifferenceEvent.objects.count()
    reconcile("ficmart", actor="test", now=at(FIRST + timedelta(days=12)), whole=True)
    assert (found(), DifferenceEvent.objects.count()) == (planted.differences(), steps)
    with connection.cursor() as cursor:
        assert not [rule.name for rule in COMPARISON if breaks(cursor, rule.violations)]


def breaks(cursor: Any, violations: str) -> bool:
    cursor.execute(violations)
    return cursor.fetchone() is not None


def test_nothing_is_a_difference_before_two_days_have_passed(merchant: Merchant) -> None:
    planted = Planted(merchant)
    noon = at(FIRST)
    at_once = {"amount_mismatch", "currency_mismatch", "duplicate_at_bank"}  # both sides are known
    for story in STORIES:
        if story != "other_hold":  # both sides are known there, too
            planted.tell(story, at=noon, amount=700)
    planted.write()
    planted.deliver(*days_between(FIRST - timedelta(days=1), FIRST + timedelta(days=1)))
    reconcile("ficmart", actor="test", now=noon + GRACE - timedelta(seconds=1))
    assert {kind for kind, _ in found()} <= at_once
    planted.deliver(*days_between(FIRST + timedelta(days=2), FIRST + timedelta(days=3)))
    reconcile("ficmart", actor="test", now=noon + GRACE + timedelta(hours=2))
    assert found() == planted.differences()
