"""Resolutions: what staff decide where FicPay cannot.

One person proposes; above a limit a second one approves. The effect is an event like any other.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from payments.models.clock import ClockTimestamp
from payments.models.operations import Operation
from payments.models.payments import Payment


class Resolution(models.Model):
    """A decision, proposed or made, about an operation, a payment or a stray hold, with its reason."""

    class Kind(models.TextChoices):
        """What is to be done."""

        RECORD_REFERENCE = "record_reference", "Record the bank's reference"
        RECORD_NOT_EXECUTED = "record_not_executed", "Record that it was not executed"
        RECORD_VOIDED = "record_voided", "Record that the hold was voided"
        RECORD_CAPTURED = "record_captured", "Record that it was captured"
        SETTLE_LATE_REPLY = "settle_late_reply", "Record how a late reply was settled"
        VOID_HOLD = "void_hold", "Void a hold without a payment"
        CAPTURE = "capture", "Capture"
        VOID = "void", "Void"
        REFUND = "refund", "Refund"

    class State(models.TextChoices):
        """How far the decision has come."""

        PROPOSED = "PROPOSED"  # waits for a second person
        APPLIED = "APPLIED"
        REFUSED = "REFUSED"  # rejected by a second person, or withdrawn
        OUTDATED = "OUTDATED"  # its subject was settled in another way before it was decided

    class Evidence(models.TextChoices):
        """What a decision rests on. `SHOWS` words it for each kind of decision."""

        BANK_REPLY = "bank_reply", "The bank's reply, on the timeline"
        STATEMENT = "statement", "A statement"
        BANK_WORD = "bank_word", "The bank's written word"

    kind = models.CharField(max_length=24, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PROPOSED)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="resolutions", null=True)
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="resolutions", null=True)
    bank = models.CharField(max_length=32)
    amount_minor = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=64, blank=True)  # the bank's id, if the decision names one
    evidence = models.CharField(max_length=16, choices=Evidence.choices, blank=True)
    attempt = models.PositiveIntegerField(null=True)  # the number of the attempt whose reply is the evidence
    executed_at = models.DateTimeField(null=True)  # when the bank says it did it
    quote = models.CharField(max_length=1000, blank=True)  # what the bank wrote, or the statement's name
    covers_from = models.DateField(null=True)  # the statement's period, UTC days, both included
    covers_to = models.DateField(null=True)
    reason = models.CharField(max_length=500)
    # The operation's lease epoch that the proposer saw.
    seen_epoch = models.PositiveIntegerField(null=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    decided_at = models.DateTimeField(null=True)
    decided_because = models.CharField(max_length=500, blank=True)  # the decider's reason, for the proposer
    needs_second = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            # Nobody approves their own proposal.
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
        """Its evidence in the words of its form; empty where it has none."""
        return SHOWS.get((self.kind, self.evidence), self.get_evidence_display() if self.evidence else "")


# The same kind of evidence shows different things for different decisions.
SHOWS: dict[tuple[str, str], str] = {
    (Resolution.Kind.RECORD_NOT_EXECUTED, Resolution.Evidence.STATEMENT): (
        "A statement that covers it and does not show it"
    ),
    (Resolution.Kind.RECORD_VOIDED, Resolution.Evidence.STATEMENT): "A statement that shows it",
    (Resolution.Kind.SETTLE_LATE_REPLY, Resolution.Evidence.BANK_WORD): "What was agreed with the bank",
}


class Assignment(models.Model):
    """Who looks after an operation in the review queue."""

    operation = models.OneToOneField(Operation, on_delete=models.PROTECT, related_name="assignment")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    assigned_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    def __str__(self) -> str:
        return f"{self.owner} looks after {self.operation_id}"
