"""What the bank says of captures, voids and refunds that our books do not know, and what may be deduced."""

from datetime import timedelta
from typing import Any

import pytest

from payments.engine import orphan_replies
from payments.models import Discrepancy, Event, Operation, Payment
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from tests.support.api_client import ApiClient
from tests.support.factories import DiscrepancyFactory, OperationFactory
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

WITHIN = timedelta(seconds=5)
MINUTES = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("scripted")
ENTRIES = {"capture": "CAPTURE", "void": "VOID", "refund": "REFUND"}


def instructed(live: ApiClient, verb: str) -> dict[str, Any]:
    return live.captured() if verb == "refund" else live.authorized()


def done_without_a_stored_reply(live: ApiClient, bank: SimulatedBank, verb: str) -> dict[str, Any]:
    """The bank has executed it, and has lost both its answer and its record of the key."""
    payment = instructed(live, verb)
    endpoint: Any = f"{verb}s"
    bank.script(endpoint, "drop_after", stored=False)
    bank.script(endpoint, "drop_before", times=1000)
    assert live.post(f"/payments/{payment['id']}/{verb}", key="the-key").status == 202
    bank.clear_script()
    assert bank.ledger()[-1].type == ENTRIES[verb]
    return payment


def recovered(bank: SimulatedBank, *, after: timedelta = 5 * MINUTES) -> Operation:
    let_pass(after, bank)
    recover_due(within=WITHIN)
    return Operation.objects.latest("created_at")


