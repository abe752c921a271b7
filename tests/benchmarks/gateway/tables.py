"""Results as Markdown, for a terminal and for a page alike."""

from tests.benchmarks.gateway.results import Figure, Results, Table


def page(results: Results) -> str:
    """All tables under what they were measured on."""
    conditions = "\n".join(f"- {name}: {value}" for name, value in results.conditions.items())
    return "\n\n".join([conditions, *(markdown(table) for table in results.tables if table.rows)]) + "\n"


def markdown(table: Table) -> str:
    """Medians; beside each, how far a round lay from it at most, if there were several."""
    lines = [["", *table.columns]]
    for row, figures in table.rows.items():
        lines.append([row, *(_cell(figures.get(name)) for name in table.columns)])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    first, *others = ("| " + " | ".join(_fitted(line, widths)) + " |" for line in lines)
    rule = "|" + "|".join("-" * (width + 1) + (":" if at else "-") for at, width in enumerate(widths)) + "|"
    note = f"{table.note}\n\n" if table.note else ""
    return f"### {table.title}\n\n{note}" + "\n".join([first, rule, *others])


def _fitted(line: list[str], widths: list[int]) -> list[str]:
    """Names to the left, figures to the right."""
    return [line[0].ljust(widths[0]), *(cell.rjust(widths[at]) for at, cell in enumerate(line) if at)]


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    spread = "" if len(figure.values) == 1 else f" ±{min(figure.spread, 9.99) * 100:.0f}%"
    return f"{number(figure.median)}{spread}"


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
