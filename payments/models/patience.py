"""How long statements may take, where that differs from the bounds of every connection.

Those stand in `payments.domain.timing.DatabaseTiming`, and `ficpay.database` sets them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from payments.domain.patience import patient


@contextmanager
def unhurried() -> Iterator[None]:
    """Statements of this block, which begins outside a transaction, take as long as they take.

    For what an operator starts and waits for: an audit, a migration. Never for a request.
    """
    with patient():
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        try:
            yield
        finally:
            if not connection.in_atomic_block:
                with connection.cursor() as cursor:
                    cursor.execute("RESET statement_timeout")


def wait_briefly(seconds: float) -> None:
    """Let the rest of this transaction wait no longer than so for a lock. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(seconds * 1000)}ms"])
