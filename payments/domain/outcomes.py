"""From the bank's replies to an operation's outcome.

`MEANINGS` is the table: a row for what the bank may say, a column for what it was asked. An outcome that
finishes an operation needs evidence; without it the operation stays in doubt, however long that takes.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import assert_never

from payments.domain.replies import Approval, Mismatch, NotSent, Refusal, Reply, Silence
from payments.domain.states import OperationKind


class Answer(Enum):
    """The rows: kinds of replies that mean the same."""

    APPROVED = auto()
    APPROVED_ANEW_AFTER_SILENCE = auto()  # 200 without the replay header, after a silent attempt
    DECLINED_BY_ISSUER = auto()
    INVALID_CARD = auto()  # also what a database that fails midway makes the bank say
    TROUBLE = auto()  # 5xx, 429, 400 `internal_error`, timeouts, resets, what cannot be read
    NOTHING_SENT = auto()
    AUTHORIZATION_EXPIRED = auto()
    ANYTHING_ELSE = auto()


class Meaning(Enum):
    """The cells: what a reply says about the operation."""

    SUCCEEDED = auto()
    SUCCEEDED_AWAITING_STATEMENT = auto()  # an earlier attempt may have made a second hold
    DECLINED = auto()
    DECLINED_IF_HEALTHY = auto()  # a decline only from a bank whose health is good right after
    REJECTED = auto()
    IN_DOUBT = auto()  # ask again with the same key
    NOT_SENT = auto()  # ask again; NOT_EXECUTED if no attempt is in doubt
    CONTRADICTION = auto()  # the bank disagrees with our books: not asked again at once


_OK, _OK_WAIT = Meaning.SUCCEEDED, Meaning.SUCCEEDED_AWAITING_STATEMENT
_NO, _NO_IF_WELL, _REJECTED = Meaning.DECLINED, Meaning.DECLINED_IF_HEALTHY, Meaning.REJECTED
_DOUBT, _UNSENT, _CONTRA = Meaning.IN_DOUBT, Meaning.NOT_SENT, Meaning.CONTRADICTION
_COLUMNS = (OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND)
_ROWS = {
    #                                    authorize    capture    void     refund
    Answer.APPROVED:                    (_OK,         _OK,       _OK,     _OK),
    Answer.APPROVED_ANEW_AFTER_SILENCE: (_OK_WAIT,    _OK,       _OK,     _OK),
    Answer.DECLINED_BY_ISSUER:          (_NO,         _CONTRA,   _CONTRA, _CONTRA),
    Answer.INVALID_CARD:                (_NO_IF_WELL, _CONTRA,   _CONTRA, _CONTRA),
    Answer.TROUBLE:                     (_DOUBT,      _DOUBT,    _DOUBT,  _DOUBT),
    Answer.NOTHING_SENT:                (_UNSENT,     _UNSENT,   _UNSENT, _UNSENT),
    Answer.AUTHORIZATION_EXPIRED:       (_CONTRA,     _REJECTED, _CONTRA, _CONTRA),
    Answer.ANYTHING_ELSE:               (_CONTRA,     _CONTRA,   _CONTRA, _CONTRA),
}  # fmt: skip
MEANINGS: dict[tuple[Answer, OperationKind], Meaning] = {
    (answer, kind): meaning
    for answer, row in _ROWS.items()
    for kind, meaning in zip(_COLUMNS, row, strict=True)
}
# A release is a void at the bank.
MEANINGS |= {(answer, OperationKind.RELEASE): MEANINGS[answer, OperationKind.VOID] for answer in Answer}
# Nobody waits for a release: where nothing could be sent it stays open until the hold is freed.
MEANINGS[Answer.NOTHING_SENT, OperationKind.RELEASE] = Meaning.IN_DOUBT

# The issuer's no, and what the cardholder's side may be told of it.
DECLINES = {
    "insufficient_funds": "The card has insufficient funds.",
    "card_expired": "The card has expired.",
    "invalid_card": "The issuer does not know this card.",
    "invalid_cvv": "The card's security code (CVV) is wrong.",
}
# The statuses with which a bank says no of its own judgement. The same word under another one (401, 403,
# 404...) is somebody else's, and finishes nothing.
_REFUSING = (400, 402)


@dataclass(frozen=True)
class Succeeded:
    """Executed by the bank. `reference` is the bank's id of what it made, `expires_at` (UTC) a hold's end."""

    reference: str
    awaiting_statement: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Declined:
    """The issuer said no; `code` is one of DECLINES."""

    code: str
    awaiting_statement: bool = False


@dataclass(frozen=True)
class Rejected:
    """The bank refused for a reason of its books that ends the payment's road."""

    code: str


