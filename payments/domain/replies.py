"""What a bank may say to one attempt, in our words. Adapters translate theirs into these.

The distinction that matters is between "nothing was sent" (`NotSent`), "something may have been sent and
nothing readable came back" (`Silence`), and an answer.
"""

from dataclasses import dataclass
from datetime import datetime


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
