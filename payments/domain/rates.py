"""Rate limits: how many requests a merchant may send in one mode and window, counted by budget.

Windows are fixed and start with each full minute of the database's clock, so that every process means the
same window. Around the border of two windows a merchant may send up to twice its limit.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

WINDOW_SECONDS = 60
_WINDOW_MS = WINDOW_SECONDS * 1000
MOST_REQUESTS = 10_000_000  # the highest limit


class Budget(StrEnum):
    """What a request counts against. Each has a count of its own."""

    WRITES = "writes"  # a POST with a new idempotency key, or a DELETE
    READS = "reads"  # a GET or HEAD
    REPLAYS = "replays"  # a POST whose idempotency key is known: a retry, which must get its response


@dataclass(frozen=True)
class Limits:
    """Requests per window. Replays have as many as reads."""

    writes: int
    reads: int

    def of(self, budget: Budget) -> int:
        return self.writes if budget is Budget.WRITES else self.reads


class Window(NamedTuple):
    """A window of the database's clock: its number, and the seconds until the next one, at least 1."""

    number: int
    ends_in: int


def window_at(now_ms: int) -> Window:
    """The window at this time, in milliseconds since 1970 (UTC)."""
    number, elapsed = divmod(now_ms, _WINDOW_MS)
    return Window(number, -((elapsed - _WINDOW_MS) // 1000))


class Standing(NamedTuple):
    """Where a request leaves its budget."""

    budget: Budget
    limit: int
    remaining: int  # requests left in this window
    ends_in: int  # seconds until the next window
    is_refused: bool = False

    @property
    def policy_header(self) -> str:
        """`RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10): requests per window."""
        return _policy(self.budget, self.limit)

    @property
    def header(self) -> str:
        """`RateLimit`: what is left of it, and the seconds until all of it is back."""
        return f'"{self.budget}";r={self.remaining};t={self.ends_in}'


@lru_cache(maxsize=1024)
def _policy(budget: Budget, limit: int) -> str:
    return f'"{budget}";q={limit};w={WINDOW_SECONDS}'