@dataclass(frozen=True)
class NotExecuted:
    """Proven not to have been executed, so it may be instructed anew."""

    reason: str


@dataclass(frozen=True)
class InDoubt:
    """No outcome known: the operation stays OPEN. `retry` says whether asking again at once may help."""

    reason: str
    retry: bool
    retry_after: float | None = None  # seconds, where the bank asks for patience


Final = Succeeded | Declined | Rejected | NotExecuted
Outcome = Final | InDoubt


@dataclass(frozen=True)
class History:
    """What earlier attempts of the same operation left behind."""

    any_in_doubt: bool = False
    any_silent: bool = False

    def after(self, reply: Reply, outcome: Outcome) -> "History":
        """The history that the next attempt has, this one included."""
        return History(
            any_in_doubt=self.any_in_doubt or leaves_doubt(reply, outcome),
            any_silent=self.any_silent or is_silent(reply),
        )


def leaves_doubt(reply: Reply, outcome: Outcome) -> bool:
    """Whether the attempt that ended so may have been executed."""
    return isinstance(outcome, InDoubt) and not isinstance(reply, NotSent)


def call_is_over(reply: Reply) -> bool:
    """Whether the bank has certainly stopped working on the attempt: not where we gave up waiting."""
    return not isinstance(reply, Silence) or reply.is_over


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


def answer_of(reply: Reply, history: History) -> Answer:
    """The table's row for a reply."""
    match reply:
        case NotSent():
            return Answer.NOTHING_SENT
        case Silence():
            return Answer.TROUBLE
        case Approval(replayed=replayed):
            anew = history.any_silent and not replayed
            return Answer.APPROVED_ANEW_AFTER_SILENCE if anew else Answer.APPROVED
        case Refusal():
            return _answer_of_refusal(reply)
        case Mismatch():
            return Answer.ANYTHING_ELSE
        case _:
            assert_never(reply)


def _answer_of_refusal(refusal: Refusal) -> Answer:
    if refusal.status >= 500 or refusal.status == 429 or refusal.code == "internal_error":
        return Answer.TROUBLE
    if refusal.status not in _REFUSING:
        return Answer.ANYTHING_ELSE
    if refusal.code == "invalid_card":
        return Answer.INVALID_CARD
    if refusal.code in DECLINES:
        return Answer.DECLINED_BY_ISSUER
    if refusal.code == "authorization_expired":
        return Answer.AUTHORIZATION_EXPIRED
    return Answer.ANYTHING_ELSE


def outcome_of(kind: OperationKind, reply: Reply, history: History, *, bank_healthy: bool | None) -> Outcome:
    """What a reply to an operation of this kind means, given what its earlier attempts left behind.

    `bank_healthy` is the bank's health right after the reply; None where nobody needs to ask
    (`health_decides` says when somebody does).
    """
    meaning = MEANINGS[answer_of(reply, history), kind]
    match meaning:
        case Meaning.SUCCEEDED | Meaning.SUCCEEDED_AWAITING_STATEMENT:
            assert isinstance(reply, Approval)  # noqa: S101 - the rows of approvals are the only ones that say so
            awaiting = meaning is Meaning.SUCCEEDED_AWAITING_STATEMENT
            return Succeeded(reply.reference, awaiting, reply.expires_at)
        case Meaning.DECLINED:
            return Declined(_code(reply), awaiting_statement=history.any_silent)
        case Meaning.DECLINED_IF_HEALTHY:
            if bank_healthy:
                return Declined(_code(reply), awaiting_statement=history.any_silent)
            return InDoubt("invalid_card from a bank in ill health", retry=True)
        case Meaning.REJECTED:
            return Rejected(_code(reply))
        case Meaning.IN_DOUBT:
            # Beside a call that may still be alive there must not be a second one.
            return InDoubt(describe(reply), retry=call_is_over(reply), retry_after=_retry_after(reply))
        case Meaning.NOT_SENT:
            if history.any_in_doubt:
                return InDoubt("an earlier attempt is in doubt", retry=True)
            return NotExecuted(describe(reply))
        case Meaning.CONTRADICTION:
            return InDoubt(f"contradiction: {describe(reply)}", retry=False)
        case _:
            assert_never(meaning)


def health_decides(kind: OperationKind, reply: Reply) -> bool:
    """Whether the bank's health right after the reply is needed to judge it."""
    return MEANINGS[answer_of(reply, History()), kind] is Meaning.DECLINED_IF_HEALTHY


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


def _retry_after(reply: Reply) -> float | None:
    return reply.retry_after if isinstance(reply, Silence | Refusal) else None


def _code(reply: Reply) -> str:
    return reply.code if isinstance(reply, Refusal) else ""
