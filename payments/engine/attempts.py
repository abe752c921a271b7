"""The end of an attempt, and its record."""

from dataclasses import dataclass
from typing import Any

import structlog

from payments.domain.outcomes import InDoubt, NeedsReview, NotExecuted, Outcome, Verdict, leaves_doubt
from payments.domain.replies import Approval, NotSent, Reply, Said, call_is_over, evidence_of, is_silent
from payments.engine.leases import Lease
from payments.models import Attempt, Operation
from payments.models.clock import ClockTimestamp, clock_in

log = structlog.get_logger("payments.operations")


@dataclass(frozen=True)
class AttemptEnd:
    """An attempt's end, not yet recorded."""

    reply: Reply
    outcome: Outcome
    duration_ms: int
    breaker_was_open: bool = False  # when it began
    # Recording the next attempt failed with an unknown result; it has not been sent.
    next_is_unsent: bool = False

    @property
    def verdict(self) -> Verdict | None:
        """What the attempt counts as when a later one repeats it."""
        outcome = self.outcome
        return outcome.verdict if isinstance(outcome, InDoubt | NeedsReview | NotExecuted) else None

    @property
    def result(self) -> Attempt.Result:
        if isinstance(self.reply, NotSent):
            return Attempt.Result.NOT_SENT
        return Attempt.Result.SILENT if is_silent(self.reply) else Attempt.Result.ANSWERED


def record_end_of_attempt(lease: Lease, ended: AttemptEnd, *, is_late: bool = False) -> None:
    """Record the end on the attempt's row, inside the caller's transaction. A recorded end is kept."""
    reply = ended.reply
    evidence = evidence_of(reply)
    known = {
        "ended_at": ClockTimestamp(),
        "result": ended.result,
        "in_doubt": leaves_doubt(reply, ended.outcome),
        "is_over": call_is_over(reply),
        "said": reply.said,
        "http_status": evidence.get("status"),
        "reply": evidence["reply"],
        "bank_reference": evidence.get("reference", ""),
        "is_replay": evidence.get("replayed"),
        "duration_ms": ended.duration_ms,
        "verdict": ended.verdict or "",
        "is_late": is_late,
        "hold_expires_at": reply.expires_at if isinstance(reply, Approval) else None,
    }
    recorded = Attempt.objects.filter(operation_id=lease.operation_id, number=lease.attempt)
    if not recorded.filter(ended_at=None).update(**known) and not recorded.exists():
        _record_anew(lease, ended, known)
    if ended.next_is_unsent:
        Attempt.objects.filter(
            operation_id=lease.operation_id, number=lease.attempt + 1, epoch=lease.epoch, ended_at=None
        ).update(
            ended_at=ClockTimestamp(),
            result=Attempt.Result.NOT_SENT,
            said=Said.NOT_SENT,
            in_doubt=False,
            reply="its record was in doubt",
            duration_ms=0,
        )


def _record_anew(lease: Lease, ended: AttemptEnd, known: dict[str, Any]) -> None:
    """Record an attempt that the database lost after it was sent, if the operation still exists."""
    if Operation.objects.filter(pk=lease.operation_id).exists():
        log.error("attempt_was_lost", operation=lease.operation_id.hex, number=lease.attempt)
        lost = Attempt.objects.create(
            operation_id=lease.operation_id,
            number=lease.attempt,
            epoch=lease.epoch,
            is_probe=lease.is_probe,
            started_at=clock_in(-ended.duration_ms / 1000),
        )
        Attempt.objects.filter(pk=lost.pk).update(**known)
