"""What the bank's replies to an operation's attempts prove: that it was executed, or that it was not."""

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from payments.domain.meanings import Meaning, meaning_of_word, says_done_already
from payments.domain.outcomes import Verdict
from payments.domain.replies import DENIALS, Said
from payments.domain.states import OperationKind
from payments.domain.timing import CONTRADICTIONS_APART
from payments.engine.abilities import abilities_of
from payments.models import Attempt, Operation

# Operations for which a bank issues an id of its own. Whether it can be looked up is the bank's ability.
HAVE_AN_ID = (OperationKind.CAPTURE, OperationKind.REFUND)
# How much more than the attempts a statement must cover: clocks differ, and a bank may execute late.
COVERED_BEFORE, COVERED_AFTER = timedelta(minutes=5), timedelta(hours=1)


def is_called_done(operation: Operation) -> bool:
    """Whether the bank says that it is done. Then staff cannot record that it was not executed."""
    done = done_already(operation)
    return bool(done) and (
        operation.kind in HAVE_AN_ID or any(one.said == Said.ALREADY_VOIDED for one in done)
    )


def is_called_captured(operation: Operation) -> bool:
    """Whether the bank says that the hold is captured. Then it was not voided."""
    return any(one.said == Said.ALREADY_CAPTURED for one in operation.attempts.all())


def is_called_voided(operation: Operation) -> bool:
    """Whether the bank says that the hold is voided, not only that it is used."""
    return any(one.said == Said.ALREADY_VOIDED for one in operation.attempts.all())


def reply_in_words(attempt: Attempt) -> str:
    """The bank's reply to an attempt, as a sentence without a period. Needs `attempt.operation`."""
    kind = OperationKind(attempt.operation.kind)
    if attempt.result == Attempt.Result.NOT_SENT:
        return f"The bank was not asked ({attempt.reply})"
    if attempt.result != Attempt.Result.ANSWERED:
        return f"The bank was asked but did not reply clearly ({attempt.reply or 'no reply yet'})"
    if attempt.said == Said.APPROVED:
        return f"The bank replied that it has executed the {kind}: {attempt.bank_reference}"
    if attempt.said not in DENIALS:
        return f"The bank replied {attempt.reply}, which says nothing about the {kind}"
    return f"The bank replied {attempt.reply}{_MEANS.get(meaning_of_word(kind, Said(attempt.said)), '')}"


_MEANS = {
    Meaning.DEDUCED: ": it was already done",
    Meaning.CAPTURED_ID_UNKNOWN: ": the hold was already captured or voided",
    Meaning.CONTRADICTION: ", which contradicts our books",
}


def denials(operation: Operation) -> list[Attempt]:
    """Attempts whose reply proves that nothing was executed, oldest first.

    A contradiction counts only from a healthy bank that repeats it after a while, because the bank's database
    may fail midway. A later attempt without a clear reply voids the proof. So does any reply that it is done.
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
    """Attempts to which the bank replied "already done", by us or by somebody else.

    None if the bank takes several operations of this kind: the reply may then be about another refund.
    """
    kind = OperationKind(operation.kind)
    if not abilities_of(operation.bank).does_once(kind):
        return []
    attempts = sorted(operation.attempts.all(), key=lambda attempt: attempt.number)
    return [
        one
        for one in attempts
        if not one.is_probe and one.said in DENIALS and says_done_already(kind, Said(one.said))
    ]


def covered(operation: Operation) -> tuple[datetime, datetime]:
    """The time (UTC) that a statement must cover to prove that the operation was not executed."""
    sent = _sent(operation).order_by("started_at")
    times = list(sent.values_list("started_at", flat=True)) or [operation.created_at]
    return times[0] - COVERED_BEFORE, times[-1] + COVERED_AFTER


def sent_since(operation: Operation, at: datetime) -> bool:
    """Whether the instruction was sent or in flight after that moment. Probes do not count."""
    return _sent(operation).filter(Q(started_at__gte=at) | Q(ended_at__gte=at)).exists()


def _sent(operation: Operation) -> QuerySet[Attempt]:
    return operation.attempts.exclude(result=Attempt.Result.NOT_SENT).filter(is_probe=False)


def _denies(operation: Operation, attempt: Attempt) -> bool:
    if attempt.is_probe or attempt.said not in DENIALS:
        return False
    meaning = meaning_of_word(OperationKind(operation.kind), Said(attempt.said))
    return meaning == Meaning.DECLINED or (
        # The verdict says that the bank was healthy before and after.
        meaning == Meaning.CONTRADICTION and attempt.verdict == Verdict.CONTRADICTION
    )


def may_have_executed(attempt: Attempt) -> bool:
    """Whether the bank may have executed this attempt. A 5xx does not rule that out."""
    if attempt.is_probe or attempt.result == Attempt.Result.NOT_SENT:
        return False
    return attempt.said not in DENIALS
