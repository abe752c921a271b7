"""Days: always the UTC ones."""

from datetime import UTC, date, datetime, time


def begin_of(day: date) -> datetime:
    """The first moment of the UTC day."""
    return datetime.combine(day, time.min, tzinfo=UTC)
