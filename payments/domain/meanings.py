"""The table of outcomes: a row for what the bank may say, a column for what it was asked.

`outcomes` draws the conclusions from its cells.
"""

from enum import Enum, auto
from typing import assert_never

from payments.domain.replies import Approval, Mismatch, NotSent, Refusal, Reply, Silence, is_refusing
from payments.domain.states import OperationKind


class Answer(Enum):
    """The rows: kinds of replies that mean the same."""

    APPROVED = auto()
    APPROVED_ANEW_AFTER_SILENCE = auto()  # 200 without the replay header, after a silent attempt
    REPLAYED_AFTER_SILENCES = auto()  # one silent attempt made the stored answer, not the others
    DECLINED_BY_ISSUER = auto()
    INVALID_CARD = auto()  # also what a database that fails midway makes the bank say
    TROUBLE = auto()  # 5xx, 429, 400 `internal_error`, timeouts, resets, what cannot be read
    NOTHING_SENT = auto()
    AUTHORIZATION_EXPIRED = auto()
    ALREADY_USED_AFTER_SILENCE = auto()  # captured or voided, the bank does not say which
    ALREADY_CAPTURED_AFTER_SILENCE = auto()
    ALREADY_VOIDED_AFTER_SILENCE = auto()
    ALREADY_REFUNDED_AFTER_SILENCE = auto()
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
    DEDUCED = auto()  # our own earlier attempt did it, if nothing else can have; the id is unknown
    CAPTURED_ID_UNKNOWN = auto()  # likewise, but without the capture's id no refund is possible
    CONTRADICTION = auto()  # the bank disagrees with our books: counts when repeated in good health
    NEGATIVE_PROBE = auto()  # from a bank in good health: nothing is stored under the key


