"""One row that cannot be dealt with does not keep the others waiting."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import connection

from payments.models import Operation, Payment
from payments.services.expirations import expire_due
from payments.services.pacing import pace_of
from payments.services.recovery import recover_due
from reconciliation.services.audit import violations
from tests.api_client import ApiClient, order
from tests.simulated_bank import SimulatedBank
from tests.time_travel import let_pass

WITHIN = timedelta(seconds=5)
MINUTES = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("brief")


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
        pace_of.cache_clear()  # so many silences in a row may open the breaker, or not: it is not asked here
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
