"""Differences between a bank's records and our books: each is a case with an owner and a proposed resolution.

A run finds differences. A difference that a later run no longer finds is resolved, and one that comes back is
opened again. Running a reconciliation again updates cases and never doubles them.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from payments.models import Merchant, Operation, Payment
from payments.models.clock import ClockTimestamp
from reconciliation.models.statements import StatementLine


class Run(models.Model):
    """One reconciliation of a bank, and what it found. Kept as a report."""

    class Kind(models.TextChoices):
        """What our books were compared with."""

        STATEMENTS = "statements", "Statements"
        BANK = "bank", "The bank's own API"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    bank = models.CharField(max_length=32)
    actor = models.CharField(max_length=100)
    started_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    ended_at = models.DateTimeField(null=True)
    # The time whose statements were there (UTC); null without any.
    covers_from = models.DateTimeField(null=True)
    covers_to = models.DateTimeField(null=True)
    # `classes`: for each class and currency, how many and their sum in minor units; `healed`: for each kind
    # of healing, how many.
    counts = models.JSONField(default=dict)
    # Where the next run begins: `file` and `event`, the last that need not be looked at again; `late_since`,
    # the time of the oldest late line; `grace`, in seconds.
    resumes_from = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-started_at", "-id"], name="run_newest")]
        permissions: ClassVar = [("view_reconciliation", "Can view reconciliations and settlements")]

    def __str__(self) -> str:
        return f"{self.bank} {self.kind} {self.pk}"


class Difference(models.Model):
    """One difference, by its kind and what it is about."""

    class Kind(models.TextChoices):
        """What the difference is."""

        MISSING_AT_BANK = "missing_at_bank", "In our books, not at the bank"
        MISSING_IN_BOOKS = "missing_in_books", "At the bank, not in our books"
        AMOUNT_MISMATCH = "amount_mismatch", "Another amount"
        CURRENCY_MISMATCH = "currency_mismatch", "Another currency"
        STATE_MISMATCH = "state_mismatch", "Done at the bank, recorded as not done"
        DUPLICATE_AT_BANK = "duplicate_at_bank", "Twice at the bank"
        ORPHAN_HOLD = "orphan_hold", "A hold that no payment claims"
        CAPTURED_OUTSIDE = "captured_outside", "Captured outside FicPay"
        REFUNDED_OUTSIDE = "refunded_outside", "Refunded outside FicPay"
        VOIDED_OUTSIDE = "voided_outside", "Voided outside FicPay"
        STATEMENT_MISSING = "statement_missing", "A day without a statement"

    class State(models.TextChoices):
        """How far its case has come."""

        OPEN = "OPEN"
        ASSIGNED = "ASSIGNED"
        RESOLVED = "RESOLVED"  # the books and the bank agree again
        ACCEPTED = "ACCEPTED"  # staff live with it, for a reason

    kind = models.CharField(max_length=24, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    bank = models.CharField(max_length=32)
    # What it is about: a line (`line:<id>`), an operation (`op:<hex>`) or a day (`day:<YYYY-MM-DD>`). With
    # its kind it names the case, whatever run finds it.
    subject = models.CharField(max_length=80)
    line = models.ForeignKey(StatementLine, on_delete=models.PROTECT, null=True, related_name="differences")
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, null=True, related_name="differences")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="differences")
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, null=True, related_name="+")
    amount_minor = models.IntegerField(null=True)  # null for a day
    currency = models.CharField(max_length=3, blank=True)
    happened_at = models.DateTimeField()  # the bank's time of it, or ours: its age counts from here
    evidence = models.JSONField(default=dict)  # {"bank": {...} or null, "books": {...} or null}
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)  # why it was accepted
    opened_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)  # the first time
    closed_at = models.DateTimeField(null=True)  # the last time
    found_by = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="found")  # the latest

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bank", "subject", "kind"], name="one_case_per_difference"),
            models.CheckConstraint(
                condition=Q(state__in=["OPEN", "ASSIGNED"], closed_at=None)
                | Q(state__in=["RESOLVED", "ACCEPTED"], closed_at__isnull=False),
                name="difference_closed_when_it_ends",
            ),
            models.CheckConstraint(
                condition=~Q(state="ASSIGNED") | Q(owner__isnull=False),
                name="difference_assigned_to_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="ACCEPTED") | ~Q(reason=""), name="difference_accepted_for_a_reason"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["happened_at", "id"],
                condition=Q(state__in=["OPEN", "ASSIGNED"]),
                name="difference_open",
            ),
        ]
        permissions: ClassVar = [("resolve_difference", "Can take and accept differences")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.about}"

    @property
    def about(self) -> str:
        """The bank's reference, our payment or operation, or the day (UTC)."""
        if self.line and self.line.reference:
            return self.line.reference
        ours = self.payment or self.operation
        return ours.public_id if ours else self.subject.partition(":")[2]


class DifferenceEvent(models.Model):
    """One step in the history of a difference. Rows are never changed."""

    class Type(models.TextChoices):
        """What happened."""

        OPENED = "opened"
        CHANGED = "changed"  # a run found other evidence
        ASSIGNED = "assigned"
        GIVEN_BACK = "given_back"
        RESOLVED = "resolved"
        ACCEPTED = "accepted"
        REOPENED = "reopened"

    difference = models.ForeignKey(Difference, on_delete=models.PROTECT, related_name="events")
    type = models.CharField(max_length=16, choices=Type.choices)
    at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    actor = models.CharField(max_length=100)
    reason = models.CharField(max_length=500, blank=True)
    evidence = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.type
