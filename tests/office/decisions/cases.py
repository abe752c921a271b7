"""Cases that people have to settle, and what they propose about them."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import Permission, User
from django.db import connection

from office.decisions.evidence import Evidence, Kind, Proposal
from office.log.staff import Staff
from payments.engine.proofs import covered
from payments.models import Operation
from payments.usecases.recovery import recover_due
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

WITHIN = timedelta(seconds=5)
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)


def member(name: str) -> Staff:
    """One of the support leads, who may propose and approve."""
    user = User.objects.create_user(name, password="x", is_staff=True)
    may = ("resolve_operation", "instruct_payment", "approve_resolution")
    user.user_permissions.set(Permission.objects.filter(codename__in=may))
    return Staff(user.pk, name, "192.0.2.7", f"request-of-{name}")


def lost_capture(live: ApiClient, bank: SimulatedBank, *, amount: int = 5000) -> Operation:
    """Captured for certain, and its id unknown."""
    payment = live.authorized(amount=amount)
    bank.script("captures", "drop_after", stored=False)
    bank.script("captures", "drop_before", times=1000)
    live.post(f"/payments/{payment['id']}/capture", key="the-capture")
    bank.clear_script()
    let_pass(5 * MINUTES, bank)
    recover_due(within=WITHIN)
    operation = Operation.objects.get(kind="capture", payment__order_id=payment["order_id"])
    assert operation.state == "NEEDS_REVIEW"
    return operation


def recording(operation: Operation, reference: str, **changes: Any) -> Proposal:
    return Proposal(
        Kind.RECORD_REFERENCE,
        "seen in the bank's portal",
        operation=operation,
        seen_epoch=operation.lease_epoch,
        reference=reference,
        **changes,
    )


def too_old(live: ApiClient, bank: SimulatedBank) -> Operation:
    """An authorize in doubt for 24 hours, of which the bank has stored no answer; its hold exists."""
    bank.script("authorizations", "drop_after", stored=False)
    bank.script("authorizations", "drop_before", times=1000)
    live.post("/payments", order())
    bank.clear_script()
    let_pass(24 * HOURS, bank)
    recover_due(within=WITHIN)
    operation = Operation.objects.get()
    assert operation.state == "NEEDS_REVIEW"
    return operation


def contradicted(live: ApiClient, bank: SimulatedBank) -> Operation:
    """A capture of an authorization that the bank says, again and again, it does not know."""
    payment = live.authorized()
    bank.script("captures", "fail_before", status=400, code="authorization_not_found", times=1000)
    live.post(f"/payments/{payment['id']}/capture", key="the-capture")
    for _ in range(2):
        let_pass(5 * MINUTES, bank)
        recover_due(within=WITHIN)
    operation = Operation.objects.get(kind="capture")
    assert operation.state == "NEEDS_REVIEW"
    return operation


def two_days_ago_at_noon() -> date:
    """The day on which everything was sent, from now on."""
    noon = datetime.combine(datetime.now(UTC).date() - timedelta(days=2), time(12), tzinfo=UTC)
    with unguarded(), connection.cursor() as cursor:
        cursor.execute("UPDATE payments_attempt SET started_at = %s", [noon])
    return noon.date()


def on_no_statement(operation: Operation, bank: SimulatedBank) -> Proposal:
    """Of two days ago, which covers it."""
    let_pass(48 * HOURS, bank)
    begin, end = covered(operation)
    return replace(
        not_executed(operation, Evidence.STATEMENT, quote="statement 324"),
        covers_from=begin.date(),
        covers_to=end.date(),
    )


def not_executed(
    operation: Operation, evidence: str, quote: str = "", attempt: int | None = None
) -> Proposal:
    return Proposal(
        attempt=attempt,
        kind=Kind.RECORD_NOT_EXECUTED,
        reason="as agreed with the bank",
        operation=operation,
        seen_epoch=operation.lease_epoch,
        evidence=evidence,
        quote=quote,
    )


def _captured(operation: Operation, reference: str) -> str:
    return (
        f'{{"capture_id": "{reference}", "authorization_id": "{operation.target_reference}", '
        f'"status": "captured", "amount": {operation.amount_minor}, "currency": "USD", '
        '"captured_at": "2026-11-21T00:00:00Z"}'
    )
