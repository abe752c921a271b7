"""Banks' statements: how a bank writes its ledger in them, what a line shows, and what they must cover.

Adapters say how their bank writes; whoever reads statements asks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from payments.domain.states import OperationKind

# `uuid.UUID` takes ten times as long. camt.053 has 35 characters for an id: too few for the hyphens.
_UUID = re.compile(r"([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})")

# Which operation made what an entry names: a capture and a void name a hold, a refund names a capture.
NAMES = {
    OperationKind.CAPTURE: OperationKind.AUTHORIZE,
    OperationKind.VOID: OperationKind.AUTHORIZE,
    OperationKind.REFUND: OperationKind.CAPTURE,
}

# How long a line may wait for its operation, and an operation for its line, before that is a difference. A
# line dated just before midnight may come with the next day's file, and that file a day late.
GRACE = timedelta(days=2)
# How much more than the attempts a statement must cover before a missing line proves anything: clocks differ,
# and a bank may execute late.
COVERED_BEFORE, COVERED_AFTER = timedelta(minutes=5), timedelta(hours=1)


@dataclass(frozen=True)
class Shown:
    """A line of an imported statement, as evidence of what the bank did. The amount is in minor units."""

    bank: str
    kind: OperationKind
    reference: str  # the bank's id of what it made
    target_reference: str  # the hold of a capture or a void, the capture of a refund; empty for a hold
    amount_minor: int
    currency: str
    at: datetime  # the bank's own time (UTC)
    file: str  # the statement's name
    line: int  # where it stands in the file, from 1

    def evidence(self) -> dict[str, Any]:
        """What an event stores of it."""
        return {
            "statement": {
                "file": self.file,
                "line": self.line,
                "reference": self.reference,
                "at": self.at.isoformat(),
            }
        }


@dataclass(frozen=True)
class Covered:
    """The time (UTC) that imported statements cover without a gap, as evidence of what they do not show."""

    begins: datetime
    ends: datetime  # excluded

    def evidence(self) -> dict[str, Any]:
        """What an event stores of it."""
        return {"statement": {"covers_from": self.begins.isoformat(), "covers_to": self.ends.isoformat()}}


@dataclass(frozen=True)
class StatementWords:
    """The words of one bank's statements: its name for each kind, and what its ids begin with elsewhere."""

    kinds: Mapping[str, OperationKind]
    prefixes: Mapping[OperationKind, str]

    def kind_of(self, word: str) -> OperationKind:
        """Raises ValueError for a word that the bank does not have."""
        if word not in self.kinds:
            raise ValueError(f"{word[:40]!r} is not one of {', '.join(self.kinds)}")
        return self.kinds[word]

    def word_of(self, kind: OperationKind) -> str:
        """The bank's word for it; a release is a void."""
        wanted = OperationKind.VOID if kind is OperationKind.RELEASE else kind
        return next(word for word, known in self.kinds.items() if known is wanted)

    def bare(self, kind: OperationKind, reference: str) -> str:
        """The bank's id as a statement may have it: without its prefix."""
        return reference.removeprefix(self.prefixes[kind])

    def reference(self, kind: OperationKind, written: str) -> str:
        """The bank's id as its API has it, for one without prefix or hyphens too, and in capitals.

        Raises ValueError where it is no id.
        """
        prefix = self.prefixes[kind]
        text = written.lower().removeprefix(prefix)
        found = _UUID.fullmatch(text)
        if found is None:
            raise ValueError(f"{written[:60]!r} is no id of the bank's")
        return prefix + (text if found[2] else "-".join(found.group(1, 3, 4, 5, 6)))
