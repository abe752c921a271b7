"""Operations and their attempts.

An operation is recorded before the bank is asked, an attempt before it is sent. An attempt without a
recorded end is in doubt.
"""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import GreaterThan
from django_fsm import FSMField, transition

from payments.domain.ids import OPERATION_PREFIX, new_id, public_id
from payments.domain.money import Currency
from payments.domain.outcomes import Verdict
from payments.domain.replies import Said
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices, one_of
from payments.models.payments import Payment


class Operation(models.Model):
    """One instruction to a bank. The request is built from its row alone, plus the card for an authorize."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # None only for a release of a hold without a payment.
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="operations", null=True)
    kind = models.CharField(max_length=16, choices=choices(OperationKind))
    bank = models.CharField(max_length=32)
    amount_minor = models.IntegerField()
    currency = models.CharField(max_length=3, choices=choices(Currency))
    # The bank's id of the authorization; for a refund, of the capture; empty for an authorize.
    target_reference = models.CharField(max_length=64, blank=True)
    bank_idempotency_key = models.CharField(max_length=64)
    ordinal = models.IntegerField(default=0)  # grows when an earlier bank key must not be used again

    state = FSMField(
        max_length=16, default=OperationState.OPEN.value, choices=choices(OperationState), protected=True
    )
    lease_epoch = models.IntegerField(default=1)  # taking the operation over increments it
    lease_expires_at = models.DateTimeField()  # by the database's clock; only the holder may send before it
    due_at = models.DateTimeField(null=True, blank=True)  # in doubt: the bank is not asked again before

    bank_reference = models.CharField(max_length=64, blank=True)  # the bank's id of what it made
    outcome_code = models.CharField(max_length=64, blank=True)  # why it did not succeed
    # Further holds that silent attempts may have made: the bank's statement must show each or rule it out.
    strays_awaited = models.SmallIntegerField(default=0)
    awaiting_statement = models.GeneratedField(
        expression=GreaterThan(F("strays_awaited"), 0), output_field=models.BooleanField(), db_persist=True
    )
    # When to probe again for the hold of an authorize that was found not executed.
    look_again_at = models.DateTimeField(null=True, blank=True)

    actor = models.CharField(max_length=100)
    request_id = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500, blank=True)  # the caller's, for the history
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payment"],
                condition=one_of("state", UNFINISHED_OPERATIONS) & ~Q(kind=OperationKind.RELEASE),
                name="one_open_operation_per_payment",
            ),
            # A re-run after a proven non-execution is the same instruction; nothing else shares a key.
            models.UniqueConstraint(
                fields=["bank", "bank_idempotency_key"],
                condition=~Q(state=OperationState.NOT_EXECUTED),
                name="one_operation_per_bank_key",
            ),
            # A reference for a capture or a refund belongs to one operation.
            models.UniqueConstraint(
                fields=["bank", "kind", "bank_reference"],
                condition=Q(kind__in=[OperationKind.CAPTURE, OperationKind.REFUND]) & ~Q(bank_reference=""),
                name="one_operation_per_reference",
            ),
            # A hold has one unfinished release.
            models.UniqueConstraint(
                fields=["bank", "target_reference"],
                condition=Q(kind=OperationKind.RELEASE) & one_of("state", UNFINISHED_OPERATIONS),
                name="one_release_per_hold",
            ),
        ]
        indexes: ClassVar = [
            # The due rows that recovery takes with SKIP LOCKED.
            models.Index(
                fields=["lease_expires_at"], condition=Q(state=OperationState.OPEN), name="operation_due"
            ),
            models.Index(
                fields=["look_again_at"],
                condition=Q(look_again_at__isnull=False),
                name="operation_late_look",
            ),
            # What the back office counts as unsettled or awaiting the statement, newest first.
            models.Index(
                fields=["created_at"],
                condition=one_of("state", UNFINISHED_OPERATIONS) | Q(awaiting_statement=True),
                name="operation_unsettled",
            ),
            # Refunds of a period, for the dashboard.
            models.Index(
                fields=["finished_at"],
                include=["payment", "currency", "amount_minor"],
                condition=Q(kind=OperationKind.REFUND, state=OperationState.SUCCEEDED),
                name="operation_refunded_when",
            ),
            # Operations by bank key, which re-runs share.
            models.Index(fields=["bank_idempotency_key"], name="operation_by_bank_key"),
            # Other operations on the same authorization or capture.
            models.Index(
                fields=["target_reference"], condition=~Q(target_reference=""), name="operation_by_target"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id}"

    @property
    def public_id(self) -> str:
        """`op_` and 32 hexadecimal digits."""
        return public_id(OPERATION_PREFIX, self.id)

    @property
    def silent_attempts(self) -> int:
        """How many of its attempts may have made a hold that no reply names."""
        return sum(one.is_silent for one in self.attempts.all())

    @property
    def was_sent(self) -> bool:
        """Whether the instruction may have reached the bank. Probes do not count."""
        return self.attempts.filter(is_probe=False).exclude(result=Attempt.Result.NOT_SENT).exists()

    @property
    def claimed_payment(self) -> Payment:
        """Its payment. Raises ValueError for a release without one."""
        if self.payment is None:
            raise ValueError(f"{self} has no payment")
        return self.payment

    @transition(field=state, source=UNFINISHED_OPERATIONS, target=OperationState.SUCCEEDED)
    def become_succeeded(self) -> None: ...

    @transition(field=state, source=UNFINISHED_OPERATIONS, target=OperationState.DECLINED)
    def become_declined(self) -> None: ...

    @transition(field=state, source=UNFINISHED_OPERATIONS, target=OperationState.REJECTED)
    def become_rejected(self) -> None: ...

    @transition(field=state, source=UNFINISHED_OPERATIONS, target=OperationState.NOT_EXECUTED)
    def become_not_executed(self) -> None: ...

    @transition(field=state, source=OperationState.OPEN, target=OperationState.NEEDS_REVIEW)
    def become_needs_review(self) -> None: ...


class Attempt(models.Model):
    """One request sent, or about to be sent, for an operation. Recorded before it is sent, ended once."""

    class Result(models.TextChoices):
        """How it ended."""

        NOT_SENT = "not_sent", "Not sent"  # no byte left this machine
        SILENT = "silent", "Silent"  # no readable reply
        ANSWERED = "answered", "Replied"

    # No index of its own: that of its number begins with it.
    operation = models.ForeignKey(
        Operation, on_delete=models.PROTECT, related_name="attempts", db_index=False
    )
    number = models.IntegerField()
    epoch = models.IntegerField()  # the lease it was sent under
    started_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    ended_at = models.DateTimeField(null=True)
    result = models.CharField(max_length=8, choices=Result.choices, blank=True)
    in_doubt = models.BooleanField(null=True)  # whether the bank may have executed it; null means yes
    is_over = models.BooleanField(null=True)  # whether the bank has stopped working on it; null: unknown
    said = models.CharField(max_length=24, choices=choices(Said), blank=True)  # the reply's bank-neutral word
    http_status = models.SmallIntegerField(null=True)  # the bank's own
    reply = models.CharField(max_length=200, blank=True)  # the bank's own status and code, or what went wrong
    bank_reference = models.CharField(max_length=64, blank=True)
    is_replay = models.BooleanField(null=True)  # the bank's stored reply to an earlier attempt
    duration_ms = models.IntegerField(null=True)
    # Sent with a card that cannot exist, to read the reply stored under the key.
    is_probe = models.BooleanField(default=False)
    verdict = models.CharField(max_length=16, choices=choices(Verdict), blank=True)
    # The reply came after its sender had lost the lease or the operation had ended, or could not be applied
    # because a row was locked: the operation's next holder reads it.
    is_late = models.BooleanField(default=False)
    hold_expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            # Late replies, for the operation's holder; and late holds.
            models.Index(fields=["operation"], condition=Q(is_late=True), name="attempt_late"),
            # The banks' recent behavior. Rows are appended in this order, so a range of blocks is a period.
            BrinIndex(fields=["started_at"], name="attempt_by_start", pages_per_range=32, autosummarize=True),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["operation", "number"], name="attempt_numbered_once"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"

    @property
    def is_silent(self) -> bool:
        """Whether it may have made a hold that its unfinished operation does not know.

        It has no readable reply or no recorded end, or its reply was too late to be applied.
        """
        is_heard = self.result == self.Result.ANSWERED and self.said != Said.APPROVED
        return not self.is_probe and self.result != self.Result.NOT_SENT and not is_heard

    @property
    def may_be_alive(self) -> bool:
        """Whether the bank may still be working on it."""
        return self.result in ("", self.Result.SILENT) and not self.is_over
