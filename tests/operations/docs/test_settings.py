"""docs/settings.md and .env.example say what ficpay/settings.py reads."""

import pytest

from docs.settings import BEGIN, END, PAGE, PROJECT, SETTINGS, NotDescribed, document, settings_in
from ficpay.secrets import MINIMUM_LENGTH

SOURCE = SETTINGS.read_text()


class TestThePage:
    def test_the_committed_one_is_the_generated_one(self) -> None:
        assert PAGE.read_text() == document(PAGE.read_text(), SOURCE), "not current: make settings"

    def test_has_a_row_for_each_variable(self) -> None:
        rows = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].splitlines()
        names = [line.split("`")[1] for line in rows if line.startswith("| `")]
        assert names == [setting.name for setting in settings_in(SOURCE)]
        assert len(set(names)) == len(names)

    def test_says_how_long_a_secret_is(self) -> None:
        assert f"shorter than {MINIMUM_LENGTH} characters" in PAGE.read_text()

    @pytest.mark.parametrize(
        "source",
        ['A = env.str("A", "")', '#: About A.\nA = env.str("A", other())', 'A = secrets.read(env, "A")'],
    )
    def test_cannot_be_written_without_a_meaning_and_a_default(self, source: str) -> None:
        with pytest.raises(NotDescribed, match="A"):
            settings_in(source)


class TestTheExample:
    def test_has_the_defaults(self) -> None:
        lines = (PROJECT / ".env.example").read_text().splitlines()
        example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        for setting in settings_in(SOURCE):
            if setting.default != "required" and setting.name != "DATABASE_URL":  # with its own role
                default = "" if setting.default == "none" else setting.default.split("`")[1]
                assert example[setting.name] == default
