"""Everything around the gateway under the machine's control: the bank's life, the clocks, the tables."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from payments.banks.registry import bank_named
from payments.domain.timing import Timing
from payments.engine.capacity import capacity_of
from payments.models import ApiKey, Merchant, Operation, Route
from payments.usecases.recovery import recover_next
from tests.adversity.boot_clock import boot_clock_ahead, modules_that_read_it
from tests.adversity.model.senders import Died, Senders
from tests.conftest import bank_threads_at_work, forget_pace, wait_for_bank_threads
from tests.support.api_client import ApiClient
from tests.support.simulated_acquirer import SimulatedAcquirer
from tests.support.simulated_bank import LedgerEntry, SeenRequest, SimulatedBank
from tests.support.time_travel import let_pass

# In the proportions of the real bounds, and short enough that a silent bank costs half a second. The
# margin is long: time passes by `World.let_pass`, and no lease may run out while a busy machine dawdles.
TIMING = Timing(
    connect=0.4,
    read=0.4,
    attempt=1.0,
    start_window=0.15,
    client_wait=0.6,
    lease_margin=4.0,
    backoff_base=0.05,
    backoff_cap=0.1,
)


class World:
    """One gateway, its bank and its clients; made once, and emptied between examples."""

    def __init__(
        self,
        bank: SimulatedBank,
        acquirer: SimulatedAcquirer,
        clients: dict[str, list[ApiClient]],
        settings: Any,
    ) -> None:
        self.bank = bank
        self.acquirer = acquirer
        self.clients = clients  # of each merchant, by its slug
        self.senders = Senders()
        self.senders.on_death = self._begin_process
        self.senders.bank_is_ahead = lambda: timedelta(seconds=self._ahead)
        settings.BANK_TIMING = TIMING
        settings.FOUR_EYES_ABOVE = {"USD": 20000}
        models = [
            one for app in ("payments", "reconciliation") for one in apps.get_app_config(app).get_models()
        ]
        self._tables = [one._meta.db_table for one in models if one not in (Merchant, ApiKey, Route)]
        self._ahead = 0.0  # seconds by which our clocks are ahead of the machine's

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Time passes for senders, too: on the clocks by which leases and the circuit breaker go."""
        self.senders.install(monkeypatch)
        clock = boot_clock_ahead(lambda: self._ahead)
        for module in modules_that_read_it():
            monkeypatch.setattr(module, "boot_clock", clock)
        bank_named.cache_clear()

    def begin(self) -> None:
        """An empty world in fair weather."""
        self.senders.forget()
        self.is_bank_up = True
        self.bank.restart() if self.bank._process is None else self.bank.reset()
        self.acquirer.reset()
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(self._tables)}")
        self._ahead = 0.0
        self._begin_process()
        self._bank_is_behind = timedelta()
        self._ledger_at_stop: list[LedgerEntry] = []
        self._most_in_flight: Counter[str] = Counter()
        self._seen_before: list[SeenRequest] = []
        self.is_recovered = True  # recovery has run since time has last passed

    def _begin_process(self) -> None:
        forget_pace()
        for name in ("ficmart", "acquirer"):
            capacity_of(name).breaker._clock = lambda: time.monotonic() + self._ahead

    def end(self) -> None:
        """Nothing of this example works on."""
        self.senders.forget()
        self.acquirer.release()
        if self.is_bank_up:
            self.bank.release()
        else:
            self.bank.restart()
            self.bank.reset()
        wait_for_bank_threads()

    # The bank.

    def stop_bank(self, *, kill: bool) -> None:
        """Its requests have ended before it is gone; what it has written down stays."""
        self.rest()
        self._ledger_at_stop = self.bank.ledger()
        self._remember_requests()
        self.bank.kill() if kill else self.bank.stop()
        self.is_bank_up = False

    def restart_bank(self) -> None:
        self.bank.restart()
        self.is_bank_up = True
        self.bank.move_clock(seconds=self._bank_is_behind.total_seconds())
        self._bank_is_behind = timedelta()

    def bring_fair_weather(self) -> None:
        """The bank is up, well, and does what it is told."""
        if not self.is_bank_up:
            self.restart_bank()
        self.acquirer.clear_script()
        self.acquirer.release()
        self.bank.clear_script()
        self.bank.release()
        self.bank.database_down(False)
        self.bank.weather(failure_rate=0, min_latency_ms=0, max_latency_ms=0)

    def ledger(self) -> list[LedgerEntry]:
        """The bank's, as it was left where the bank is down."""
        return self.bank.ledger() if self.is_bank_up else self._ledger_at_stop

    def max_in_flight(self) -> dict[str, int]:
        """Per bank key, over all the bank's lives."""
        now = Counter(self.bank.max_in_flight() if self.is_bank_up else {})
        return dict(self._most_in_flight | now)

    def requests(self) -> list[SeenRequest]:
        """All that the bank has ever seen."""
        return self._seen_before + (self.bank.requests() if self.is_bank_up else [])

    def _remember_requests(self) -> None:
        self._most_in_flight |= Counter(self.bank.max_in_flight())
        self._seen_before += self.bank.requests()

    # Time.

    def rest(self) -> None:
        """Until nobody works on anything: in the minutes that pass, the bank ends what it has begun."""
        wait_for_bank_threads()
        self.acquirer.wait_until_idle()
        if self.is_bank_up:
            self.bank.wait_until_idle()

    def let_pass(self, time_: timedelta, *, resting: bool = True) -> None:
        """For everybody: our rows, the bank, leases, the circuit breaker's rest."""
        if resting:
            self.rest()
        elif self.is_bank_up:  # a sender sleeps on; the bank ends what it has begun all the same
            self.bank.wait_until_idle()
        let_pass(time_, self.bank if self.is_bank_up else None)
        if not self.is_bank_up:
            self._bank_is_behind += time_
        self._ahead += time_.total_seconds()
        self.is_recovered = False

    def recover(self) -> None:
        """What recovery's process does until nothing is due; one that dies is started again."""
        for _ in range(300):
            try:
                if not recover_next():
                    self.is_recovered = True
                    return
            except Died:
                connection.close()
        raise AssertionError("recovery does not come to rest")

    @staticmethod
    def is_anything_open() -> bool:
        return Operation.objects.filter(state="OPEN").exists()

    @staticmethod
    def is_anybody_sending() -> bool:
        return bank_threads_at_work() > 0


def together(*calls: Callable[[], Any]) -> list[Any]:
    """What each of the calls returned, begun at the same moment on threads of their own."""
    gate = threading.Barrier(len(calls))

    def begin(call: Callable[[], Any]) -> Any:
        gate.wait()
        return on_its_own(call)

    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(begin, call) for call in calls]]


def in_background(call: Callable[[], Any]) -> "Future[Any]":
    """The call, begun on a thread of its own."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(on_its_own, call)
    pool.shutdown(wait=False)
    return future


def on_its_own(call: Callable[[], Any]) -> Any:
    """The call's result, or None where its process died; its connection is closed as a thread's must be."""
    try:
        return call()
    except Died:
        return None
    finally:
        connection.close()
