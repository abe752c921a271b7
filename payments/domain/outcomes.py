"""From the bank's replies to an operation's outcome.

Only evidence finishes an operation. Without it the operation stays in doubt, however long that takes.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from payments.domain.meanings import (
    ABOUT_THE_CARD,
    MEANINGS,
    PROBE_MEANINGS,
    Meaning,
    kind_of_reply,
    says_already,
)
from payments.domain.replies import (
    Approval,
    BankError,
    Decline,
    NotDone,
    NotSent,
    Reply,
    Said,
    Silence,
    call_is_over,
    describe,
    is_silent,
)
from payments.domain.states import OperationKind
from payments.domain.timing import CONTRADICTIONS_APART, NEGATIVE_PROBES_APART, SILENT_ATTEMPTS_WITH_CARD


class Verdict(StrEnum):
    """What an attempt counts as when a later one repeats it. The bank was healthy before and after it."""

    CONTRADICTION = "contradiction"
    NEGATIVE_PROBE = "negative_probe"


class ReviewReason(StrEnum):
    """Why FicPay cannot settle an operation by itself."""

    CAPTURE_ID_UNKNOWN = "capture_id_unknown"  # certainly captured
    NOT_DEDUCIBLE = "not_deducible"  # done already, perhaps by an earlier operation that got no reply
    CONTRADICTION = "contradiction"  # the bank has disagreed with our books twice
    TOO_OLD_TO_ASK = "too_old_to_ask"  # the bank may have forgotten the key: finding nothing proves nothing
    CANNOT_ASK = "cannot_ask"  # perhaps executed, at a bank without keys to ask by


@dataclass(frozen=True)
class Succeeded:
    """Executed by the bank. `reference` is the bank's id of what it made, `expires_at` (UTC) a hold's end.

    The reference is empty where the success is deduced. `strays_awaited` is the number of further holds that
    silent attempts may have made; the bank's statement must show each or rule it out.
    """

    reference: str
    strays_awaited: int = 0
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Declined:
    """The issuer declined the card. `code` is one of DECLINES."""

    code: str
    strays_awaited: int = 0


@dataclass(frozen=True)
class Rejected:
    """A bank error that ends the payment: its hold has expired."""

    code: str


@dataclass(frozen=True)
class NotExecuted:
    """Not executed, so it may be instructed again: nothing was sent, or the bank knows nothing of it.

    Awaits the statement in the second case: the bank may have lost its stored reply but made the hold.
    """

    reason: str
    strays_awaited: int = 0
    verdict: Verdict | None = None
    code: str = "bank_unavailable"  # for the operation's row
    hold_voided: bool = False  # staff or a statement found that the hold was voided instead of captured


@dataclass(frozen=True)
class InDoubt:
    """No outcome known: the operation stays OPEN. `retry`: whether another attempt at once may help."""

    reason: str
    retry: bool
    retry_after: float | None = None  # seconds to rest at least
    verdict: Verdict | None = None


@dataclass(frozen=True)
class NeedsReview:
    """FicPay cannot find out by itself: staff or a statement settle it."""

    reason: ReviewReason
    verdict: Verdict | None = None


Final = Succeeded | Declined | Rejected | NotExecuted
Outcome = Final | InDoubt | NeedsReview


@dataclass(frozen=True)
class History:
    """What is known from earlier attempts of the same operation."""

    any_in_doubt: bool = False
    silent: int = 0  # how many attempts: each may have made a hold of its own
    may_be_alive: bool = False  # the bank may be working on one of them still
    # The bank said "already" before any attempt was silent, or about something that rules this one out: then
    # it was not an attempt of ours that did it.
    done_by_others: bool = False
    contradicted: bool = False  # long enough ago for a repetition to count
    probed_negative: bool = False  # likewise, and nothing was sent since
    may_be_forgotten: bool = False  # so old that the absence of a stored reply proves nothing
    cannot_ask: bool = False  # a bank without keys: what it may have executed is never sent again

    def after(self, reply: Reply, outcome: Outcome) -> "History":
        """The next attempt's history, with this attempt added."""
        return replace(
            self,
            any_in_doubt=self.any_in_doubt or leaves_doubt(reply, outcome),
            silent=self.silent + is_silent(reply),
            may_be_alive=self.may_be_alive or not call_is_over(reply),
            done_by_others=self.done_by_others or (isinstance(outcome, InDoubt) and says_already(reply.said)),
        )

    @property
    def may_have_done_it(self) -> bool:
        """Whether an attempt of ours may have done what the bank says was done already.

        Only a silent one can: an error of the bank's own proves that it did nothing.
        """
        return self.silent > 0 and not self.done_by_others

    @property
    def may_send_card(self) -> bool:
        """Whether another attempt of an authorize may carry the card."""
        return self.silent < SILENT_ATTEMPTS_WITH_CARD


