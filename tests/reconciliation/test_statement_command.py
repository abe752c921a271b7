"""`manage.py reconcile statement` imports statements, or tells what they contain and what is wrong."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciliation.models import StatementFile, StatementLine
from tests.support.reconcile import reconcile
from tests.support.statement_files import WHOLE as OF_A_DAY

# Of yesterday: the lines' other side may still come.
DAY = datetime.now(UTC).date() - timedelta(days=1)
NEXT = DAY + timedelta(days=1)
HEADER, *ROWS = OF_A_DAY.replace("2026-11-21", str(DAY)).replace("2026-11-22", str(NEXT)).splitlines()
GOOD = "\n".join([HEADER, *ROWS[:2], ""])
BROKEN = GOOD.replace(f",5000,USD,{DAY}T10", f",fifty,USD,{DAY}T10")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "statement.csv"
    path.write_text(GOOD)
    return path


def statement(*arguments: str | Path) -> tuple[int, str]:
    return reconcile("statement", *map(str, arguments), "--bank", "ficmart")


class TestImport:
    def test_says_what_is_new_and_which_time_it_covers(self, file: Path, tmp_path: Path) -> None:
        assert statement(file) == (
            0,
            "statement.csv: 2 lines imported, 2 of them new.\n"
            f"  It covers {DAY} 00:00 to {NEXT} 00:00 (UTC).\n"
            "  1 authorize in USD: $50.00\n"
            "  1 capture in USD: $50.00\n"
            "ficmart reconciled: 1 that need nothing, 1 late; healed: nothing; open differences: 0.\n",
        )
        whole = tmp_path / "whole.csv"
        whole.write_text("\n".join([HEADER, *ROWS]))
        assert "whole.csv: 4 lines imported, 2 of them new." in statement(whole)[1]
        assert {file.actor for file in StatementFile.objects.all()} == {"operator"}

    def test_says_plainly_that_a_file_was_imported_before_which_is_no_error(self, file: Path) -> None:
        statement(file)
        code, printed = statement(file)
        assert code == 0
        assert printed.startswith(
            "statement.csv was imported already, as statement.csv of the bank ficmart, at "
        )

    def test_imports_the_others_beside_a_broken_file_and_ends_with_2(
        self, file: Path, tmp_path: Path
    ) -> None:
        broken, other = tmp_path / "broken.csv", tmp_path / "other.csv"
        broken.write_text(BROKEN)
        other.write_text("\n".join([HEADER, *ROWS]))
        code, printed = statement(file, broken, other)
        assert code == 2
        assert printed.splitlines()[4:6] == [
            "broken.csv was not imported: 1 line is malformed.",
            "  Line 3: the amount 'fifty' is not a whole number of minor units.",
        ]
        assert (StatementFile.objects.count(), StatementLine.objects.count()) == (2, 4)

    def test_json_is_for_programs(self, file: Path, tmp_path: Path) -> None:
        broken = tmp_path / "broken.csv"
        broken.write_text(BROKEN)
        code, printed = statement(file, broken, file, "--json")
        told = json.loads(printed)
        done, refused, again = told["files"]
        assert told["run"]["classes"]["late"] == {"USD": {"count": 1, "sum": 5000}}
        assert told["differences"] == []
        assert code == 2
        assert (done["imported"], done["file"], done["lines"], done["new_lines"]) == (True, str(file), 2, 2)
        assert done["covers_to"] == f"{NEXT} 00:00:00+00:00"
        assert (refused["imported"], refused["imported_before"]) == (False, False)
        assert refused["malformed"] == [
            {"line": 3, "problem": "the amount 'fifty' is not a whole number of minor units"}
        ]
        assert (again["imported"], again["imported_before"]) == (False, True)

    def test_ends_with_1_while_the_bank_and_our_books_differ(self, file: Path) -> None:
        file.write_text(OF_A_DAY)
        code, printed = statement(file)
        assert code == 1
        assert "ficmart reconciled: " in printed
        assert "ficmart: At the bank, not in our books: $50.00, ref_" in printed
        assert f"in line 5 of {file.name}." in printed
        told = json.loads(statement(file, "--json")[1])
        assert "missing_in_books" in {one["kind"] for one in told["differences"]}

    def test_takes_the_day_of_one_file(self, file: Path, tmp_path: Path) -> None:
        file.write_text(HEADER)
        assert statement(file)[0] == 2
        assert "It covers 2026-11-23 00:00" in statement(file, "--date", "2026-11-23")[1]
        code, told = statement(file, file, "--date", "2026-11-23")
        assert (code, told) == (2, "--date is the day of one file: give each file a command of its own.")


class TestCheck:
    def test_counts_the_lines_of_each_kind_and_keeps_nothing(self, file: Path, tmp_path: Path) -> None:
        code, printed = statement(file, "--check")
        assert code == 0
        assert "2 lines, 0 malformed" in printed
        assert "1 authorize in USD: $50.00" in printed
        assert f"From {DAY}T09:30:00.123456+00:00 to {DAY}T10:30:00.123456+00:00." in printed
        assert not StatementFile.objects.exists()

    def test_names_each_malformed_line_and_ends_with_1(self, file: Path) -> None:
        file.write_text(BROKEN)
        code, printed = statement(file, "--check", "--json")
        assert code == 1
        (told,) = json.loads(printed)["files"]
        assert (told["lines"], told["malformed_lines"]) == (1, 1)
        assert told["malformed"] == [
            {"line": 3, "problem": "the amount 'fifty' is not a whole number of minor units"}
        ]

    def test_says_in_a_sentence_why_a_file_is_not_read(self, file: Path, tmp_path: Path) -> None:
        assert statement(tmp_path / "none.csv", "--check")[0] == 2
        assert "invalid choice: 'acquirer'" in reconcile("statement", str(file), "--bank", "acquirer")[1]
        file.write_text("a,b\n")
        code, printed = statement(file, "--check")
        assert code == 2
        assert "this is not a statement" in printed
