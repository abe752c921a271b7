"""What a statement says, in our words, whatever its form."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from payments.domain.abilities import StatementFormat
from payments.domain.states import OperationKind


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the bank's ledger."""

    number: int  # where it begins in the file, from 1
    reference: str  # the bank's id of what it made, as its API has it
    kind: OperationKind
    names: str  # the hold of a capture or a void, the capture of a refund; empty for a hold
    amount_minor: int  # in the currency's minor unit, always above nought
    currency: str  # ISO 4217
    at: datetime  # UTC; the bank stamps it before it commits


class Unreadable(Exception):
    """Why a file is not read. The message is a sentence for whoever delivered it."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that cannot be read, and why."""

    number: int
    problem: str
    unit: str = "Line"  # what is counted: lines, or entries of an XML file

    def __str__(self) -> str:
        return f"{self.unit} {self.number}: {self.problem}."


Read = Line | Malformed


@dataclass
class Period:
    """The time that a file says it covers, where it does (UTC): from the first moment to before the last."""

    begins: datetime | None = None
    ends: datetime | None = None

    def extend(self, begins: datetime, ends: datetime) -> None:
        """By what another part of the file covers. Raises ValueError where a gap would be in between.

        Banks write the last second of a day as often as the midnight after it, and mean the same.
        """
        if ends.second == 59:
            ends = ends.replace(second=0, microsecond=0) + timedelta(minutes=1)
        if not begins < ends:
            raise ValueError("it ends before it begins")
        if self.begins is None or self.ends is None:
            self.begins, self.ends = begins, ends
        elif begins > self.ends or ends < self.begins:
            raise ValueError("the file's statements cover separate times: each needs a file of its own")
        else:
            self.begins, self.ends = min(self.begins, begins), max(self.ends, ends)


@dataclass
class Statement:
    """A file being read. `period` is known once the lines have been read."""

    form: StatementFormat
    lines: Iterator[Read]
    period: Period = field(default_factory=Period)
