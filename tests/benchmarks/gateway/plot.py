"""The results as one picture: a panel a question, a bar a row, a line from the lowest round to the highest.

Drawn with Pillow, which is one package of 7 MB; a plotting library brings a dozen for the sake of some bars.
"""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tests.benchmarks.gateway.results import Figure, Results, Table
from tests.benchmarks.gateway.tables import number

# Pixels; a picture has two columns of panels.
WIDTH, MARGIN, LABELS, NUMBERS, BAR, GAP = 900, 40, 310, 120, 22, 6
INK, GREY, LINE = "#1f2430", "#6b7280", "#111827"
COLOURS = ("#6b7280", "#0d9488", "#2563eb", "#d97706", "#9333ea", "#db2777", "#65a30d")
# Of each table, the columns that are drawn, a panel each, and what the panel is called.
_DRAWN = {
    "Hot path": {
        "per second": "Requests a second",
        "web CPU ms": "CPU of the web processes, ms a request",
        "PostgreSQL CPU ms": "CPU of PostgreSQL, ms a request",
    },
    "Overhead": {
        "p50 ms": "Beyond the bank's time: p50, ms",
        "p95 ms": "Beyond the bank's time: p95, ms",
        "p99 ms": "Beyond the bank's time: p99, ms",
    },
    "Memory": {"at load": "Memory at load, MiB"},
}


@dataclass(frozen=True)
class _Panel:
    title: str
    bars: list[tuple[str, Figure]]
    colours: dict[str, str]  # by row

    @property
    def height(self) -> int:
        return 2 * BAR + len(self.bars) * (BAR + GAP) + MARGIN


def draw(results: Results, path: Path) -> None:
    """Write the picture. Tables without figures are left out."""
    about = results.conditions
    heading = f"{about['When']}, {about['Commit']}, Python {about['Python']}"
    placed, heights = [], [2 * MARGIN, 2 * MARGIN]
    for panel in (panel for table in results.tables for panel in _panels(table) if panel.bars):
        column = heights.index(min(heights))
        placed.append((panel, column * WIDTH, heights[column]))
        heights[column] += panel.height
    image = Image.new("RGB", (2 * WIDTH, max(heights)), "white")
    canvas = ImageDraw.Draw(image)
    canvas.text((MARGIN, MARGIN), heading, GREY, ImageFont.load_default(16))
    for panel, left, top in placed:
        _draw_panel(canvas, panel, left, top)
    image.quantize(64).save(path, optimize=True)


def _panels(table: Table) -> list[_Panel]:
    drawn = _DRAWN.get(table.title, {})
    if table.title == "Growth":
        drawn = {name: f"Growth: {name} to the smallest" for name in table.columns if name.endswith("ratio")}
    kinds = list(dict.fromkeys(row.partition(",")[0] for row in table.rows))
    colours = {row: COLOURS[kinds.index(row.partition(",")[0]) % len(COLOURS)] for row in table.rows}
    panels = []
    for name, title in drawn.items():
        rows = _of_middle(list(table.rows)) if "CPU" in name else list(table.rows)
        bars = [(row, table.rows[row][name]) for row in rows if name in table.rows[row]]
        panels.append(_Panel(title, bars, colours))
    return panels


def _of_middle(rows: list[str]) -> list[str]:
    """Those with the middle number of clients, on which CPU hardly depends."""
    numbers = list(dict.fromkeys(row.partition(",")[2] for row in rows))
    return [row for row in rows if row.endswith(numbers[len(numbers) // 2])]


def _draw_panel(canvas: ImageDraw.ImageDraw, panel: _Panel, left: int, top: int) -> None:
    canvas.text((left + MARGIN, top), panel.title, INK, ImageFont.load_default(20))
    scale = (WIDTH - 2 * MARGIN - LABELS - NUMBERS) / (_highest(panel) or 1)  # pixels a unit
    for at, (label, figure) in enumerate(panel.bars):
        y = top + int(1.5 * BAR) + at * (BAR + GAP)
        _draw_bar(
            canvas, label, figure, left=left + MARGIN + LABELS, y=y, scale=scale, colour=panel.colours[label]
        )


def _highest(panel: _Panel) -> float:
    return max(max(figure.values) for _, figure in panel.bars)


def _draw_bar(
    canvas: ImageDraw.ImageDraw, label: str, figure: Figure, *, left: int, y: int, scale: float, colour: str
) -> None:
    middle = y + BAR // 2
    font = ImageFont.load_default(16)
    canvas.text((left - 12, middle), label, INK, font, anchor="rm")
    canvas.rectangle((left, y, left + figure.median * scale, y + BAR), fill=colour)
    low, high = (left + value * scale for value in (min(figure.values), max(figure.values)))
    if high > low:
        canvas.line((low, middle, high, middle), fill=LINE, width=2)
        for end in (low, high):
            canvas.line((end, middle - 5, end, middle + 5), fill=LINE, width=2)
    canvas.text((max(high, left) + 10, middle), number(figure.median), INK, font, anchor="lm")
