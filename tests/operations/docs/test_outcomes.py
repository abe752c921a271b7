"""docs/outcomes.md is what the table and its tests make it, and its links lead somewhere."""

import re

import pytest

from docs.outcomes import (
    BANKS,
    BANKS_WITHOUT_KEYS,
    MEANS,
    PAGE,
    PROJECT,
    TESTS,
    CellNotTested,
    columns_of,
    document,
    rows_of,
)
from payments.banks import registry
from payments.banks.base import Bank
from payments.domain.meanings import Meaning, ReplyKind

LINK = re.compile(r"\[[^\]]+\]\(\.\./([^#)]+)#L(\d+)\)")


def cells(bank: Bank) -> list[tuple[ReplyKind, str, str]]:
    """Every cell of the bank's table: its row, its column and its Markdown."""
    section = PAGE.read_text().partition(f"## {bank.name}\n\n")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    assert rows[0] == ["reply", *columns_of(bank)]
    found = {row[0]: row[1:] for row in rows[1:]}
    return [
        (reply_kind, column, cell)
        for reply_kind, says in rows_of(bank).items()
        for column, cell in zip(columns_of(bank), found[says], strict=True)
    ]


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.name)
class TestEachBanksTable:
    def test_has_cells_that_link_to_lines_that_are_about_them(self, bank: Bank) -> None:
        for reply_kind, column, cell in cells(bank):
            links = LINK.findall(cell)
            assert links, (reply_kind, column)
            for path, line in links:
                linked = (PROJECT / path).read_text().splitlines()[int(line) - 1]
                assert f"(ReplyKind.{reply_kind.name}, {column.upper()}):" in linked

    def test_has_a_line_for_each_cell(self, bank: Bank) -> None:
        first = {LINK.findall(cell)[0] for _, _, cell in cells(bank)}
        assert len(first) == len(rows_of(bank)) * len(columns_of(bank))


@pytest.mark.parametrize("bank", BANKS_WITHOUT_KEYS, ids=lambda bank: bank.name)
class TestABankWithoutKeys:
    def test_has_cells_that_link_to_lines_that_are_about_them(self, bank: Bank) -> None:
        page = PAGE.read_text().partition(f"## {bank.name}\n\n")[2].partition("\n## ")[0]
        for said, says in bank.reads.items():
            row = next(line for line in page.splitlines() if line.startswith(f"| {says} |"))
            ((path, line),) = LINK.findall(row)
            assert f"Said.{said.name}:" in (PROJECT / path).read_text().splitlines()[int(line) - 1]


class TestDocument:
    def test_has_a_table_for_each_bank(self) -> None:
        assert {bank.name for bank in (*BANKS, *BANKS_WITHOUT_KEYS)} == set(registry.NAMES)
        assert all(bank.abilities.knows_keys for bank in BANKS)
        assert not any(bank.abilities.knows_keys for bank in BANKS_WITHOUT_KEYS)

    def test_the_committed_one_is_the_generated_one(self) -> None:
        generated = document(PAGE.read_text(), (PROJECT / TESTS).read_text())
        assert PAGE.read_text() == generated, "docs/outcomes.md is not current: make outcomes"

    def test_there_are_words_for_everything(self) -> None:
        assert {reply_kind for bank in BANKS for reply_kind in rows_of(bank)} == set(ReplyKind)
        assert set(MEANS) == set(Meaning)

    def test_cannot_be_written_without_a_test_of_each_cell(self) -> None:
        tests = (
            (PROJECT / TESTS).read_text().replace("(ReplyKind.TROUBLE, VOID)", "(ReplyKind.APPROVED, VOID)")
        )
        with pytest.raises(CellNotTested, match="TROUBLE, void"):
            document(PAGE.read_text(), tests)
