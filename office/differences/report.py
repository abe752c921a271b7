"""The report of one reconciliation: what was counted, healed and found, and a chart of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from office.differences.words import amount_of, state_of
from office.pages.words import plain, utc
from payments.domain.money import display
from reconciliation.models import Difference, Run
from reconciliation.services.compare.heal import HEALED_IN_WORDS

MATCHED, LATE = "matched", "late"
# What a look at the bank's own API counts besides; it has no sums.
UNCLEAR, FOUND = "unclear", "found"
_WORDS = dict(Difference.Kind.choices) | {
    MATCHED: "Matched",
    LATE: "Late: the other side may still come",
    "explained": "Explained: nothing to do",
    UNCLEAR: "No clear reply from the bank: asked again next time",
    FOUND: "Differences",
}
SHOWN = 100  # differences; the queue has all
_PRINTED = 12  # so that the report is one page
# In SVG units; the page scales the drawing.
_WIDTH, _ROW, _LEFT, _BAR = 720, 34, 56, 18
_LEAST = 3  # a part that is not nought can be seen


@dataclass(frozen=True)
class Row:
    """One class in one currency."""

    what: str
    number: int
    amount: str
    is_open: bool


@dataclass(frozen=True)
class Part:
    """A part of a bar: what is matched, late or open."""

    color: str
    number: int
    left: float
    width: float


@dataclass(frozen=True)
class Bar:
    """One currency's lines and operations in the chart."""

    currency: str
    parts: list[Part]
    top: int

    @property
    def middle(self) -> int:
        return self.top + _BAR // 2


@dataclass(frozen=True)
class Found:
    """One difference in the report. Those beyond the first are not printed."""

    pk: int
    what: str
    state: SafeString
    amount: str
    subject: str
    at: SafeString | str
    is_printed: bool


class Report:
    """Everything on the page of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._counted = list(_counted(run.counts))

    @property
    def rows(self) -> list[Row]:
        """Matched first, then late, then the differences."""
        order = [MATCHED, LATE]
        rows = sorted(self._counted, key=lambda one: (order.index(one[0]) if one[0] in order else 9, one[:2]))
        return [
            Row(
                _WORDS.get(name) or plain(name),
                number,
                display(total, currency) if currency else "",
                is_open(name),
            )
            for name, currency, number, total in rows
        ]

    @property
    def healed(self) -> list[tuple[str, int]]:
        return [
            (HEALED_IN_WORDS[name], number)
            for name, number in self._run.counts.get("healed", {}).items()
            if number
        ]

    @property
    def matched(self) -> int:
        return sum(number for name, _, number, _ in self._counted if name == MATCHED)

    @property
    def open(self) -> int:
        return sum(number for name, _, number, _ in self._counted if is_open(name))

    @property
    def bars(self) -> list[Bar]:
        """One bar for each currency, on one scale."""
        sums: dict[str, list[int]] = {}
        for name, currency, number, _ in self._counted:
            place = 0 if name == MATCHED else 2 if is_open(name) else 1
            sums.setdefault(currency or "all", [0, 0, 0])[place] += number
        largest = max((sum(one) for one in sums.values()), default=0) or 1
        return [
            Bar(currency, _parts(numbers, largest), top=index * _ROW)
            for index, (currency, numbers) in enumerate(sorted(sums.items()))
        ]

    @property
    def height(self) -> int:
        return max(len(self.bars), 1) * _ROW

    @property
    def found(self) -> list[Found]:
        """The differences whose latest finder is this run."""
        found = self._run.found.order_by("closed_at", "happened_at", "id")[:SHOWN]
        return [
            Found(
                one.pk,
                one.get_kind_display(),
                state_of(one),
                amount_of(one),
                one.about,
                utc(one.happened_at),
                is_printed=index < _PRINTED,
            )
            for index, one in enumerate(found.select_related("line", "payment", "operation"))
        ]

    @property
    def unprinted(self) -> int:
        return max(self._run.found.count() - _PRINTED, 0)


def _parts(numbers: list[int], largest: int) -> list[Part]:
    scale = (_WIDTH - _LEFT - len(numbers) * _LEAST) / largest
    left, parts = float(_LEFT), []
    for color, number in zip(("success", "neutral", "bad"), numbers, strict=True):
        width = round(max(number * scale, _LEAST), 2) if number else 0.0
        parts.append(Part(color, number, round(left, 2), width))
        left += width
    return parts


def is_open(name: str) -> bool:
    """Whether a class is a difference."""
    return name == FOUND or name in Difference.Kind.values


def _counted(counts: dict[str, Any]) -> Iterator[tuple[str, str, int, int]]:
    """Class, currency, how many, and their sum in minor units."""
    asked = {MATCHED: "agreed", UNCLEAR: "unclear", FOUND: "differences"}
    for name, counted_as in asked.items():
        if number := counts.get(counted_as, 0):
            yield name, "", number, 0
    for name, currencies in counts.get("classes", {}).items():
        for currency, counted in currencies.items():
            yield name, currency, counted["count"], counted["sum"]
