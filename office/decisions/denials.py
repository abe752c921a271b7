"""What the bank's replies to an operation's attempts prove: that it was executed, or that it was not."""

from datetime import datetime

from django.db.models import Q

from payments.domain.meanings import Meaning, meaning_of_word
from payments.domain.outcomes import Verdict
from payments.domain.replies import DENIALS, Said
from payments.domain.states import OperationKind
from payments.domain.timing import CONTRADICTIONS_APART
from payments.engine.proofs import done_already, sent_attempts
from payments.models import Attempt, Operation

# Operations for which a bank issues an id of its own. Whether it can be looked up is the bank's ability.
HAVE_AN_ID = (OperationKind.CAPTURE, OperationKind.REFUND)


def is_called_done(operation: Operation) -> bool:
    """Whether the bank says that it is done. Then staff cannot record that it was not executed."""
    done = done_already(operation)
    return bool(done) and (
        operation.kind in HAVE_AN_ID or any(one.said == Said.ALREADY_VOIDED for one in done)
    )


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


def sent_since(operation: Operation, at: datetime) -> bool:
    """Whether the instruction was sent or in flight after that moment. Probes do not count."""
    return sent_attempts(operation).filter(Q(started_at__gte=at) | Q(ended_at__gte=at)).exists()


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
