"""What PostgreSQL lets happen to an operation's row and its attempts', whoever asks."""

from datetime import UTC, datetime, timedelta
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
    PaymentState,
)
from payments.models import Attempt, Operation, Resolution
from tests.database.sql import execute, refuses, update
from tests.support.factories import make_attempt, make_operation, make_payment
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
            make_attempt(operation, bank_reference="auth_1")
        case OperationState.DECLINED | OperationState.REJECTED:
            code = COMES_WITH[target]["outcome_code"]
            make_attempt(operation, result=answered, said=code, bank_reference="")
        case OperationState.NOT_EXECUTED | OperationState.NEEDS_REVIEW:
            make_attempt(operation, result=Attempt.Result.NOT_SENT)


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
    @pytest.mark.parametrize(("source", "target"), OPERATION_EDGES)
    def test_along_an_edge_pass(self, source: OperationState, target: OperationState) -> None:
        operation = make_operation(make_payment(), state=source)
        proof(operation, target)
        assert update(operation, state=target, **COMES_WITH[target]) == 1
        assert state_of(operation) == target

    @pytest.mark.parametrize(("source", "target"), ILLEGAL)
    def test_along_no_edge_are_refused(self, source: OperationState, target: OperationState) -> None:
        operation = make_operation(make_payment(), state=source, finished_at=NOW)
        for columns in ({}, COMES_WITH[target]):
            with refuses(f"no way leads from {source} to {target}"):
                update(operation, state=target, **columns)
        assert state_of(operation) == source

    def test_of_many_rows_at_once_are_refused_for_one_that_would_jump(self) -> None:
        operations = [make_operation(make_payment()) for _ in range(3)]
        for operation in operations:
            proof(operation, OperationState.NOT_EXECUTED)
        make_operation(make_payment(), state=OperationState.DECLINED)
        with refuses("no way leads from DECLINED to NOT_EXECUTED"):
            execute(
                "UPDATE payments_operation"
                " SET state = 'NOT_EXECUTED', finished_at = coalesce(finished_at, now())"
            )
        assert {state_of(operation) for operation in operations} == {"OPEN"}

    @pytest.mark.parametrize("state", OperationState)
    def test_none_begins_anywhere_but_open(self, state: OperationState) -> None:
        model = make_operation(make_payment(), state=OperationState.NOT_EXECUTED)
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
    @pytest.mark.parametrize("state", FINISHED_OPERATIONS)
    def test_the_date_of_its_end(self, state: OperationState) -> None:
        with refuses("finished_at dates its end"), unguarded():
            update(make_operation(make_payment()), state=state, **COMES_WITH[state] | {"finished_at": None})

    @pytest.mark.parametrize("state", UNFINISHED_OPERATIONS)
    def test_no_end_without_an_outcome(self, state: OperationState) -> None:
        with refuses("finished_at dates its end"), unguarded():
            update(make_operation(make_payment(), state=state), finished_at=NOW)

    @pytest.mark.parametrize("state", [OperationState.DECLINED, OperationState.REJECTED])
    def test_the_word_for_why_not(self, state: OperationState) -> None:
        with refuses("what was refused has a code"), unguarded():
            update(make_operation(make_payment()), state=state, finished_at=NOW)

    def test_the_reference_of_a_hold(self) -> None:
        with refuses("its hold has a reference"), unguarded():
            update(make_operation(make_payment()), state="SUCCEEDED", finished_at=NOW)

    @pytest.mark.parametrize("kind", [*FOLLOW_UPS, OperationKind.RELEASE])
    def test_of_what_only_proves_itself_the_reference_may_be_unknown(self, kind: OperationKind) -> None:
        operation = make_operation(make_payment(PaymentState.AUTHORIZED), kind)
        make_attempt(operation, said="already_used", bank_reference="")
        assert update(operation, state="SUCCEEDED", finished_at=NOW) == 1
        with refuses("no evidence"):
            update(operation, bank_reference="learnt_later")
        decided(operation, reference="learnt_later")
        assert update(operation, bank_reference="learnt_later") == 1
        with refuses("the bank's reference is written once"):
            update(operation, bank_reference="another")


