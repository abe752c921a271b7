"""The database goes away at each statement in turn: before it, before a commit, after one (its echo lost).

Whatever is lost, the books agree with the bank's ledger once recovery has been at it. Every ninth statement
has its turn, and each commit; `LOST_CONNECTIONS=all` gives every statement its turn, in some minutes.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Q
from django.test import override_settings

from payments.domain.timing import Timing
from payments.engine import record
from payments.models import Operation
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.conftest import forget_pace, wait_for_bank_threads
from tests.support.api_client import ApiClient, order
from tests.support.bank_books import disagreements, stray_holds
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

WITHIN = timedelta(seconds=8)
MINUTES = timedelta(minutes=1)
STEP = 1 if os.environ.get("LOST_CONNECTIONS") == "all" else 9


_orders = itertools.count(1)

# There is time for a second attempt in the story, and hardly any where a doubt is made or asked about.
TIMING = Timing(
    connect=0.5, read=5, attempt=6, start_window=0.5, client_wait=8, lease_margin=3,
    backoff_base=0.01, backoff_cap=0.02,
)  # fmt: skip
HURRIED = replace(TIMING, start_window=0.02)


class Fault:
    """The n-th thing asked of the database fails, and with it the connection.

    A statement of the fast path is a transaction of its own: its echo is a commit's.
    """

    def __init__(self, at: int, kind: str, times: int = 1) -> None:
        self.at, self.kind, self.times = at, kind, times
        self.count = 0
        self.struck = ""
        self._lock = threading.Lock()

    def due(self, what: str) -> bool:
        with self._lock:
            self.count += 1
            if self.at <= self.count < self.at + self.times:
                self.struck = what
                return True
            return False


@contextmanager
def failing(fault: Fault) -> Iterator[None]:
    execute, commit = CursorWrapper._execute, BaseDatabaseWrapper.commit  # type: ignore[attr-defined]

    def lose(wrapper: Any) -> None:
        if wrapper.connection is not None:
            wrapper.connection.close()
        wrapper.errors_occurred = True
        raise OperationalError("server closed the connection unexpectedly")

    def failing_execute(self: Any, sql: str, params: Any, *ignored: Any) -> Any:
        if fault.kind == "statement" and fault.due(str(sql)[:120]):
            lose(self.db)
        result = execute(self, sql, params, *ignored)
        is_transaction = not self.db.in_atomic_block and str(sql).startswith("WITH ")
        if is_transaction and fault.kind == "echo" and fault.due(str(sql)[:120]):
            lose(self.db)
        return result

    def failing_commit(self: Any) -> None:
        if fault.kind == "commit" and fault.due("commit"):
            lose(self)
        commit(self)
        if fault.kind == "echo" and fault.due("echo"):
            lose(self)

    with (
        mock.patch.object(CursorWrapper, "_execute", failing_execute),
        mock.patch.object(BaseDatabaseWrapper, "commit", failing_commit),
    ):
        yield


def authorize(live: ApiClient, bank: SimulatedBank) -> None:
    name = f"order-{next(_orders)}"
    live.post("/payments", order(order_id=name), key=name)


def authorize_in_weather(live: ApiClient, bank: SimulatedBank) -> None:
    bank.script("authorizations", "fail_before")
    authorize(live, bank)


def authorize_at_a_closed_door(live: ApiClient, bank: SimulatedBank) -> None:
    soon = replace(TIMING, start_window=0.06, backoff_base=0.02)
    with override_settings(BANK_URL="http://127.0.0.1:1", BANK_TIMING=soon):  # nobody listens there
        authorize(live, bank)


def declined(live: ApiClient, bank: SimulatedBank) -> None:
    bank.script("authorizations", "fail_before", status=402, code="insufficient_funds")
    authorize(live, bank)


def _verb(verb: str) -> Callable[[ApiClient, SimulatedBank], None]:
    def do(live: ApiClient, bank: SimulatedBank) -> None:
        bank.script(f"{verb}s", "fail_before")  # type: ignore[arg-type]
        live.post(f"/payments/{live.payment}/{verb}")  # type: ignore[attr-defined]

    return do


def recover_probes(live: ApiClient, bank: SimulatedBank) -> None:
    recover(live, bank)
    let_pass(11 * MINUTES, bank)
    recover(live, bank)


def expire(live: ApiClient, bank: SimulatedBank) -> None:
    expire_due(limit=10)
    recover(live, bank)


def nothing(live: ApiClient, bank: SimulatedBank) -> None:
    pass


def an_authorized(live: ApiClient, bank: SimulatedBank) -> None:
    live.payment = live.authorized(order_id=f"order-{next(_orders)}")["id"]  # type: ignore[attr-defined]


def a_captured(live: ApiClient, bank: SimulatedBank) -> None:
    live.payment = live.captured(order_id=f"order-{next(_orders)}")["id"]  # type: ignore[attr-defined]


def in_doubt(live: ApiClient, bank: SimulatedBank) -> None:
    bank.script("authorizations", "drop_before", times=1000)
    authorize(live, bank)
    bank.clear_script()
    let_pass(5 * MINUTES, bank)


def in_doubt_executed(live: ApiClient, bank: SimulatedBank) -> None:
    bank.script("authorizations", "drop_after")
    in_doubt(live, bank)


def late_hold(live: ApiClient, bank: SimulatedBank) -> None:
    in_doubt_executed(live, bank)
    bank.script("authorizations", "lookup_fails", times=2)
    recover_probes(live, bank)
    assert Operation.objects.get().state == "NOT_EXECUTED"
    let_pass(60 * MINUTES, bank)


def expired(live: ApiClient, bank: SimulatedBank) -> None:
    an_authorized(live, bank)
    let_pass(timedelta(days=7), bank)


def recover(live: ApiClient, bank: SimulatedBank) -> None:
    """In a process of its own, which knows nothing of a circuit breaker that lost calls have opened here."""
    forget_pace()
    with override_settings(BANK_TIMING=HURRIED):
        recover_due(within=WITHIN)


STORIES = {
    "authorize": (nothing, authorize),
    "authorize in weather": (nothing, authorize_in_weather),
    "authorize at a closed door": (nothing, authorize_at_a_closed_door),
    "declined": (nothing, declined),
    "capture": (an_authorized, _verb("capture")),
    "void": (an_authorized, _verb("void")),
    "refund": (a_captured, _verb("refund")),
    "probes": (in_doubt, recover_probes),
    "probe finds it": (in_doubt_executed, recover),
    "late hold": (late_hold, recover),
    "expire": (expired, expire),
}
# What these do is about their own payment alone: all faults of one story are recovered from at once.
OF_ONE_PAYMENT = (
    *("authorize", "authorize in weather", "authorize at a closed door", "declined"),
    *("capture", "void", "refund"),
)


@pytest.mark.parametrize("kind", ["statement", "commit", "echo"])
@pytest.mark.parametrize("story", STORIES)
def test_nothing_is_lost_wherever_the_database_goes_away(
    live: ApiClient,
    bank: SimulatedBank,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    story: str,
    kind: str,
) -> None:
    monkeypatch.setattr(record, "_DATABASE_PAUSE", 0.05)
    before, act = STORIES[story]
    wrong: list[str] = []
    for at in range(1, 200, STEP if kind == "statement" else 1):
        if story not in OF_ONE_PAYMENT or at == 1:
            _empty(bank)
        forget_pace()
        settings.BANK_TIMING = HURRIED
        before(live, bank)
        settings.BANK_TIMING = TIMING
        fault = Fault(at, kind)
        with failing(fault):
            try:
                act(live, bank)
            except Exception as error:  # noqa: BLE001
                if not isinstance(error, OperationalError):
                    wrong.append(f"{kind} {at} {fault.struck}: {error!r}")
            wait_for_bank_threads()
        connection.close()
        bank.clear_script()
        if not fault.struck:
            break
        if story not in OF_ONE_PAYMENT:
            wrong += [f"{kind} {at} {fault.struck}: {one}" for one in _wrong_after_recovery(live, bank)]
    else:
        raise AssertionError("endless")
    if story in OF_ONE_PAYMENT:
        wrong += _wrong_after_recovery(live, bank)
    assert not wrong, "\n".join(wrong)


def _wrong_after_recovery(live: ApiClient, bank: SimulatedBank) -> list[str]:
    """What disagrees with the bank's books once recovery has had its time."""
    for minutes in (5, 11, 11, 45, 300):
        let_pass(minutes * MINUTES, bank)
        expire(live, bank)
        if not Operation.objects.filter(Q(state="OPEN") | Q(look_again_at__isnull=False)).exists():
            break
    return [
        *disagreements(bank, settled=True),
        *(f"stray {one}" for one in stray_holds(bank)),
        *(f"{one.rule} {one.subject} {one.detail}" for one in violations()),
    ]


def _empty(bank: SimulatedBank) -> None:
    bank.reset()
    forget_pace()
    tables = ("event", "attempt", "discrepancy", "idempotencykey", "operation", "payment")
    with unguarded(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM payments_{table}")
