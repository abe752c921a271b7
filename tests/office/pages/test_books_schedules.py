"""What the worker does for the books, each bank by itself, at its time."""

from datetime import UTC, datetime

import pytest

from office.schedules import books
from tests.support.settling import DAY, captured

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_day_is_settled_from_six_o_clock_of_the_next_on_and_once() -> None:
    captured(5000, day=DAY)
    next_day = datetime(DAY.year, DAY.month, DAY.day + 1, 5, 59, tzinfo=UTC)
    settled = [books.settle_yesterday(next_day.replace(hour=hour)) for hour in (0, 5, 6, 7, 23)]
    assert settled == [0, 0, 1, 1, 1]


def test_a_bank_that_fails_holds_up_no_other() -> None:
    done = []

    def fail_at_first(bank: str) -> None:
        done.append(bank)
        if bank == "one":
            raise RuntimeError(bank)

    with pytest.raises(RuntimeError, match="one"):
        books._each(["one", "two"], fail_at_first)
    assert done == ["one", "two"]
