"""Discrepancies: differences between the bank and our books, open until settled.

Each is a case in the review queue.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.domain.outcomes import ReviewReason
from payments.models.clock import ClockTimestamp
from payments.models.guards import one_of
from payments.models.operations import Operation
from payments.models.payments import Payment

LATE_HOLD = "late_hold"
LATE_REPLY = "late_reply"
ORPHAN_REPLY = "orphan_reply"
# The bank has executed something against our books. Until that is settled, the books are not relied on.
CONTRADICTING = (LATE_REPLY, ORPHAN_REPLY)


class Discrepancy(models.Model):
    """A difference that was found: its kind, the operation it is about, and the evidence."""

    class Kind(models.TextChoices):
        """What the difference is."""

        CAPTURE_ID_UNKNOWN = ReviewReason.CAPTURE_ID_UNKNOWN.value, "Captured, the capture's id is unknown"
        NOT_DEDUCIBLE = ReviewReason.NOT_DEDUCIBLE.value, "Done, possibly by an earlier operation"
        CONTRADICTION = ReviewReason.CONTRADICTION.value, "The bank disagrees with our books"
        TOO_OLD_TO_ASK = ReviewReason.TOO_OLD_TO_ASK.value, "Too old to ask the bank about"
        CANNOT_ASK = ReviewReason.CANNOT_ASK.value, "Possibly executed at a bank that cannot be asked"
        LATE_HOLD = LATE_HOLD, "A hold that no payment claims"
        LATE_REPLY = LATE_REPLY, "Executed at the bank, recorded as not executed"
        ORPHAN_REPLY = ORPHAN_REPLY, "Executed at the bank, missing from our books"

    kind = models.CharField(max_length=32, choices=Kind.choices)
    # None for an orphan whose operation the database has lost.
    operation = models.ForeignKey(
        Operation, on_delete=models.PROTECT, related_name="discrepancies", null=True, blank=True
    )
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="discrepancies", null=True)
    evidence = models.JSONField(default=dict)
    bank = models.CharField(max_length=32, blank=True)  # of an orphan
    bank_reference = models.CharField(max_length=64, blank=True)  # the reference in the orphan
    opened_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "discrepancies"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind__in=[LATE_HOLD, LATE_REPLY, ORPHAN_REPLY]) | one_of("kind", ReviewReason),
                name="discrepancy_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(kind=ORPHAN_REPLY) & ~Q(bank="") & ~Q(bank_reference="")
                | ~Q(kind=ORPHAN_REPLY) & Q(operation__isnull=False),
                name="discrepancy_of_something",
            ),
            # Filing twice is safe: a process unsure of its commit files again.
            models.UniqueConstraint(
                fields=["bank", "bank_reference"],
                condition=Q(kind=ORPHAN_REPLY),
                name="one_case_per_orphan_reply",
            ),
            models.UniqueConstraint(
                fields=["operation", "kind"], condition=Q(closed_at=None), name="discrepancy_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.operation_id or self.bank_reference}"
