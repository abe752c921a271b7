"""`manage.py reconcile bank`: what our books say has succeeded, looked up at the bank."""

import json
from datetime import timedelta
from typing import Any

import pytest

from payments.domain.states import OperationKind
from payments.models import Operation
from payments.models.clock import read_clock
from reconciliation.models import BankCheck, Difference, Run
from reconciliation.services import bank_check
from reconciliation.services.bank_check import CannotLookUp, Checked, check_bank
from tests.support.api_client import ApiClient
from tests.support.at_once import at_once
from tests.support.factories import bank_reference
from tests.support.reconcile import reconcile
from tests.support.simulated_bank import SimulatedBank
from tests.support.unguarded import unguarded


def check(**options: Any) -> Checked:
    """A check without pauses, also of what has succeeded just now."""
    at_once_ = {"rate": 1000, "apart": timedelta(0), "settled_after": timedelta(0)}
    return check_bank("ficmart", actor="test", **{**at_once_, **options})


def refunded(live: ApiClient) -> dict[str, Any]:
    payment = live.captured()
    assert live.post(f"/payments/{payment['id']}/refund").status == 200
    return payment


def looked_up(bank: SimulatedBank) -> int:
    return sum(one.method == "GET" and one.path != "/health" for one in bank.requests())


def forged(kind: str, **columns: Any) -> Operation:
    """An operation of this kind, whose row somebody has changed."""
    operation = Operation.objects.get(kind=kind)
    with unguarded():
        Operation.objects.filter(pk=operation.pk).update(**columns)
    return Operation.objects.get(pk=operation.pk)


