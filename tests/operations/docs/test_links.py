"""The documents' links lead somewhere, and those to lines to what they name."""

import re
from pathlib import Path

import pytest

from docs.links import LINK, PAGES, PROJECT, NothingOfThatName, line_of, with_lines

TO_A_FILE = re.compile(r"\]\((?!https?:|mailto:|/)([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The addresses that Markdown's readers make of a page's headings."""
    titles = HEADING.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
class TestEachPage:
    def test_links_to_the_lines_that_it_names(self, page: Path) -> None:
        assert page.read_text() == with_lines(page), "links to other lines than they name: make links"

    def test_links_to_files_and_headings_that_exist(self, page: Path) -> None:
        for path, anchor in TO_A_FILE.findall(page.read_text()):
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), path
            if anchor and target.suffix == ".md":
                assert anchor in anchors(target), f"{path}#{anchor}"


class TestLineOf:
    def test_finds_functions_methods_and_parts_of_sql(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("A = 1\n\nclass B:\n    def c(self): ...\n")
        (tmp_path / "a.sql").write_text("-- b\nWITH b AS (\n),\nc AS MATERIALIZED (\n")
        assert [line_of(name, tmp_path / "a.py") for name in ("A", "B", "B.c", "a.A")] == [1, 3, 4, 1]
        assert [line_of(name, tmp_path / "a.sql") for name in "bc"] == [2, 4]

    def test_says_what_is_missing(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("")
        for name in ("a.py", "none.py"):
            with pytest.raises(NothingOfThatName, match="holds no B"):
                line_of("B", tmp_path / name)

    def test_reads_a_link(self) -> None:
        link = LINK.fullmatch("[`a.B()`](../c/d.py#L12)")
        assert link is not None
        assert (link["name"], link["path"], link["line"]) == ("a.B", "../c/d.py", "12")
