"""The database takes a bank's statement as evidence of an outcome, and nothing that it does not show."""

from datetime import UTC, datetime, timedelta

import pytest

from payments.domain.states import OperationKind
from payments.models import Operation
from reconciliation.models import Match
from tests.database.sql import execute, one_by_one, refuses, update
from tests.support.book_factories import StatementFileFactory, StatementLineFactory
from tests.support.factories import AttemptFactory, OperationFactory, PaymentFactory

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
DONE = {"state": "SUCCEEDED", "finished_at": NOW, "bank_reference": "cap_1"}
NOT_DONE = {"state": "NOT_EXECUTED", "finished_at": NOW}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def in_doubt(kind: OperationKind = OperationKind.CAPTURE) -> Operation:
    payment = PaymentFactory(authorized=True)
    operation: Operation = OperationFactory(payment=payment, kind=kind, needs_review=True, bank="ficmart")
    AttemptFactory(operation=operation, silent=True, started_at=NOW - 3 * DAY)
    return operation


def shown(operation: Operation, **changes: object) -> None:
    StatementLineFactory(
        **{
            "kind": operation.kind,
            "reference": "cap_1",
            "target_reference": operation.target_reference,
            "amount_minor": operation.amount_minor,
        }
        | changes
    )


def test_a_line_proves_a_success_that_it_shows_in_every_part() -> None:
    wrong = ({"reference": "cap_2"}, {"target_reference": "auth_2"}, {"amount_minor": 1}, {"currency": "EUR"})
    for different in one_by_one([*wrong, {"kind": "void"}, {}]):
        operation = in_doubt()
        shown(operation, **different)
        if different:
            with refuses("there is no evidence that it is SUCCEEDED"):
                update(operation, **DONE)
        else:
            assert update(operation, **DONE) == 1


def test_no_line_proves_a_hold() -> None:
    operation = OperationFactory(needs_review=True)
    AttemptFactory(operation=operation, silent=True)
    shown(operation, reference="auth_1", target_reference="")
    with refuses("there is no evidence that it is SUCCEEDED"):
        update(operation, **DONE | {"bank_reference": "auth_1"})


def test_a_match_shows_its_operation_in_every_part() -> None:
    for changes in one_by_one([{"reference": "cap_2"}, {"amount_minor": 1}, {"kind": "void"}, {}]):
        operation = OperationFactory(
            payment=PaymentFactory(captured=True), kind=OperationKind.CAPTURE, succeeded=True
        )
        line = StatementLineFactory(of=operation, **changes)
        if changes:
            with refuses(f"A match is refused: line {line.pk} does not show its operation"):
                Match.objects.create(line=line, operation=operation)
        else:
            assert Match.objects.create(line=line, operation=operation).pk
    with refuses("A match is refused"):
        execute("INSERT INTO reconciliation_match (line_id, operation_id) VALUES (1, gen_random_uuid())")


def test_statements_that_cover_its_time_prove_that_it_was_not_executed() -> None:
    begins, ends = NOW - 3 * DAY - timedelta(minutes=5), NOW - 3 * DAY + HOUR
    noon = ends - HOUR / 2
    for is_covered, periods in one_by_one(
        [
            (True, [(begins, ends)]),
            (True, [(begins - DAY, noon), (noon, ends + DAY)]),
            (False, []),
            (False, [(begins + timedelta(seconds=1), ends)]),
            (False, [(begins, ends - timedelta(seconds=1))]),
            (False, [(begins, noon), (noon + timedelta(seconds=1), ends)]),
        ]
    ):
        operation = in_doubt()
        for covers_from, covers_to in periods:
            StatementFileFactory(covers_from=covers_from, covers_to=covers_to)
        if is_covered:
            assert update(operation, **NOT_DONE) == 1
        else:
            with refuses("there is no evidence that it is NOT_EXECUTED"):
                update(operation, **NOT_DONE)


def test_but_not_where_a_line_may_show_it() -> None:
    operation = in_doubt()
    StatementFileFactory(covers_from=NOW - 9 * DAY, covers_to=NOW)
    shown(operation, amount_minor=1)
    with refuses("there is no evidence that it is NOT_EXECUTED"):
        update(operation, **NOT_DONE)


def test_a_line_of_the_opposite_proves_that_it_was_not_executed() -> None:
    for kind, opposite in one_by_one([("capture", "void"), ("void", "capture")]):
        operation = in_doubt(OperationKind(kind))
        with refuses("there is no evidence"):
            update(operation, **NOT_DONE)
        shown(operation, kind=opposite)
        assert update(operation, **NOT_DONE) == 1