class TestACheck:
    def test_looks_up_each_hold_capture_and_refund_once(self, live: ApiClient, bank: SimulatedBank) -> None:
        refunded(live)
        voided = live.authorized()
        live.post(f"/payments/{voided['id']}/void")
        assert check() == Checked("ficmart", asked=4, agreed=4)
        assert looked_up(bank) == 4
        live.authorized()
        assert check() == Checked("ficmart", asked=1, agreed=1)
        assert check() == Checked("ficmart")
        assert not Difference.objects.exists()
        assert [run.counts["asked"] for run in Run.objects.order_by("pk")] == [4, 1]
        assert all(run.kind == Run.Kind.BANK and run.ended_at for run in Run.objects.all())

    def test_finds_what_the_bank_does_not_have(self, live: ApiClient, bank: SimulatedBank) -> None:
        refunded(live)
        other = bank_reference(OperationKind.CAPTURE)
        capture = forged("capture", bank_reference=other)
        assert (check().differences, check().differences) == (1, 1)
        found = Difference.objects.get()
        assert (found.kind, found.subject) == ("missing_at_bank", f"op:{capture.pk.hex}")
        assert (found.amount_minor, found.currency, found.payment) == (5000, "USD", capture.payment)
        assert found.evidence["bank"] is None
        assert found.evidence["books"]["reference"] == other

    def test_resolves_what_the_bank_shows_in_the_end(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.captured()
        truth = Operation.objects.get(kind="capture").bank_reference
        forged("capture", bank_reference=bank_reference(OperationKind.CAPTURE))
        check()
        forged("capture", bank_reference=truth)
        assert check() == Checked("ficmart", asked=1, agreed=1)
        assert Difference.objects.get().state == "RESOLVED"

    def test_finds_other_amounts_and_currencies_and_holds(self, live: ApiClient, bank: SimulatedBank) -> None:
        for changes, kind in (
            ({"amount": 1}, "amount_mismatch"),
            ({"currency": "EUR"}, "currency_mismatch"),
            ({"authorization_id": bank_reference(OperationKind.AUTHORIZE)}, "missing_at_bank"),
        ):
            live.captured()
            check(limit=1)
            bank.script("reads", "alter", times=2, **changes)
            assert check(limit=1).differences == 1
            assert Difference.objects.latest("pk").kind == kind
            check()
            assert Difference.objects.latest("pk").state == "RESOLVED"


class TestASickBank:
    def test_proves_nothing_by_knowing_nothing(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.captured()
        bank.database_down()
        assert check() == Checked("ficmart", asked=2, unclear=2)
        assert not Difference.objects.exists()
        bank.database_down(False)
        assert check() == Checked("ficmart", asked=2, agreed=2)
        assert BankCheck.objects.get().unclear == []

    def test_is_asked_twice_where_it_was_sick_for_a_moment_only(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        live.captured()
        bank.script("reads", "database_down")
        assert check() == Checked("ficmart", asked=2, agreed=2)

    def test_is_left_alone_after_some_unclear_replies(self, live: ApiClient, bank: SimulatedBank) -> None:
        for _ in range(7):
            live.authorized()
        bank.database_down()
        done = check()
        assert (done.asked, done.unclear, done.stopped) == (5, 5, "the bank gives no clear reply")
        bank.database_down(False)
        assert check() == Checked("ficmart", asked=7, agreed=7)


class TestItsProgress:
    def test_is_kept_when_it_is_killed(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only what was asked since the last batch is asked again."""
        monkeypatch.setattr(bank_check, "BATCH", 2)
        for _ in range(5):
            live.authorized()
        look_up = bank_check._Asking._look_up

        def killed(asking: Any, operation: Operation) -> Any:
            if looked_up(bank) == 3:
                raise KeyboardInterrupt
            return look_up(asking, operation)

        with monkeypatch.context() as patched:
            patched.setattr(bank_check._Asking, "_look_up", killed)
            with pytest.raises(KeyboardInterrupt):
                check()
        assert check() == Checked("ficmart", asked=3, agreed=3)

    def test_is_that_of_one_where_two_run_at_once(self, live: ApiClient, bank: SimulatedBank) -> None:
        for _ in range(4):
            live.authorized()
        done = at_once(check, check)
        assert max(one.agreed for one in done) == 4
        assert check() == Checked("ficmart")

    def test_begins_again_with_a_day(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.captured()
        check()
        today = read_clock().date()
        assert check(since=today + timedelta(days=1)).asked == 0
        assert check(since=today - timedelta(days=1)).asked == 2

    def test_leaves_out_what_may_still_be_written_beside_it(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        live.authorized()
        assert check(settled_after=timedelta(hours=1)).asked == 0
        assert check().asked == 1

    def test_keeps_its_pace_and_its_time(self, live: ApiClient, bank: SimulatedBank) -> None:
        for _ in range(4):
            live.authorized()
        before = read_clock()
        assert check(rate=20, limit=3).asked == 3
        assert read_clock() - before >= timedelta(seconds=0.1)
        done = check(within=timedelta(0))
        assert (done.asked, done.stopped) == (0, "its time is up")


class TestTheCommand:
    def test_exits_by_what_it_finds(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.captured()
        code, printed = reconcile("bank", "--bank", "ficmart")
        told = (
            "0 looked up: 0 agree, 0 differ, 0 unclear. The last hour is left out; a later check looks it up."
        )
        assert (code, printed) == (0, f"{told}\n")
        assert "the rate must be above 0" in reconcile("bank", "--bank", "ficmart", "--rate", "0")[1]
        forged("capture", bank_reference=bank_reference(OperationKind.CAPTURE))
        check()
        code, printed = reconcile("bank", "--bank", "ficmart", "--rate", "100", "--limit", "1", "--json")
        assert (code, json.loads(printed)["asked"]) == (1, 1)
        (told,) = json.loads(printed)["open"]
        assert (told["kind"], told["bank"]) == ("missing_at_bank", None)

    def test_knows_only_banks_that_look_up(self) -> None:
        with pytest.raises(CannotLookUp, match="acquirer has no look-up"):
            check_bank("acquirer", actor="test")
