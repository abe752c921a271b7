"""What the gateway is asked when it dies, at which points it does, and what is left of it then.

Pure: the dying gateway imports it, too.
"""

from dataclasses import dataclass, replace
from typing import Literal

CAREFUL = "careful outcome uncommitted"
# What the statement of an intent and that of an outcome say near their beginning: what has been done, and is
# not committed, when the gateway stands still.
LAST_STATEMENTS = {
    "intent uncommitted": "claimed AS ( INSERT INTO payments_idempotencykey",
    "outcome uncommitted": "operation AS MATERIALIZED ( SELECT o.id FROM payments_operation",
    # After a second attempt: in the middle of a transaction of several statements.
    CAREFUL: 'UPDATE "payments_operation" SET "state"',
}


def announcement(point: str) -> str:
    """What the gateway's log says when it stands still there."""
    return f"stands still: {point}"


@dataclass(frozen=True)
class Instruction:
    """What the order service asks for when the gateway dies."""

    kind: str
    endpoint: Literal["authorizations", "captures", "voids", "refunds"]
    entry: str  # what it adds to the bank's ledger
    states: tuple[str | None, str]  # the payment's, before and after
    events: tuple[str, str]  # of its intent and of its outcome
    status: int = 200  # the final response's

    def __str__(self) -> str:
        return self.kind


INSTRUCTIONS = [
    Instruction(
        "authorize",
        "authorizations",
        "AUTH_HOLD",
        (None, "AUTHORIZED"),
        ("payment.created", "payment.authorized"),
        201,
    ),
    Instruction(
        "capture",
        "captures",
        "CAPTURE",
        ("AUTHORIZED", "CAPTURED"),
        ("capture.requested", "payment.captured"),
    ),
    Instruction("void", "voids", "VOID", ("AUTHORIZED", "VOIDED"), ("void.requested", "payment.voided")),
    Instruction(
        "refund", "refunds", "REFUND", ("CAPTURED", "REFUNDED"), ("refund.requested", "payment.refunded")
    ),
]


@dataclass(frozen=True)
class Remains:
    """What a dead gateway leaves of one operation, in our books and at the bank."""

    operation: str | None = None  # its state
    attempts: tuple[str, ...] = ()  # their results; "" is one without an end
    claims: tuple[bool, ...] = ()  # of the idempotency key: whether the final response is stored with it
    is_done: bool = False  # whether the payment has the state it was to get
    events: int = 0  # of the two
    calls: tuple[str | None, ...] = ()  # how the bank's work on each ended; None while it works
    entries: int = 0  # in the bank's ledger


_IN_DOUBT = Remains("OPEN", attempts=("",), claims=(False,), events=1)
_ANSWERED = replace(_IN_DOUBT, calls=("answered",), entries=1)
# In the order of a request's life.
REMAINS = {
    "intent uncommitted": Remains(),
    "unsent": _IN_DOUBT,
    "at the bank, which goes on": replace(_IN_DOUBT, calls=(None,)),
    "at the bank, which stops": replace(_IN_DOUBT, calls=("caller hung up",)),
    "unrecorded": _ANSWERED,
    "outcome uncommitted": _ANSWERED,
    "unanswered": Remains("SUCCEEDED", ("answered",), (True,), True, 2, ("answered",), 1),
}
# Where the bank is in its work then, and whether it does not learn that nobody waits any more.
AT_THE_BANK: dict[str, tuple[Literal["execution", "storing"], bool]] = {
    "at the bank, which goes on": ("execution", True),
    "at the bank, which stops": ("execution", False),
    "at the bank, which forgets its answer": ("storing", False),  # the entry is committed
}
IN_DOUBT = [point for point, remains in REMAINS.items() if remains.operation == "OPEN"]
NOT_EXECUTED = ["unsent", "at the bank, which stops"]
# One for each state that books and bank can be in together: the others leave the same as one of these.
DIFFERENT_DOUBTS = ["unsent", "at the bank, which goes on", "outcome uncommitted"]
