"""A digest of each day's events, to be kept outside: whoever rewrites history later cannot rewrite that."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection

from payments.models.patience import unhurried


@dataclass(frozen=True)
class DayDigest:
    """What a day's events add up to. Days are UTC."""

    day: date
    events: int
    sha256: str  # hexadecimal; of the digests of all its events, in their order


def digest_of(day: date) -> DayDigest:
    """The day's digest. It changes while transactions begun on that day may still commit."""
    begins = datetime.combine(day, time(), UTC)
    with unhurried(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), encode(sha256(coalesce(string_agg("
            "coalesce(digest, event_digest(e, NULL)), ''::bytea ORDER BY id), ''::bytea)), 'hex')"
            " FROM payments_event e WHERE at >= %s AND at < %s",
            [begins, begins + timedelta(days=1)],
        )
        number, sha256 = cursor.fetchone()
    return DayDigest(day, number, sha256)
