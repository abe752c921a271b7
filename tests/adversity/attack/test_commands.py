"""`manage.py reconcile` and the audit, where they would mislead."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from payments.models import Operation
from payments.usecases import holds
from reconciliation.services.audit import found_by
from tests.adversity.doubts import capture_in_doubt
from tests.support.api_client import ApiClient, order
from tests.support.reconcile import reconcile
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import chain_events, let_pass
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.usefixtures("brief")


def test_the_limit_counts_what_can_be_asked_about(live: ApiClient, bank: SimulatedBank) -> None:
    bank.script("authorizations", "drop_before", times=1000)
    live.post("/payments", order())
    bank.clear_script()
    let_pass(timedelta(hours=24), bank)
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
    live.captured()
    payment = Operation.objects.get(kind="capture").claimed_payment
    with unguarded(), connection.cursor() as cursor:
        holds.request_release(payment, hold=payment.bank_authorization_id, because="a slip")
        chain_events(cursor)  # nobody tampers: the guards that chain are off
        assert [one.rule for one in found_by(cursor)] == ["no_live_hold_is_released"]
        transaction.set_rollback(True)
