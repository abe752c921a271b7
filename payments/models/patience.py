"""How long statements may take, where that differs from the bounds of every connection.

Those stand in `payments.domain.timing.DatabaseTiming`, and `ficpay.database` sets them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from payments.domain.patience import patient


@contextmanager
def unhurried() -> Iterator[None]:
    """One transaction, whose statements take as long as they take.

    For what an operator starts and waits for, as an audit. Never for a request. The setting ends with the
    transaction: behind a pooler the next one on that connection may be another process's.
    """
    with patient(), transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        yield


def wait_briefly(seconds: float) -> None:
    """Let the rest of this transaction wait no longer than so for a lock. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(seconds * 1000)}ms"])
