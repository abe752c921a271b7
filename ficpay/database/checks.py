"""Checks that the server enforces our time limits, even behind a pooler that may drop connection options."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection

from ficpay.database.bounds import role_bounds, server_bounds

_IN_FORCE = "SELECT current_user, name, setting::bigint FROM pg_settings WHERE name = ANY(%s)"


@checks.register(checks.Tags.security, deploy=True)
def check_bounds(**_options: Any) -> list[checks.CheckMessage]:
    """Warn if the server's limits are looser than `DatabaseTiming`. Silent if the database is unreachable."""
    wanted = server_bounds(settings.DATABASE_TIMING)
    try:
        with connection.cursor() as cursor:
            cursor.execute(_IN_FORCE, [list(wanted)])
            found = cursor.fetchall()
    except DatabaseError:
        return []
    finally:
        connection.close()
    loose = [name for _, name, ms in found if not 0 < ms <= wanted[name]]
    if not loose:
        return []
    return [
        checks.Warning(
            f"The server does not apply our {', '.join(sorted(loose))}: a pooler drops our connection "
            "options.",
            hint="; ".join(role_bounds(found[0][0], settings.DATABASE_TIMING)),
            id="ficpay.W002",
        )
    ]
