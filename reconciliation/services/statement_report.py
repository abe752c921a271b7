"""What a statement file says, counted."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from payments.domain.money import display
from payments.engine.abilities import statement_words
from reconciliation.statements.lines import Line, Malformed, Unreadable
from reconciliation.statements.read import read

_MALFORMED_TOLD = 100  # a file of another kind may have a million of them


@dataclass
class StatementReport:
    """One file's lines, counted. Amounts are in minor units; times are UTC."""

    file: str
    lines: int = 0
    amounts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by kind and currency
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    malformed: list[Malformed] = field(default_factory=list)  # the first of them
    malformed_lines: int = 0

    def count(self, line: Line | Malformed) -> None:
        if isinstance(line, Malformed):
            self.malformed_lines += 1
            if len(self.malformed) < _MALFORMED_TOLD:
                self.malformed.append(line)
            return
        self.lines += 1
        key = (line.kind.value, line.currency)
        self.counts[key] += 1
        self.amounts[key] += line.amount_minor
        if self.first is None or line.at < self.first:
            self.first = line.at
        if self.last is None or line.at > self.last:
            self.last = line.at

    def sentences(self) -> list[str]:
        """For people: the counts, the time, the sums, and what is malformed."""
        noun = "line" if self.lines == 1 else "lines"
        told = [f"{self.file}: {self.lines} {noun}, {self.malformed_lines} malformed."]
        if self.first and self.last:
            told.append(f"  From {self.first.isoformat()} to {self.last.isoformat()}.")
        return told + [f"  {one}" for one in (*self.sums(), *self.malformed_sentences())]

    def sums(self) -> list[str]:
        """One for each kind and currency."""
        return [
            f"{number:,} {kind}{'' if number == 1 else 's'} in {currency}: "
            f"{display(self.amounts[kind, currency], currency)}"
            for (kind, currency), number in sorted(self.counts.items())
        ]

    def malformed_sentences(self) -> list[str]:
        """One for each malformed line; of a great many, the first, and how many more."""
        told = [str(one) for one in self.malformed]
        more = self.malformed_lines - len(self.malformed)
        return [*told, f"And {more} more."] if more else told

    def as_dict(self) -> dict[str, object]:
        return {
            "file": self.file,
            "lines": self.lines,
            "first": self.first,
            "last": self.last,
            "kinds": [
                {"kind": kind, "currency": currency, "lines": number, "amount": self.amounts[kind, currency]}
                for (kind, currency), number in sorted(self.counts.items())
            ],
            "malformed": [{"line": one.number, "problem": one.problem} for one in self.malformed],
            "malformed_lines": self.malformed_lines,
        }


def report_of(path: Path, *, bank: str) -> StatementReport:
    """Raises Unreadable where the file is no statement of the bank's, or the bank gives none."""
    words = statement_words(bank)
    if words is None:
        raise Unreadable(f"The bank {bank} gives no statements.")
    report = StatementReport(str(path))
    try:
        with path.open("rb") as file:
            for line in read(file, words).lines:
                report.count(line)
    except OSError as error:
        raise Unreadable(f"{path} cannot be opened: {error.strerror}.") from None
    return report
