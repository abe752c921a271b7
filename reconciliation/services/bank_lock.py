"""One change of a bank's statements, matches and differences at a time."""

from django.db import connection
from django.db.backends.utils import CursorWrapper

from payments.domain.patience import patient

_PATIENCE = "5min"  # an import or a run of a large file lasts that long


def lock_bank(bank: str) -> None:
    """Wait until nobody else imports or reconciles the bank's statements, until this transaction ends.

    Always before any row is locked. Rows are then waited for as briefly as anywhere.
    """
    with patient(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        ((lock, statement),) = cursor.fetchall()
        _set_timeouts(cursor, lock=_PATIENCE, statement="0")
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"statements of {bank}"])
        _set_timeouts(cursor, lock=lock, statement=statement)


def _set_timeouts(cursor: CursorWrapper, *, lock: str, statement: str) -> None:
    """For the rest of this transaction."""
    cursor.execute(
        "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
        [lock, statement],
    )
