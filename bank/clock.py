"""The bank's clock, which tests can move, and how the bank writes instants."""

import time
from datetime import UTC, date, datetime

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Clock:
    """The machine's clock plus an offset that only the control plane changes."""

    def __init__(self) -> None:
        self.offset_ns = 0

    def now(self) -> int:
        return time.time_ns() + self.offset_ns

    def move(self, *, by_ns: int) -> None:
        self.offset_ns += by_ns

    def set(self, instant_ns: int) -> None:
        self.offset_ns = instant_ns - time.time_ns()


def rfc3339(instant_ns: int) -> str:
    """How the bank writes an instant from memory: up to nine fractional digits, no trailing zeros."""
    seconds, fraction = divmod(instant_ns, SECOND)
    digits = f"{fraction:09d}".rstrip("0")
    return _to_the_second(seconds) + (f".{digits}Z" if digits else "Z")


def rfc3339_from_database(instant_ns: int) -> str:
    """How the bank writes an instant from its database, which keeps microseconds: six fractional digits."""
    seconds, fraction = divmod(instant_ns, SECOND)
    return f"{_to_the_second(seconds)}.{fraction // 1000:06d}Z"


def instant(text: str) -> int:
    """Parse an RFC 3339 instant. Raises ValueError if it is invalid or has no time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return int(moment.timestamp()) * SECOND + moment.microsecond * 1000


def day(of: date) -> tuple[int, int]:
    """The first instant of a UTC day and that of the next day."""
    start = int(datetime(of.year, of.month, of.day, tzinfo=UTC).timestamp()) * SECOND
    return start, start + 24 * HOUR


def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
