"""A day without a statement becomes a case, and its statement ends it."""

from datetime import date, timedelta

import pytest

from office.schedules import books
from payments.domain.days import begin_of
from payments.models import Operation
from payments.models.clock import read_clock
from reconciliation.models import Difference
from reconciliation.services.missing_days import look_for_missing_days
from tests.support.book_factories import StatementFileFactory
from tests.support.factories import AttemptFactory, OperationFactory

ONE_DAY = timedelta(days=1)
NONE: dict[str, list[date]] = {"ficmart": [], "sandbox": []}


@pytest.fixture
def today() -> date:
    return read_clock().date()


def sent(day: date, **columns: object) -> Operation:
    """Something that was sent to the bank at noon of the day."""
    operation = OperationFactory(succeeded=True)
    AttemptFactory(operation=operation, started_at=begin_of(day) + ONE_DAY / 2, **columns)
    return operation


def missing(grace: timedelta = timedelta(0)) -> list[date]:
    return look_for_missing_days(actor="test", grace=grace)["ficmart"]


class TestADay:
    def test_is_missed_once_it_is_over_for_half_a_day(self, today: date) -> None:
        sent(today)
        sent(today - 3 * ONE_DAY)
        assert missing() == missing(timedelta(days=1)) == [today - 3 * ONE_DAY]
        assert missing(timedelta(days=3)) == []
        sent(today - ONE_DAY)
        is_past_noon = read_clock() - begin_of(today) > ONE_DAY / 2
        assert books.look_for_missing_days() == 1 + is_past_noon

    def test_has_one_case_that_its_statement_resolves(self, today: date) -> None:
        day = today - 2 * ONE_DAY
        sent(day)
        for _ in range(2):
            missing()
        case = Difference.objects.get()
        assert (case.kind, case.subject, case.bank) == ("statement_missing", f"day:{day}", "ficmart")
        assert (case.state, case.amount_minor, case.happened_at) == ("OPEN", None, begin_of(day))
        assert [event.type for event in case.events.all()] == ["opened"]
        StatementFileFactory(day=day)
        assert missing() == []
        assert Difference.objects.get().state == "RESOLVED"
        assert [event.type for event in case.events.order_by("pk")] == ["opened", "resolved"]

    def test_is_looked_at_until_it_is_resolved_however_old(self, today: date) -> None:
        day = today - 100 * ONE_DAY
        sent(day)
        assert missing() == []
        Difference.objects.create(
            kind="statement_missing", bank="ficmart", subject=f"day:{day}", happened_at=begin_of(day)
        )
        assert missing() == [day]
        StatementFileFactory(day=day)
        assert missing() == []
        assert Difference.objects.get().state == "RESOLVED"

    def test_is_covered_by_files_that_make_it_up_together(self, today: date) -> None:
        day = today - 2 * ONE_DAY
        sent(day)
        begin = begin_of(day)
        StatementFileFactory(covers_from=begin - ONE_DAY, covers_to=begin + ONE_DAY / 2)
        assert missing() == [day]
        StatementFileFactory(covers_from=begin + ONE_DAY / 2, covers_to=begin + 2 * ONE_DAY)
        assert missing() == []

    def test_owes_no_statement_if_nothing_was_sent_to_the_bank(self, today: date) -> None:
        sent(today - 2 * ONE_DAY, not_sent=True)
        operation = OperationFactory(succeeded=True, payment__bank="acquirer")
        AttemptFactory(operation=operation, started_at=begin_of(today - 2 * ONE_DAY))
        assert look_for_missing_days(actor="test", grace=timedelta(0)) == NONE
