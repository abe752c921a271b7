"""What can befall a sender: it dies at a chosen moment, sleeps through its lease, or loses a commit's echo.

A death is a BaseException that nobody catches: from the gateway's side nothing after that moment happens,
its connections close, and an open transaction is rolled back. That is all that a killed process leaves.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from payments.banks import registry
from payments.banks.acquirer import AcquirerBank
from payments.banks.base import Instruction
from payments.banks.ficmart import FicmartBank
from payments.domain.cards import Card
from payments.domain.replies import Approval, Reply
from payments.engine import conclude, record, statements
from payments.models import Operation
from payments.models.clock import ClockTimestamp


class Died(BaseException):
    """The process is gone."""


class Fate(Enum):
    """The moments. Each strikes the next sender that reaches it, once."""

    BEFORE_THE_CALL = auto()  # the attempt is recorded, nothing was sent
    AFTER_THE_CALL = auto()  # the bank has answered, nobody has written it down
    IN_THE_OUTCOME = auto()  # the outcome's transaction is open
    AFTER_THE_OUTCOME = auto()  # it is committed, and nobody is told
    ECHO_LOST = auto()  # it is committed, and the database's connection breaks before it says so


class Sleep:
    """A sender that is stopped where it is, as by a suspended machine, until it is woken."""

    def __init__(self, at: str) -> None:
        self.at = at  # "before the first byte", or "with the answer in hand"
        self.reached = threading.Event()
        self._woken = threading.Event()

    def lie_down(self) -> None:
        self.reached.set()
        assert self._woken.wait(30), "nobody has woken a sleeping sender"

    def wake(self) -> None:
        self._woken.set()


class Senders:
    """What is to befall the next ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.on_death: Callable[[], None] = lambda: None
        self.bank_is_ahead: Callable[[], timedelta] = timedelta  # of our rows: time passes by their ageing
        self.forget()

    def forget(self) -> None:
        self._fates: set[Fate] = set()
        self._sleep: Sleep | None = None
        self.trespasses: list[str] = []  # first bytes that left without a lease

    def doom(self, fate: Fate) -> None:
        with self._lock:
            self._fates.add(fate)

    def put_to_sleep(self, at: str) -> Sleep:
        with self._lock:
            self._sleep = Sleep(at)
            return self._sleep

    def struck_by(self, fate: Fate) -> bool:
        with self._lock:
            struck = fate in self._fates
            self._fates.discard(fate)
            return struck

    def death(self) -> Died:
        """What the process knew of the bank's pace is gone with it; the next one begins afresh."""
        self.on_death()
        return Died()

    def reach(self, place: str) -> None:
        with self._lock:
            sleep = self._sleep if self._sleep is not None and self._sleep.at == place else None
            if sleep is not None:
                self._sleep = None
        if sleep is not None:
            sleep.lie_down()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Between the engine and its bank, and around what records an outcome, on both paths."""
        monkeypatch.setitem(
            registry._MAKERS,
            "ficmart",
            lambda: MortalFicmart(self, settings.BANK_URL, settings.BANK_TIMING, closes_when_finished=True),
        )
        monkeypatch.setitem(
            registry._MAKERS,
            "acquirer",
            lambda: MortalAcquirer(self, settings.ACQUIRER_URL, settings.BANK_TIMING),
        )
        monkeypatch.setattr(record, "_finish", self._mortal(record._finish))
        monkeypatch.setattr(statements, "fetch", self._mortal_at_outcome(statements.fetch))
        for kind, effect in list(conclude.EFFECTS.items()):
            monkeypatch.setitem(conclude.EFFECTS, kind, self._and_die(effect))

    def _and_die(self, effect: conclude.Effect) -> conclude.Effect:
        def mortal(*args: Any) -> Any:
            event = effect(*args)
            if self.struck_by(Fate.IN_THE_OUTCOME):
                raise self.death()
            return event

        return mortal

    def _mortal(self, finish: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*args: Any) -> Any:
            recorded = finish(*args)
            self._strike_after_outcome()
            return recorded

        return mortal

    def _mortal_at_outcome(self, fetch: Callable[..., Any]) -> Callable[..., Any]:
        """The fast path's outcome is a statement that commits by itself."""

        def mortal(statement: str, parameters: dict[str, Any]) -> Any:
            row = fetch(statement, parameters)
            if statement == statements.OUTCOME and row is not None:
                self._strike_after_outcome()
            return row

        return mortal

    def _strike_after_outcome(self) -> None:
        if self.struck_by(Fate.AFTER_THE_OUTCOME):
            raise self.death()
        if self.struck_by(Fate.ECHO_LOST):
            raise OperationalError("the connection broke after the commit")


class _Mortal:
    """The adapter as it is, asked by senders that may not live to hear the answer.

    A hold's end, told by the bank's clock, is told by ours: the bank's moves on, our rows grow older.
    """

    def __init__(self, senders: Senders, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._senders = senders

    def send(self, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        def may_send_still() -> bool:
            self._senders.reach("before the first byte")
            allowed = may_send()
            if allowed and not _has_lease(instruction):
                self._senders.trespasses.append(f"{instruction.kind} is sent without a lease")
            return allowed

        if self._senders.struck_by(Fate.BEFORE_THE_CALL):
            raise self._senders.death()
        reply: Reply = super().send(  # type: ignore[misc]
            instruction, card=card, may_send=may_send_still
        )
        if self._senders.struck_by(Fate.AFTER_THE_CALL):
            raise self._senders.death()
        self._senders.reach("with the answer in hand")
        if isinstance(reply, Approval) and reply.expires_at is not None:
            return replace(reply, expires_at=reply.expires_at - self._senders.bank_is_ahead())
        return reply


class MortalFicmart(_Mortal, FicmartBank):
    """FicMart's bank, so asked."""


class MortalAcquirer(_Mortal, AcquirerBank):
    """The acquirer, so asked."""


def _has_lease(instruction: Instruction) -> bool:
    """Whether somebody may send it now, by the database's clock."""
    try:
        return Operation.objects.filter(
            bank_idempotency_key=instruction.idempotency_key, lease_expires_at__gt=ClockTimestamp()
        ).exists()
    finally:
        connection.close()
