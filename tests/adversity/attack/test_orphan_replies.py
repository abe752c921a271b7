"""The bank answers, and our database has lost the rows, or is away until nobody holds a lease any more."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client

from payments.domain.timing import Timing
from payments.engine import orphan_replies
from payments.models import Attempt, Discrepancy, Event, Operation, Payment
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from reconciliation.services.explain import explain
from tests.settings import POSTGRES
from tests.support.api_client import ApiClient, ApiResponse, order
from tests.support.at_once import InBackground
from tests.support.captured_logs import captured_logs
from tests.support.leases import WITHIN
from tests.support.simulated_bank import SimulatedBank

pytestmark = pytest.mark.usefixtures("brief")
Until = Callable[[Callable[[], Any]], Any]


def lose(kind: str) -> None:
    """As a failover to a standby that lags: what was committed last is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SELECT id, payment_id FROM payments_operation WHERE kind = %s", [kind])
        operation, payment = cursor.fetchone()
        for table in ("idempotencykey", "event", "attempt"):
            cursor.execute(f"DELETE FROM payments_{table} WHERE operation_id = %s", [operation])
        cursor.execute("DELETE FROM payments_operation WHERE id = %s", [operation])
        if kind == "authorize":
            cursor.execute("DELETE FROM payments_payment WHERE id = %s", [payment])
        cursor.execute("SET session_replication_role = DEFAULT")


def told(log: str, event: str) -> dict[str, Any]:
    return next(entry for entry in map(json.loads, log.splitlines()) if entry["event"] == event)


@contextmanager
def answered_after(
    what: Callable[[], None], bank: SimulatedBank, endpoint: Any, call: Callable[[], ApiResponse]
) -> Iterator[tuple[ApiResponse, str]]:
    """The call's answer, and what was logged, where something happens to us while the bank works."""
    bank.hold(endpoint)
    with captured_logs() as lines:
        waiting = InBackground(call)
        bank.wait_until_held()
        what()
        bank.release()
        bank.wait_until_idle()
        yield waiting.answer(), lines.getvalue()


def queue_as_seen_by_support() -> str:
    user = User.objects.create_user("sam", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_payment"))
    client = Client()
    client.force_login(user)
    return client.get("/admin/payments/payment/review/", follow=True).content.decode()


class TestAnAnswerWhoseRowsAreGone:
    def test_of_an_authorize_is_a_case_until_the_retry_claims_its_hold(
        self, live: ApiClient, bank: SimulatedBank, until: Until
    ) -> None:
        body = order()
        call = lambda: live.post("/payments", body, key="k")  # noqa: E731
        with answered_after(lambda: lose("authorize"), bank, "authorizations", call) as (answer, log):
            assert (answer.status, answer.json["code"]) == (503, "service_unavailable")
            assert answer.json["money_moved"] == "unknown"
            hold = bank.ledger()[-1].id
            said = told(log, "reply_not_recorded")
            assert (said["reference"], said["kind"], said["bank"]) == (hold, "authorize", "ficmart")
        case = until(lambda: Discrepancy.objects.filter(kind="orphan_reply", closed_at=None).first())
        assert (case.bank_reference, case.operation, case.payment) == (hold, None, None)
        assert case.evidence["amount"] == 5000
        assert Event.objects.filter(type="orphan_reply.found").count() == 1
        assert [one.rule for one in violations()] == ["orphan_replies_are_settled"]
        assert hold in queue_as_seen_by_support()

        again = live.post("/payments", body, key="k")
        assert (again.status, again.json["bank"]["authorization_id"]) == (201, hold)
        assert len(bank.ledger()) == 1
        recover_due(within=WITHIN)
        assert not Discrepancy.objects.filter(closed_at=None).exists()
        assert violations() == []

    def test_of_a_capture_keeps_everybody_from_relying_on_the_books(
        self, live: ApiClient, bank: SimulatedBank, until: Until
    ) -> None:
        payment = live.authorized()
        call = lambda: live.post(f"/payments/{payment['id']}/capture", key="k")  # noqa: E731
        with answered_after(lambda: lose("capture"), bank, "captures", call) as (answer, log):
            assert (answer.status, answer.json["money_moved"]) == (503, "unknown")
            capture = bank.ledger()[-1].id
            assert told(log, "reply_not_recorded")["reference"] == capture
        case = until(lambda: Discrepancy.objects.filter(kind="orphan_reply", closed_at=None).first())
        assert case.payment is not None
        assert not live.get(f"/orders/{payment['order_id']}").json["ready_to_ship"]
        assert f"capture of this payment, {capture}, and our database" in explain(case.payment)[-1]
        assert capture in queue_as_seen_by_support()

        assert live.post(f"/payments/{payment['id']}/capture", key="k").status == 200
        assert live.receipt(payment["id"])["bank"]["capture_id"] == capture
        assert orphan_replies.close_settled() == 1
        assert live.get(f"/orders/{payment['order_id']}").json["ready_to_ship"]
        assert violations() == []

    def test_where_the_attempt_alone_is_gone_it_is_recorded_anew(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()

        def lose_the_attempt() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET session_replication_role = replica")
                Attempt.objects.filter(operation__kind="capture")._raw_delete("default")  # type: ignore[attr-defined]
                cursor.execute("SET session_replication_role = DEFAULT")

        call = lambda: live.post(f"/payments/{payment['id']}/capture")  # noqa: E731
        with answered_after(lose_the_attempt, bank, "captures", call) as (answer, _):
            assert answer.status == 200
        assert Attempt.objects.get(operation__kind="capture").bank_reference == bank.ledger()[-1].id
        assert violations() == []


@pytest.mark.parametrize("kind", ["authorize", "capture"])
def test_an_answer_while_the_database_is_away_until_the_lease_has_ended_is_recorded_when_it_is_back(
    live: ApiClient,
    bank: SimulatedBank,
    until: Until,
    put_clock_forward: Callable[[float], None],
    kind: str,
) -> None:
    """No bank is asked for it again: it has answered already."""
    path = "/payments" if kind == "authorize" else f"/payments/{live.authorized()['id']}/capture"
    body = order() if kind == "authorize" else None
    asked_before = len(bank.requests())
    bank.hold()
    with captured_logs() as lines:
        waiting = InBackground(lambda: live.post(path, body))
        bank.wait_until_held()
        connection.close()
        POSTGRES.stop()
        put_clock_forward(Timing().lease)
        try:
            bank.release()
            bank.wait_until_idle()
            until(lambda: "reply_not_recorded" in lines.getvalue())
        finally:
            POSTGRES.start()
        assert waiting.answer().status in (202, 503)
        operation = until(lambda: Operation.objects.filter(kind=kind, state="SUCCEEDED").first())
    reference = bank.ledger()[-1].id
    assert told(lines.getvalue(), "reply_not_recorded")["reference"] == reference
    assert operation.bank_reference == reference
    assert len(bank.requests()) == asked_before + 1
    assert Payment.objects.get().state == ("AUTHORIZED" if kind == "authorize" else "CAPTURED")
    assert violations() == []
