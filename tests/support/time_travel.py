"""Time that passes for everybody at once: our tables grow older, and the bank's clock moves on."""

from datetime import timedelta
from functools import cache

from django.db import connection
from django.db.backends.utils import CursorWrapper

from tests.support.simulated_bank import SimulatedBank
from tests.support.unguarded import unguarded


def let_pass(time: timedelta, bank: SimulatedBank | None = None) -> None:
    """Age every row by so much, as if nothing had happened meanwhile. Leases run out, holds expire."""
    older = f"- interval '{time.total_seconds()} seconds'"
    updates = (
        f"UPDATE {table} SET {', '.join(f'{column} = {column} {older}' for column in columns)};"
        for table, columns in _times().items()
    )
    with unguarded(), connection.cursor() as cursor:
        # Whoever records something has locked its payment first: they finish, and then wait for this.
        alone = "SET LOCAL lock_timeout = 0; LOCK TABLE payments_payment IN EXCLUSIVE MODE;"
        cursor.execute(f"DO $$ BEGIN {alone} {' '.join(updates)} END $$")
        chain_events(cursor)
    if bank is not None:
        bank.move_clock(seconds=time.total_seconds())


@cache
def _times() -> dict[str, list[str]]:
    """The columns that hold an instant, by their table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns "
            "WHERE table_name LIKE 'payments\\_%' AND data_type = 'timestamp with time zone' GROUP BY 1"
        )
        return dict(cursor.fetchall())


def chain_events(cursor: CursorWrapper) -> None:
    """Make the digests of all events anew, as if they had been written as they are now."""
    cursor.execute("""
        DO $$ DECLARE e public.payments_event; chained uuid; previous bytea; BEGIN
            FOR e IN SELECT * FROM payments_event WHERE payment_id IS NOT NULL ORDER BY payment_id, id LOOP
                previous := event_digest(e, CASE WHEN e.payment_id = chained THEN previous END);
                UPDATE payments_event SET digest = previous WHERE id = e.id;
                chained := e.payment_id;
            END LOOP;
        END $$""")