_OK, _OK_WAIT = Meaning.SUCCEEDED, Meaning.SUCCEEDED_AWAITING_STATEMENT
_NO, _NO_IF_WELL, _REJECTED = Meaning.DECLINED, Meaning.DECLINED_IF_HEALTHY, Meaning.REJECTED
_DOUBT, _UNSENT, _CONTRA = Meaning.IN_DOUBT, Meaning.NOT_SENT, Meaning.CONTRADICTION
_DONE, _TAKEN = Meaning.DEDUCED, Meaning.CAPTURED_ID_UNKNOWN
_COLUMNS = (OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND)
_ROWS = {
    #                                       authorize    capture    void     refund
    Answer.APPROVED:                       (_OK,         _OK,       _OK,     _OK),
    Answer.APPROVED_ANEW_AFTER_SILENCE:    (_OK_WAIT,    _OK,       _OK,     _OK),
    Answer.REPLAYED_AFTER_SILENCES:        (_OK_WAIT,    _OK,       _OK,     _OK),
    Answer.DECLINED_BY_ISSUER:             (_NO,         _CONTRA,   _CONTRA, _CONTRA),
    Answer.INVALID_CARD:                   (_NO_IF_WELL, _CONTRA,   _CONTRA, _CONTRA),
    Answer.TROUBLE:                        (_DOUBT,      _DOUBT,    _DOUBT,  _DOUBT),
    Answer.NOTHING_SENT:                   (_UNSENT,     _UNSENT,   _UNSENT, _UNSENT),
    Answer.AUTHORIZATION_EXPIRED:          (_CONTRA,     _REJECTED, _CONTRA, _CONTRA),
    Answer.ALREADY_USED_AFTER_SILENCE:     (_CONTRA,     _TAKEN,    _DONE,   _CONTRA),
    Answer.ALREADY_CAPTURED_AFTER_SILENCE: (_CONTRA,     _TAKEN,    _CONTRA, _CONTRA),
    Answer.ALREADY_VOIDED_AFTER_SILENCE:   (_CONTRA,     _CONTRA,   _DONE,   _CONTRA),
    Answer.ALREADY_REFUNDED_AFTER_SILENCE: (_CONTRA,     _CONTRA,   _CONTRA, _DONE),
    Answer.ANYTHING_ELSE:                  (_CONTRA,     _CONTRA,   _CONTRA, _CONTRA),
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

# An authorize is probed by the same key with a card that cannot exist: what the bank has stored comes
# back, or else it judges the card, which is certain to be none. Every other answer leaves the doubt.
PROBE_MEANINGS = dict.fromkeys(Answer, Meaning.IN_DOUBT) | {
    Answer.APPROVED: Meaning.SUCCEEDED,
    Answer.REPLAYED_AFTER_SILENCES: Meaning.SUCCEEDED_AWAITING_STATEMENT,
    Answer.INVALID_CARD: Meaning.NEGATIVE_PROBE,
    # Nobody holds money on a card that does not exist.
    Answer.APPROVED_ANEW_AFTER_SILENCE: Meaning.CONTRADICTION,
    # An earlier attempt is in doubt, or nobody would probe.
    Answer.NOTHING_SENT: Meaning.NOT_SENT,
}

# What the issuer says of the card itself. Any other no may be about the money that an earlier attempt holds.
ABOUT_THE_CARD = ("card_expired", "invalid_card", "invalid_cvv")
# The issuer's no, and what the cardholder's side may be told of it.
DECLINES = {
    "insufficient_funds": "The card has insufficient funds.",
    "card_expired": "The card has expired.",
    "invalid_card": "The issuer does not know this card.",
    "invalid_cvv": "The card's security code (CVV) is wrong.",
}
_ALREADY_DONE = {
    "authorization_already_used": Answer.ALREADY_USED_AFTER_SILENCE,
    "already_captured": Answer.ALREADY_CAPTURED_AFTER_SILENCE,
    "already_voided": Answer.ALREADY_VOIDED_AFTER_SILENCE,
    "already_refunded": Answer.ALREADY_REFUNDED_AFTER_SILENCE,
}
# The statuses with which a bank says no of its own judgement. The same word under another one (401, 403,
# 404...) is somebody else's, and finishes nothing.
_REFUSING = (400, 402)


def answer_of(reply: Reply, *, silent: int = 0, may_be_ours: bool = False) -> Answer:
    """The table's row for a reply, given how many earlier attempts were silent.

    `may_be_ours`: one of them may have done what the bank says was done already.
    """
    match reply:
        case NotSent():
            return Answer.NOTHING_SENT
        case Silence():
            return Answer.TROUBLE
        case Approval(replayed=replayed):
            if replayed:
                return Answer.REPLAYED_AFTER_SILENCES if silent > 1 else Answer.APPROVED
            return Answer.APPROVED_ANEW_AFTER_SILENCE if silent else Answer.APPROVED
        case Refusal():
            return _answer_of_refusal(reply, may_be_ours=may_be_ours)
        case Mismatch():
            return Answer.ANYTHING_ELSE
        case _:
            assert_never(reply)


def meaning_of_refusal(kind: OperationKind, refusal: Refusal) -> Meaning:
    """What a refusal says of an operation, where something sent before it may have done it."""
    return MEANINGS[_answer_of_refusal(refusal, may_be_ours=True), kind]


def says_already(reply: Reply) -> bool:
    """Whether the bank says that something was done already: what was asked, or what excludes it."""
    return isinstance(reply, Refusal) and reply.status in _REFUSING and reply.code in _ALREADY_DONE


def says_done(kind: OperationKind, reply: Reply) -> bool:
    """Whether the bank says that it has done it, now or earlier, by whomever it was asked."""
    if isinstance(reply, Refusal):
        return meaning_of_refusal(kind, reply) in (Meaning.DEDUCED, Meaning.CAPTURED_ID_UNKNOWN)
    return isinstance(reply, Approval)


def _answer_of_refusal(refusal: Refusal, *, may_be_ours: bool) -> Answer:
    if not is_refusing(refusal.status) or refusal.code == "internal_error":
        return Answer.TROUBLE
    if refusal.status not in _REFUSING:
        return Answer.ANYTHING_ELSE
    if refusal.code == "invalid_card":
        return Answer.INVALID_CARD
    if refusal.code in DECLINES:
        return Answer.DECLINED_BY_ISSUER
    if refusal.code == "authorization_expired":
        return Answer.AUTHORIZATION_EXPIRED
    if refusal.code in _ALREADY_DONE and may_be_ours:
        return _ALREADY_DONE[refusal.code]
    return Answer.ANYTHING_ELSE
