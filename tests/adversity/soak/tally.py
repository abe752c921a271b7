"""What happened in a soak, counted by all its threads."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """Counts and findings. Every method may be called by any thread."""

    injected: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)  # payment id -> the last final receipt
    unanswered: dict[str, set[str]] = field(
        default_factory=dict
    )  # payment id -> verbs without a final response
    unfinished: int = 0
    wrong: list[str] = field(default_factory=list)  # sentences: what must never happen
    lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, what: str, times: int = 1) -> None:
        with self.lock:
            self.injected[what] += times

    def answer(self, what: str) -> None:
        with self.lock:
            self.answers[what] += 1

    def accuse(self, sentence: str) -> None:
        with self.lock:
            self.wrong.append(sentence)

    def tell(self, receipt: dict[str, Any]) -> None:
        """A client has this receipt as a final response."""
        with self.lock:
            self.told[receipt["id"]] = receipt

    def leave(self, payment_id: str | None, verb: str) -> None:
        """A client has asked for this until the end, and knows no outcome."""
        with self.lock:
            self.unfinished += 1
            if payment_id is not None:
                self.unanswered.setdefault(payment_id, set()).add(verb)


def listed(counts: dict[str, int]) -> str:
    """`3 callers who hung up, 2 rows locked`, or `none`."""
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"
