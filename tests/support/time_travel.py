"""Time that passes for everybody at once: our tables grow older, and the bank's clock moves on."""

from datetime import timedelta

from django.db import connection

from tests.support.simulated_bank import SimulatedBank
from tests.support.unguarded import unguarded


def let_pass(time: timedelta, bank: SimulatedBank | None = None) -> None:
    """Age every row by so much, as if nothing had happened meanwhile. Leases run out, holds expire."""
    with unguarded(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns "
            "WHERE table_name LIKE 'payments\\_%' AND data_type = 'timestamp with time zone' GROUP BY 1"
        )
        for table, columns in cursor.fetchall():
            older = ", ".join(f"{column} = {column} - %(time)s" for column in columns)
            cursor.execute(f"UPDATE {table} SET {older}", {"time": time})
    if bank is not None:
        bank.move_clock(seconds=time.total_seconds())
