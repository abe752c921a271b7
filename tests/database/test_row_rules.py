"""The rules of a single row: the guards know the words of the enums, and hold for every write."""

import re
from collections.abc import Iterable

import pytest
from django.db import connection

from payments.domain.money import MAX_AMOUNT_MINOR, MIN_AMOUNT_MINOR, Currency
from payments.domain.outcomes import Verdict
from payments.domain.replies import Said
from payments.domain.states import (
    FINISHED_OPERATIONS,
    Mode,
    OperationKind,
    OperationState,
    PaymentState,
    since,
)
from payments.models import Attempt, IdempotencyKey, Operation, Payment
from tests.database.sql import one_by_one, refuses, update
from tests.support.factories import AttemptFactory, IdempotencyKeyFactory, OperationFactory, PaymentFactory
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.django_db

REFUSED = (OperationState.DECLINED, OperationState.REJECTED)
# What a column is compared with in a rule: every list of it is one of these.
KNOWN: dict[tuple[str, str], list[Iterable[str]]] = {
    ("payment", "mode"): [Mode],
    ("payment", "currency"): [Currency],
    ("payment", "state"): [PaymentState, since(PaymentState.AUTHORIZED), since(PaymentState.CAPTURED)],
    ("operation", "kind"): [OperationKind],
    ("operation", "currency"): [Currency],
    ("operation", "state"): [OperationState, FINISHED_OPERATIONS, REFUSED],
    ("attempt", "result"): [["", *Attempt.Result.values]],
    ("attempt", "said"): [["", *Said]],
    ("attempt", "verdict"): [["", *Verdict]],
    ("idempotency_key", "mode"): [Mode],
}
MODELS = {"payment": Payment, "operation": Operation, "attempt": Attempt, "idempotency_key": IdempotencyKey}


def source_of(function: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [function])
        ((source,),) = cursor.fetchall()
    return str(source)


class TestTheGuardsWords:
    def test_are_those_of_the_code(self) -> None:
        for table, column in one_by_one(KNOWN):
            lists = re.findall(rf"\.{column} (?:NOT )?IN \(([^)]*)\)", source_of(f"rule_broken_by_{table}"))
            said = {frozenset(re.findall(r"'([^']*)'", one)) for one in lists}
            assert said == {frozenset(map(str, known)) for known in KNOWN[table, column]}

    def test_bound_amounts_as_the_code_does(self) -> None:
        for table in one_by_one(["payment", "operation"]):
            bounds = f"amount_minor NOT BETWEEN {MIN_AMOUNT_MINOR} AND {MAX_AMOUNT_MINOR} "
            assert bounds in source_of(f"rule_broken_by_{table}")

    def test_are_asked_at_every_insert_and_update(self) -> None:
        for table in one_by_one(MODELS):
            for event in ("insert", "update"):
                assert f"public.rule_broken_by_{table}(NEW)" in source_of(f"guard_{table}_{event}")

    def test_stand_in_no_check_beside_them(self) -> None:
        """PostgreSQL reads checks anew for each statement; a field of positive numbers makes one, too."""
        for table in one_by_one(MODELS):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass",
                    [MODELS[table]._meta.db_table],
                )
                assert cursor.fetchall() == []


class TestFigures:
    def test_of_a_payment_are_never_negative(self) -> None:
        for column in one_by_one(
            ["amount_minor", "captured_minor", "refunded_minor", "card_expiry_month", "card_expiry_year"]
        ):
            with refuses("out of range"), unguarded():
                update(PaymentFactory(), **{column: -1})

    def test_of_an_operation_are_never_negative(self) -> None:
        for column in one_by_one(["amount_minor", "ordinal", "lease_epoch", "strays_awaited"]):
            with refuses("out of range"), unguarded():
                update(OperationFactory(), **{column: -1})

    def test_of_an_attempt_are_never_negative(self) -> None:
        for column in one_by_one(["number", "epoch", "http_status", "duration_ms"]):
            with refuses("its figures are out of range"), unguarded():
                update(AttemptFactory(), **{column: -1})


class TestAnAnswer:
    def test_is_stored_whole_or_not_at_all(self) -> None:
        for columns, because in one_by_one(
            [
                ({"response_status": 201}, "a response is whole"),
                ({"response_headers": "{}", "response_body": b"{}"}, "a response is whole"),
                (
                    {"response_status": -1, "response_headers": "{}", "response_body": b"{}"},
                    "its status is out of range",
                ),
            ]
        ):
            with refuses(because), unguarded():
                update(IdempotencyKeyFactory(), **columns)


class TestAnInsertedRow:
    """The guards themselves, not what the tests' unguarded rows are held to."""

    def test_of_an_attempt_has_known_words(self) -> None:
        operation = OperationFactory()
        with refuses("its figures are out of range"):
            Attempt.objects.create(operation=operation, number=1, epoch=-1)

    def test_of_an_operation_has_a_known_kind(self) -> None:
        operation = OperationFactory()
        columns = {field.attname: getattr(operation, field.attname) for field in Operation._meta.fields}
        del columns["id"], columns["awaiting_statement"]
        with refuses("An operation is refused: its kind is unknown"):
            Operation.objects.create(**columns | {"kind": "charge"})
