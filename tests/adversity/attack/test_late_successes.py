"""The bank's 200 comes when the operation is under review already, or has ended without knowing its id."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from office.search.follow import Follower
from office.search.models import FoundName
from payments.models import Attempt, Discrepancy, Event, Operation
from payments.models.clock import ClockTimestamp
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.adversity.attack.people import held, the_only, told
from tests.conftest import wait_for_bank_threads
from tests.support.api_client import ApiClient
from tests.support.bank_books import disagreements
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

MINUTES = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("brief", "long_calls")
ENDED = {"capture": "CAPTURED", "void": "VOIDED", "refund": "REFUNDED"}


def asked_by_recovery() -> None:
    recover_due(within=timedelta(seconds=1))


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
def test_a_200_that_sleeps_past_its_lease_settles_what_went_under_review_meanwhile(
    live: ApiClient, bank: SimulatedBank, verb: str
) -> None:
    """The bank has executed it; its answer is on the way while recovery hears that it is done already."""
    follower = Follower()
    payment = live.captured() if verb == "refund" else live.authorized()
    bank.hold(f"{verb}s", at="storing")  # type: ignore[arg-type]
    assert live.post(f"/payments/{payment['id']}/{verb}", key="k").status == 202
    bank.wait_until_held()
    let_pass(1 * MINUTES)
    asked_by_recovery()
    met = the_only(verb)
    if verb == "capture":
        assert met.state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get(closed_at=None).kind == "capture_id_unknown"
    else:  # deduced: done, its id unknown
        assert (met.state, met.bank_reference) == ("SUCCEEDED", "")
    assert follower.step() is False
    bank.release()
    bank.wait_until_idle()
    _wait_for_late_reply(verb)
    operation = the_only(verb)
    made = bank.ledger()[-1].id
    assert (operation.state, operation.bank_reference) == ("SUCCEEDED", made)
    receipt = live.receipt(payment["id"])
    assert (receipt["state"], receipt["bank"][f"{verb}_id"]) == (ENDED[verb], made)
    assert follower.step() is False
    assert FoundName.objects.filter(name=made, payment_id=operation.payment_id).exists()
    assert not Discrepancy.objects.filter(closed_at=None).exists()
    assert "unknown" not in told(operation)
    assert live.post(f"/payments/{payment['id']}/{verb}", key="k").status == 200
    assert violations() == []
    assert disagreements(bank, settled=True) == []


def _wait_for_late_reply(verb: str) -> None:
    wait_for_bank_threads()
    assert Attempt.objects.filter(operation__kind=verb, is_late=True, said="approved").exists()


def test_a_200_that_lies_there_is_read_by_whoever_would_hand_the_operation_over(
    live: ApiClient, bank: SimulatedBank
) -> None:
    """It comes while recovery's own call is under way: recovery holds the operation, and reads it."""
    payment = live.authorized()
    bank.hold("captures", at="storing")
    assert live.post(f"/payments/{payment['id']}/capture", key="k").status == 202
    bank.wait_until_held()
    let_pass(1 * MINUTES)
    # The second call hangs before its execution, and hears afterwards that it is done already.
    bank.script("captures", "hang_before")
    recovery = threading.Thread(target=lambda: (asked_by_recovery(), connection.close()))
    recovery.start()
    bank.wait_until_held(2)
    bank.release()
    recovery.join(20)
    _wait_for_late_reply_or_end()
    operation = the_only("capture")
    assert (operation.state, operation.bank_reference) == ("SUCCEEDED", bank.ledger()[-1].id)
    assert violations() == []


def _wait_for_late_reply_or_end() -> None:
    wait_for_bank_threads()
    if the_only("capture").state == "OPEN":
        Operation.objects.filter(kind="capture").update(lease_expires_at=ClockTimestamp(), due_at=None)
        asked_by_recovery()


def test_a_200_that_was_only_put_down_is_adopted_although_the_operation_is_under_review(
    live: ApiClient, bank: SimulatedBank
) -> None:
    with held(live, bank, "capture"):
        capture = the_only("capture")
        with unguarded():
            capture.become_needs_review()
            capture.save(update_fields=["state"])
        Discrepancy.objects.create(kind="contradiction", operation=capture, payment=capture.payment)
        Attempt.objects.filter(operation=capture).update(
            ended_at=ClockTimestamp(), result="answered", said="approved", reply="200", is_late=True,
            bank_reference="cap_1", is_replay=False, in_doubt=False, duration_ms=1,
        )  # fmt: skip
        Operation.objects.filter(pk=capture.pk).update(due_at=None)
        recover_due(within=timedelta(seconds=1))
        assert the_only("capture").state == "SUCCEEDED"
    assert not Discrepancy.objects.filter(closed_at=None).exists()
    assert Event.objects.filter(type="payment.captured").count() == 1