class TestWhatIsFixed:
    @pytest.mark.parametrize(
        ("column", "value"),
        [
            *(("id", "0189f7e0-1234-4abc-8def-0123456789ab"), ("payment_id", "other"), ("kind", "void")),
            *(("bank", "sandbox"), ("amount_minor", 1), ("currency", "EUR"), ("target_reference", "x")),
            *(("bank_idempotency_key", "x"), ("ordinal", 9), ("actor", "x"), ("request_id", "x")),
            *(("reason", "x"), ("created_at", NOW), ("payment_id", None)),
        ],
    )
    def test_at_the_intent_stays(self, column: str, value: Any) -> None:
        operation = make_operation(make_payment())
        if value == "other":
            value = make_payment().pk
        with refuses("what was instructed stays"):
            update(operation, **{column: value})

    @pytest.mark.parametrize("state", FINISHED_OPERATIONS)
    @pytest.mark.parametrize(("column", "value"), [("outcome_code", "x"), ("finished_at", LATER)])
    def test_with_the_outcome_stays(self, state: OperationState, column: str, value: Any) -> None:
        operation = make_operation(make_payment(), state=state)
        with refuses("an outcome comes with its end, and stays"):
            update(operation, **{column: value})

    @pytest.mark.parametrize("state", OperationState)
    def test_the_strays_awaited_are_ruled_out_one_by_one(self, state: OperationState) -> None:
        operation = make_operation(make_payment(), state=state, strays_awaited=2)
        for wrong in (0, 3):
            with refuses("strays come with the end, and are ruled out one by one"):
                update(operation, strays_awaited=wrong)
        for strays in (1, 0):
            assert update(operation, strays_awaited=strays) == 1
            assert Operation.objects.get(pk=operation.pk).awaiting_statement is (strays > 0)

    def test_the_reference_is_written_once(self) -> None:
        operation = make_operation(make_payment(), state=OperationState.SUCCEEDED)
        for other in ("another", ""):
            with refuses("the bank's reference is written once"):
                update(operation, bank_reference=other)

    def test_the_lease_may_be_renewed_and_its_epoch_only_grows(self) -> None:
        operation = make_operation(make_payment(), lease_epoch=3)
        assert update(operation, lease_expires_at=LATER, lease_epoch=3) == 1
        assert update(operation, lease_epoch=4) == 1
        for epoch in (3, 0, 6):
            with refuses("the lease's epoch grows by one"):
                update(operation, lease_epoch=epoch)

    def test_it_is_never_deleted(self) -> None:
        operation = make_operation(make_payment())
        with refuses("DELETE of payments_operation is refused"):
            execute("DELETE FROM payments_operation WHERE id = %s", operation.pk)


class TestOneOpenOperationPerPayment:
    @pytest.mark.parametrize("unfinished", UNFINISHED_OPERATIONS)
    @pytest.mark.parametrize("first", FOLLOW_UPS)
    @pytest.mark.parametrize("second", FOLLOW_UPS)
    def test_refuses_a_second(
        self, first: OperationKind, second: OperationKind, unfinished: OperationState
    ) -> None:
        payment = make_payment(PaymentState.AUTHORIZED)
        make_operation(payment, first, unfinished)
        with refuses("one_open_operation_per_payment"):
            make_operation(payment, second)

    @pytest.mark.parametrize("finished", FINISHED_OPERATIONS)
    def test_lets_another_follow_one_that_is_over(self, finished: OperationState) -> None:
        payment = make_payment(PaymentState.AUTHORIZED)
        make_operation(payment, OperationKind.CAPTURE, finished)
        assert make_operation(payment, OperationKind.CAPTURE).pk

    def test_does_not_count_releases(self) -> None:
        payment = make_payment(PaymentState.EXPIRED)
        make_operation(payment, OperationKind.RELEASE)
        make_operation(payment, OperationKind.RELEASE, target_reference="a late hold")
        assert make_operation(payment, OperationKind.VOID).pk


class TestOneReleasePerHold:
    def test_is_kept_unless_people_found_that_it_could_not_be_freed(self) -> None:
        payment = make_payment(PaymentState.EXPIRED)
        release = make_operation(payment, OperationKind.RELEASE)
        with pytest.raises(IntegrityError, match="one_release_per_hold"), transaction.atomic():
            make_operation(payment, OperationKind.RELEASE)
        end = {"state": OperationState.NOT_EXECUTED, "finished_at": release.created_at}
        make_attempt(release, result=Attempt.Result.NOT_SENT)
        Operation.objects.filter(pk=release.pk).update(**end)
        assert make_operation(payment, OperationKind.RELEASE).pk


