"""The table of outcomes: a row per kind of reply, a column per kind of operation, a meaning in each cell.

`outcomes` turns meanings into outcomes.
"""

from enum import Enum, auto

from payments.domain.replies import ALREADY_DONE, ISSUERS, Approval, Reply, Said
from payments.domain.states import OperationKind


class ReplyKind(Enum):
    """The rows: replies of one kind have the same meaning."""

    APPROVED = auto()
    APPROVED_ANEW_AFTER_SILENCE = auto()  # not a stored reply, after a silent attempt
    REPLAYED_AFTER_SILENCES = auto()  # a stored reply is that of one silent attempt, not of the others
    DECLINED_BY_ISSUER = auto()
    INVALID_CARD = auto()  # the bank also says it when its database fails midway
    TROUBLE = auto()  # nothing readable, or the bank's proof that this request did nothing
    NOTHING_SENT = auto()
    AUTHORIZATION_EXPIRED = auto()
    ALREADY_USED_AFTER_SILENCE = auto()  # captured or voided; the bank does not say which
    ALREADY_CAPTURED_AFTER_SILENCE = auto()
    ALREADY_VOIDED_AFTER_SILENCE = auto()
    ALREADY_REFUNDED_AFTER_SILENCE = auto()
    ANYTHING_ELSE = auto()


class Meaning(Enum):
    """The cells: what a reply says about the operation."""

    SUCCEEDED = auto()
    SUCCEEDED_AWAITING_STATEMENT = auto()  # an earlier attempt may have made a second hold
    DECLINED = auto()
    DECLINED_IF_HEALTHY = auto()  # a decline only if the bank is healthy right after
    REJECTED = auto()
    IN_DOUBT = auto()  # ask again with the same key
    NOT_SENT = auto()  # ask again; NOT_EXECUTED if no attempt is in doubt
    DEDUCED = auto()  # an earlier attempt of ours did it, if nothing else can have; the id is unknown
    CAPTURED_ID_UNKNOWN = auto()  # likewise, but without the capture's id no refund is possible
    CONTRADICTION = auto()  # the bank disagrees with our books; counts when a healthy bank repeats it
    NEGATIVE_PROBE = auto()  # from a healthy bank: nothing is stored under the key


_OK, _OK_WAIT = Meaning.SUCCEEDED, Meaning.SUCCEEDED_AWAITING_STATEMENT
_NO, _NO_IF_WELL, _REJECTED = Meaning.DECLINED, Meaning.DECLINED_IF_HEALTHY, Meaning.REJECTED
_DOUBT, _UNSENT, _CONTRA = Meaning.IN_DOUBT, Meaning.NOT_SENT, Meaning.CONTRADICTION
_DONE, _TAKEN = Meaning.DEDUCED, Meaning.CAPTURED_ID_UNKNOWN
_COLUMNS = (OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND)
_ROWS = {
    #                                          authorize    capture    void     refund
    ReplyKind.APPROVED:                       (_OK,         _OK,       _OK,     _OK),
    ReplyKind.APPROVED_ANEW_AFTER_SILENCE:    (_OK_WAIT,    _OK,       _OK,     _OK),
    ReplyKind.REPLAYED_AFTER_SILENCES:        (_OK_WAIT,    _OK,       _OK,     _OK),
    ReplyKind.DECLINED_BY_ISSUER:             (_NO,         _CONTRA,   _CONTRA, _CONTRA),
    ReplyKind.INVALID_CARD:                   (_NO_IF_WELL, _CONTRA,   _CONTRA, _CONTRA),
    ReplyKind.TROUBLE:                        (_DOUBT,      _DOUBT,    _DOUBT,  _DOUBT),
    ReplyKind.NOTHING_SENT:                   (_UNSENT,     _UNSENT,   _UNSENT, _UNSENT),
    ReplyKind.AUTHORIZATION_EXPIRED:          (_CONTRA,     _REJECTED, _CONTRA, _CONTRA),
    ReplyKind.ALREADY_USED_AFTER_SILENCE:     (_CONTRA,     _TAKEN,    _DONE,   _CONTRA),
    ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE: (_CONTRA,     _TAKEN,    _CONTRA, _CONTRA),
    ReplyKind.ALREADY_VOIDED_AFTER_SILENCE:   (_CONTRA,     _CONTRA,   _DONE,   _CONTRA),
    ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE: (_CONTRA,     _CONTRA,   _CONTRA, _DONE),
    ReplyKind.ANYTHING_ELSE:                  (_CONTRA,     _CONTRA,   _CONTRA, _CONTRA),
}  # fmt: skip
MEANINGS: dict[tuple[ReplyKind, OperationKind], Meaning] = {
    (reply_kind, kind): meaning
    for reply_kind, row in _ROWS.items()
    for kind, meaning in zip(_COLUMNS, row, strict=True)
}
# A release is a void at the bank.
MEANINGS |= {
    (reply_kind, OperationKind.RELEASE): MEANINGS[reply_kind, OperationKind.VOID] for reply_kind in ReplyKind
}
# No client waits for a release: it stays open until the hold is freed.
MEANINGS[ReplyKind.NOTHING_SENT, OperationKind.RELEASE] = Meaning.IN_DOUBT

