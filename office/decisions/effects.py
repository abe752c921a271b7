"""What the effects of resolutions have in common. Each runs in the transaction that decides it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from office.log.staff import Staff
from payments.domain.outcomes import NotExecuted, Succeeded
from payments.engine import conclude
from payments.models import Operation, Resolution

BY_PEOPLE = "found_by_people"  # outcome code of an operation that staff ended; the event has the evidence


@dataclass(frozen=True)
class Decided:
    """A resolution, who decided it, and the operation's epoch that they saw."""

    staff: Staff
    resolution: Resolution
    seen_epoch: int | None

    @property
    def operation(self) -> Operation:
        operation = self.resolution.operation
        assert operation is not None  # noqa: S101 - verified
        return operation

    def conclude(self, outcome: Succeeded | NotExecuted, executed_at: datetime | None = None) -> None:
        """End the operation. `executed_at` is when the bank executed it, if known. Raises Outdated."""
        conclude.conclude_by_staff(
            self.operation.pk,
            outcome,
            seen_epoch=self.seen_epoch,
            actor=self.staff.actor,
            request_id=self.staff.request_id,
            evidence=evidence_of(self.resolution),
            executed_at=executed_at,
        )


def evidence_of(resolution: Resolution) -> dict[str, Any]:
    """What an event stores about a resolution: who proposed it, why, and on what evidence."""
    known: dict[str, Any] = {
        "resolution": resolution.pk,
        "kind": resolution.kind,
        "reason": resolution.reason,
        "reference": resolution.reference,
        "executed_at": resolution.executed_at and resolution.executed_at.isoformat(timespec="seconds"),
        "evidence": resolution.evidence,
        "attempt": resolution.attempt,
        "quote": resolution.quote,
        "covers_from": resolution.covers_from and resolution.covers_from.isoformat(),
        "covers_to": resolution.covers_to and resolution.covers_to.isoformat(),
        "proposed_by": resolution.proposed_by.get_username(),
    }
    return {name: value for name, value in known.items() if value}
