"""From the bank's replies to an operation's outcome.

An outcome that finishes an operation needs evidence; without it the operation stays in doubt, however
long that takes.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from payments.domain.meanings import MEANINGS, PROBE_MEANINGS, Meaning, answer_of
from payments.domain.replies import (
    Approval,
    NotSent,
    Refusal,
    Reply,
    Silence,
    call_is_over,
    describe,
    is_refusing,
    is_silent,
)
from payments.domain.states import OperationKind
from payments.domain.timing import CONTRADICTIONS_APART, NEGATIVE_PROBES_APART


class Verdict(StrEnum):
    """What an attempt counts as beside others of its operation, given by a bank in good health around it."""

    CONTRADICTION = "contradiction"
    NEGATIVE_PROBE = "negative_probe"


class ReviewReason(StrEnum):
    """Why the machine cannot settle an operation."""

    CAPTURE_ID_UNKNOWN = "capture_id_unknown"  # captured for certain
    NOT_DEDUCIBLE = "not_deducible"  # done already, perhaps by an earlier operation without an answer
    CONTRADICTION = "contradiction"  # the bank disagrees with our books, and has said so twice
    TOO_OLD_TO_ASK = "too_old_to_ask"  # the bank may have forgotten the key


@dataclass(frozen=True)
class Succeeded:
    """Executed by the bank. `reference` is the bank's id of what it made, `expires_at` (UTC) a hold's end.

    The reference is empty where the success is deduced.
    """

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
    """Not executed, so it may be instructed anew: nothing was sent, or the bank knows nothing of it.

    Awaits the statement in the second case: the bank may have lost its answer, but not the hold.
    """

    reason: str
    awaiting_statement: bool = False
    verdict: Verdict | None = None
    code: str = "bank_unavailable"  # for the operation's row


@dataclass(frozen=True)
class InDoubt:
    """No outcome known: the operation stays OPEN. `retry` says whether asking again at once may help."""

    reason: str
    retry: bool
    retry_after: float | None = None  # seconds to rest at least
    verdict: Verdict | None = None


@dataclass(frozen=True)
class NeedsReview:
    """The machine will not find out: people decide, or a statement."""

    reason: ReviewReason
    verdict: Verdict | None = None


Final = Succeeded | Declined | Rejected | NotExecuted
Outcome = Final | InDoubt | NeedsReview


@dataclass(frozen=True)
class History:
    """What earlier attempts of the same operation left behind."""

    any_in_doubt: bool = False
    any_silent: bool = False
    several_silent: bool = False
    # Before anything was in doubt. What the bank then says was done already was done by somebody else.
    contradicted_at_first: bool = False
    contradicted: bool = False  # long enough ago for a repetition to count
    probed_negative: bool = False  # likewise, and nothing was sent since

    def after(self, reply: Reply, outcome: Outcome) -> "History":
        """The history that the next attempt has, this one included."""
        return replace(
            self,
            any_in_doubt=self.any_in_doubt or leaves_doubt(reply, outcome),
            any_silent=self.any_silent or is_silent(reply),
            several_silent=self.several_silent or (self.any_silent and is_silent(reply)),
            contradicted_at_first=self.contradicted_at_first
            or (not self.any_in_doubt and leaves_doubt(reply, outcome) and _is_no(reply)),
        )

    @property
    def may_have_done_it(self) -> bool:
        """Whether it can be an attempt of ours that did what the bank says was done already."""
        return self.any_in_doubt and not self.contradicted_at_first


def _is_no(reply: Reply) -> bool:
    return isinstance(reply, Refusal) and is_refusing(reply.status) and not is_silent(reply)


def leaves_doubt(reply: Reply, outcome: Outcome) -> bool:
    """Whether the attempt that ended so may have been executed."""
    return isinstance(outcome, InDoubt | NeedsReview) and not isinstance(reply, NotSent)


@dataclass(frozen=True)
class Surroundings:
    """What else was found out about an attempt; None where nobody asked, which proves nothing."""

    healthy_before: bool | None = None  # what the bank said of itself right before
    healthy_after: bool | None = None
    earlier_answered: bool | None = None  # every earlier operation on the authorization, by the bank itself

    @property
    def healthy_around(self) -> bool:
        return bool(self.healthy_before and self.healthy_after)


def meaning_of(kind: OperationKind, reply: Reply, history: History, *, probe: bool) -> Meaning:
    """The table's cell: for a reply to an operation of this kind, or to a probe of it."""
    if probe:
        answer = answer_of(reply, after_doubt=True, after_silence=True, after_silences=history.several_silent)
        return PROBE_MEANINGS[answer]
    answer = answer_of(
        reply,
        after_doubt=history.may_have_done_it,
        after_silence=history.any_silent,
        after_silences=history.several_silent,
    )
    return MEANINGS[answer, kind]


def outcome_of(  # noqa: C901, PLR0912 - a case for each kind of cell
    kind: OperationKind, reply: Reply, history: History, around: Surroundings, *, probe: bool = False
) -> Outcome:
    """What a reply to an operation of this kind means, given what its earlier attempts left behind.

    `health_decides` and `earlier_ones_decide` say which of the surroundings are worth finding out.
    """
    meaning = meaning_of(kind, reply, history, probe=probe)
    match meaning:
        case Meaning.SUCCEEDED | Meaning.SUCCEEDED_AWAITING_STATEMENT:
            assert isinstance(reply, Approval)  # noqa: S101 - the rows of approvals are the only ones that say so
            awaiting = meaning is Meaning.SUCCEEDED_AWAITING_STATEMENT
            return Succeeded(reply.reference, awaiting, reply.expires_at)
        case Meaning.DECLINED:
            return Declined(_code(reply), awaiting_statement=history.any_silent)
        case Meaning.DECLINED_IF_HEALTHY:
            if around.healthy_after:
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


def _outcome_of_contradiction(reply: Reply, history: History, around: Surroundings) -> Outcome:
    counts = Verdict.CONTRADICTION if around.healthy_around else None
    if counts and history.contradicted:
        return NeedsReview(ReviewReason.CONTRADICTION, counts)
    rest = CONTRADICTIONS_APART.total_seconds()
    return InDoubt(f"contradiction: {describe(reply)}", retry=False, retry_after=rest, verdict=counts)


def _outcome_of_negative_probe(history: History, around: Surroundings) -> Outcome:
    if not around.healthy_around:
        return InDoubt("probed a bank in ill health", retry=False)
    if history.probed_negative:
        return NotExecuted(
            "two negative probes",
            awaiting_statement=True,
            verdict=Verdict.NEGATIVE_PROBE,
            code="not_found_at_bank",
        )
    rest = NEGATIVE_PROBES_APART.total_seconds()
    return InDoubt("negative probe", retry=False, retry_after=rest, verdict=Verdict.NEGATIVE_PROBE)


def health_decides(meaning: Meaning, around: Surroundings) -> bool:
    """Whether the bank's health right after the reply is needed to judge it."""
    counts = meaning in (Meaning.CONTRADICTION, Meaning.NEGATIVE_PROBE) and around.healthy_before
    return meaning is Meaning.DECLINED_IF_HEALTHY or bool(counts)


def earlier_ones_decide(meaning: Meaning) -> bool:
    """Whether it matters how the earlier operations on the authorization ended."""
    return meaning in (Meaning.DEDUCED, Meaning.CAPTURED_ID_UNKNOWN)


def _retry_after(reply: Reply) -> float | None:
    return reply.retry_after if isinstance(reply, Silence | Refusal) else None


def _code(reply: Reply) -> str:
    return reply.code if isinstance(reply, Refusal) else ""