# A probe sends an authorize's key with a card that cannot exist. The bank sends its stored reply, or else
# declines the card. Every other reply leaves the doubt.
PROBE_MEANINGS = dict.fromkeys(ReplyKind, Meaning.IN_DOUBT) | {
    ReplyKind.APPROVED: Meaning.SUCCEEDED,
    ReplyKind.REPLAYED_AFTER_SILENCES: Meaning.SUCCEEDED_AWAITING_STATEMENT,
    ReplyKind.INVALID_CARD: Meaning.NEGATIVE_PROBE,
    # A hold on a card that does not exist is impossible.
    ReplyKind.APPROVED_ANEW_AFTER_SILENCE: Meaning.CONTRADICTION,
    # An earlier attempt is in doubt, or there would be no probe.
    ReplyKind.NOTHING_SENT: Meaning.NOT_SENT,
}

# Declines about the card itself. Any other may be due to money that an earlier attempt of ours holds.
ABOUT_THE_CARD = (Said.CARD_EXPIRED, Said.INVALID_CARD, Said.INVALID_CVV)
# Issuer declines by code, with the text that a client may show the cardholder.
DECLINES: dict[str, str] = {
    "insufficient_funds": "The card has insufficient funds.",
    "card_expired": "The card has expired.",
    "invalid_card": "The issuer does not know this card.",
    "invalid_cvv": "The card's security code (CVV) is wrong.",
    "declined": "The issuer has declined the card.",
}
# The row of a word on its own; the operation's history selects the other rows.
ROW_OF_WORD = {
    Said.APPROVED: ReplyKind.APPROVED,
    **dict.fromkeys(ISSUERS, ReplyKind.DECLINED_BY_ISSUER),
    Said.INVALID_CARD: ReplyKind.INVALID_CARD,
    Said.AUTHORIZATION_EXPIRED: ReplyKind.AUTHORIZATION_EXPIRED,
    Said.ALREADY_USED: ReplyKind.ALREADY_USED_AFTER_SILENCE,
    Said.ALREADY_CAPTURED: ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE,
    Said.ALREADY_VOIDED: ReplyKind.ALREADY_VOIDED_AFTER_SILENCE,
    Said.ALREADY_REFUNDED: ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE,
    Said.BANK_ERROR: ReplyKind.ANYTHING_ELSE,
    Said.MISMATCH: ReplyKind.ANYTHING_ELSE,
    Said.NOT_DONE: ReplyKind.TROUBLE,
    Said.SILENCE: ReplyKind.TROUBLE,
    Said.NOT_SENT: ReplyKind.NOTHING_SENT,
}


def kind_of_reply(reply: Reply, *, silent: int = 0, may_be_ours: bool = False) -> ReplyKind:
    """The table's row for a reply. `silent` is the number of earlier silent attempts.

    `may_be_ours`: one of them may have done what the bank calls done already.
    """
    if isinstance(reply, Approval):
        if reply.replayed:
            return ReplyKind.REPLAYED_AFTER_SILENCES if silent > 1 else ReplyKind.APPROVED
        return ReplyKind.APPROVED_ANEW_AFTER_SILENCE if silent else ReplyKind.APPROVED
    if reply.said in ALREADY_DONE and not may_be_ours:
        return ReplyKind.ANYTHING_ELSE
    return ROW_OF_WORD[reply.said]


def meaning_of_word(kind: OperationKind, said: Said) -> Meaning:
    """What a word means for an operation that an earlier attempt may have executed."""
    return MEANINGS[ROW_OF_WORD[said], kind]


def says_already(said: str) -> bool:
    """Whether the bank says that this, or something that rules it out, was done already."""
    return said in ALREADY_DONE


def says_done(kind: OperationKind, said: Said) -> bool:
    """Whether the bank says that it is done: now or earlier, for us or for others."""
    return said is Said.APPROVED or says_done_already(kind, said)


def says_done_already(kind: OperationKind, said: Said) -> bool:
    """Whether the bank says that it was done already, for us or for others."""
    return meaning_of_word(kind, said) in (Meaning.DEDUCED, Meaning.CAPTURED_ID_UNKNOWN)


def words_for_done(kind: OperationKind) -> list[Said]:
    """The words with which a bank says that this kind was done already."""
    return [said for said in Said if says_done_already(kind, said)]
