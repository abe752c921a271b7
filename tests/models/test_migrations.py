"""Rows that an older schema allowed are not in a newer one's way."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection

from payments.domain.states import OperationKind, PaymentState
from payments.models import Resolution
from tests.application_role import grant_privileges
from tests.factories import make_operation, make_payment

BEFORE, AFTER = "0008_dashboard_index", "0009_requests_and_evidence"


@pytest.fixture
def to(transactional_db: None) -> Iterator[Callable[[str], None]]:
    """Migrate to a schema; back to the newest in the end, without what the test has made."""

    def to(name: str) -> None:
        call_command("migrate", "payments", name, verbosity=0)

    yield to
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("TRUNCATE payments_resolution, payments_operation, payments_payment CASCADE")
        cursor.execute("SET session_replication_role = DEFAULT")
    call_command("migrate", verbosity=0)
    grant_privileges()  # tables were made anew


def test_of_two_proposals_for_one_payment_the_newest_stays(to: Callable[[str], None]) -> None:
    payment, kim = make_payment(PaymentState.AUTHORIZED), User.objects.create_user("kim")
    to(BEFORE)
    with connection.cursor() as cursor:
        for kind in ("capture", "void"):
            cursor.execute(
                "INSERT INTO payments_resolution (kind, state, payment_id, bank, amount_cents, currency,"
                " reference, evidence, quote, reason, proposed_by_id, needs_second, proposed_at)"
                " VALUES (%s, 'PROPOSED', %s, 'ficmart', 60000, 'USD', '', '', '', 'x', %s, true, now())",
                [kind, payment.pk, kim.pk],
            )
    to(AFTER)
    states = dict(Resolution.objects.values_list("kind", "state"))
    assert states == {"capture": "REFUSED", "void": "PROPOSED"}


def test_two_unfinished_releases_of_one_hold_are_named(to: Callable[[str], None]) -> None:
    to(BEFORE)
    for _ in range(2):
        make_operation(None, OperationKind.RELEASE, target_reference="auth_twice")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match=r"auth_twice\. Let recovery settle them"):
        to(AFTER)


def test_ordinary_rows_go_there_and_back(to: Callable[[str], None]) -> None:
    kim = User.objects.create_user("kim")
    known: dict[str, Any] = {"bank": "ficmart", "amount_cents": 1, "currency": "USD", "proposed_by": kim}
    Resolution.objects.create(kind="refund", payment=make_payment(), reason="x", **known)
    to(BEFORE)
    call_command("migrate", verbosity=0)
    assert Resolution.objects.get().reason == "x"
