"""What an operation's attempts prove of whether it was executed, for people who have to settle it."""

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from payments.domain.meanings import Meaning, meaning_of_word, says_done_already
from payments.domain.outcomes import Verdict
from payments.domain.replies import NOES, Said
from payments.domain.states import OperationKind
from payments.domain.timing import CONTRADICTIONS_APART
from payments.engine.abilities import abilities_of
from payments.models import Attempt, Operation

# What is known by the bank's own id; whether a bank can be asked for it is its ability.
HAVE_AN_ID = (OperationKind.CAPTURE, OperationKind.REFUND)
# What a statement has to cover to rule an operation out: a late execution, and clocks that differ.
COVERED_BEFORE, COVERED_AFTER = timedelta(minutes=5), timedelta(hours=1)


def is_called_done(operation: Operation) -> bool:
    """Whether the bank has said that it is done, so that nobody can record the contrary."""
    done = done_already(operation)
    return bool(done) and (
        operation.kind in HAVE_AN_ID or any(one.said == Said.ALREADY_VOIDED for one in done)
    )


def is_called_captured(operation: Operation) -> bool:
    """Whether the bank has said that the hold is captured: it was not voided, then."""
    return any(one.said == Said.ALREADY_CAPTURED for one in operation.attempts.all())


def is_called_voided(operation: Operation) -> bool:
    """Whether the bank has said that the hold is voided, and not only that it is used."""
    return any(one.said == Said.ALREADY_VOIDED for one in operation.attempts.all())


def told(attempt: Attempt) -> str:
    """What the bank has said to an attempt, in a sentence without a full stop. Needs `attempt.operation`."""
    kind = OperationKind(attempt.operation.kind)
    if attempt.result == Attempt.Result.NOT_SENT:
        return f"The bank was not asked ({attempt.reply})"
    if attempt.result != Attempt.Result.ANSWERED:
        return f"The bank was asked and gave no clear answer ({attempt.reply or 'none yet'})"
    if attempt.said == Said.APPROVED:
        return f"The bank answered that it has executed the {kind}: {attempt.bank_reference}"
    if attempt.said not in NOES:
        return f"The bank answered {attempt.reply}, which says nothing about the {kind}"
    return f"The bank answered {attempt.reply}{_MEANS.get(meaning_of_word(kind, Said(attempt.said)), '')}"


_MEANS = {
    Meaning.DEDUCED: ": it was done already",
    Meaning.CAPTURED_ID_UNKNOWN: ": the hold was captured or voided already",
    Meaning.CONTRADICTION: ", which contradicts our books",
}


def denials(operation: Operation) -> list[Attempt]:
    """Attempts whose answer says that nothing was executed, oldest first.

    Given by a bank in good health, and repeated like a contradiction that counts: its database may fail
    midway. What was sent later without a clear answer makes them worthless, and so does a bank that has
    ever said that it is done.
    """
    attempts = list(operation.attempts.order_by("number"))
    if done_already(operation):
        return []
    last_silent = max((one.number for one in attempts if may_have_executed(one)), default=0)
    denying = [one for one in attempts if one.number > last_silent and _denies(operation, one)]
    declined = [one for one in denying if one.verdict != Verdict.CONTRADICTION]
    if declined or not denying or denying[0].ended_at is None:
        return declined
    first = denying[0].ended_at
    is_repeated = any(one.started_at - first >= CONTRADICTIONS_APART for one in denying)
    return denying if is_repeated else []


def done_already(operation: Operation) -> list[Attempt]:
    """Attempts that the bank answered as done already, by whomever: none where it may mean another refund."""
    kind = OperationKind(operation.kind)
    if not abilities_of(operation.bank).does_once(kind):
        return []
    attempts = sorted(operation.attempts.all(), key=lambda attempt: attempt.number)
    return [
        one
        for one in attempts
        if not one.is_probe and one.said in NOES and says_done_already(kind, Said(one.said))
    ]


def covered(operation: Operation) -> tuple[datetime, datetime]:
    """The time that a statement must cover to rule the operation out: UTC."""
    sent = _sent(operation).order_by("started_at")
    times = list(sent.values_list("started_at", flat=True)) or [operation.created_at]
    return times[0] - COVERED_BEFORE, times[-1] + COVERED_AFTER


def sent_since(operation: Operation, at: datetime) -> bool:
    """Whether the instruction itself was sent, or under way, after that moment; a probe executes nothing."""
    return _sent(operation).filter(Q(started_at__gte=at) | Q(ended_at__gte=at)).exists()


def _sent(operation: Operation) -> QuerySet[Attempt]:
    return operation.attempts.exclude(result=Attempt.Result.NOT_SENT).filter(is_probe=False)


def _denies(operation: Operation, attempt: Attempt) -> bool:
    if attempt.is_probe or attempt.said not in NOES:
        return False
    meaning = meaning_of_word(OperationKind(operation.kind), Said(attempt.said))
    return meaning == Meaning.DECLINED or (
        # From a bank that was in good health before and after, which its verdict says.
        meaning == Meaning.CONTRADICTION and attempt.verdict == Verdict.CONTRADICTION
    )


def may_have_executed(attempt: Attempt) -> bool:
    """Whether it may have been carried out with no answer that tells: the bank's own trouble is none."""
    if attempt.is_probe or attempt.result == Attempt.Result.NOT_SENT:
        return False
    return attempt.said not in NOES
