"""How a bank writes its ledger in statements. Adapters say it; whoever reads statements asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from payments.domain.states import OperationKind

# Which operation made what an entry names: a capture and a void name a hold, a refund names a capture.
NAMES = {
    OperationKind.CAPTURE: OperationKind.AUTHORIZE,
    OperationKind.VOID: OperationKind.AUTHORIZE,
    OperationKind.REFUND: OperationKind.CAPTURE,
}


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
        """The bank's id as its API has it. A statement may leave out the prefix, and write in capitals.

        Raises ValueError where it is no id.
        """
        prefix = self.prefixes[kind]
        text = written.lower().removeprefix(prefix)
        try:
            if str(UUID(text)) == text:
                return prefix + text
        except ValueError:
            pass
        raise ValueError(f"{written[:60]!r} is no id of the bank's")
