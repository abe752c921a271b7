"""What the dashboard counts on a day made by hand, and that an index bounds every count."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from office.dashboard import figures, rows
from office.dashboard.banks import bank_health
from office.dashboard.charts import Point, stacked_columns
from office.dashboard.figures import Made, Reached, Scope, Unsettled
from payments.domain.states import Mode, OperationKind, PaymentState
from payments.models import Attempt, Discrepancy, Operation, Payment
from payments.models.discrepancies import LATE_HOLD
from tests.support.factories import AttemptFactory, MerchantFactory, OperationFactory, PaymentFactory
from tests.support.searchable import make_searchable
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.django_db

MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)
TICK = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = Scope(mode=Mode.LIVE, days=1, now=NOON)
WEEK = replace(TODAY, days=7)
NOTHING = Unsettled(0, None)


def payments_made(scope: Scope) -> Made:
    make_searchable()
    return figures.payments_made(scope)


def money(scope: Scope) -> dict[PaymentState, Reached]:
    make_searchable()
    return figures.money(scope)


class TestPaymentsMade:
    def test_are_those_of_the_utc_day(self) -> None:
        for at in (MIDNIGHT - TICK, MIDNIGHT, MIDNIGHT + DAY - TICK, MIDNIGHT + DAY):
            PaymentFactory(created_at=at)
        assert payments_made(TODAY).count == 2

    def test_are_those_of_seven_days_today_included(self) -> None:
        for at in (MIDNIGHT - 6 * DAY - TICK, MIDNIGHT - 6 * DAY, MIDNIGHT + DAY - TICK):
            PaymentFactory(created_at=at)
        assert payments_made(WEEK).count == 2
        assert (WEEK.first_day.day, WEEK.last_day.day) == (4, 10)

    def test_have_the_state_and_the_amounts_of_now(self) -> None:
        for state in (PaymentState.CAPTURED, PaymentState.CAPTURED, PaymentState.VOIDED):
            PaymentFactory(state=state, created_at=NOON, at=NOON + 3 * DAY, amount_minor=1999)
        made = payments_made(TODAY)
        assert (made.in_state(PaymentState.CAPTURED), made.in_state(PaymentState.VOIDED)) == (2, 1)
        assert made.amounts_in(PaymentState.CAPTURED) == {"USD": 3998}
        assert made.amounts_in(PaymentState.REFUNDED) == {}

    def test_keep_modes_and_merchants_apart(self) -> None:
        other = MerchantFactory(slug="other", name="Other")
        PaymentFactory(created_at=NOON)
        PaymentFactory(created_at=NOON, mode=Mode.TEST)
        for _ in range(3):
            PaymentFactory(created_at=NOON, merchant=other)
        assert payments_made(TODAY).count == 4
        assert payments_made(replace(TODAY, mode=Mode.TEST)).count == 1
        assert payments_made(replace(TODAY, merchant_id=other.pk)).count == 3

    def test_are_known_by_hour_and_by_day(self) -> None:
        for at in (NOON, NOON + HOUR - TICK, NOON + HOUR, NOON - DAY):
            PaymentFactory(created_at=at)
        assert payments_made(TODAY).at(NOON).count == 2
        assert payments_made(WEEK).at(MIDNIGHT).count == 3
        assert payments_made(WEEK).at(MIDNIGHT - DAY).count == 1

    def test_declines_are_counted_by_code_of_what_was_answered(self) -> None:
        for code in ("card_expired", "insufficient_funds", "insufficient_funds"):
            PaymentFactory(declined=True, decline_code=code, created_at=NOON)
        for state in (PaymentState.PENDING, PaymentState.FAILED, PaymentState.VOIDED):
            PaymentFactory(state=state, created_at=NOON)
        made = payments_made(TODAY)
        assert made.declines == [("insufficient_funds", 2), ("card_expired", 1)]
        assert made.decided == 4


class TestMoney:
    def test_counts_when_it_was_captured_not_when_the_payment_was_made(self) -> None:
        PaymentFactory(captured=True, created_at=NOON - 3 * DAY, at=NOON, amount_minor=1000)
        PaymentFactory(captured=True, created_at=NOON, at=NOON + DAY, amount_minor=1)
        assert money(TODAY)[PaymentState.CAPTURED] == Reached(1, {"USD": 1000})

    def test_a_refund_takes_nothing_from_what_was_captured(self) -> None:
        payment = PaymentFactory(refunded=True, at=NOON, amount_minor=900, captured_minor=700)
        for amount in (300, 400):
            OperationFactory(
                payment=payment,
                kind=OperationKind.REFUND,
                succeeded=True,
                amount_minor=amount,
                bank_reference=f"ref_{amount}",
                finished_at=NOON,
            )
        PaymentFactory(authorized=True, at=NOON, amount_minor=50)
        assert money(TODAY) == {
            PaymentState.AUTHORIZED: Reached(2, {"USD": 950}),
            PaymentState.CAPTURED: Reached(1, {"USD": 700}),
            PaymentState.REFUNDED: Reached(1, {"USD": 700}),
        }

    def test_adds_no_two_currencies(self) -> None:
        for currency, amount in (("USD", 700), ("JPY", 70), ("USD", 1)):
            PaymentFactory(captured=True, at=NOON, amount_minor=amount, currency=currency)
        assert money(TODAY)[PaymentState.CAPTURED] == Reached(3, {"JPY": 70, "USD": 701})
        assert rows.shown({"JPY": 7000, "USD": 701}) == "¥7,000 and $7.01"

    def test_ends_with_the_utc_day(self) -> None:
        for at in (MIDNIGHT - TICK, MIDNIGHT, MIDNIGHT + DAY - TICK, MIDNIGHT + DAY):
            PaymentFactory(authorized=True, at=at)
        assert money(TODAY)[PaymentState.AUTHORIZED].count == 2

    def test_keeps_modes_and_merchants_apart(self) -> None:
        other = MerchantFactory(slug="other", name="Other")
        PaymentFactory(captured=True, at=NOON)
        PaymentFactory(captured=True, at=NOON, mode=Mode.TEST, amount_minor=3)
        PaymentFactory(captured=True, at=NOON, merchant=other, amount_minor=4)
        assert money(replace(TODAY, mode=Mode.TEST))[PaymentState.CAPTURED].amounts == {"USD": 3}
        assert money(replace(TODAY, merchant_id=other.pk))[PaymentState.CAPTURED].amounts == {"USD": 4}

    def test_is_nothing_where_there_is_none(self) -> None:
        assert set(map(str, money(TODAY).values())) == {str(Reached(0, {}))}


class TestAttention:
    def test_what_is_in_flight_is_not_in_doubt(self) -> None:
        OperationFactory(lease_expires_at=NOON + TICK)
        OperationFactory(lease_expires_at=NOON, created_at=NOON - HOUR)
        OperationFactory(lease_expires_at=NOON - DAY, created_at=NOON - DAY)
        assert figures.attention(TODAY).in_doubt == Unsettled(2, NOON - DAY)

    def test_counts_what_needs_review_however_old(self) -> None:
        payment = PaymentFactory(authorized=True, created_at=NOON - 90 * DAY)
        OperationFactory(
            payment=payment, kind=OperationKind.CAPTURE, needs_review=True, created_at=NOON - 80 * DAY
        )
        found = figures.attention(TODAY)
        assert found.needs_review == Unsettled(1, NOON - 80 * DAY)
        assert found.in_doubt == NOTHING

    def test_counts_what_awaits_a_statement_finished_or_not(self) -> None:
        declined = PaymentFactory(declined=True)
        OperationFactory(payment=declined, declined=True, strays_awaited=1, created_at=NOON - HOUR)
        OperationFactory(needs_review=True, strays_awaited=1, created_at=NOON)
        assert figures.attention(TODAY).awaiting_statement == Unsettled(2, NOON - HOUR)

    def test_releases_are_told_apart_from_payments(self) -> None:
        payment = PaymentFactory(expired=True)
        old = {"lease_expires_at": NOON - HOUR, "created_at": NOON - HOUR}
        OperationFactory(payment=payment, kind=OperationKind.RELEASE, **old)
        OperationFactory(payment=None, kind=OperationKind.RELEASE, **old)
        found = figures.attention(TODAY)
        assert (found.in_doubt, found.releases) == (NOTHING, Unsettled(2, NOON - HOUR))

    def test_a_late_hold_counts_until_its_case_is_closed(self) -> None:
        payment = PaymentFactory(failed=True)
        for closed_at in (None, NOON):
            release = OperationFactory(payment=payment, kind=OperationKind.RELEASE)
            with unguarded():
                Discrepancy.objects.create(
                    kind=LATE_HOLD,
                    operation=release,
                    payment=payment,
                    opened_at=NOON - HOUR,
                    closed_at=closed_at,
                )
        assert figures.attention(TODAY).late_holds == Unsettled(1, NOON - HOUR)

    def test_keeps_modes_and_merchants_apart(self) -> None:
        other = MerchantFactory(slug="other", name="Other")
        for fields in ({}, {"mode": Mode.TEST}, {"merchant": other}):
            OperationFactory(payment=PaymentFactory(**fields), needs_review=True)
        OperationFactory(payment=None, kind=OperationKind.RELEASE, lease_expires_at=NOON)
        live = figures.attention(TODAY)
        assert (live.needs_review.count, live.releases.count) == (2, 1)
        test = figures.attention(replace(TODAY, mode=Mode.TEST))
        assert (test.needs_review.count, test.releases.count) == (1, 0)
        others = figures.attention(replace(TODAY, merchant_id=other.pk))
        assert (others.needs_review.count, others.releases.count) == (1, 0)


class TestBanks:
    def test_tells_apart_how_attempts_failed(self) -> None:
        operation = OperationFactory(payment=PaymentFactory(mode=Mode.LIVE, bank="ficmart"))
        answered, silent, not_sent = Attempt.Result.ANSWERED, Attempt.Result.SILENT, Attempt.Result.NOT_SENT
        for number, (result, fields) in enumerate(
            [
                (answered, {"duration_ms": 100}),
                (answered, {"duration_ms": 300, "said": "not_done"}),
                (answered, {"duration_ms": 200, "said": "declined"}),
                (silent, {"duration_ms": 30_000}),
                (not_sent, {"duration_ms": 1}),
                (None, {}),
            ]
        ):
            AttemptFactory(
                operation=operation,
                number=number,
                result=result or "",
                started_at=NOON - timedelta(minutes=5),
                **fields,
            )
        (bank,) = bank_health(TODAY)
        assert bank.name == "ficmart"
        assert bank.last_hour == bank.today
        seen = bank.today
        assert (seen.attempts, seen.errors, seen.silent, seen.not_sent, seen.failures) == (5, 1, 1, 1, 3)
        assert seen.median_ms == 250
        assert seen.p95_ms == pytest.approx(25_545)

    def test_tells_the_last_hour_from_the_utc_day(self) -> None:
        operation = OperationFactory()
        for number, at in enumerate((MIDNIGHT - TICK, MIDNIGHT, NOON - HOUR - TICK, NOON - HOUR)):
            AttemptFactory(operation=operation, number=number, started_at=at)
        (bank,) = bank_health(TODAY)
        assert (bank.last_hour.attempts, bank.today.attempts) == (1, 3)

    def test_the_last_hour_begins_before_midnight_early_in_the_day(self) -> None:
        operation = OperationFactory()
        AttemptFactory(operation=operation, started_at=MIDNIGHT - timedelta(minutes=50))
        (bank,) = bank_health(replace(TODAY, now=MIDNIGHT + timedelta(minutes=5)))
        assert (bank.last_hour.attempts, bank.today.attempts, bank.today.median_ms) == (1, 0, None)

    def test_keeps_modes_apart(self) -> None:
        AttemptFactory(
            operation=OperationFactory(payment=PaymentFactory(mode=Mode.TEST, bank="sandbox")),
            started_at=NOON,
        )
        assert bank_health(TODAY) == []
        assert [bank.name for bank in bank_health(replace(TODAY, mode=Mode.TEST))] == ["sandbox"]


class TestChart:
    def test_draws_to_scale_from_zero(self) -> None:
        chart = stacked_columns([Point("a", "a", total=24, bad=6), Point("b", "", total=0, bad=0)])
        assert [line.number for line in chart.lines] == [0, 12, 24]
        first, second = chart.columns
        assert first.good_height == pytest.approx(3 * first.bad_height)
        assert first.bad_top == min(line.y for line in chart.lines)
        assert second.good_height == second.bad_height == 0

    @pytest.mark.parametrize(
        ("highest", "top"), [(0, 2), (1, 2), (3, 4), (10, 10), (11, 12), (22, 24), (120, 120), (121, 160)]
    )
    def test_has_a_round_scale(self, highest: int, top: int) -> None:
        assert stacked_columns([Point("a", "a", total=highest, bad=0)]).lines[-1].number == top


BIG = {"payments_payment", "payments_operation", "payments_attempt"}


class TestSpeed:
    """Among payments of a year, however many: PostgreSQL's own plans."""

    @pytest.fixture
    def year(self) -> None:
        merchant = MerchantFactory()
        first = PaymentFactory(created_at=NOON - 365 * DAY)
        OperationFactory(payment=first, created_at=first.created_at)
        copies = 20_000
        with unguarded(), connection.cursor() as cursor:
            for table, changed in (
                (
                    "payments_payment",
                    {
                        "created_at": "%(at)s",
                        "order_id": "n::text",
                        "state": "'CAPTURED'",
                        "captured_minor": "amount_minor",
                        "authorized_at": "%(at)s",
                        "captured_at": "%(at)s",
                        "bank_authorization_id": "'auth_' || n",
                    },
                ),
                (
                    "payments_operation",
                    {
                        "created_at": "%(at)s",
                        "state": "'SUCCEEDED'",
                        "finished_at": "%(at)s",
                        "bank_idempotency_key": "n::text",
                        "bank_reference": "'auth_' || n",
                    },
                ),
            ):
                _copy(cursor, table, copies, changed)
            cursor.execute(
                """INSERT INTO payments_attempt
                       (operation_id, number, epoch, started_at, ended_at, result, reply, bank_reference,
                        is_probe, verdict, is_late, duration_ms, said)
                   SELECT id, 1, 1, created_at, created_at, 'answered', '', '', false, '', false, 100,
                       'approved' FROM payments_operation"""
            )
            cursor.execute("ANALYZE payments_payment, payments_operation, payments_attempt")
        assert Payment.objects.filter(merchant=merchant).count() == copies + 1
        assert Operation.objects.count() == Attempt.objects.count() == copies + 1

    @pytest.mark.usefixtures("year")
    def test_reads_no_big_table_from_end_to_end(self) -> None:
        counts = (figures.payments_made, figures.money, figures.attention, bank_health)
        with CaptureQueriesContext(connection) as statements:
            for scope in (TODAY, replace(TODAY, mode=Mode.TEST), replace(TODAY, merchant_id=1)):
                for count in counts:
                    count(scope)
        with connection.cursor() as cursor:
            for statement in statements.captured_queries:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {statement['sql']}")
                plan = cursor.fetchone()[0]
                assert not list(_scanned(json.loads(plan) if isinstance(plan, str) else plan)), plan


def _copy(cursor: Any, table: str, copies: int, changed: dict[str, str]) -> None:
    """Copies of a table's only row with ids 1, 2, 3..., spread over the year."""
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'",
        [table],
    )
    changed = changed | {"id": "lpad(to_hex(n), 32, '0')::uuid"}
    if table == "payments_operation":
        changed |= {"payment_id": changed["id"]}
    columns = [name for (name,) in cursor.fetchall()]
    values = ", ".join(changed.get(name, name) for name in columns)
    values = values.replace("%(at)s", f"timestamptz '{NOON.isoformat()}' - n * interval '1 year' / {copies}")
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"SELECT {values} FROM {table}, generate_series(1, {copies}) n"
    )


def _scanned(plan: Any) -> Any:
    """The big tables a plan reads from end to end."""
    if isinstance(plan, list):
        for part in plan:
            yield from _scanned(part)
    elif isinstance(plan, dict):
        if plan.get("Node Type") == "Seq Scan" and plan.get("Relation Name") in BIG:
            yield plan["Relation Name"]
        for key in ("Plan", "Plans"):
            yield from _scanned(plan.get(key, []))
