"""What a statement says, in our words, whatever its form."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

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

    def __str__(self) -> str:
        return f"Line {self.number}: {self.problem}."


Read = Line | Malformed


@dataclass
class Period:
    """The time that a file says it covers, where it does (UTC): from the first moment to before the last."""

    begins: datetime | None = None
    ends: datetime | None = None


@dataclass
class Statement:
    """A file being read. `period` is known once the lines have been read."""

    lines: Iterator[Read]
    period: Period = field(default_factory=Period)
