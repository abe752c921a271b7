"""One row that cannot be dealt with does not keep the others waiting."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection

from office.schedules.schedules import forget
from payments.engine.passed_over import PASSED_OVER
from payments.models import ApiRequest, IdempotencyKey, Operation, Payment
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.conftest import forget_pace
from tests.support.api_client import ApiClient, order
from tests.support.captured_logs import captured_logs
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=5)
MINUTES = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("brief")


@contextmanager
def check(table: str, condition: str) -> Iterator[None]:
    """The database refuses what does not fulfil the condition, for as long as the block lasts."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT poison CHECK ({condition}) NOT VALID")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT poison")


def captures_in_doubt(live: ApiClient, bank: SimulatedBank, count: int) -> list[Operation]:
    """The oldest first, and due."""
    payments = [live.authorized() for _ in range(count)]
    bank.script("captures", "drop_before", times=1000)
    for payment in payments:
        assert live.post(f"/payments/{payment['id']}/capture").status == 202
        forget_pace()
    bank.clear_script()
    let_pass(5 * MINUTES, bank)
    return list(Operation.objects.filter(kind="capture").order_by("lease_expires_at"))


@contextmanager
def poison(payment_id: object) -> Iterator[None]:
    """No event of a release can be recorded for this payment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE payments_event ADD CONSTRAINT poison CHECK "
            f"(payment_id <> '{payment_id}' OR type <> 'release.requested')"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE payments_event DROP CONSTRAINT poison")


def test_holds_that_run_out_expire_beside_one_that_cannot(live: ApiClient, bank: SimulatedBank) -> None:
    for _ in range(3):
        live.authorized()
    let_pass(timedelta(days=7), bank)
    first = Payment.objects.order_by("authorization_expires_at")[0]
    with poison(first.pk):
        with suppress(Exception):  # it may complain, when the others are done
            expire_due(limit=10)
        assert Payment.objects.filter(state="EXPIRED").count() == 2


def test_late_holds_are_released_beside_one_that_cannot_be(live: ApiClient, bank: SimulatedBank) -> None:
    for number in range(3):
        bank.script("authorizations", "drop_after")
        bank.script("authorizations", "drop_before", times=1000)
        assert live.post("/payments", order(), key=f"k{number}").status == 202
        bank.clear_script()
        forget_pace()  # so many silences in a row may open the breaker, or not: it is not asked here
    bank.script("authorizations", "lookup_fails", times=6)
    for minutes in (5, 11):
        let_pass(minutes * MINUTES, bank)
        assert recover_due(within=WITHIN) == 3
    assert set(Operation.objects.values_list("state", flat=True)) == {"NOT_EXECUTED"}
    let_pass(timedelta(hours=1), bank)
    first = Payment.objects.order_by("created_at")[0]
    with poison(first.pk):
        for _ in range(4):
            with suppress(Exception):  # it may complain, when the others are done
                recover_due(within=WITHIN)
        released = Operation.objects.filter(kind="release", state="SUCCEEDED").count()
    assert released == 2
    assert violations() == [] or {one.rule for one in violations()} == {"no_hold_is_forgotten"}


def test_recovery_goes_on_beside_what_it_cannot_take_and_says_so(
    live: ApiClient, bank: SimulatedBank
) -> None:
    """Its next attempt cannot be recorded, so its lease does not move, and it is the first one each time."""
    poisoned, *others = captures_in_doubt(live, bank, 3)
    with captured_logs() as lines, check("payments_attempt", f"operation_id <> '{poisoned.pk}'"):
        recover_due(within=WITHIN)
        states = dict(Operation.objects.filter(kind="capture").values_list("pk", "state"))
        assert states == {poisoned.pk: "OPEN"} | {one.pk: "SUCCEEDED" for one in others}
        assert "recovery_passes_over" in lines.getvalue()
        assert "IntegrityError" in PASSED_OVER.told()[poisoned.public_id]
        assert recover_due(within=WITHIN) == 0  # it rests
    PASSED_OVER.forget(poisoned.pk)
    assert recover_due(within=WITHIN) == 1
    assert not Operation.objects.filter(state="OPEN").exists()


def test_the_32768th_attempt_is_one_like_any_other(live: ApiClient, bank: SimulatedBank) -> None:
    (capture,) = captures_in_doubt(live, bank, 1)
    last = capture.attempts.latest("number")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE payments_attempt SET number = 32767 WHERE id = %s", [last.pk])
        cursor.execute("SET session_replication_role = DEFAULT")
    assert recover_due(within=WITHIN) == 1
    assert capture.attempts.latest("number").number == 32768
    assert Operation.objects.get(kind="capture").state == "SUCCEEDED"
    with pytest.raises(Exception, match="it has ended, and stays"):
        capture.attempts.update(number=1)


def test_what_one_sweep_cannot_forget_does_not_keep_the_others_from_it(
    live: ApiClient, bank: SimulatedBank
) -> None:
    payment = live.authorized()
    live.post(f"/payments/{payment['id']}/capture", key="k")
    live.post(f"/payments/{payment['id']}/capture", key="k")
    let_pass(timedelta(days=31), bank)
    assert ApiRequest.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE keeper (key bigint REFERENCES payments_idempotencykey (id))")
        cursor.execute("INSERT INTO keeper SELECT id FROM payments_idempotencykey")
    try:
        with pytest.raises(IntegrityError):
            forget()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE keeper")
    assert not ApiRequest.objects.exists()
    assert IdempotencyKey.objects.exists()
