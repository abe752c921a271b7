"""Who changes a bank's statements waits for whoever else does, however long that takes."""

import threading
import time

from django.db import connection, transaction

from reconciliation.services.bank_lock import lock_bank
from tests.support.at_once import at_once

SHORT, LONG = "200ms", 0.5


def test_is_waited_for_longer_than_for_a_statement() -> None:
    is_held = threading.Event()

    def hold() -> list[str]:
        with transaction.atomic():
            lock_bank("ficmart")
            is_held.set()
            time.sleep(LONG)
        return []

    def wait() -> list[str]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{SHORT}'; SET LOCAL lock_timeout = '{SHORT}'")
            is_held.wait(timeout=10)
            lock_bank("ficmart")
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
            return list(cursor.fetchone())

    assert at_once(hold, wait) == [[], [SHORT, SHORT]]
