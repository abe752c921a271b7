"""How the bank is brought to give each answer of the table of outcomes, and how an operation is sent for it.

A column is a kind of operation, or PROBE: recovery's question about an authorize in doubt.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from payments.domain.meanings import ReplyKind
from payments.domain.states import OperationKind
from payments.models import Attempt, Operation
from payments.models.clock import clock_in
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from tests.conftest import forget_pace
from tests.engine.bank_in_process import ENDPOINTS, BankInProcess
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import Endpoint, SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

Column = OperationKind | Literal["probe"]
Scripted = SimulatedBank | BankInProcess
Says = Callable[[Scripted, Endpoint], None]

_ALWAYS = 1000
# Every rest is over, and what is repeated counts.
_A_YEAR = 365 * 24 * 3600
_A_WHILE = timedelta(minutes=11)
# From a bank that holds money on a card that does not exist.
_A_HOLD = {
    "authorization_id": "auth_00000000-0000-4000-8000-000000000000",
    "status": "approved",
    "amount": 5000,
    "currency": "USD",
    "expires_at": "2099-01-01T00:00:00Z",
    "created_at": "2026-01-01T00:00:00Z",
}


def silence(bank: Scripted, at: Endpoint) -> None:
    """The next attempt is neither executed nor answered."""
    bank.script(at, "drop_before")


def executed_in_silence(bank: Scripted, at: Endpoint) -> None:
    """The next attempt is executed and its answer stored, but nobody hears it."""
    bank.script(at, "drop_after")


def ill_health(bank: Scripted, at: Endpoint) -> None:
    bank.script("health", "fail_before", status=503, times=_ALWAYS)


def _as_it_pleases(bank: Scripted, at: Endpoint) -> None: ...


def _error(status: int, code: str) -> Says:
    return lambda bank, at: bank.script(at, "fail_before", status=status, code=code, times=_ALWAYS)


def _after_silence(code: str) -> Says:
    """It is executed in silence; asked again, the bank says that it was done already."""

    def says(bank: Scripted, at: Endpoint) -> None:
        bank.script(at, "drop_after", stored=False)
        _error(400, code)(bank, at)

    return says


def _stored_after_silences(bank: Scripted, at: Endpoint) -> None:
    silence(bank, at)
    executed_in_silence(bank, at)


def _a_new_hold(bank: Scripted, at: Endpoint) -> None:
    options = {"body": json.dumps(_A_HOLD), "content_type": "application/json"}
    bank.script(at, "garbage", times=_ALWAYS, executed=False, **options)


REPLIES: dict[ReplyKind, Says] = {
    ReplyKind.APPROVED: _as_it_pleases,
    ReplyKind.APPROVED_ANEW_AFTER_SILENCE: silence,
    ReplyKind.REPLAYED_AFTER_SILENCES: _stored_after_silences,
    ReplyKind.DECLINED_BY_ISSUER: _error(402, "insufficient_funds"),
    ReplyKind.INVALID_CARD: _error(400, "invalid_card"),
    ReplyKind.TROUBLE: _error(500, "internal_error"),
    ReplyKind.NOTHING_SENT: lambda bank, _: bank.stop(),
    ReplyKind.AUTHORIZATION_EXPIRED: _error(400, "authorization_expired"),
    ReplyKind.ALREADY_USED_AFTER_SILENCE: _after_silence("authorization_already_used"),
    ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE: _after_silence("already_captured"),
    ReplyKind.ALREADY_VOIDED_AFTER_SILENCE: _after_silence("already_voided"),
    ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE: _after_silence("already_refunded"),
    ReplyKind.ANYTHING_ELSE: _error(400, "amount_mismatch"),
}
# What an authorize is answered that is probed later, besides trouble; one silence where it does not matter.
BEFORE_PROBES: dict[ReplyKind, Says] = dict.fromkeys(ReplyKind, silence) | {
    ReplyKind.APPROVED: executed_in_silence,
    ReplyKind.REPLAYED_AFTER_SILENCES: _stored_after_silences,
}
# A probe always comes after a doubt.
REPLIES_TO_PROBES: dict[ReplyKind, Says] = REPLIES | {
    ReplyKind.APPROVED_ANEW_AFTER_SILENCE: _a_new_hold,
    ReplyKind.REPLAYED_AFTER_SILENCES: _as_it_pleases,
    ReplyKind.INVALID_CARD: _as_it_pleases,
    ReplyKind.ALREADY_USED_AFTER_SILENCE: _error(400, "authorization_already_used"),
    ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE: _error(400, "already_captured"),
    ReplyKind.ALREADY_VOIDED_AFTER_SILENCE: _error(400, "already_voided"),
    ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE: _error(400, "already_refunded"),
}


@dataclass
class Scene:
    """An operation that is about to be sent. The scene begins where its payment allows it."""

    live: ApiClient
    bank: Scripted
    kind: OperationKind

    def __post_init__(self) -> None:
        if self.kind is OperationKind.AUTHORIZE:
            self._call = ("/payments", order())
            return
        payment = self.live.captured() if self.kind is OperationKind.REFUND else self.live.authorized()
        self._payment = payment["id"]
        self._call = (f"/payments/{self._payment}/{self.kind}", None)

    def says(self, *answers: Says) -> None:
        """What the bank will answer."""
        for says in answers:
            says(self.bank, ENDPOINTS[self.kind])

    def after_one_that_people_ended(self) -> None:
        """An earlier operation that may have done it: staff called it not executed, not the bank."""
        kind = OperationKind.REFUND if self.kind is OperationKind.REFUND else OperationKind.CAPTURE
        self.bank.script(ENDPOINTS[kind], "fail_before", status=400, code="amount_mismatch")
        assert self.live.post(f"/payments/{self._payment}/{kind}").status == 202
        earlier = Operation.objects.get(state="OPEN")
        earlier.become_not_executed()
        earlier.finished_at, earlier.outcome_code = earlier.created_at, "bank_unavailable"
        with unguarded():
            earlier.save()

    def send(self) -> None:
        """As FicMart does; a release as recovery does, once the hold has run out."""
        if self.kind is OperationKind.RELEASE:
            let_pass(timedelta(days=7))
            assert len(expire_due(limit=1)) == 1
            recover()
        else:
            assert self.live.post(*self._call, key=f"the-{self.kind}").status != 500

    def send_in_vain(self, at_first: Says) -> None:
        """No attempt settles it: after the first ones the bank has trouble only, which is no silence."""
        self.says(at_first, REPLIES[ReplyKind.TROUBLE])
        self.send()
        self.bank.clear_script()

    def time_passes(self) -> None:
        """Until everything in doubt is due."""
        let_pass(_A_WHILE, self.bank)
        forget_pace(retries=3)

    def end(self) -> None:
        """What it has left in doubt does not reach into the next scene."""
        self.bank.clear_script()
        Operation.objects.filter(state="OPEN").update(due_at=clock_in(_A_YEAR))
        forget_pace(retries=3)

    @property
    def operation(self) -> Operation:
        return Operation.objects.filter(kind=self.kind).latest("created_at")

    @property
    def attempts(self) -> int:
        return Attempt.objects.filter(operation=self.operation).count()


def recover() -> None:
    recover_due(within=timedelta(seconds=5))
