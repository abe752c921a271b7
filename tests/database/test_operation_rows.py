"""What PostgreSQL lets happen to an operation's row and its attempts', whoever asks."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from payments.domain.replies import Said
from payments.domain.states import (
    FINISHED_OPERATIONS,
    OPERATION_EDGES,
    UNFINISHED_OPERATIONS,
    OperationKind,
    OperationState,
)
from payments.models import Attempt, Operation, Resolution
from tests.database.sql import execute, one_by_one, refuses, update
from tests.support.factories import AttemptFactory, OperationFactory, PaymentFactory
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
COMES_WITH: dict[OperationState, dict[str, Any]] = {
    OperationState.OPEN: {"finished_at": None},
    OperationState.NEEDS_REVIEW: {"finished_at": None},
    OperationState.SUCCEEDED: {"finished_at": NOW, "bank_reference": "auth_1"},
    OperationState.DECLINED: {"finished_at": NOW, "outcome_code": "insufficient_funds"},
    OperationState.REJECTED: {"finished_at": NOW, "outcome_code": "authorization_expired"},
    OperationState.NOT_EXECUTED: {"finished_at": NOW},
}
ILLEGAL = [
    (source, target)
    for source in OperationState
    for target in OperationState
    if source is not target and (source, target) not in OPERATION_EDGES
]
FOLLOW_UPS = (OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND)


def proof(operation: Operation, target: OperationState) -> None:
    """What the bank has answered, so that the operation has ended so."""
    answered = Attempt.Result.ANSWERED
    match target:
        case OperationState.SUCCEEDED:
            AttemptFactory(operation=operation, bank_reference="auth_1")
        case OperationState.DECLINED | OperationState.REJECTED:
            code = COMES_WITH[target]["outcome_code"]
            AttemptFactory(operation=operation, result=answered, said=code, bank_reference="")
        case OperationState.NOT_EXECUTED | OperationState.NEEDS_REVIEW:
            AttemptFactory(operation=operation, not_sent=True)


def decided(operation: Operation, **fields: Any) -> Resolution:
    """What people have found of it."""
    by = User.objects.create_user("kim")
    about = {"operation": operation, "payment": operation.payment, "bank": operation.bank}
    known = about | {"amount_minor": operation.amount_minor, "currency": "USD", "reason": "they wrote"}
    resolution: Resolution = Resolution.objects.create(
        kind="record_reference", proposed_by=by, **known | fields
    )
    update(resolution, state="APPLIED", decided_by_id=by.pk, decided_at=NOW)
    return resolution


def state_of(operation: Operation) -> str:
    return Operation.objects.values_list("state", flat=True).get(pk=operation.pk)


class TestTransitions:
    def test_along_an_edge_pass(self) -> None:
        for source, target in one_by_one(OPERATION_EDGES):
            operation = OperationFactory(state=source)
            proof(operation, target)
            assert update(operation, state=target, **COMES_WITH[target]) == 1
            assert state_of(operation) == target

    def test_along_no_edge_are_refused(self) -> None:
        for source, target in one_by_one(ILLEGAL):
            operation = OperationFactory(state=source, finished_at=NOW)
            for columns in ({}, COMES_WITH[target]):
                with refuses(f"no way leads from {source} to {target}"):
                    update(operation, state=target, **columns)
            assert state_of(operation) == source

    def test_of_many_rows_at_once_are_refused_for_one_that_would_jump(self) -> None:
        operations = [OperationFactory() for _ in range(3)]
        for operation in operations:
            proof(operation, OperationState.NOT_EXECUTED)
        OperationFactory(declined=True)
        with refuses("no way leads from DECLINED to NOT_EXECUTED"):
            execute(
                "UPDATE payments_operation"
                " SET state = 'NOT_EXECUTED', finished_at = coalesce(finished_at, now())"
            )
        assert {state_of(operation) for operation in operations} == {"OPEN"}

    def test_none_begins_anywhere_but_open(self) -> None:
        for state in one_by_one(OperationState):
            model = OperationFactory(not_executed=True)
            columns = [field.column for field in Operation._meta.concrete_fields if not field.generated]
            changed = {
                "id": "'0189f7e0-1234-4abc-8def-0123456789ab'",
                "bank_idempotency_key": "'another'",
                "state": f"'{state}'",
                "finished_at": "now()" if state in FINISHED_OPERATIONS else "NULL",
                "outcome_code": "'code'" if state in FINISHED_OPERATIONS else "''",
                "bank_reference": "'reference'" if state in FINISHED_OPERATIONS else "''",
            }
            values = ", ".join(changed.get(column, column) for column in columns)
            copy = (
                f"INSERT INTO payments_operation ({', '.join(columns)})"
                f" SELECT {values} FROM payments_operation WHERE id = %s"
            )
            if state is OperationState.OPEN:
                assert execute(copy, model.pk) == 1
            else:
                with refuses("it begins as OPEN"):
                    execute(copy, model.pk)


class TestWhatAStateComesWith:
    def test_the_date_of_its_end(self) -> None:
        for state in one_by_one(FINISHED_OPERATIONS):
            with refuses("finished_at dates its end"), unguarded():
                update(OperationFactory(), state=state, **COMES_WITH[state] | {"finished_at": None})

    def test_no_end_without_an_outcome(self) -> None:
        for state in one_by_one(UNFINISHED_OPERATIONS):
            with refuses("finished_at dates its end"), unguarded():
                update(OperationFactory(state=state), finished_at=NOW)

    def test_the_word_for_why_not(self) -> None:
        for state in one_by_one([OperationState.DECLINED, OperationState.REJECTED]):
            with refuses("a decline or an error has a code"), unguarded():
                update(OperationFactory(), state=state, finished_at=NOW)

    def test_the_reference_of_a_hold(self) -> None:
        with refuses("its hold has a reference"), unguarded():
            update(OperationFactory(), state="SUCCEEDED", finished_at=NOW)

    def test_of_what_only_proves_itself_the_reference_may_be_unknown(self) -> None:
        for kind in one_by_one([*FOLLOW_UPS, OperationKind.RELEASE]):
            operation = OperationFactory(payment=PaymentFactory(authorized=True), kind=kind)
            AttemptFactory(operation=operation, said="already_used", bank_reference="")
            assert update(operation, state="SUCCEEDED", finished_at=NOW) == 1
            with refuses("no evidence"):
                update(operation, bank_reference="learnt_later")
            decided(operation, reference="learnt_later")
            assert update(operation, bank_reference="learnt_later") == 1
            with refuses("the bank's reference is written once"):
                update(operation, bank_reference="another")


class TestWhatIsFixed:
    def test_at_the_intent_stays(self) -> None:
        for column, value in one_by_one(
            [
                *(
                    ("id", "0189f7e0-1234-4abc-8def-0123456789ab"),
                    ("payment_id", PaymentFactory().pk),
                    ("kind", "void"),
                ),
                *(("bank", "sandbox"), ("amount_minor", 1), ("currency", "EUR"), ("target_reference", "x")),
                *(("bank_idempotency_key", "x"), ("ordinal", 9), ("actor", "x"), ("request_id", "x")),
                *(("reason", "x"), ("created_at", NOW), ("payment_id", None)),
            ]
        ):
            operation = OperationFactory()
            with refuses("what was instructed stays"):
                update(operation, **{column: value})

    def test_with_the_outcome_stays(self) -> None:
        for state, (column, value) in one_by_one(
            product(FINISHED_OPERATIONS, [("outcome_code", "x"), ("finished_at", LATER)])
        ):
            operation = OperationFactory(state=state)
            with refuses("an outcome comes with its end, and stays"):
                update(operation, **{column: value})

    def test_the_strays_awaited_are_ruled_out_one_by_one(self) -> None:
        for state in one_by_one(OperationState):
            operation = OperationFactory(state=state, strays_awaited=2)
            for wrong in (0, 3):
                with refuses("strays come with the end, and are ruled out one by one"):
                    update(operation, strays_awaited=wrong)
            for strays in (1, 0):
                assert update(operation, strays_awaited=strays) == 1
                assert Operation.objects.get(pk=operation.pk).awaiting_statement is (strays > 0)

    def test_the_reference_is_written_once(self) -> None:
        operation = OperationFactory(succeeded=True)
        for other in ("another", ""):
            with refuses("the bank's reference is written once"):
                update(operation, bank_reference=other)

    def test_the_lease_may_be_renewed_and_its_epoch_only_grows(self) -> None:
        operation = OperationFactory(lease_epoch=3)
        assert update(operation, lease_expires_at=LATER, lease_epoch=3) == 1
        assert update(operation, lease_epoch=4) == 1
        for epoch in (3, 0, 6):
            with refuses("the lease's epoch grows by one"):
                update(operation, lease_epoch=epoch)

    def test_it_is_never_deleted(self) -> None:
        operation = OperationFactory()
        with refuses("DELETE of payments_operation is refused"):
            execute("DELETE FROM payments_operation WHERE id = %s", operation.pk)


class TestOneOpenOperationPerPayment:
    def test_refuses_a_second(self) -> None:
        for unfinished, first, second in one_by_one(product(UNFINISHED_OPERATIONS, FOLLOW_UPS, FOLLOW_UPS)):
            payment = PaymentFactory(authorized=True)
            OperationFactory(payment=payment, kind=first, state=unfinished)
            with refuses("one_open_operation_per_payment"):
                OperationFactory(payment=payment, kind=second)

    def test_lets_another_follow_one_that_is_over(self) -> None:
        for finished in one_by_one(FINISHED_OPERATIONS):
            payment = PaymentFactory(authorized=True)
            OperationFactory(payment=payment, kind=OperationKind.CAPTURE, state=finished)
            assert OperationFactory(payment=payment, kind=OperationKind.CAPTURE).pk

    def test_does_not_count_releases(self) -> None:
        payment = PaymentFactory(expired=True)
        OperationFactory(payment=payment, kind=OperationKind.RELEASE)
        OperationFactory(payment=payment, kind=OperationKind.RELEASE, target_reference="a late hold")
        assert OperationFactory(payment=payment, kind=OperationKind.VOID).pk


class TestOneReleasePerHold:
    def test_is_kept_unless_people_found_that_it_could_not_be_freed(self) -> None:
        payment = PaymentFactory(expired=True)
        release = OperationFactory(payment=payment, kind=OperationKind.RELEASE)
        with pytest.raises(IntegrityError, match="one_release_per_hold"), transaction.atomic():
            OperationFactory(payment=payment, kind=OperationKind.RELEASE)
        end = {"state": OperationState.NOT_EXECUTED, "finished_at": release.created_at}
        AttemptFactory(operation=release, not_sent=True)
        Operation.objects.filter(pk=release.pk).update(**end)
        assert OperationFactory(payment=payment, kind=OperationKind.RELEASE).pk


class TestOneOperationPerBankKey:
    def test_refuses_a_second_unless_the_first_was_not_executed(self) -> None:
        for state in one_by_one(OperationState):
            OperationFactory(state=state, bank_idempotency_key="key-1")
            other = PaymentFactory()
            if state is OperationState.NOT_EXECUTED:
                assert OperationFactory(payment=other, bank_idempotency_key="key-1").pk
                continue
            with refuses("one_operation_per_bank_key"):
                OperationFactory(payment=other, bank_idempotency_key="key-1")

    def test_lets_another_bank_have_the_same(self) -> None:
        OperationFactory(bank_idempotency_key="key-1")
        assert OperationFactory(payment=PaymentFactory(bank="sandbox"), bank_idempotency_key="key-1").pk


class TestValues:
    def test_out_of_range_are_refused(self) -> None:
        for fields, because in one_by_one(
            [
                ({"amount_minor": 0}, "its amount is out of range"),
                ({"amount_minor": 100_000_000}, "its amount is out of range"),
                ({"currency": "CHF"}, "its currency is unknown"),
                ({"kind": "charge"}, "its kind is unknown"),
                ({"kind": "capture", "target_reference": ""}, "only an authorize has no target"),
                ({"kind": "void", "target_reference": ""}, "only an authorize has no target"),
                ({"kind": "refund", "target_reference": ""}, "only an authorize has no target"),
                ({"kind": "release", "target_reference": ""}, "only an authorize has no target"),
            ]
        ):
            payment = PaymentFactory()
            with refuses(because):
                OperationFactory(payment=payment, **fields)

    def test_without_a_payment_only_a_release_is_taken(self) -> None:
        for kind in one_by_one([*FOLLOW_UPS, OperationKind.AUTHORIZE]):
            assert OperationFactory(payment=None, kind=OperationKind.RELEASE).pk
            with refuses("only a release has no payment"):
                OperationFactory(payment=None, kind=kind)


class TestAttempts:
    def test_end_once(self) -> None:
        for result, said in one_by_one(
            [("not_sent", "not_sent"), ("silent", "silence"), ("answered", "not_done")]
        ):
            attempt = AttemptFactory(unended=True)
            assert update(attempt, ended_at=NOW, result=result, said=said, in_doubt=True) == 1
            for columns in (
                {"ended_at": None, "result": ""},
                {"result": "silent"},
                {"in_doubt": False},
                {"said": "approved"},
                {"reply": "200"},
                {"bank_reference": "auth_1"},
            ):
                with refuses("it has ended, and stays"):
                    update(attempt, **columns)

    def test_have_an_end_and_a_result_or_neither(self) -> None:
        for columns in one_by_one([{"ended_at": NOW}, {"result": "silent"}]):
            with refuses("its end has a result"), unguarded():
                update(AttemptFactory(unended=True), **columns)

    def test_have_a_result_that_is_known(self) -> None:
        attempt = AttemptFactory(unended=True)
        with refuses("its result is unknown"), unguarded():
            update(attempt, ended_at=NOW, result="lost", said="silence")
        for number, result in enumerate(Attempt.Result, start=2):
            assert AttemptFactory(operation=attempt.operation, number=number, result=result).pk

    def test_have_a_word_that_is_known(self) -> None:
        operation = OperationFactory()
        with refuses("its word is unknown"):
            AttemptFactory(operation=operation, said="done_by_itself")
        for number, said in enumerate(Said, start=1):
            assert AttemptFactory(operation=operation, number=number, said=said).pk

    def test_keep_what_they_started_with(self) -> None:
        for column, value in one_by_one(
            [("number", 9), ("epoch", 9), ("started_at", NOW), ("operation_id", OperationFactory().pk)]
        ):
            attempt = AttemptFactory(unended=True)
            with refuses("what it began with stays"):
                update(attempt, **{column: value})

    def test_are_numbered_once(self) -> None:
        operation = OperationFactory()
        AttemptFactory(operation=operation)
        with refuses("attempt_numbered_once"):
            AttemptFactory(operation=operation)

    def test_are_never_deleted(self) -> None:
        attempt = AttemptFactory()
        with refuses("DELETE of payments_attempt is refused"):
            execute("DELETE FROM payments_attempt WHERE id = %s", attempt.pk)
