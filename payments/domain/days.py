"""Days: the UTC ones, unless somebody asks for those of a time zone."""

from datetime import UTC, date, datetime, time, tzinfo


def begin_of(day: date, zone: tzinfo = UTC) -> datetime:
    """The first moment of the zone's day, in UTC.

    Raises OverflowError where the calendar ends.
    """
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
