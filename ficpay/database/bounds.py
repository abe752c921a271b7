"""What bounds every connection: the options that PostgreSQL and its client library know."""

from typing import Any

from payments.domain.timing import DatabaseTiming


def connection_bounds(timing: DatabaseTiming) -> dict[str, Any]:
    """Connection parameters of libpq. Over a UNIX socket those of TCP are ignored."""
    at_the_server = {
        "lock_timeout": timing.lock,
        "statement_timeout": timing.statement,
        "idle_in_transaction_session_timeout": timing.idle_in_transaction,
    }
    return {
        "connect_timeout": round(timing.connect),
        "options": " ".join(f"-c {name}={round(s * 1000)}" for name, s in at_the_server.items()),
        "keepalives": 1,
        "keepalives_idle": round(timing.keepalive_idle),
        "keepalives_interval": round(timing.keepalive_interval),
        "keepalives_count": timing.keepalive_count,
        "tcp_user_timeout": round(timing.unacknowledged * 1000),
    }