def leaves_doubt(reply: Reply, outcome: Outcome) -> bool:
    """Whether an attempt with this reply and outcome may have been executed."""
    return isinstance(outcome, InDoubt | NeedsReview) and not isinstance(reply, NotSent)


@dataclass(frozen=True)
class Checks:
    """What else is known about an attempt. None means that it was not checked, which proves nothing."""

    healthy_before: bool | None = None  # the bank's health right before the attempt
    healthy_after: bool | None = None
    earlier_answered: bool | None = None  # the bank replied to every earlier operation on the authorization

    @property
    def healthy_around(self) -> bool:
        return bool(self.healthy_before and self.healthy_after)


def meaning_of(kind: OperationKind, reply: Reply, history: History, *, probe: bool) -> Meaning:
    """The table's cell for a reply to an operation of this kind, or to a probe of it."""
    if probe:
        return PROBE_MEANINGS[kind_of_reply(reply, silent=max(1, history.silent), may_be_ours=True)]
    reply_kind = kind_of_reply(reply, silent=history.silent, may_be_ours=history.may_have_done_it)
    return MEANINGS[reply_kind, kind]


def outcome_of(
    kind: OperationKind, reply: Reply, history: History, around: Checks, *, probe: bool = False
) -> Outcome:
    """The outcome of an operation, from a reply and the history of its earlier attempts.

    `health_decides` and `earlier_ones_decide` say which facts of `around` the reply's meaning needs.
    """
    outcome = _outcome_of(kind, reply, history, around, probe=probe)
    if probe and history.may_be_forgotten and not isinstance(outcome, Succeeded):
        return NeedsReview(ReviewReason.TOO_OLD_TO_ASK)
    if history.cannot_ask and isinstance(outcome, InDoubt):
        return _outcome_of_doubt_without_keys(reply, history)
    return outcome


def _outcome_of_doubt_without_keys(reply: Reply, history: History) -> Outcome:
    """At a bank without keys nothing is sent after a doubt. Its decline, error or proof leaves no doubt."""
    if history.any_in_doubt or not isinstance(reply, NotDone | Decline | BankError):
        return NeedsReview(ReviewReason.CANNOT_ASK)
    return NotExecuted(describe(reply), code="not_taken_by_bank")


