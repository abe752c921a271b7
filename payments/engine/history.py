"""What an unfinished operation's recorded attempts say: its history, and the late reply that settles it."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Q, QuerySet

from payments.domain.meanings import says_already, says_done
from payments.domain.outcomes import History, Verdict
from payments.domain.replies import DENIALS, ISSUERS, Approval, BankError, Decline, Said
from payments.domain.states import OperationKind
from payments.domain.timing import (
    CONTRADICTIONS_APART,
    NEGATIVE_PROBES_APART,
    SILENT_ATTEMPTS_WITH_CARD,
)
from payments.engine.abilities import abilities_of
from payments.models import Attempt, Operation, bank_key_age


@dataclass(frozen=True)
class LateReply:
    """A late reply to an attempt, not applied when it came, and the history of the other attempts.

    An approval, or a decline or error of a bank that cannot be asked for it again.
    """

    attempt: int
    reply: Approval | Decline | BankError
    history: History


def late_reply_of(operation: Operation, at: datetime) -> LateReply | None:
    """The late reply that settles this unfinished operation, or None. `at` is the database's time."""
    return late_reply_among(operation, list(operation.attempts.order_by("number")), at)


def late_reply_among(operation: Operation, attempts: list[Attempt], at: datetime) -> LateReply | None:
    """Like `late_reply_of`, from all attempts of the operation in their order."""
    answered = next((one for one in attempts if _settles(one)), None)
    if answered is None:
        return None if abilities_of(operation.bank).knows_keys else _late_no_among(operation, attempts, at)
    # Later ones, too: a silent one may have made a second hold.
    others = [one for one in attempts if one.number != answered.number]
    reply = Approval(
        answered.http_status or 0,
        answered.bank_reference,
        bool(answered.is_replay),
        answered.hold_expires_at,
    )
    return LateReply(answered.number, reply, history_of(operation, others, at, ends_at=at))


def _late_no_among(operation: Operation, attempts: list[Attempt], at: datetime) -> LateReply | None:
    """The late decline or error of a bank that cannot be asked for it again."""
    answered = next((one for one in attempts if one.is_late and one.said in DENIALS), None)
    if answered is None:
        return None
    others = [one for one in attempts if one.number != answered.number]
    history = history_of(operation, others, at, ends_at=at)
    said = Said(answered.said)
    no = (Decline if said in ISSUERS else BankError)(said, answered.http_status or 0)
    return None if history.any_in_doubt else LateReply(answered.number, no, history)


def _settles(attempt: Attempt) -> bool:
    """Whether this late reply can settle an unfinished operation. A probe's must be a stored reply."""
    known = attempt.is_late and attempt.said == Said.APPROVED
    return known and (not attempt.is_probe or bool(attempt.is_replay))


def late_approvals(operation: OuterRef) -> QuerySet[Attempt]:
    """`_settles` as a query."""
    late = Attempt.objects.filter(operation=operation, is_late=True, said=Said.APPROVED)
    return late.filter(Q(is_probe=False) | Q(is_replay=True))


def history_of(operation: Operation, attempts: list[Attempt], at: datetime, *, ends_at: datetime) -> History:
    """The history of an unfinished operation: each of its attempts is in doubt, replied to or not.

    Judged by the order of attempts. Clocks decide only how far apart repeated evidence is, and how old the
    first attempt will be at `ends_at`, when the next one ends.
    """
    abilities = abilities_of(operation.bank)
    instructed = [one for one in attempts if not one.is_probe and one.result != Attempt.Result.NOT_SENT]
    if not abilities.knows_keys:
        instructed = [one for one in instructed if _may_have_done_it(one)]
    last = max((one.number for one in instructed), default=0)
    since = [one for one in attempts if one.number > last]
    return History(
        any_in_doubt=bool(instructed),
        silent=sum(one.is_silent for one in instructed),
        may_be_alive=any(one.may_be_alive for one in instructed),
        done_by_others=_is_done_by_others(OperationKind(operation.kind), instructed),
        contradicted=_counted(attempts, Verdict.CONTRADICTION, before=at - CONTRADICTIONS_APART),
        probed_negative=_counted(since, Verdict.NEGATIVE_PROBE, before=at - NEGATIVE_PROBES_APART),
        may_be_forgotten=bool(instructed)
        and abilities.may_have_forgotten(ends_at - instructed[0].started_at),
        cannot_ask=not abilities.knows_keys,
    )


def may_send_card(operation: Operation, at: datetime) -> bool:
    """Whether an authorize in doubt may be sent with the card again. `at` is the database's time.

    Not after two silent attempts: each may be a hold of its own, so only probes follow. And only while the
    bank certainly knows the key: under a forgotten one it would hold a second time. At a bank without keys,
    only if it is certain that nothing was executed.
    """
    if not abilities_of(operation.bank).knows_keys:
        return not any(_may_have_done_it(one) for one in operation.attempts.all())
    return operation.silent_attempts < SILENT_ATTEMPTS_WITH_CARD and abilities_of(operation.bank).knows_key(
        bank_key_age(operation, at)
    )


def _may_have_done_it(attempt: Attempt) -> bool:
    """Whether the bank may have executed it: unless its recorded end rules that out."""
    return not attempt.is_probe and attempt.in_doubt is not False


def _is_done_by_others(kind: OperationKind, instructed: list[Attempt]) -> bool:
    """Whether the bank said "already" before any attempt was silent, or about something that rules it out."""
    first_silent = next((one.number for one in instructed if one.is_silent), None)
    said = [(one.number, Said(one.said)) for one in instructed if says_already(one.said)]
    return any(
        first_silent is None or number < first_silent or not says_done(kind, word) for number, word in said
    )


def _counted(attempts: list[Attempt], verdict: Verdict, *, before: datetime) -> bool:
    return any(
        one.verdict == verdict and one.ended_at is not None and one.ended_at <= before for one in attempts
    )
