"""Days: in UTC unless a time zone is given."""

from datetime import UTC, date, datetime, time, tzinfo


def begin_of(day: date, zone: tzinfo = UTC) -> datetime:
    """The start of the zone's day, in UTC. Raises OverflowError outside Python's calendar."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
