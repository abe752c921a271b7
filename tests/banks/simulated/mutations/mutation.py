"""What a mutation is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SUITE = "tests/banks/contract"


class TextNotFound(Exception):
    """The bank's source has changed: the text to replace is not there exactly once."""


@dataclass(frozen=True)
class Mutation:
    """One broken sentence: (file, text, other text) for each replacement, and the tests that must fail."""

    sentence: str
    changes: tuple[tuple[str, str, str], ...]
    caught_by: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def apply(self, package: Path) -> None:
        """Break the bank in this directory; raises TextNotFound."""
        for file, text, other in self.changes:
            source = (package / file).read_text()
            if source.count(text) != 1:
                raise TextNotFound(f"{self.sentence}: {source.count(text)} times in {file}: {text!r}")
            (package / file).write_text(source.replace(text, other))


def breaking(
    sentence: str, *changes: tuple[str, str, str], caught_by: str | list[str], **environment: str
) -> Mutation:
    """A mutation caught by tests named as "state::TestExpiry::test_a_void_of_an_expired_hold_succeeds"."""
    names = [caught_by] if isinstance(caught_by, str) else caught_by
    nodes = (f"{SUITE}/test_{name.replace('::', '.py::', 1)}" for name in names)
    return Mutation(sentence, changes, tuple(nodes), environment)
