"""Times as files write them: RFC 3339, with an offset, and with any number of digits of a second."""

from datetime import UTC, datetime

_EXAMPLE = "2026-11-21T09:30:00Z"


def moment(text: str) -> datetime:
    """UTC, in microseconds: further digits are cut off. Raises ValueError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the time {text[:40]!r} is not RFC 3339, as {_EXAMPLE}") from None
    if at.tzinfo is None or len(text) < len(_EXAMPLE):
        raise ValueError(f"the time {text[:40]!r} needs a date, a time and an offset, as {_EXAMPLE}")
    try:
        return at.astimezone(UTC)
    except OverflowError:  # in the years 1 and 9999
        raise ValueError(f"the time {text[:40]!r} is none of a bank's") from None
