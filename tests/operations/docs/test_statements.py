"""The examples in docs/statements.md are files that FicPay imports."""

import re
from pathlib import Path

import pytest

from docs.links import PROJECT
from tests.support.reconcile import reconcile

_EXAMPLE = re.compile(r"^```(csv|xml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.django_db(transaction=True)
def test_the_examples_are_imported_and_say_the_same(tmp_path: Path) -> None:
    examples = dict(_EXAMPLE.findall((PROJECT / "docs/statements.md").read_text()))
    assert sorted(examples) == ["csv", "xml"]
    for (form, text), new in zip(sorted(examples.items()), (2, 0), strict=True):
        file = tmp_path / f"example.{form}"
        file.write_text(text)
        printed = reconcile("statement", str(file), "--bank", "ficmart")[1]
        assert f"example.{form}: 2 lines imported, {new} of them new." in printed
        assert "It covers 2026-11-20 00:00 to 2026-11-21 00:00 (UTC)." in printed