class TestDoneAlready:
    @pytest.mark.parametrize(("verb", "state"), [("void", "VOIDED"), ("refund", "REFUNDED")])
    def test_after_a_doubt_was_done_by_us_and_its_id_is_unknown(
        self, live: ApiClient, bank: SimulatedBank, verb: str, state: str
    ) -> None:
        payment = done_without_a_stored_reply(live, bank, verb)
        operation = recovered(bank)
        assert (operation.state, operation.bank_reference) == ("SUCCEEDED", "")
        receipt = live.receipt(payment["id"])
        assert (receipt["state"], receipt["bank"][f"{verb}_id"]) == (state, None)
        replay = live.post(f"/payments/{payment['id']}/{verb}", key="the-key")
        assert (replay.status, replay.json) == (200, receipt)
        evidence = Event.objects.latest("id").evidence
        assert evidence["reply"].startswith("400 a")

    def test_a_capture_after_a_doubt_is_captured_for_certain_but_people_find_its_id(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = done_without_a_stored_reply(live, bank, "capture")
        assert recovered(bank).state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "capture_id_unknown"
        receipt = live.receipt(payment["id"])
        assert (receipt["state"], receipt["pending_operation"]) == ("AUTHORIZED", "capture")
        assert live.post(f"/payments/{payment['id']}/capture", key="the-key").status == 202
        assert live.get(f"/orders/{payment['order_id']}").json["ready_to_ship"] is False

    def test_is_not_deduced_where_an_earlier_operation_may_have_done_it(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        """The void was never answered for certain: `already used` may be the capture's doing."""
        payment = live.authorized()
        bank.script("captures", "drop_before", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        bank.clear_script()
        capture = Operation.objects.get(kind="capture")
        _finish_by_hand(capture)
        bank.script("voids", "drop_after", stored=False)
        bank.script("voids", "drop_before", times=1000)
        assert live.post(f"/payments/{payment['id']}/void").status == 202
        bank.clear_script()
        assert recovered(bank).state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "not_deducible"
        assert Payment.objects.get().state == "AUTHORIZED"

    def test_is_deduced_after_an_earlier_operation_of_which_nothing_was_sent(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        bank.stop()
        assert live.post(f"/payments/{payment['id']}/capture").status == 503
        bank.restart()
        bank.script("voids", "drop_after", stored=False)
        bank.script("voids", "drop_before", times=1000)
        assert live.post(f"/payments/{payment['id']}/void").status == 202
        bank.clear_script()
        assert recovered(bank).state == "SUCCEEDED"

    @pytest.mark.parametrize("verb", ["capture", "void", "refund"])
    def test_without_a_doubt_of_ours_contradicts_our_books(
        self, live: ApiClient, bank: SimulatedBank, verb: str
    ) -> None:
        payment = instructed(live, verb)
        code = {"capture": "already_captured", "void": "already_voided", "refund": "already_refunded"}[verb]
        endpoint: Any = f"{verb}s"
        bank.script(endpoint, "fail_before", status=400, code=code)
        assert live.post(f"/payments/{payment['id']}/{verb}").status == 202
        assert Operation.objects.get(kind=verb).state == "OPEN"
        assert recovered(bank).state == "SUCCEEDED"  # it was not so
        assert bank.ledger()[-1].type == ENTRIES[verb]

    @pytest.mark.parametrize(
        ("verb", "code"),
        [
            ("capture", "already_captured"),
            ("void", "authorization_already_used"),
            ("refund", "already_refunded"),
        ],
    )
    def test_before_any_doubt_of_ours_is_not_our_doing_however_often_it_is_said(
        self, live: ApiClient, bank: SimulatedBank, verb: str, code: str
    ) -> None:
        payment = instructed(live, verb)
        endpoint: Any = f"{verb}s"
        bank.script(endpoint, "fail_before", status=400, code=code)
        bank.script(endpoint, "fail_before")  # a doubt that comes later is not the one that did it
        bank.script(endpoint, "fail_before", status=400, code=code, times=1000)
        assert live.post(f"/payments/{payment['id']}/{verb}").status == 202
        assert recovered(bank).state == "OPEN"
        recovered(bank)  # the doubt may have had a turn of its own
        assert recovered(bank).state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "contradiction"
        assert live.receipt(payment["id"])["state"] == payment["state"]


class TestAContradiction:
    def contradicted(self, live: ApiClient, bank: SimulatedBank) -> dict[str, Any]:
        payment = live.authorized()
        bank.script("captures", "fail_before", status=400, code="authorization_not_found", times=1000)
        assert live.post(f"/payments/{payment['id']}/capture", key="the-key").status == 202
        return payment

    def test_is_for_people_once_a_healthy_bank_has_repeated_it(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = self.contradicted(live, bank)
        assert recovered(bank).state == "OPEN"
        assert recovered(bank).state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "contradiction"
        event = Event.objects.get(type="operation.needs_review")
        assert event.evidence["reply"] == "400 authorization_not_found"
        assert live.receipt(payment["id"])["pending_operation"] == "capture"
        asked = len(bank.requests())
        recovered(bank)
        assert len(bank.requests()) == asked

    def test_repeated_within_30_seconds_is_one(self, live: ApiClient, bank: SimulatedBank) -> None:
        self.contradicted(live, bank)
        recovered(bank)
        for _ in range(2):
            Operation.objects.filter(state="OPEN").update(due_at=None)
            assert recovered(bank, after=8 * timedelta(seconds=1)).state == "OPEN"
        Operation.objects.filter(state="OPEN").update(due_at=None)
        assert recovered(bank, after=timedelta(seconds=20)).state == "NEEDS_REVIEW"

    @pytest.mark.parametrize("unwell", ["before", "after"])
    def test_from_a_bank_in_ill_health_does_not_count(
        self, live: ApiClient, bank: SimulatedBank, unwell: str
    ) -> None:
        self.contradicted(live, bank)
        for _ in range(4):
            if unwell == "after":
                bank.script("health", "delay", ms=0)
            bank.script("health", "fail_before", status=503)
            assert recovered(bank).state == "OPEN"

    def test_that_goes_away_leaves_an_ordinary_success(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = self.contradicted(live, bank)
        assert recovered(bank).state == "OPEN"
        bank.clear_script()
        assert recovered(bank).state == "SUCCEEDED"
        assert live.receipt(payment["id"])["state"] == "CAPTURED"
        assert Discrepancy.objects.count() == 0


class TestAReleaseThatIsContradicted:
    def test_is_for_people_although_its_late_hold_is_in_the_queue_already(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        let_pass(timedelta(days=7), bank)
        expire_due(limit=1)
        release = Operation.objects.get(kind="release")
        DiscrepancyFactory(kind="late_hold", operation=release)
        bank.script("voids", "fail_before", status=400, code="authorization_not_found", times=1000)
        for _ in range(2):
            recovered(bank)
        release = Operation.objects.get(kind="release")
        assert release.state == "NEEDS_REVIEW"
        kinds = Discrepancy.objects.filter(closed_at=None).order_by("id").values_list("kind", flat=True)
        assert list(kinds) == ["late_hold", "contradiction"]
        assert live.receipt(payment["id"])["pending_operation"] is None


class TestAnOrphanReply:
    @pytest.mark.usefixtures("transactional_db")
    @pytest.mark.parametrize(
        ("lost", "another_kind", "settled_by"),
        [
            ("authorize", "capture", "release"),
            ("capture", "refund", "capture"),
            ("void", "capture", "release"),
            ("release", "capture", "void"),
            ("refund", "capture", "refund"),
        ],
    )
    def test_is_settled_only_by_a_success_of_its_own_kind_or_by_what_frees_its_hold(
        self, lost: str, another_kind: str, settled_by: str
    ) -> None:
        """All rows have the same reference and target: only the kind tells them apart."""
        same = "reference-1"
        evidence = {"kind": lost, "target": same}
        case = DiscrepancyFactory(
            kind="orphan_reply", operation=None, bank="ficmart", bank_reference=same, evidence=evidence
        )
        for kind, closed in ((another_kind, 0), (settled_by, 1)):
            OperationFactory(kind=kind, succeeded=True, bank_reference=same, target_reference=same)
            assert orphan_replies.close_settled() == closed
        assert Discrepancy.objects.get(pk=case.pk).closed_at is not None


def _finish_by_hand(operation: Operation) -> None:
    """As staff would after the bank's written word, which is not the bank's reply."""
    operation.become_not_executed()
    operation.finished_at, operation.outcome_code = operation.created_at, "bank_unavailable"
    with unguarded():
        operation.save()
