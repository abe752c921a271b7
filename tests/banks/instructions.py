"""Instructions of every kind, and the replies that the bank's contract has for them."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from urllib3 import HTTPHeaderDict

from payments.banks.base import Instruction
from payments.banks.ficmart import FicmartBank
from payments.banks.guarded_http import HttpReply, Line
from payments.domain.cards import Card
from payments.domain.replies import NotDone, Reply, Silence
from payments.domain.states import OperationKind
from payments.domain.timing import Timing

# Marked, so that a search for them finds nothing else.
CARD = Card("4916338506082832", 12, 2030, "9071")
AUTHORIZATION = "auth_0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
CAPTURE = "cap_0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
TARGETS = {
    OperationKind.AUTHORIZE: "",
    OperationKind.CAPTURE: AUTHORIZATION,
    OperationKind.VOID: AUTHORIZATION,
    OperationKind.REFUND: CAPTURE,
    OperationKind.RELEASE: AUTHORIZATION,
}
_MONEY = {"amount": 5000, "currency": "USD"}
# The contract's 200s. Whatever a test changes in one, the rest is right.
APPROVALS: dict[OperationKind, dict[str, Any]] = {
    OperationKind.AUTHORIZE: {
        "authorization_id": AUTHORIZATION,
        "status": "approved",
        **_MONEY,
        "expires_at": "2026-11-28T09:30:00.123456789Z",
        "created_at": "2026-11-21T09:30:00.123456789Z",
    },
    OperationKind.CAPTURE: {
        "capture_id": CAPTURE,
        "authorization_id": AUTHORIZATION,
        "status": "captured",
        **_MONEY,
        "captured_at": "2026-11-21T09:30:00.123456789Z",
    },
    OperationKind.VOID: {
        "void_id": "void_0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d",
        "authorization_id": AUTHORIZATION,
        "status": "voided",
        "voided_at": "2026-11-21T09:30:00.123456789Z",
    },
    OperationKind.REFUND: {
        "refund_id": "ref_0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d",
        "capture_id": CAPTURE,
        "status": "refunded",
        **_MONEY,
        "refunded_at": "2026-11-21T09:30:00.123456789Z",
    },
}
APPROVALS[OperationKind.RELEASE] = APPROVALS[OperationKind.VOID]
MADE = {
    OperationKind.AUTHORIZE: "authorization_id",
    OperationKind.CAPTURE: "capture_id",
    OperationKind.VOID: "void_id",
    OperationKind.REFUND: "refund_id",
    OperationKind.RELEASE: "void_id",
}

# The bank may still be working on what was given up.
CUT_OFF = Silence("connection lost", is_over=False)
GAVE_UP = Silence("timeout", is_over=False)
CUT_SHORT = Silence("no reply within the bound of an attempt", is_over=False)


def instruction(kind: OperationKind = OperationKind.AUTHORIZE, **fields: Any) -> Instruction:
    defaults: dict[str, Any] = {
        "kind": kind,
        "amount_minor": 5000,
        "currency": "USD",
        "target_reference": TARGETS[kind],
        "idempotency_key": "the-key",
    }
    return Instruction(**defaults | fields)


def send(bank: FicmartBank, kind: OperationKind = OperationKind.AUTHORIZE, **fields: Any) -> Reply:
    """One attempt that may be sent."""
    card = CARD if kind is OperationKind.AUTHORIZE else None
    return bank.send(instruction(kind, **fields), card=card, may_send=lambda: True)


class CannedLine:
    """A bank's line without a socket: it holds one reply, and keeps what was sent.

    A body that is not bytes is sent as JSON. Headers are lines, as `Retry-After: 7`.
    """

    def __init__(self, status: int, body: Any, headers: Iterable[str] = ()) -> None:
        pairs = [(name, value) for name, _, value in (line.partition(":") for line in headers)]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._answered = HttpReply(status, HTTPHeaderDict(pairs), content)
        self.path = ""
        self.body: Any = None
        self.headers: Mapping[str, str] = {}

    def post(
        self,
        path: str,
        body: bytes,
        *,
        may_send: Callable[[], bool],
        read: Callable[[HttpReply], Reply],
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        self.path, self.body, self.headers = path, json.loads(body), headers or {}
        assert may_send()
        return read(self._answered)


def post(url: str, timing: Timing, body: bytes) -> Reply:
    """Send a body of any size; what is answered is read as its status."""
    line = Line(url, timing)
    return line.post("/", body, may_send=lambda: True, read=lambda answer: NotDone(answer.status, "read"))
