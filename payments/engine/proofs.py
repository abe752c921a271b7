"""What an operation's attempts say to whoever has other evidence: staff, or a bank's statement."""

from datetime import datetime

from django.db.models import QuerySet

from payments.domain.meanings import says_done_already
from payments.domain.replies import DENIALS, Said
from payments.domain.statements import COVERED_AFTER, COVERED_BEFORE
from payments.domain.states import OperationKind
from payments.engine.abilities import abilities_of
from payments.models import Attempt, Operation


def covered(operation: Operation) -> tuple[datetime, datetime]:
    """The time (UTC) that a statement must cover to prove that the operation was not executed."""
    times = list(sent_attempts(operation).order_by("started_at").values_list("started_at", flat=True))
    times = times or [operation.created_at]
    return times[0] - COVERED_BEFORE, times[-1] + COVERED_AFTER


def sent_attempts(operation: Operation) -> QuerySet[Attempt]:
    """Attempts that may have reached the bank with the instruction. Probes do not count."""
    return operation.attempts.exclude(result=Attempt.Result.NOT_SENT).filter(is_probe=False)


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


def is_called_captured(operation: Operation) -> bool:
    """Whether the bank says that the hold is captured. Then it was not voided."""
    return any(one.said == Said.ALREADY_CAPTURED for one in operation.attempts.all())
