"""The geometry of the dashboard's charts. Templates draw them as SVG, without scripts or inline styles."""

from collections.abc import Iterable
from dataclasses import dataclass

# In SVG units; the page scales the drawing.
WIDTH, HEIGHT = 720, 180
_LEFT, _TOP, _BOTTOM = 36, 10, 22
_GAP = 0.28  # share of a column's slot


@dataclass(frozen=True)
class Point:
    """The data of one column. `bad` of the `total` are hatched."""

    name: str
    tick: str  # the label below the column; empty if there is no room
    total: int
    bad: int
    link: str = ""


@dataclass(frozen=True)
class Column:
    """A point's coordinates: its slot, and its two stacked parts from the bottom up."""

    point: Point
    left: float
    width: float
    middle: float
    good_top: float
    good_height: float
    bad_top: float
    bad_height: float
    place_left: float
    place_width: float


@dataclass(frozen=True)
class Line:
    """A grid line and its value."""

    y: float
    number: int


@dataclass(frozen=True)
class Columns:
    """A chart of stacked columns."""

    columns: list[Column]
    lines: list[Line]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    floor: int = HEIGHT - _BOTTOM
    tick_y: int = HEIGHT - 6


def stacked_columns(points: Iterable[Point]) -> Columns:
    """Stacked columns on a scale that begins at zero."""
    points = list(points)
    top = _scale_for(max((point.total for point in points), default=0))
    room = HEIGHT - _TOP - _BOTTOM
    place = (WIDTH - _LEFT) / max(len(points), 1)
    floor = HEIGHT - _BOTTOM

    def column(index: int, point: Point) -> Column:
        bad = point.bad / top * room
        good = (point.total - point.bad) / top * room
        left = _LEFT + index * place
        return Column(
            point=point,
            left=round(left + place * _GAP / 2, 2),
            width=round(place * (1 - _GAP), 2),
            middle=round(left + place / 2, 2),
            good_top=round(floor - good, 2),
            good_height=round(good, 2),
            bad_top=round(floor - good - bad, 2),
            bad_height=round(bad, 2),
            place_left=round(left, 2),
            place_width=round(place, 2),
        )

    return Columns(
        columns=[column(index, point) for index, point in enumerate(points)],
        lines=[Line(round(floor - room * part, 2), round(top * part)) for part in (0, 0.5, 1)],
    )


def _scale_for(highest: int) -> int:
    """The next round number from `highest` up whose half is a whole number, too."""
    power = 1
    while highest > 10 * power:
        power *= 10
    steps = (2, 4, 6, 8, 10) if power == 1 else (1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10)
    return next(round(step * power) for step in steps if step * power >= highest)
