"""What a bank may say to one attempt, in our words. Adapters translate theirs into these.

The distinction that matters is between "nothing was sent" (`NotSent`), "something may have been sent and
nothing readable came back" (`Silence`), and an answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never


@dataclass(frozen=True)
class NotSent:
    """Proof that the bank has not been asked: no byte left this machine."""

    reason: str


@dataclass(frozen=True)
class Silence:
    """The bank may have executed the instruction, and no readable answer says so.

    Timeouts, resets, unreadable bodies, and 2xx, 3xx and 5xx that the contract does not know.
    """

    reason: str
    status: int | None = None  # HTTP status, where one was read
    retry_after: float | None = None  # seconds, where the bank asks for patience
    is_over: bool = True  # False where we gave up waiting: the bank may be working on it still


@dataclass(frozen=True)
class Approval:
    """The bank executed the instruction: amount, currency and reference are those that were sent."""

    status: int
    reference: str  # the bank's id of what it made
    replayed: bool  # the bank's stored answer to an earlier attempt with this key
    expires_at: datetime | None = None  # of a hold, UTC


@dataclass(frozen=True)
class Refusal:
    """The bank answered with an error it names."""

    status: int
    code: str
    retry_after: float | None = None  # seconds, where the bank asks for patience


@dataclass(frozen=True)
class Mismatch:
    """A readable approval of something else than what was asked: it contradicts our books."""

    status: int
    detail: str


Reply = NotSent | Silence | Approval | Refusal | Mismatch


@dataclass(frozen=True)
class Found:
    """What the bank knows of an object that was looked up by its own id. `amount_minor` in cents."""

    reference: str
    amount_minor: int
    currency: str
    target_reference: str  # the authorization of a capture, the capture of a refund, empty for a hold
    made_at: datetime  # UTC


@dataclass(frozen=True)
class NotThere:
    """A bank in good health knows no object of that id."""


@dataclass(frozen=True)
class Unclear:
    """The bank could not be asked, or its answer could not be read: that says nothing of the object."""

    reason: str


LookUp = Found | NotThere | Unclear


def call_is_over(reply: Reply) -> bool:
    """Whether the bank has certainly stopped working on the attempt: not where we gave up waiting."""
    return not isinstance(reply, Silence) or reply.is_over


def is_refusing(status: int) -> bool:
    """Whether a status is a bank's no, given after it looked at what was sent, and not its own trouble."""
    return 400 <= status < 500 and status != 429


def is_silent(reply: Reply) -> bool:
    """Whether the attempt may have made a hold of which no answer tells.

    That is so without a readable answer, and after a 400 `internal_error`: the bank's database was down.
    After an approval of something else, too: an approval of ours that follows it is perhaps the second.
    """
    match reply:
        case Silence() | Mismatch():
            return True
        case Refusal(status=status, code=code):
            return status < 500 and code == "internal_error"
        case NotSent() | Approval():
            return False
        case _:
            assert_never(reply)


def describe(reply: Reply) -> str:
    """A reply in a few words, for events and logs. Holds nothing the bank wrote freely."""
    match reply:
        case NotSent(reason=reason) | Silence(reason=reason):
            return reason
        case Approval(status=status, replayed=replayed):
            return f"{status} replayed" if replayed else f"{status}"
        case Refusal(status=status, code=code):
            return f"{status} {code}".strip()
        case Mismatch(status=status, detail=detail):
            return f"{status} {detail}"
        case _:
            assert_never(reply)
