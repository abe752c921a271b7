"""What a bank's statement tells heals our books, on its evidence. A hold is never adopted from it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from django.db import transaction

from payments.engine import conclude
from payments.models import Event, Operation, Payment
from payments.usecases.recovery import recover_due
from reconciliation.models import Difference, Match, Run
from reconciliation.services.audit import violations
from reconciliation.services.reconcile import reconcile
from tests.office.decisions.cases import HOURS, contradicted, lost_capture, too_old
from tests.support.api_client import ApiClient, order
from tests.support.at_once import at_once
from tests.support.leases import let_leases_run_out
from tests.support.simulated_bank import SimulatedBank
from tests.support.statements import deliver
from tests.support.time_travel import let_pass

pytestmark = pytest.mark.usefixtures("scripted")

DAYS = 24 * HOURS
SOON = timedelta(seconds=5)


def compared() -> Run:
    return reconcile("ficmart", actor="test")


def at_bank(bank: SimulatedBank, path: str, **body: Any) -> dict[str, Any]:
    """What somebody else instructs the bank to do."""
    url, key = f"{bank.url}/api/v1/{path}", {"Idempotency-Key": f"somebody-{path}"}
    answer = requests.post(url, json=body, headers=key, timeout=20)
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


def the(kind: str) -> Operation:
    operation: Operation = Operation.objects.get(kind=kind)
    return operation


def told(operation: Operation) -> list[tuple[str, str, Any]]:
    """What the statement has told about it."""
    events = Event.objects.filter(operation=operation, actor="statement").order_by("id")
    return [(event.type, event.actor, event.evidence["statement"]) for event in events]


def open_kinds() -> list[str]:
    return sorted(Difference.objects.filter(state="OPEN").values_list("kind", flat=True))


def is_clean() -> bool:
    return violations() == [] and not open_kinds()


class TestALine:
    def test_gives_the_id_of_a_capture_that_was_lost_and_the_banks_time(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        operation = lost_capture(live, bank)
        file = deliver(bank, since=DAYS, until=-HOURS)
        run = compared()
        [entry] = [one for one in bank.ledger() if one.type == "CAPTURE"]
        operation, payment = the("capture"), Payment.objects.get()
        line = operation.match.line
        assert (operation.state, operation.bank_reference) == ("SUCCEEDED", entry.id)
        assert (payment.state, payment.bank_capture_id) == ("CAPTURED", entry.id)
        assert payment.captured_at == line.at
        assert told(operation) == [
            (
                "payment.captured",
                "statement",
                {"file": file.name, "line": line.number, "reference": entry.id, "at": line.at.isoformat()},
            )
        ]
        assert run.counts["healed"] == {"ended_by_line": 1}
        assert not operation.discrepancies.filter(closed_at=None).exists()
        assert live.post(f"/payments/{payment.public_id}/capture", key="the-capture").status == 200
        assert live.post(f"/payments/{payment.public_id}/refund").status == 200
        assert is_clean()

    def test_names_a_void_and_a_refund_whose_success_was_deduced(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        for kind, endpoint in (("void", "voids"), ("refund", "refunds")):
            payment = live.authorized() if kind == "void" else live.captured()
            bank.script(endpoint, "drop_after", stored=False)
            assert live.post(f"/payments/{payment['id']}/{kind}").json["bank"][f"{kind}_id"] is None
        deliver(bank, since=DAYS, until=-HOURS)
        assert compared().counts["healed"] == {"reference_found": 2}
        for kind in ("void", "refund"):
            operation = the(kind)
            assert getattr(operation.payment, f"bank_{kind}_id") == operation.bank_reference != ""
            assert [event for event, *_ in told(operation)] == ["reference.found"]
            assert operation.match.line.reference == operation.bank_reference
        assert is_clean()

    def test_of_a_void_ends_a_capture_under_review(self, live: ApiClient, bank: SimulatedBank) -> None:
        operation = contradicted(live, bank)
        bank.clear_script()
        at_bank(bank, "voids", authorization_id=operation.target_reference)
        deliver(bank, since=DAYS, until=-HOURS)
        compared()
        payment = Payment.objects.get()
        assert (the("capture").state, payment.state) == ("NOT_EXECUTED", "VOIDED")
        assert the("capture").outcome_code == "ruled_out_by_statement"
        assert [event for event, *_ in told(operation)] == ["payment.voided"]
        let_pass(4 * DAYS)
        compared()
        assert is_clean()

    def test_of_a_capture_ends_a_void_under_review(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        bank.script("voids", "fail_before", status=400, code="authorization_not_found", times=1000)
        live.post(f"/payments/{payment['id']}/void")
        for _ in range(2):
            let_pass(timedelta(minutes=5), bank)
            recover_due(within=SOON)
        bank.clear_script()
        void = the("void")
        assert void.state == "NEEDS_REVIEW"
        made = at_bank(bank, "captures", authorization_id=void.target_reference, amount=5000)
        deliver(bank, since=DAYS, until=-HOURS)
        compared()
        capture, now = the("capture"), Payment.objects.get()
        assert (the("void").state, capture.state, now.state) == ("NOT_EXECUTED", "SUCCEEDED", "CAPTURED")
        assert now.bank_capture_id == capture.bank_reference == made["capture_id"]
        assert now.captured_at == capture.match.line.at
        assert is_clean()

    def test_changes_nothing_while_the_bank_is_being_asked(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        operation = lost_capture(live, bank)
        Operation.objects.filter(pk=operation.pk).update(lease_expires_at=datetime.now(UTC) + HOURS)
        deliver(bank, since=DAYS, until=-HOURS)
        assert compared().counts["healed"] == {}
        assert the("capture").state == "NEEDS_REVIEW"
        Operation.objects.filter(pk=operation.pk).update(lease_expires_at=datetime.now(UTC))
        assert compared().counts["healed"] == {"ended_by_line": 1}
        assert is_clean()

    def test_heals_once_though_two_runs_find_it(self, live: ApiClient, bank: SimulatedBank) -> None:
        lost_capture(live, bank)
        deliver(bank, since=DAYS, until=-HOURS)
        first, second = at_once(compared, compared)
        assert [run.counts["healed"] for run in (first, second)].count({"ended_by_line": 1}) == 1
        assert Match.objects.count() == 2
        assert is_clean()


class TestAMissingLine:
    def test_ends_a_capture_under_review_once_its_time_and_that_of_late_lines_is_covered(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        contradicted(live, bank)
        bank.clear_script()
        let_pass(4 * DAYS, bank)
        deliver(bank, since=5 * DAYS, until=3 * DAYS)
        compared()
        assert the("capture").state == "NEEDS_REVIEW"  # its line may come with a later file
        deliver(bank, since=2 * DAYS, until=HOURS)
        compared()
        assert the("capture").state == "NEEDS_REVIEW"  # a gap
        deliver(bank, since=3 * DAYS + HOURS, until=2 * DAYS - HOURS)
        assert compared().counts["healed"] == {"not_executed": 1}
        assert (the("capture").state, Payment.objects.get().state) == ("NOT_EXECUTED", "AUTHORIZED")
        assert is_clean()

    def test_fails_an_authorize_of_which_no_hold_can_be(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.script("authorizations", "drop_before", times=1000)
        live.post("/payments", order())
        bank.clear_script()
        let_pass(24 * HOURS, bank)
        recover_due(within=SOON)
        assert the("authorize").state == "NEEDS_REVIEW"
        let_pass(2 * DAYS, bank)
        deliver(bank, since=6 * DAYS)
        compared()
        operation = the("authorize")
        assert (operation.state, operation.strays_awaited) == ("NOT_EXECUTED", 0)
        assert Payment.objects.get().state == "FAILED"
        assert is_clean()

    def test_does_not_end_an_authorize_whose_hold_may_be_there(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        too_old(live, bank)
        let_pass(2 * DAYS, bank)
        deliver(bank, since=6 * DAYS)
        compared()
        assert (the("authorize").state, open_kinds()) == ("NEEDS_REVIEW", ["orphan_hold"])
        assert not Match.objects.exists()
        settings.VOID_ORPHAN_HOLDS = True  # then none is left that may be its own
        compared()
        let_leases_run_out()
        recover_due(within=SOON)
        compared()
        assert (the("authorize").state, open_kinds()) == ("NOT_EXECUTED", [])

    def test_rules_a_stray_out(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.script("authorizations", "drop_before")
        live.authorized()
        assert the("authorize").strays_awaited == 1
        compared()
        assert the("authorize").strays_awaited == 1
        let_pass(2 * HOURS, bank)
        deliver(bank, since=DAYS)
        assert compared().counts["healed"] == {"stray_ruled_out": 1}
        operation = the("authorize")
        assert (operation.strays_awaited, operation.awaiting_statement) == (0, False)
        assert [event for event, *_ in told(operation)] == ["stray.ruled_out"]
        assert is_clean()


class TestAStrayHold:
    def stray(self, live: ApiClient, bank: SimulatedBank, *, payments: int = 1) -> None:
        """The first payment's silent attempt has made a hold; those of the others have not."""
        for number in range(payments):
            if number:
                bank.script("authorizations", "drop_before")
            else:
                bank.script("authorizations", "drop_after", stored=False)
            live.authorized()

    def test_keeps_all_waiting_that_may_own_it(self, live: ApiClient, bank: SimulatedBank) -> None:
        self.stray(live, bank, payments=2)
        let_pass(3 * DAYS, bank)
        deliver(bank, since=4 * DAYS)
        compared()
        assert [one.strays_awaited for one in Operation.objects.all()] == [1, 1]
        assert open_kinds() == ["orphan_hold"]
        assert violations() == []

    def test_is_voided_if_the_setting_says_so_and_then_nothing_waits_for_it(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        self.stray(live, bank)
        let_pass(3 * DAYS, bank)
        deliver(bank, since=4 * DAYS)
        compared()
        compared()
        assert not Operation.objects.filter(kind="release").exists()
        settings.VOID_ORPHAN_HOLDS = True
        assert compared().counts["healed"] == {"orphan_hold_released": 1}
        let_leases_run_out()
        recover_due(within=SOON)
        assert [one.type for one in bank.ledger()] == ["AUTH_HOLD", "AUTH_HOLD", "VOID"]
        assert compared().counts["healed"] == {"stray_ruled_out": 1}
        assert Difference.objects.get().state == "RESOLVED"
        deliver(bank, since=HOURS, until=-HOURS)
        compared()
        assert the("release").match.line.kind == "void"
        assert is_clean()

    def test_younger_than_25_hours_is_left(self, live: ApiClient, bank: SimulatedBank, settings: Any) -> None:
        settings.VOID_ORPHAN_HOLDS = True
        self.stray(live, bank)
        let_pass(24 * HOURS, bank)
        deliver(bank, since=2 * DAYS)
        for _ in range(2):
            reconcile("ficmart", actor="test", grace=HOURS)
        assert open_kinds() == ["orphan_hold"]
        assert not Operation.objects.filter(kind="release").exists()


def test_a_hold_is_never_released_without_a_statement_that_shows_it(
    live: ApiClient, bank: SimulatedBank
) -> None:
    """Nor is anything else recorded without evidence: the database asks for it."""
    operation = contradicted(live, bank)
    bank.clear_script()
    with pytest.raises(Exception, match="there is no evidence"), transaction.atomic():
        conclude.conclude_by_statement(
            operation.pk, conclude.NotExecuted("nothing"), evidence={"statement": {}}
        )
    assert the("capture").state == "NEEDS_REVIEW"