class TestOneOperationPerBankKey:
    @pytest.mark.parametrize("state", OperationState)
    def test_refuses_a_second_unless_the_first_was_not_executed(self, state: OperationState) -> None:
        make_operation(make_payment(), state=state, bank_idempotency_key="key-1")
        other = make_payment()
        if state is OperationState.NOT_EXECUTED:
            assert make_operation(other, bank_idempotency_key="key-1").pk
            return
        with refuses("one_operation_per_bank_key"):
            make_operation(other, bank_idempotency_key="key-1")

    def test_lets_another_bank_have_the_same(self) -> None:
        make_operation(make_payment(), bank_idempotency_key="key-1")
        assert make_operation(make_payment(bank="sandbox"), bank_idempotency_key="key-1").pk


class TestValues:
    @pytest.mark.parametrize(
        ("fields", "because"),
        [
            ({"amount_minor": 0}, "its amount is out of range"),
            ({"amount_minor": 100_000_000}, "its amount is out of range"),
            ({"currency": "CHF"}, "its currency is unknown"),
            ({"kind": "charge"}, "its kind is unknown"),
            ({"kind": "capture", "target_reference": ""}, "only an authorize has no target"),
            ({"kind": "void", "target_reference": ""}, "only an authorize has no target"),
            ({"kind": "refund", "target_reference": ""}, "only an authorize has no target"),
            ({"kind": "release", "target_reference": ""}, "only an authorize has no target"),
        ],
    )
    def test_out_of_range_are_refused(self, fields: dict[str, Any], because: str) -> None:
        payment = make_payment()
        with refuses(because):
            make_operation(payment, **fields)

    @pytest.mark.parametrize("kind", [*FOLLOW_UPS, OperationKind.AUTHORIZE])
    def test_without_a_payment_only_a_release_is_taken(self, kind: OperationKind) -> None:
        assert make_operation(None, OperationKind.RELEASE).pk
        with refuses("only a release has no payment"):
            make_operation(None, kind)


class TestAttempts:
    @pytest.mark.parametrize(
        ("result", "said"), [("not_sent", "not_sent"), ("silent", "silence"), ("answered", "not_done")]
    )
    def test_end_once(self, result: str, said: str) -> None:
        attempt = make_attempt(make_operation(make_payment()), result=None)
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

    @pytest.mark.parametrize("columns", [{"ended_at": NOW}, {"result": "silent"}])
    def test_have_an_end_and_a_result_or_neither(self, columns: dict[str, Any]) -> None:
        with refuses("its end has a result"), unguarded():
            update(make_attempt(make_operation(make_payment()), result=None), **columns)

    def test_have_a_result_that_is_known(self) -> None:
        attempt = make_attempt(make_operation(make_payment()), result=None)
        with refuses("its result is unknown"), unguarded():
            update(attempt, ended_at=NOW, result="lost", said="silence")
        for number, result in enumerate(Attempt.Result, start=2):
            assert make_attempt(attempt.operation, number, result).pk

    def test_have_a_word_that_is_known(self) -> None:
        operation = make_operation(make_payment())
        with refuses("its word is unknown"):
            make_attempt(operation, said="done_by_itself")
        for number, said in enumerate(Said, start=1):
            assert make_attempt(operation, number, said=said).pk

    @pytest.mark.parametrize(
        ("column", "value"), [("number", 9), ("epoch", 9), ("started_at", NOW), ("operation_id", "other")]
    )
    def test_keep_what_they_started_with(self, column: str, value: Any) -> None:
        attempt = make_attempt(make_operation(make_payment()), result=None)
        if value == "other":
            value = make_operation(make_payment()).pk
        with refuses("what it began with stays"):
            update(attempt, **{column: value})

    def test_are_numbered_once(self) -> None:
        operation = make_operation(make_payment())
        make_attempt(operation, 1)
        with refuses("attempt_numbered_once"):
            make_attempt(operation, 1)

    def test_are_never_deleted(self) -> None:
        attempt = make_attempt(make_operation(make_payment()))
        with refuses("DELETE of payments_attempt is refused"):
            execute("DELETE FROM payments_attempt WHERE id = %s", attempt.pk)
