"""Keeps links to lines true: `make links` writes into each the line on which what it names stands.

A link whose text is code, as [`capture_payment`](../payments/usecases/capture.py#L26), names a definition in
a file of Python, or a part (`attempt AS (`) of a statement of SQL.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])

LINK = re.compile(r"\[`(?P<name>[\w.]+)(?:\(\))?`\]\((?P<path>[^)#\s]+)#L(?P<line>\d+)\)")


class NothingOfThatName(Exception):
    """A link names what its file does not hold."""


def with_lines(page: Path) -> str:
    """The page's text with each link's line as it is now. Raises NothingOfThatName."""

    def corrected(link: re.Match[str]) -> str:
        line = line_of(link["name"], page.parent / link["path"])
        return link[0].replace(f"#L{link['line']})", f"#L{line})")

    return LINK.sub(corrected, page.read_text())


def line_of(name: str, file: Path) -> int:
    """The line on which the file defines it. Raises NothingOfThatName."""
    source = file.read_text() if file.is_file() else ""
    found = _parts_of_sql(source) if file.suffix == ".sql" else _definitions(ast.parse(source).body)
    lines = dict(found)
    # `record.record_end` is the module's function, `Line.post` the class's.
    for known_as in (name, name.rpartition(".")[2]):
        if known_as in lines:
            return lines[known_as]
    raise NothingOfThatName(f"{file.resolve()} holds no {name}.")


def _definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, int]]:
    for node in body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield prefix + name, node.lineno
                if isinstance(node, ast.ClassDef):
                    yield from _definitions(node.body, f"{name}.")
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name, node.lineno
            case _:
                pass


def _parts_of_sql(source: str) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(source.splitlines(), 1):
        if part := re.match(r"(?:WITH )?(\w+) AS (?:MATERIALIZED )?\(", line):
            yield part[1], number


if __name__ == "__main__":
    stale = []
    for one in PAGES:
        current = with_lines(one)
        if one.read_text() != current:
            stale.append(one.name)
            if sys.argv[1:] != ["--check"]:
                one.write_text(current)
    if stale and sys.argv[1:] == ["--check"]:
        sys.exit(f"Links to other lines than they name: {', '.join(stale)}: make links")