def _outcome_of(  # noqa: C901, PLR0912 - a case for each kind of cell
    kind: OperationKind, reply: Reply, history: History, around: Checks, *, probe: bool
) -> Outcome:
    meaning = meaning_of(kind, reply, history, probe=probe)
    match meaning:
        case Meaning.SUCCEEDED | Meaning.SUCCEEDED_AWAITING_STATEMENT:
            assert isinstance(reply, Approval)  # noqa: S101 - the rows of approvals are the only ones that say so
            is_awaiting = meaning is Meaning.SUCCEEDED_AWAITING_STATEMENT
            # A stored reply accounts for one of the silent attempts.
            strays = history.silent - reply.replayed if is_awaiting else 0
            return Succeeded(reply.reference, strays, reply.expires_at)
        case Meaning.DECLINED:
            return _outcome_of_decline(reply.said, history)
        case Meaning.DECLINED_IF_HEALTHY:
            if around.healthy_after:
                return _outcome_of_decline(reply.said, history)
            return InDoubt("invalid_card from an unhealthy bank", retry=True)
        case Meaning.REJECTED:
            return Rejected(reply.said.value)
        case Meaning.IN_DOUBT:
            # Never a second call while the first may still be alive.
            retry = call_is_over(reply) and _may_be_sent_again(kind, reply, history, probe=probe)
            return InDoubt(describe(reply), retry=retry, retry_after=_retry_after(reply))
        case Meaning.NOT_SENT:
            if history.any_in_doubt:
                return InDoubt("an earlier attempt is in doubt", retry=True)
            return NotExecuted(describe(reply))
        case Meaning.DEDUCED:
            return Succeeded("") if around.earlier_answered else NeedsReview(ReviewReason.NOT_DEDUCIBLE)
        case Meaning.CAPTURED_ID_UNKNOWN:
            known = ReviewReason.CAPTURE_ID_UNKNOWN if around.earlier_answered else ReviewReason.NOT_DEDUCIBLE
            return NeedsReview(known)
        case Meaning.CONTRADICTION:
            return _outcome_of_contradiction(reply, history, around)
        case Meaning.NEGATIVE_PROBE:
            return _outcome_of_negative_probe(history, around)
        case _:
            assert_never(meaning)


def _may_be_sent_again(kind: OperationKind, reply: Reply, history: History, *, probe: bool) -> bool:
    """Whether the limit of silent attempts with the card allows another one."""
    carries_card = kind is OperationKind.AUTHORIZE and not probe
    return not carries_card or replace(history, silent=history.silent + is_silent(reply)).may_send_card


def _outcome_of_decline(said: Said, history: History) -> Outcome:
    """Not final while a call of ours may be alive: that call's hold may be the reason for the decline."""
    if history.may_be_alive and said not in ABOUT_THE_CARD:
        return InDoubt(f"{said} while a call of ours may be alive", retry=False)
    return Declined(said.value, strays_awaited=history.silent)


def _outcome_of_contradiction(reply: Reply, history: History, around: Checks) -> Outcome:
    counts = Verdict.CONTRADICTION if around.healthy_around else None
    if counts and history.contradicted:
        return NeedsReview(ReviewReason.CONTRADICTION, counts)
    rest = CONTRADICTIONS_APART.total_seconds()
    return InDoubt(f"contradiction: {describe(reply)}", retry=False, retry_after=rest, verdict=counts)


def _outcome_of_negative_probe(history: History, around: Checks) -> Outcome:
    if not around.healthy_around:
        return InDoubt("probed an unhealthy bank", retry=False)
    if history.probed_negative:
        # An attempt that was sent may have made a hold without a stored reply.
        return NotExecuted(
            "two negative probes",
            strays_awaited=max(1, history.silent),
            verdict=Verdict.NEGATIVE_PROBE,
            code="not_found_at_bank",
        )
    rest = NEGATIVE_PROBES_APART.total_seconds()
    return InDoubt("negative probe", retry=False, retry_after=rest, verdict=Verdict.NEGATIVE_PROBE)


def health_decides(meaning: Meaning, around: Checks) -> bool:
    """Whether the bank's health right after the reply decides what it means."""
    counts = meaning in (Meaning.CONTRADICTION, Meaning.NEGATIVE_PROBE) and around.healthy_before
    return meaning is Meaning.DECLINED_IF_HEALTHY or bool(counts)


def earlier_ones_decide(meaning: Meaning) -> bool:
    """Whether the end of the earlier operations on the authorization decides what it means."""
    return meaning in (Meaning.DEDUCED, Meaning.CAPTURED_ID_UNKNOWN)


def _retry_after(reply: Reply) -> float | None:
    return reply.retry_after if isinstance(reply, Silence | NotDone) else None
