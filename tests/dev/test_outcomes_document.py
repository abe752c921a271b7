"""docs/outcomes.md is what the table and its tests make it, and its links lead somewhere."""

import re

import pytest

from dev.outcomes import ANSWERS, COLUMNS, MEANS, PROJECT, TESTS, CellNotTested, document
from payments.domain.meanings import Answer, Meaning

PAGE = PROJECT / "docs" / "outcomes.md"
LINK = re.compile(r"\[[^\]]+\]\(\.\./([^#)]+)#L(\d+)\)")


def cells() -> list[tuple[Answer, str, str]]:
    """Every cell of the page: its row, its column and its Markdown."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert rows[0] == ["answer", *COLUMNS]
    found = {row[0]: row[1:] for row in rows[1:]}
    return [
        (answer, column, cell)
        for answer in Answer
        for column, cell in zip(COLUMNS, found[ANSWERS[answer]], strict=True)
    ]


class TestDocument:
    def test_the_committed_one_is_the_generated_one(self) -> None:
        generated = document((PROJECT / TESTS).read_text())
        assert PAGE.read_text() == generated, "docs/outcomes.md is not current: make outcomes"

    def test_each_cell_links_to_lines_that_are_about_it(self) -> None:
        for answer, column, cell in cells():
            links = LINK.findall(cell)
            assert links, (answer, column)
            for path, line in links:
                linked = (PROJECT / path).read_text().splitlines()[int(line) - 1]
                assert f"(Answer.{answer.name}, {column.upper()}):" in linked

    def test_each_cell_has_a_line_of_its_own(self) -> None:
        assert len({LINK.findall(cell)[0] for _, _, cell in cells()}) == len(Answer) * len(COLUMNS)

    def test_there_are_words_for_everything(self) -> None:
        assert set(ANSWERS) == set(Answer)
        assert set(MEANS) == set(Meaning)

    def test_cannot_be_written_without_a_test_of_each_cell(self) -> None:
        tests = (PROJECT / TESTS).read_text().replace("(Answer.TROUBLE, VOID)", "(Answer.APPROVED, VOID)")
        with pytest.raises(CellNotTested, match="TROUBLE, void"):
            document(tests)
