"""`manage.py reconcile` and the audit, where they would mislead."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from payments.models import Operation
from reconciliation.services.audit import found_by
from tests.api_client import ApiClient, order
from tests.reconciliation.test_reconcile_command import capture_in_doubt, reconcile
from tests.simulated_bank import SimulatedBank
from tests.time_travel import let_pass

pytestmark = pytest.mark.usefixtures("brief")


def test_the_limit_counts_what_can_be_asked_about(live: ApiClient, bank: SimulatedBank) -> None:
    bank.script("authorizations", "drop_before", times=1000)
    live.post("/payments", order())
    bank.clear_script()
    let_pass(timedelta(hours=23), bank)
    assert reconcile("pending")[0] == 1
    assert Operation.objects.get().state == "NEEDS_REVIEW"
    payment = capture_in_doubt(live, bank)
    for _ in range(2):
        reconcile("pending", "--limit", "1")
    assert live.receipt(payment["id"])["state"] == "CAPTURED"


def test_the_audit_sees_that_the_hold_of_a_live_payment_is_being_voided(
    live: ApiClient, bank: SimulatedBank
) -> None:
    live.authorized()
    other = live.captured()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "INSERT INTO payments_operation SELECT (jsonb_populate_record(o, jsonb_build_object("
            "'id', gen_random_uuid(), 'kind', 'release', 'state', 'OPEN', 'finished_at', null, "
            "'bank_reference', '', 'bank_idempotency_key', 'x', 'target_reference', o.bank_reference))).* "
            "FROM payments_operation o WHERE kind = 'authorize' AND payment_id = %s",
            [Operation.objects.filter(kind="capture").get().payment_id],
        )
        assert cursor.rowcount == 1
        assert other
        assert found_by(cursor) != []
        transaction.set_rollback(True)
