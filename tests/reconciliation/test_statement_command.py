"""`manage.py reconcile statement` tells what a file contains, and what is wrong in it."""

import json
from pathlib import Path

import pytest

from tests.support.reconcile import reconcile

HEADER = "entry_id,type,reference_id,amount_cents,currency,created_at"
HOLD, CAPTURE = (f"{n}0000000-0000-4000-8000-000000000000" for n in (1, 2))
GOOD = f"""{HEADER}
{HOLD},AUTH_HOLD,,5000,USD,2026-11-21T09:30:00Z
{CAPTURE},CAPTURE,{HOLD},5000,USD,2026-11-21T10:30:00Z
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "statement.csv"
    path.write_text(GOOD)
    return path


def checked(file: Path, *arguments: str) -> tuple[int, str]:
    return reconcile("statement", str(file), "--bank", "ficmart", *arguments)


def test_counts_the_lines_of_each_kind(file: Path) -> None:
    code, printed = checked(file)
    assert code == 0
    assert "2 lines, 0 malformed" in printed
    assert "1 authorize in USD: $50.00" in printed
    assert "From 2026-11-21T09:30:00+00:00 to 2026-11-21T10:30:00+00:00." in printed


def test_names_each_malformed_line_and_ends_with_1(file: Path) -> None:
    file.write_text(GOOD.replace(",5000,USD,2026-11-21T10", ",fifty,USD,2026-11-21T10"))
    code, printed = checked(file, "--json")
    assert code == 1
    (told,) = json.loads(printed)["files"]
    assert told["lines"] == 1
    assert told["malformed"] == [
        {"line": 3, "problem": "the amount 'fifty' is not a whole number of minor units"}
    ]


def test_says_in_a_sentence_why_a_file_is_not_read(file: Path, tmp_path: Path) -> None:
    assert checked(tmp_path / "none.csv")[0] == 2
    assert "invalid choice: 'acquirer'" in reconcile("statement", str(file), "--bank", "acquirer")[1]
    file.write_text("a,b\n")
    code, printed = checked(file)
    assert code == 2
    assert "this is not a statement" in printed
