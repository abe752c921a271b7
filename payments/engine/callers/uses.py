"""Notes when each API key was last used, without a statement on the request's way.

Uses are kept in memory, and a thread (`exchange`) writes them: a key's first use within a second, later ones
once a minute. So `last_used_at` is at most a minute behind. A process that is killed loses what it has not
written.
"""

import time

from django.db import connection

from payments.engine.callers import Caller

_WRITTEN_EVERY = 60.0  # seconds, for each key and process

_uses: dict[int, int] = {}  # key id -> the database's time of its last use, in milliseconds
_written: dict[int, float] = {}  # key id -> when it was last written, by the monotonic clock


def note(caller: Caller) -> None:
    """Note a use of the caller's key."""
    _uses[caller.key_id] = caller.now_ms


def write() -> None:
    """Write the uses that are due. Raises DatabaseError; they stay noted until they are written."""
    now = time.monotonic()
    for key_id in [key_id for key_id, at in _written.items() if now - at >= _WRITTEN_EVERY]:
        del _written[key_id]
    due = {key_id: _uses[key_id] for key_id in sorted(_uses) if key_id not in _written}
    if not due:
        return
    _write(due)
    for key_id, used_ms in due.items():
        _written[key_id] = now
        if _uses.get(key_id) == used_ms:
            del _uses[key_id]


# A later use, by another process, stays.
_WRITE = """
    UPDATE payments_apikey AS key SET last_used_at = due.used_at
    FROM (
        SELECT id, 'epoch'::timestamptz + used_ms * interval '1 millisecond' AS used_at
        FROM unnest(%s::bigint[], %s::bigint[]) AS uses (id, used_ms)
    ) AS due
    WHERE key.id = due.id AND (key.last_used_at IS NULL OR key.last_used_at < due.used_at)
"""


def _write(due: dict[int, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [list(due), list(due.values())])
