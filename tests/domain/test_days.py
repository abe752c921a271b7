"""Days begin where the zone's clocks say so, also in the nights in which they are set."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from payments.domain.days import begin_of


class TestBeginOf:
    def test_is_midnight_in_utc_where_no_zone_is_named(self) -> None:
        assert begin_of(date(2026, 11, 21)) == datetime(2026, 11, 21, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("zone", "day", "begin"),
        [
            ("Asia/Kolkata", date(2026, 11, 21), datetime(2026, 11, 20, 18, 30, tzinfo=UTC)),
            ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 28, 23, 0, tzinfo=UTC)),
            ("Europe/Berlin", date(2026, 3, 30), datetime(2026, 3, 29, 22, 0, tzinfo=UTC)),
            # There is no midnight: the clocks go from it to one o'clock.
            ("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, 0, tzinfo=UTC)),
            # There are two: at one o'clock the clocks go back to the first.
            ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, 0, tzinfo=UTC)),
            # There is no such day: the next one begins at once.
            ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, 0, tzinfo=UTC)),
            ("Pacific/Apia", date(2011, 12, 31), datetime(2011, 12, 30, 10, 0, tzinfo=UTC)),
        ],
    )
    def test_is_the_first_moment_of_the_zones_day(self, zone: str, day: date, begin: datetime) -> None:
        assert begin_of(day, ZoneInfo(zone)) == begin
        assert begin_of(day, ZoneInfo(zone)).tzinfo is UTC

    def test_overflows_where_the_calendar_ends(self) -> None:
        with pytest.raises(OverflowError):
            begin_of(date.min, ZoneInfo("Asia/Tokyo"))
