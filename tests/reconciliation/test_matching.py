"""Matching agrees with a naive comparison of each line with each operation, and its work grows as they do."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product

from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.domain.states import OperationKind, OperationState, PaymentState
from payments.models import Merchant, Operation
from reconciliation.matching.classes import Class, proposed_resolution
from reconciliation.models import Difference, Match, StatementLine
from reconciliation.services import compare
from reconciliation.services.reconcile import reconcile
from tests.conftest import empty_tables
from tests.support.factories import MerchantFactory
from tests.support.planted import AGREEING, Planted, days_between
from tests.support.unguarded import unguarded

DAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=9)
A = OperationKind.AUTHORIZE
C, V, R = OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND


@dataclass(frozen=True)
class Loose:
    """A line from small pools, so that lines and operations meet in every way."""

    kind: OperationKind
    reference: int
    target: int
    amount: int


loose_lines = st.builds(
    Loose,
    kind=st.sampled_from([C, V, R]),
    reference=st.integers(0, 2),
    target=st.integers(0, 2),
    amount=st.integers(1, 2),
)
# What became of each payment: the states of its capture, void and refund, where there is one.
lives = st.tuples(
    st.sampled_from(["", "SUCCEEDED", "NOT_EXECUTED"]),
    st.sampled_from(["", "SUCCEEDED", "NOT_EXECUTED"]),
    st.sampled_from(["", "SUCCEEDED"]),
    st.integers(1, 2),
)


def reference(kind: OperationKind, number: int) -> str:
    return f"{kind}-{number}"


def hold(number: int) -> str:
    return reference(A, number)


def put_down(merchant: Merchant, found: list[tuple[str, str, str, int]], lines: list[Loose]) -> None:
    """These payments and these lines."""
    planted = Planted(merchant)
    for number, (captured, voided, refunded, amount) in enumerate(found):
        payment = planted.payment(NOON, amount, PaymentState.AUTHORIZED)
        payment.bank_authorization_id = hold(number)
        for kind, state in (
            (A, "SUCCEEDED"),
            (C, captured),
            (V, voided),
            (R, refunded),
        ):
            if state:
                columns = {"target_reference": target_of(kind, number)}
                done = state == OperationState.SUCCEEDED
                columns |= {"bank_reference": reference(kind, number)} if done else {}
                planted.step(payment, kind, NOON, state, **columns)
    for line in set(lines):
        planted.line(
            kind=line.kind,
            reference=reference(line.kind, line.reference),
            target_reference=target_of(line.kind, line.target),
            amount_minor=line.amount,
            at=NOON,
        )
    planted.write()
    planted.deliver(*days_between(DAY - timedelta(days=1), DAY + timedelta(days=3)))


def target_of(kind: OperationKind, number: int) -> str:
    if kind is A:
        return ""
    return reference(C, number) if kind is R else hold(number)


def agree(line: StatementLine, operation: Operation) -> bool:
    """Whether the line shows the operation in every part."""
    return operation.state == OperationState.SUCCEEDED and (
        (line.kind, line.reference, line.target_reference, line.amount_minor, line.currency)
        == (
            *(operation.kind, operation.bank_reference, operation.target_reference),
            *(operation.amount_minor, operation.currency),
        )
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(lives, max_size=3), lines=st.lists(loose_lines, max_size=8))
def test_agrees_with_a_naive_comparison(
    transactional_db: None, found: list[tuple[str, str, str, int]], lines: list[Loose]
) -> None:
    with unguarded():  # as each example begins anew
        empty_tables(None)
    put_down(MerchantFactory(), found, lines)
    reconcile("ficmart", actor="test", now=LATER)

    all_lines, operations = list(StatementLine.objects.all()), list(Operation.objects.all())
    matches = {(line.pk, one.pk) for line, one in product(all_lines, operations) if agree(line, one)}
    assert set(Match.objects.values_list("line_id", "operation_id")) == matches

    matched_lines = {line for line, _ in matches}
    matched_operations = {operation for _, operation in matches}
    named = {(line.kind, line.reference) for line in all_lines}
    missing = {
        f"op:{one.pk.hex}"
        for one in operations
        if one.state == OperationState.SUCCEEDED
        and one.pk not in matched_operations
        and (one.kind, one.bank_reference) not in named
    }
    differences = Difference.objects.filter(state="OPEN")
    assert set(differences.filter(kind="missing_at_bank").values_list("subject", flat=True)) == missing
    # Each other line is exactly one difference, and a matched one is none.
    others = differences.exclude(kind="missing_at_bank").values_list("line_id", flat=True)
    assert sorted(others) == sorted(line.pk for line in all_lines if line.pk not in matched_lines)


def test_ten_times_the_lines_cost_ten_times_the_work(merchant: Merchant) -> None:
    """Counted in the rows that the plans of its statements touch, not by a clock.

    A search per line would cost a hundred times the work. Plans for more rows may have a few more nodes.
    """
    few, many = (rows_touched(merchant, count) for count in (100, 1000))
    for name in few:
        assert many[name] < 30 * few[name], (name, few[name], many[name])


def rows_touched(merchant: Merchant, payments: int) -> dict[str, int]:
    """How many rows each statement of a first run touches, with so many payments."""
    with unguarded():
        empty_tables(None)
    planted = Planted(MerchantFactory())
    names = list(AGREEING)
    for number in range(payments):
        planted.tell(names[number % len(names)], at=NOON + timedelta(seconds=number), amount=900)
        if number % 10 == 0:
            planted.tell("orphan_hold", at=NOON + timedelta(seconds=number), amount=900)
    planted.write()
    planted.deliver(DAY - timedelta(days=1), DAY, DAY + timedelta(days=1))
    touched = {}
    with unguarded(), connection.cursor() as cursor:
        cursor.execute("ANALYZE payments_payment, payments_operation, payments_event")
        cursor.execute("ANALYZE reconciliation_statementline")
        parameters = {"bank": "ficmart", "grace": timedelta(days=2), "before": timedelta(minutes=5)}
        parameters |= {"file": 0, "event": 0, "late_since": None}
        compare.execute(cursor, "considered", parameters)
        for name in ("match", "lines", "operations"):
            statement = (compare.HERE / f"{name}.sql").read_text()
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            touched[name] = rows_of(cursor.fetchone()[0][0]["Plan"])
    return touched


def rows_of(plan: dict[str, object]) -> int:
    """The rows that this node and those below it return or throw away, times how often each ran."""
    removed = sum(value for key, value in plan.items() if key.startswith("Rows Removed"))  # type: ignore[misc]
    own = (plan["Actual Rows"] + removed) * plan["Actual Loops"]  # type: ignore[operator]
    below = sum(rows_of(one) for one in plan.get("Plans", []))  # type: ignore[attr-defined, misc]
    return round(own + below)  # type: ignore[call-overload, no-any-return]


def test_each_difference_has_a_proposed_resolution() -> None:
    for kind in Difference.Kind:
        assert proposed_resolution(kind).endswith(".")
        assert Class(kind)
