"""Who looks after a difference, and how staff end its case."""

from datetime import date, timedelta

import pytest

from reconciliation.models import Difference
from reconciliation.services import differences
from reconciliation.services.coverage import uncovered_days
from reconciliation.services.differences import CaseChanged
from tests.support.book_factories import DAY, DifferenceFactory, StatementFileFactory
from tests.support.factories import UserFactory

pytestmark = pytest.mark.django_db


def steps(difference: Difference) -> list[tuple[str, str]]:
    return list(difference.events.order_by("id").values_list("type", "actor"))


class TestACase:
    def test_is_taken_handed_over_given_back_and_accepted(self) -> None:
        kim, lee = UserFactory(username="kim"), UserFactory(username="lee")
        case = DifferenceFactory()
        differences.assign(case.pk, owner_id=kim.pk, instead_of=None, actor="staff:kim")
        differences.assign(case.pk, owner_id=lee.pk, instead_of=kim.pk, actor="staff:lee")
        differences.give_back(case.pk, owner_id=lee.pk, actor="staff:lee")
        differences.accept(case.pk, reason="written off", actor="staff:kim")
        case.refresh_from_db()
        assert (case.state, case.reason, case.owner) == ("ACCEPTED", "written off", None)
        assert steps(case) == [
            *(("assigned", "staff:kim"), ("assigned", "staff:lee"), ("given_back", "staff:lee")),
            ("accepted", "staff:kim"),
        ]

    def test_is_taken_once_however_often_it_is_asked(self) -> None:
        kim, case = UserFactory(), DifferenceFactory()
        for _ in range(2):
            differences.assign(case.pk, owner_id=kim.pk, instead_of=None, actor="staff:kim")
        assert steps(case) == [("assigned", "staff:kim")]

    def test_is_not_changed_by_somebody_who_saw_another_one(self) -> None:
        lee = UserFactory(username="lee")
        case, ended = DifferenceFactory(assigned=True), DifferenceFactory(resolved=True)
        for act in (
            lambda: differences.assign(case.pk, owner_id=lee.pk, instead_of=None, actor="staff:lee"),
            lambda: differences.give_back(case.pk, owner_id=lee.pk, actor="staff:lee"),
            lambda: differences.assign(ended.pk, owner_id=lee.pk, instead_of=None, actor="staff:lee"),
            lambda: differences.accept(ended.pk, reason="x", actor="staff:lee"),
        ):
            with pytest.raises(CaseChanged):
                act()
        assert steps(case) == steps(ended) == []


def test_open_cases_are_the_oldest_first() -> None:
    young = DifferenceFactory(assigned=True)
    old = DifferenceFactory(happened_at=young.happened_at - timedelta(days=1))
    DifferenceFactory(accepted=True)
    assert list(differences.open_differences("ficmart")) == [old, young]
    assert list(differences.open_differences("sandbox")) == []


def test_days_are_covered_by_all_files_of_a_bank_together() -> None:
    noon = timedelta(hours=12)
    first = StatementFileFactory()
    StatementFileFactory(covers_from=first.covers_to, covers_to=first.covers_to + noon)
    StatementFileFactory(covers_from=first.covers_to + noon, covers_to=first.covers_to + 2 * noon)
    StatementFileFactory(bank="sandbox", day=DAY + timedelta(days=2))
    last = date(2026, 11, 23)
    assert uncovered_days("ficmart", DAY - timedelta(days=1), last) == [date(2026, 11, 20), last]
