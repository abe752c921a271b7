"""Banks' statements as they were imported, and which line shows which operation. Rows are never changed.

A file is imported whole or not at all, in one transaction, and once. A line is kept once though files
overlap: what the bank repeats later is no news.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.domain.abilities import StatementFormat
from payments.domain.money import Currency
from payments.domain.states import OperationKind
from payments.models import Operation
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices


class StatementFile(models.Model):
    """One file of a bank's ledger, and the time that it covers (UTC, the end excluded)."""

    bank = models.CharField(max_length=32)
    # Of the file's bytes, in hex; without lines, or of a day that was not over, of what it covers besides.
    sha256 = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=255)
    form = models.CharField(max_length=8, choices=choices(StatementFormat))
    covers_from = models.DateTimeField()
    covers_to = models.DateTimeField()
    lines = models.IntegerField()  # in the file
    new_lines = models.IntegerField()  # of them, those that no earlier file had
    imported_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    actor = models.CharField(max_length=100)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(covers_from__lt=models.F("covers_to")), name="statement_covers_time"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["bank", "covers_from"], name="statement_by_period")]
        permissions: ClassVar = [
            ("import_statement", "Can import bank statements"),
        ]

    def __str__(self) -> str:
        return self.name


class StatementLine(models.Model):
    """One entry of a bank's ledger, as a statement shows it."""

    # The file that had it first.
    file = models.ForeignKey(StatementFile, on_delete=models.PROTECT, related_name="its_lines")
    number = models.IntegerField()  # where it stands in that file, from 1
    bank = models.CharField(max_length=32)
    kind = models.CharField(max_length=16, choices=choices(OperationKind))  # authorize, capture, void, refund
    reference = models.CharField(max_length=64)  # the bank's id of what it made, as its API has it
    # The hold of a capture or a void, the capture of a refund; empty for a hold.
    target_reference = models.CharField(max_length=64, blank=True)
    amount_minor = models.IntegerField()
    currency = models.CharField(max_length=3, choices=choices(Currency))
    at = models.DateTimeField()  # the bank's own time, stamped before it commits
    repeats = models.SmallIntegerField(default=0)  # how many more times that file had the same line

    class Meta:
        constraints: ClassVar = [
            # The time is left out: the same entry is written with more or fewer digits.
            models.UniqueConstraint(
                fields=["bank", "reference", "kind", "target_reference", "amount_minor", "currency"],
                name="statement_line_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["bank", "target_reference"],
                condition=~Q(target_reference=""),
                name="statement_line_by_target",
            ),
            # A bank's lines in the order of its time, and its holds of an amount in a window.
            models.Index(fields=["bank", "at"], name="statement_line_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class Match(models.Model):
    """A line that shows an operation, in every part of it: kind, reference, target, amount and currency."""

    # Without foreign keys: a trigger asks of all new rows at once that they agree. That is more, for less.
    line = models.OneToOneField(
        StatementLine, on_delete=models.PROTECT, primary_key=True, db_constraint=False
    )
    operation = models.OneToOneField(
        Operation, on_delete=models.PROTECT, related_name="match", db_constraint=False
    )
    matched_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    def __str__(self) -> str:
        return f"{self.line} shows {self.operation_id}"
