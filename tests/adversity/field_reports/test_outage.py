"""Reported of others: a bank that came back was run over, or what had waited for it was forgotten.

Calls for new orders at a bank that is down for good, at most eleven for ten: tests/engine/test_pacing.py.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from payments.banks.ficmart import FicmartBank
from payments.engine import send
from payments.engine.capacity import BankThreads, Capacity, CircuitBreaker
from payments.models import Attempt, Operation
from payments.models.clock import clock_in
from payments.usecases.recovery import recover_due
from tests.adversity.doubts import in_doubt
from tests.adversity.field_reports.stalling import the_first_stalls
from tests.adversity.races.books import assert_books_agree
from tests.support.api_client import ApiClient, order
from tests.support.at_once import at_once
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

_WORKERS = 3
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("impatient")


class Outage:
    """A bank's hour, and the three workers of recovery, which share a breaker as threads of a process do."""

    def __init__(self, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch) -> None:
        self._bank = bank
        self.seconds = 0.0
        self._in_flight = 0
        self._lock = threading.Lock()
        self.most_in_flight = 0
        capacity = Capacity(BankThreads(8, name="outage"), CircuitBreaker(lambda: self.seconds))
        monkeypatch.setattr(send, "capacity_of", lambda _bank: capacity)
        monkeypatch.setattr(FicmartBank, "send", self._counting(FicmartBank.send))

    def calls(self) -> int:
        return len([seen for seen in self._bank.requests() if seen.path != "/health"])

    def pass_by(self, time: timedelta, step: timedelta) -> list[int]:
        """Let time pass for everybody, in steps; how many calls the workers made in each."""
        made = []
        for _ in range(time // step):
            self.seconds += step.total_seconds()
            let_pass(step, self._bank)
            before = self.calls()
            at_once(*[lambda: recover_due(within=timedelta(seconds=5))] * _WORKERS)
            made.append(self.calls() - before)
        return made

    def _counting(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self._in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self._in_flight)
            try:
                return send(*args, **kwargs)
            finally:
                with self._lock:
                    self._in_flight -= 1

        return counting


def left_in_doubt(live: ApiClient, bank: SimulatedBank, *, each: int) -> int:
    """Executed, though nobody knows it: so many of each kind. How many operations they are."""
    for _ in range(each):
        in_doubt(bank, "authorizations", lambda: live.post("/payments", order()))
        for verb in ("capture", "void", "refund"):
            payment = live.captured() if verb == "refund" else live.authorized()
            path, endpoint = f"/payments/{payment['id']}/{verb}", f"{verb}s"
            in_doubt(bank, endpoint, lambda at=path: live.post(at))  # type: ignore[arg-type]
    return 4 * each


def down(bank: SimulatedBank) -> None:
    for endpoint in ("authorizations", "captures", "voids", "refunds"):
        bank.script(endpoint, "drop_before", times=100_000)  # type: ignore[arg-type]


class TestABankThatComesBackAfterAnHour:
    @pytest.mark.parametrize("found_by", ["recovery", "an order"])
    def test_finds_everything_settled_within_five_minutes_and_is_not_run_over(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch, found_by: str
    ) -> None:
        waiting = left_in_doubt(live, bank, each=2)
        outage = Outage(bank, monkeypatch)
        down(bank)
        asked = outage.pass_by(_HOUR, 10 * _MINUTE)
        # What opens the breaker, calls in flight by then included, and its single call each time.
        assert sum(asked) <= 10 + _WORKERS + len(asked)
        assert Operation.objects.filter(state="OPEN").count() == waiting

        bank.clear_script()
        outage.most_in_flight = 0
        if found_by == "an order":
            Operation.objects.filter(state="OPEN").update(due_at=clock_in(200))
            outage.seconds += 60  # the breaker's rest is over
            assert live.post("/payments", order()).status == 201
        made = outage.pass_by(_MINUTE, _MINUTE / 6) + outage.pass_by(4 * _MINUTE, _MINUTE)
        assert sum(made) == waiting
        assert outage.most_in_flight <= _WORKERS
        if found_by == "an order":  # all of them rested: they are woken one after the other
            assert max(made) < waiting
        assert Operation.objects.filter(state="SUCCEEDED").count() == Operation.objects.count()
        assert assert_books_agree(bank) == []

    def test_does_not_keep_waiting_what_the_breaker_refused_at_the_moment_it_closed(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It goes to rest when those that rest have been woken already."""
        path = f"/payments/{live.authorized()['id']}/capture"
        in_doubt(bank, "captures", lambda: live.post(path))
        outage = Outage(bank, monkeypatch)
        down(bank)
        for _ in range(10):
            live.post("/payments", order())
        bank.clear_script()
        let_pass(timedelta(minutes=5), bank)
        capture = Operation.objects.filter(kind="capture")
        with unguarded():
            capture.update(lease_epoch=5)  # refused, it would rest for four minutes
        Operation.objects.exclude(kind="capture").update(due_at=clock_in(3600))
        with ThreadPoolExecutor(1) as recovery, the_first_stalls(monkeypatch) as refused:
            recovery.submit(lambda: (recover_due(within=timedelta(seconds=1)), connection.close()))
            assert refused.wait(timeout=10)
            outage.seconds += 60
            assert live.post("/payments", order()).status == 201
        assert Attempt.objects.filter(operation__kind="capture").latest("number").result == "not_sent"
        assert capture.filter(due_at__lte=clock_in(60)).exists()

    def test_does_not_keep_waiting_the_one_whose_call_has_closed_the_breaker(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its answer decides nothing, for the bank was not asked for its health before; and it is slow."""
        body = order()
        in_doubt(bank, "authorizations", lambda: live.post("/payments", body, key="k"), executed=False)
        outage = Outage(bank, monkeypatch)
        down(bank)
        for _ in range(10):
            live.post("/payments", order())
        bank.clear_script()
        let_pass(timedelta(minutes=5), bank)
        authorize = Operation.objects.filter(idempotency_keys__key="k")
        with unguarded():
            Operation.objects.filter(pk__in=authorize.values("pk")).update(lease_epoch=5)  # it rests
        Operation.objects.exclude(pk__in=authorize.values("pk")).update(due_at=clock_in(3600))
        outage.seconds += 60
        with ThreadPoolExecutor(1) as recovery, the_first_stalls(monkeypatch) as answered:
            recovery.submit(lambda: (recover_due(within=timedelta(seconds=1)), connection.close()))
            assert answered.wait(timeout=10)
            assert live.post("/payments", order()).status == 201  # wakes the others
        assert Attempt.objects.filter(operation__in=authorize).latest("number").http_status == 400
        assert authorize.get().state == "OPEN"
        assert authorize.filter(due_at__lte=clock_in(60)).exists()

    def test_is_asked_within_five_minutes_about_authorizes_that_never_reached_it(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """That there is no hold takes two probes ten minutes apart; the merchant's retry need not wait."""
        bodies = [order() for _ in range(4)]
        for body in bodies:
            in_doubt(
                bank,
                "authorizations",
                lambda body=body: live.post("/payments", body, key=body["order_id"]),
                executed=False,
            )
        outage = Outage(bank, monkeypatch)
        down(bank)
        outage.pass_by(_HOUR, 10 * _MINUTE)
        bank.clear_script()
        outage.pass_by(5 * _MINUTE, _MINUTE)
        probed = Attempt.objects.filter(verdict="negative_probe").values("operation").distinct()
        assert probed.count() == len(bodies)
        assert live.post("/payments", bodies[0], key=bodies[0]["order_id"]).status == 201
        outage.pass_by(12 * _MINUTE, 2 * _MINUTE)
        assert Operation.objects.filter(state="NOT_EXECUTED").count() == len(bodies) - 1
        assert len(bank.ledger()) == 1
        assert assert_books_agree(bank) == []
