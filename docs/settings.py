"""Writes the tables of docs/settings.md: every environment variable that ficpay/settings.py reads.

What a variable means stands above it, in comments that begin with `#:`. Its default is the one in the code,
or what a line `#: Default:` says, where the code alone does not tell. The settings are read, not imported.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "settings.md"
SETTINGS = PROJECT / "ficpay" / "settings.py"

BEGIN, END = "<!-- The tables: `make settings` writes them. -->\n", "<!-- End of the tables. -->\n"
FIRST_SECTION = "Where everything lies"  # of what stands above the first heading

_HEADING = re.compile(r"# --- (.+?) -+$")
_SECRETS = ("read", "read_keyring")


class NotDescribed(Exception):
    """A variable without a meaning or a default that can be printed."""


@dataclass(frozen=True)
class Setting:
    name: str
    default: str  # in Markdown
    meaning: str
    section: str


def document(page: str, settings: str) -> str:
    """The page with tables made from the source of the settings. Raises NotDescribed."""
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    return before + BEGIN + "\n" + "\n".join(_tables(settings)) + "\n" + END + after


def settings_in(source: str) -> list[Setting]:
    """In the order in which the code reads them. Raises NotDescribed."""
    lines = source.splitlines()
    statements = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr)
    ]
    return [
        _setting(lines, statement, call)
        for statement in sorted(statements, key=lambda one: one.lineno)
        for call in _reads(statement)
    ]


def _tables(source: str) -> Iterator[str]:
    for section, settings in groupby(settings_in(source), key=lambda one: one.section):
        yield from (f"## {section}", "", "| variable | default | meaning |", "|---|---|---|")
        yield from (f"| `{one.name}` | {one.default} | {one.meaning} |" for one in settings)
        yield ""


def _reads(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls in a statement that read a variable."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            is_read = isinstance(owner, ast.Name) and (
                (owner.id == "env" and node.func.attr != "read_env")
                or (owner.id == "secrets" and node.func.attr in _SECRETS)
            )
            if is_read:
                yield node


def _setting(lines: list[str], statement: ast.stmt, call: ast.Call) -> Setting:
    is_secret = isinstance(call.args[0], ast.Name)  # `secrets.read(env, "NAME")`
    name = ast.literal_eval(call.args[1 if is_secret else 0])
    comment = _comment_above(lines, statement.lineno)
    told = [line for line in comment if not line.startswith("Default: ")]
    given = [line.removeprefix("Default: ") for line in comment if line.startswith("Default: ")]
    if not told:
        raise NotDescribed(f"{SETTINGS.name} says nothing of {name}: write a line `#:` above it.")
    default = given[0] if given else "required" if is_secret else _default(name, call)
    return Setting(name, default, " ".join(told), _section(lines, statement.lineno))


def _default(name: str, call: ast.Call) -> str:
    try:
        value = ast.literal_eval(call.args[1])
    except ValueError:
        raise NotDescribed(f"The default of {name} is computed: write a line `#: Default:`.") from None
    text = as_written(value)
    return f"`{text}`" if text else "none"


def as_written(value: object) -> str:
    """A value as an environment variable has it."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(map(str, value))
        case dict():
            return ",".join(f"{key}={of_key}" for key, of_key in value.items())
        case _:
            return str(value)


def _comment_above(lines: list[str], line: int) -> list[str]:
    """The lines `#:` right above a line of the code."""
    told: list[str] = []
    for text in reversed(lines[: line - 1]):
        if not text.strip().startswith("#:"):
            break
        told.insert(0, text.strip().removeprefix("#:").strip())
    return told


def _section(lines: list[str], line: int) -> str:
    headings = [found[1] for text in lines[:line] if (found := _HEADING.match(text))]
    return headings[-1] if headings else FIRST_SECTION


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(PAGE.read_text(), SETTINGS.read_text()))
