"""One change of a bank's statements, matches and differences at a time."""

from django.db import connection

_PATIENCE = "5min"  # an import or a run of a large file lasts that long


def lock_bank(bank: str) -> None:
    """Wait until nobody else imports or reconciles the bank's statements, until this transaction ends.

    Always before any row is locked. Rows are then waited for as briefly as anywhere.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        ((usual,),) = cursor.fetchall()
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [_PATIENCE])
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"statements of {bank}"])
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [usual])
