"""What a bank may say to one attempt, in our words. Adapters read theirs into these, and nobody else does.

Every reply has its word (`said`), which is stored on the attempt beside the bank's own status and code. The
distinction that matters is between "nothing was sent" (`NotSent`), "something may have been sent and
nothing readable came back" (`Silence`), and an answer. A bank's no to an instruction is a bank error, an
issuer's no to a card is a decline; a refusal is always our own.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class Said(StrEnum):
    """What a bank has said to one attempt: one word, the same for every bank."""

    APPROVED = "approved"  # executed: amount, currency and reference as sent
    # The issuer's no to the card.
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CARD_EXPIRED = "card_expired"
    INVALID_CARD = "invalid_card"  # also a probe's answer where nothing is stored under its key
    INVALID_CVV = "invalid_cvv"
    DECLINED = "declined"  # without a reason
    # The bank's no to the instruction.
    AUTHORIZATION_EXPIRED = "authorization_expired"  # and neither captured nor voided
    ALREADY_USED = "already_used"  # captured or voided, the bank does not say which
    ALREADY_CAPTURED = "already_captured"
    ALREADY_VOIDED = "already_voided"
    ALREADY_REFUNDED = "already_refunded"
    BANK_ERROR = "bank_error"  # any other
    # No answer to the instruction.
    NOT_DONE = "not_done"  # the bank's proof that this request did nothing: it may be asked again
    SILENCE = "silence"  # nothing that could be read, or nothing that proves anything
    NOT_SENT = "not_sent"  # no byte left this machine
    MISMATCH = "mismatch"  # an approval of something else than what was sent


ISSUERS = frozenset(
    {Said.INSUFFICIENT_FUNDS, Said.CARD_EXPIRED, Said.INVALID_CARD, Said.INVALID_CVV, Said.DECLINED}
)
ALREADY_DONE = frozenset(
    {Said.ALREADY_USED, Said.ALREADY_CAPTURED, Said.ALREADY_VOIDED, Said.ALREADY_REFUNDED}
)
# A no after the bank, or the issuer, has looked at what was sent: it tells of the attempt.
NOES = frozenset({*ISSUERS, *ALREADY_DONE, Said.AUTHORIZATION_EXPIRED, Said.BANK_ERROR})


@dataclass(frozen=True)
class NotSent:
    """Proof that the bank has not been asked: no byte left this machine."""

    reason: str
    said: ClassVar[Said] = Said.NOT_SENT


@dataclass(frozen=True)
class Silence:
    """The bank may have executed the instruction, and no readable answer says so.

    Timeouts, resets, unreadable bodies, statuses that the contract does not know, and errors that prove
    nothing of what was done.
    """

    reason: str
    status: int | None = None  # HTTP status, where one was read
    retry_after: float | None = None  # seconds, where the bank asks for patience
    is_over: bool = True  # False where we gave up waiting: the bank may be working on it still
    said: ClassVar[Said] = Said.SILENCE


@dataclass(frozen=True)
class NotDone:
    """The bank's proof that this request did nothing. It may be asked again."""

    status: int
    code: str = ""  # the bank's own
    retry_after: float | None = None  # seconds, where the bank asks for patience
    said: ClassVar[Said] = Said.NOT_DONE


@dataclass(frozen=True)
class Approval:
    """The bank executed the instruction: amount, currency and reference are those that were sent."""

    status: int
    reference: str  # the bank's id of what it made
    replayed: bool  # the bank's stored answer to an earlier attempt with this key
    expires_at: datetime | None = None  # of a hold, UTC
    said: ClassVar[Said] = Said.APPROVED


@dataclass(frozen=True)
class Decline:
    """The issuer's no to the card. `said` is one of ISSUERS, `code` the bank's own word, where it has one."""

    said: Said
    status: int
    code: str = ""


@dataclass(frozen=True)
class BankError:
    """The bank's no to the instruction. `said` is one of NOES that is not the issuer's."""

    said: Said
    status: int
    code: str = ""


@dataclass(frozen=True)
class Mismatch:
    """A readable approval of something else than what was asked: it contradicts our books."""

    status: int
    detail: str
    said: ClassVar[Said] = Said.MISMATCH


Reply = NotSent | Silence | NotDone | Approval | Decline | BankError | Mismatch


@dataclass(frozen=True)
class Found:
    """What the bank knows of an object that was looked up by its own id."""

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


def is_silent(reply: Reply) -> bool:
    """Whether the attempt may have made a hold of which no answer tells.

    After an approval of something else, too: an approval of ours that follows it is perhaps the second.
    """
    return isinstance(reply, Silence | Mismatch)


def describe(reply: Reply) -> str:
    """A reply in a few words, for events, logs and people. Holds nothing the bank wrote freely."""
    match reply:
        case NotSent(reason=reason) | Silence(reason=reason):
            return reason
        case Approval(status=status, replayed=replayed):
            return f"{status} replayed" if replayed else f"{status}"
        case Decline() | BankError() | NotDone():
            return f"{reply.status} {reply.code or reply.said}"
        case Mismatch(status=status, detail=detail):
            return f"{status} {detail}"


def evidence_of(reply: Reply) -> dict[str, str | int | bool]:
    """What the bank said, as far as it may be kept: our word, its status, code, reference, not its prose."""
    evidence: dict[str, str | int | bool] = {"said": reply.said.value, "reply": describe(reply)[:200]}
    if not isinstance(reply, NotSent) and reply.status is not None:
        evidence["status"] = reply.status
    if isinstance(reply, Approval):
        evidence |= {"reference": reply.reference, "replayed": reply.replayed}
    return evidence
