"""Resolutions: what people decide where the machine cannot. Proposed by one, and above a limit approved by
another; what came of it is an event like any other."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from payments.models.clock import ClockTimestamp
from payments.models.operations import Operation
from payments.models.payments import Payment


class Resolution(models.Model):
    """What somebody proposes to do about an operation, a payment or a stray hold, with the reason."""

    class Kind(models.TextChoices):
        """What is to be done."""

        RECORD_REFERENCE = "record_reference", "Record the bank's reference"
        RECORD_NOT_EXECUTED = "record_not_executed", "Record that it was not executed"
        RECORD_VOIDED = "record_voided", "Record that the hold was voided"
        RECORD_CAPTURED = "record_captured", "Record that it was captured"
        SETTLE_LATE_ANSWER = "settle_late_answer", "Record how a late reply was settled"
        VOID_HOLD = "void_hold", "Void a hold without a payment"
        CAPTURE = "capture", "Capture"
        VOID = "void", "Void"
        REFUND = "refund", "Refund"

    class State(models.TextChoices):
        """How far it has come."""

        PROPOSED = "PROPOSED"  # waits for a second person
        APPLIED = "APPLIED"
        REFUSED = "REFUSED"  # by a second person, or taken back
        OUTDATED = "OUTDATED"  # what it was about has been settled otherwise, found by whoever came next

    class Evidence(models.TextChoices):
        """What a decision rests on. What it says of each kind of decision: `SHOWS`."""

        BANK_ANSWER = "bank_answer", "The bank's reply, on the timeline"
        STATEMENT = "statement", "A statement"
        BANK_WORD = "bank_word", "The bank's written word"

    kind = models.CharField(max_length=24, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PROPOSED)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="resolutions", null=True)
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="resolutions", null=True)
    bank = models.CharField(max_length=32)
    amount_minor = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=64, blank=True)  # the bank's, where it is about one
    evidence = models.CharField(max_length=16, choices=Evidence.choices, blank=True)
    attempt = models.PositiveIntegerField(null=True)  # whose answer is the evidence
    executed_at = models.DateTimeField(null=True)  # when the bank did it, as the bank says
    quote = models.CharField(max_length=1000, blank=True)  # what the bank wrote, or which statement
    covers_from = models.DateField(null=True)  # the statement's days (UTC), both included
    covers_to = models.DateField(null=True)
    reason = models.CharField(max_length=500)
    # Which state of the operation it was proposed for, by somebody who saw no later one.
    seen_epoch = models.PositiveIntegerField(null=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    decided_at = models.DateTimeField(null=True)
    decided_because = models.CharField(max_length=500, blank=True)  # whoever decided, for who has proposed it
    needs_second = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            # Nobody approves their own.
            models.CheckConstraint(
                condition=Q(needs_second=False)
                | ~Q(state="APPLIED")
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="resolution_by_two_people",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="resolution_with_reason"),
            models.UniqueConstraint(
                fields=["operation"], condition=Q(state="PROPOSED"), name="one_proposal_per_operation"
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(state="PROPOSED", operation__isnull=True),
                name="one_proposal_per_payment",
            ),
            models.UniqueConstraint(
                fields=["bank", "reference"],
                condition=Q(state="PROPOSED", kind="void_hold"),
                name="one_proposal_per_stray_hold",
            ),
        ]
        permissions: ClassVar = [
            ("resolve_operation", "Can resolve operations in doubt or under review"),
            ("approve_resolution", "Can approve proposals of others"),
            ("instruct_payment", "Can capture, void and refund on behalf of the merchant"),
            ("export_payments", "Can export payments"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.state})"

    @property
    def evidence_told(self) -> str:
        """What it rests on, in the words of the form on which it was proposed; empty where nothing."""
        return SHOWS.get((self.kind, self.evidence), self.get_evidence_display() if self.evidence else "")


# The same evidence says another thing of each kind of decision.
SHOWS: dict[tuple[str, str], str] = {
    (Resolution.Kind.RECORD_NOT_EXECUTED, Resolution.Evidence.STATEMENT): (
        "A statement that covers it and does not show it"
    ),
    (Resolution.Kind.RECORD_VOIDED, Resolution.Evidence.STATEMENT): "A statement that shows it",
    (Resolution.Kind.SETTLE_LATE_ANSWER, Resolution.Evidence.BANK_WORD): "What was agreed with the bank",
}


class Assignment(models.Model):
    """Who looks after an operation in the review queue."""

    operation = models.OneToOneField(Operation, on_delete=models.PROTECT, related_name="assignment")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    assigned_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    def __str__(self) -> str:
        return f"{self.owner} looks after {self.operation_id}"
