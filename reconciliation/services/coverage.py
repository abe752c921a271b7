"""The time whose statements are there: the union of the periods of a bank's files."""

from datetime import date

from django.db import connection

_UNCOVERED = """
    WITH covered AS (
        SELECT coalesce(range_agg(tstzrange(covers_from, covers_to)), '{}'::tstzmultirange) AS time
        FROM reconciliation_statementfile WHERE bank = %(bank)s
    )
    SELECT day::date
    FROM covered, generate_series(%(first)s::date::timestamp, %(last)s::date::timestamp, '1 day') AS day
    WHERE NOT time @> tstzrange(day AT TIME ZONE 'UTC', (day + interval '1 day') AT TIME ZONE 'UTC')
    ORDER BY day
"""


def uncovered_days(bank: str, first: date, last: date) -> list[date]:
    """The UTC days from first to last, both included, of which the bank's statements lack a part."""
    with connection.cursor() as cursor:
        cursor.execute(_UNCOVERED, {"bank": bank, "first": first, "last": last})
        return [day for (day,) in cursor.fetchall()]
