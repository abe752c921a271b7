"""Replies: what a bank sends back to one attempt, in our words. Only adapters translate into them.

Each reply has one word (`said`), stored on the attempt beside the bank's own status and code. The distinction
that matters: nothing was sent (`NotSent`), something may have been sent but nothing readable came back
(`Silence`), or the bank replied. The issuer's no to a card is a decline, the bank's no to an instruction is a
bank error; a refusal is always FicPay's own.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class Said(StrEnum):
    """A bank's reply to one attempt in one word, the same for every bank."""

    APPROVED = "approved"  # executed: amount, currency and reference as sent
    # Issuer declines.
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CARD_EXPIRED = "card_expired"
    INVALID_CARD = "invalid_card"  # also the reply to a probe when nothing is stored under its key
    INVALID_CVV = "invalid_cvv"
    DECLINED = "declined"  # without a reason
    # Bank errors.
    AUTHORIZATION_EXPIRED = "authorization_expired"  # and neither captured nor voided
    ALREADY_USED = "already_used"  # captured or voided, the bank does not say which
    ALREADY_CAPTURED = "already_captured"
    ALREADY_VOIDED = "already_voided"
    ALREADY_REFUNDED = "already_refunded"
    BANK_ERROR = "bank_error"  # any other
    # Neither executed nor declined, as far as the reply says.
    NOT_DONE = "not_done"  # the bank's proof that this request did nothing: it may be sent again
    SILENCE = "silence"  # nothing readable, or nothing that proves anything
    NOT_SENT = "not_sent"  # no byte left this machine
    MISMATCH = "mismatch"  # an approval of something other than what was sent


ISSUERS = frozenset(
    {Said.INSUFFICIENT_FUNDS, Said.CARD_EXPIRED, Said.INVALID_CARD, Said.INVALID_CVV, Said.DECLINED}
)
ALREADY_DONE = frozenset(
    {Said.ALREADY_USED, Said.ALREADY_CAPTURED, Said.ALREADY_VOIDED, Said.ALREADY_REFUNDED}
)
# A decline or a bank error: the issuer or the bank has judged this very attempt.
DENIALS = frozenset({*ISSUERS, *ALREADY_DONE, Said.AUTHORIZATION_EXPIRED, Said.BANK_ERROR})


@dataclass(frozen=True)
class NotSent:
    """Proof that the bank was not asked: no byte left this machine."""

    reason: str
    said: ClassVar[Said] = Said.NOT_SENT


@dataclass(frozen=True)
class Silence:
    """The bank may have executed the instruction; there is no readable reply.

    Timeouts, resets, unreadable bodies, statuses outside the contract, and errors that prove nothing.
    """

    reason: str
    status: int | None = None  # HTTP status, where one was read
    retry_after: float | None = None  # seconds, where the bank asks for patience
    is_over: bool = True  # False where we gave up waiting: the bank may still work on it
    said: ClassVar[Said] = Said.SILENCE


@dataclass(frozen=True)
class NotDone:
    """The bank's proof that this request did nothing. It may be sent again."""

    status: int
    code: str = ""  # the bank's own
    retry_after: float | None = None  # seconds, where the bank asks for patience
    said: ClassVar[Said] = Said.NOT_DONE


@dataclass(frozen=True)
class Approval:
    """The bank executed the instruction: amount, currency and reference are those that were sent."""

    status: int
    reference: str  # the bank's id of what it made
    replayed: bool  # the bank's stored reply to an earlier attempt with this key
    expires_at: datetime | None = None  # of a hold, UTC
    said: ClassVar[Said] = Said.APPROVED


@dataclass(frozen=True)
class Decline:
    """The issuer declined the card. `said` is one of ISSUERS, `code` the bank's own code, if any."""

    said: Said
    status: int
    code: str = ""


@dataclass(frozen=True)
class BankError:
    """The bank's no to the instruction. `said` is one of DENIALS but not of ISSUERS."""

    said: Said
    status: int
    code: str = ""


@dataclass(frozen=True)
class Mismatch:
    """A readable approval of something other than what was sent. It contradicts our books."""

    status: int
    detail: str
    said: ClassVar[Said] = Said.MISMATCH


Reply = NotSent | Silence | NotDone | Approval | Decline | BankError | Mismatch


@dataclass(frozen=True)
class Found:
    """An object that was looked up by the bank's id."""

    reference: str
    amount_minor: int
    currency: str
    target_reference: str  # a capture's authorization, a refund's capture; empty for a hold
    made_at: datetime  # UTC


@dataclass(frozen=True)
class NotThere:
    """A healthy bank knows no object of that id."""


@dataclass(frozen=True)
class Unclear:
    """The bank could not be asked or its response not be read, which says nothing about the object."""

    reason: str


LookUp = Found | NotThere | Unclear


def call_is_over(reply: Reply) -> bool:
    """Whether the bank has certainly stopped working on the attempt: False where we gave up waiting."""
    return not isinstance(reply, Silence) or reply.is_over


def is_silent(reply: Reply) -> bool:
    """Whether the attempt may have made a hold that no reply names.

    A mismatch may, too: the next approval is then perhaps a second hold.
    """
    return isinstance(reply, Silence | Mismatch)


def describe(reply: Reply) -> str:
    """A reply in a few words, for events, logs and staff. Contains no free text of the bank's."""
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
    """The parts of a reply that may be stored: our word, the bank's status, code and reference, no prose."""
    evidence: dict[str, str | int | bool] = {"said": reply.said.value, "reply": describe(reply)[:200]}
    if not isinstance(reply, NotSent) and reply.status is not None:
        evidence["status"] = reply.status
    if isinstance(reply, Approval):
        evidence |= {"reference": reply.reference, "replayed": reply.replayed}
    return evidence
