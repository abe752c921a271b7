"""What a statement file says, without keeping any of it."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from payments.domain.money import display
from payments.engine.abilities import statement_words
from reconciliation.statements.lines import Line, Malformed, Unreadable
from reconciliation.statements.read import read


@dataclass
class StatementReport:
    """One file's lines, counted. Amounts are in minor units; times are UTC."""

    file: str
    lines: int = 0
    amounts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by kind and currency
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    malformed: list[Malformed] = field(default_factory=list)

    def count(self, line: Line) -> None:
        self.lines += 1
        key = (line.kind.value, line.currency)
        self.counts[key] += 1
        self.amounts[key] += line.amount_minor
        self.first = min(self.first or line.at, line.at)
        self.last = max(self.last or line.at, line.at)

    def sentences(self) -> list[str]:
        noun = "line" if self.lines == 1 else "lines"
        told = [f"{self.file}: {self.lines} {noun}, {len(self.malformed)} malformed."]
        if self.first and self.last:
            told.append(f"  From {self.first.isoformat()} to {self.last.isoformat()}.")
        told += [
            f"  {number} {kind} in {currency}: {display(self.amounts[kind, currency], currency)}"
            for (kind, currency), number in sorted(self.counts.items())
        ]
        return told + [f"  {one}" for one in self.malformed]

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
                if isinstance(line, Malformed):
                    report.malformed.append(line)
                else:
                    report.count(line)
    except OSError as error:
        raise Unreadable(f"{path} cannot be opened: {error.strerror}.") from None
    return report
