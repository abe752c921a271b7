"""The time limits of every connection: options of PostgreSQL and of its client library."""

from typing import Any

from payments.domain.timing import DatabaseTiming


def server_bounds(timing: DatabaseTiming) -> dict[str, int]:
    """The server's time limits in milliseconds, by PostgreSQL's name of the setting."""
    seconds = {
        "lock_timeout": timing.lock,
        "statement_timeout": timing.statement,
        "idle_in_transaction_session_timeout": timing.idle_in_transaction,
    }
    return {name: round(bound * 1000) for name, bound in seconds.items()}


def role_bounds(role: str, timing: DatabaseTiming) -> list[str]:
    """SQL that makes them the role's defaults, for servers behind a pooler that drops connection options."""
    return [f'ALTER ROLE "{role}" SET {name} = {ms}' for name, ms in server_bounds(timing).items()]


def connection_bounds(timing: DatabaseTiming) -> dict[str, Any]:
    """Connection parameters for libpq. Over a UNIX socket, it ignores the TCP ones."""
    return {
        "connect_timeout": round(timing.connect),
        "options": " ".join(f"-c {name}={ms}" for name, ms in server_bounds(timing).items()),
        "keepalives": 1,
        "keepalives_idle": round(timing.keepalive_idle),
        "keepalives_interval": round(timing.keepalive_interval),
        "keepalives_count": timing.keepalive_count,
        "tcp_user_timeout": round(timing.unacknowledged * 1000),
    }
