"""Statement and lock timeouts that differ from the connection's own.

Those are in `payments.domain.timing.DatabaseTiming`; `ficpay.database` sets them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from payments.domain.patience import patient


@contextmanager
def unhurried() -> Iterator[None]:
    """One transaction without a statement timeout.

    For commands that an operator waits for, such as an audit; never for a request. The setting ends with the
    transaction, since behind a pooler another process may use the connection next.
    """
    with patient(), transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        yield


def wait_briefly(seconds: float) -> None:
    """Set the lock timeout for the rest of this transaction. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(seconds * 1000)}ms"])
