"""What was measured: a table a section, a row a thing, a figure a column, a value a round."""

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Figure:
    """The values of one figure, a round each."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """How far the rounds lie from the median at most, as a part of it."""
        furthest = max(abs(value - self.median) for value in self.values)
        return furthest / abs(self.median) if self.median else 0.0


@dataclass
class Table:
    """One section's figures, and how to read them in a sentence or two."""

    title: str
    note: str = ""
    order: tuple[str, ...] = ()  # of the columns, where not that in which they came
    rows: dict[str, dict[str, Figure]] = field(default_factory=dict)

    def add(self, row: str, **figures: float) -> None:
        """One round's values of a row."""
        for name, value in figures.items():
            self.rows.setdefault(row, {}).setdefault(name.replace("_", " "), Figure()).values.append(value)

    @property
    def columns(self) -> list[str]:
        """Of any row."""
        there = list(dict.fromkeys(name for figures in self.rows.values() for name in figures))
        return [name for name in self.order if name in there] + [
            name for name in there if name not in self.order
        ]

    def latest(self, row: str) -> dict[str, float]:
        """The values of the row's latest round, for ratios within it; empty where there is no such row."""
        return {name: figure.values[-1] for name, figure in self.rows.get(row, {}).items()}


@dataclass
class Results:
    """All tables of one run, and what it ran on."""

    conditions: dict[str, str]
    tables: list[Table] = field(default_factory=list)

    def table(self, title: str, note: str = "", order: tuple[str, ...] = ()) -> Table:
        made = Table(title, note, order)
        self.tables.append(made)
        return made

    def write_json(self, path: Path) -> None:
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def as_json(self) -> dict[str, Any]:
        return {
            "conditions": self.conditions,
            "tables": {
                table.title: {
                    row: {name: _figure(figure) for name, figure in figures.items()}
                    for row, figures in table.rows.items()
                }
                for table in self.tables
            },
        }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "median": round(figure.median, 4),
        "spread": round(figure.spread, 4),
        "rounds": [round(value, 4) for value in figure.values],
    }
