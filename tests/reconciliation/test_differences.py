"""A difference is one case, however often it is found; `reconcile differences` lists the open ones."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from payments.models import Operation
from reconciliation.models import Difference, Match, Run
from reconciliation.services import differences
from reconciliation.services.differences import Found, record
from reconciliation.services.reconcile import reconcile as compare
from tests.support.book_factories import RunFactory, StatementFileFactory, StatementLineFactory
from tests.support.factories import OperationFactory
from tests.support.reconcile import reconcile

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def found(**changes: Any) -> Found:
    case: dict[str, Any] = {"kind": "captured_outside", "bank": "ficmart", "subject": "line:1"}
    case |= {"happened_at": NOON, "amount_minor": 5000, "currency": "USD", "evidence": {"bank": {"line": 2}}}
    return Found(**case | changes)


def look(*seen: Found, kind: str = Run.Kind.STATEMENTS) -> Difference:
    """A run that has seen this and nothing else."""
    run = RunFactory(kind=kind)
    with transaction.atomic():
        record(seen, run=run, looked_at=Difference.objects.filter(found_by__kind=kind))
    return Difference.objects.get()


def steps(case: Difference) -> list[str]:
    return list(case.events.order_by("id").values_list("type", flat=True))


class TestABankThatCorrectsItself:
    """Of two files that write the same entry otherwise, the later one counts."""

    def test_has_done_nothing_twice(self) -> None:
        capture = OperationFactory(kind="capture", succeeded=True, created_at=NOON, finished_at=NOON)
        assert self.differences_after(capture, amount_minor=capture.amount_minor + 1) == {
            "amount_mismatch": "OPEN"
        }
        assert self.differences_after(capture) == {"amount_mismatch": "RESOLVED"}
        assert Match.objects.get().operation == capture
        # It says otherwise again.
        assert self.differences_after(capture, amount_minor=capture.amount_minor + 2) == {
            "amount_mismatch": "OPEN"
        }

    def test_about_what_is_nobodys_leaves_one_case(self) -> None:
        line = StatementLineFactory(kind="capture")
        compare("ficmart", actor="test")
        same = {"reference": line.reference, "target_reference": line.target_reference}
        StatementLineFactory(kind="capture", amount_minor=line.amount_minor + 1, **same)
        compare("ficmart", actor="test")
        states = dict(Difference.objects.values_list("amount_minor", "state"))
        assert states == {line.amount_minor: "RESOLVED", line.amount_minor + 1: "OPEN"}

    def differences_after(self, capture: Operation, **changes: Any) -> dict[str, str]:
        """What a line of the operation, in a file of its own, leaves."""
        StatementLineFactory(of=capture, **changes)
        compare("ficmart", actor="test")
        return dict(Difference.objects.exclude(kind="missing_at_bank").values_list("kind", "state"))


class TestACase:
    def test_is_opened_once_and_tells_when_its_evidence_changes(self) -> None:
        look(found())
        assert steps(look(found())) == ["opened"]
        case = look(found(evidence={"bank": {"line": 2}, "books": {"state": "VOIDED"}}))
        assert (steps(case), case.state) == (["opened", "changed"], "OPEN")
        assert case.evidence["books"] == {"state": "VOIDED"}

    def test_is_resolved_when_it_is_no_longer_found_and_opened_again_when_it_is(self) -> None:
        look(found())
        case = look()
        assert (case.state, case.closed_at is None) == ("RESOLVED", False)
        assert steps(look()) == ["opened", "resolved"]
        case = look(found())
        assert (case.state, case.closed_at, case.owner) == ("OPEN", None, None)
        assert steps(case) == ["opened", "resolved", "reopened"]

    def test_that_is_accepted_opens_again_only_for_other_money(self) -> None:
        case = look(found())
        differences.accept(case.pk, reason="written off", actor="staff:kim")
        assert look(found()).state == "ACCEPTED"
        assert look(found(evidence={"bank": {"line": 3}})).state == "ACCEPTED"
        case = look(found(amount_minor=5001))
        assert (case.state, case.reason) == ("OPEN", "")
        assert steps(case) == ["opened", "accepted", "changed", "reopened"]

    def test_of_one_kind_of_look_is_not_resolved_by_another(self) -> None:
        look(found())
        assert look(kind=Run.Kind.BANK).state == "OPEN"

    def test_of_many_is_recorded_in_bounded_steps(self) -> None:
        run = RunFactory()
        seen = [found(subject=f"line:{number}") for number in range(1100)]
        for _ in range(2):
            with transaction.atomic():
                ids = record(iter(seen), run=run, looked_at=Difference.objects.all())
        assert len(set(ids)) == Difference.objects.count() == 1100


class TestTheCommand:
    def test_compares_lists_and_says_by_its_exit_code_what_is_open(self) -> None:
        file = StatementFileFactory(day=(datetime.now(UTC) - timedelta(days=5)).date())
        assert reconcile("differences") == (0, "No open difference.\n")
        StatementLineFactory(file=file)
        assert reconcile("differences", "--dry-run") == (0, "No open difference.\n")
        # The file was there when its bank was compared: such a line is found by looking at everything.
        code, printed = reconcile("differences", "--bank", "ficmart", "--whole")
        assert code == 1
        assert "A hold that no payment claims: $50.00, auth_" in printed
        assert "Void the hold" in printed
        code, printed = reconcile("differences", "--json", "--dry-run")
        told = json.loads(printed)
        assert (code, told["runs"]) == (1, [])
        assert [(one["kind"], one["amount"]) for one in told["differences"]] == [("orphan_hold", 5000)]

    def test_shows_both_amounts_where_they_differ_and_a_hundred_cases_at_most(self) -> None:
        run = RunFactory()
        evidence = {
            "bank": {"amount_minor": 8200, "currency": "USD"},
            "books": {"amount_minor": 8202, "currency": "USD"},
        }
        subject = f"op:{'ab' * 16}"
        seen = [found(kind="amount_mismatch", subject=subject, amount_minor=8200, evidence=evidence)]
        seen += [found(subject=f"line:{number}") for number in range(101)]
        with transaction.atomic():
            record(seen, run=run, looked_at=Difference.objects.none())
        printed = reconcile("differences", "--dry-run")[1].splitlines()
        told = f"Another amount: $82.00 at the bank, $82.02 in our books, op_{'ab' * 16}."
        assert printed[0].endswith(told)
        assert (len(printed), *printed[-2:]) == (202, "And 2 more.", "102 open differences.")
