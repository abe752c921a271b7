"""Connections that close themselves if the server is silent for too long, and a pool with a cheap check.

The server's own timeouts end long statements only while the server runs. If its process is stopped or its
machine is frozen, they never fire, while its kernel keeps acknowledging what we send.
"""

import select
from types import SimpleNamespace
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

from payments.domain.patience import longest_silence


class Connection(psycopg.Connection[Any]):
    """Closed when the server does not respond in time, since it is unknown what the server has done."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Like psycopg's. Raises OperationalError if the server is silent for too long.

        After a migration, a prepared statement may fail with "cached plan must not change result type". It
        fails before it runs, and would keep failing for as long as the connection lives, so we close it.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        longest = longest_silence(settings.DATABASE_TIMING.silence)
        try:
            return super().wait(gen, interval, longest)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"The database has not responded for {longest:g} s.") from None
        except psycopg.errors.FeatureNotSupported:
            self.pgconn.finish()
            raise


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, with our connections and optionally our pool."""

    Database: Any = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})
    _connection_pools: dict[str, ConnectionPool[Connection]]

    @property
    def queries_logged(self) -> bool:
        """Only if a test asks for it. Django also logs queries under DEBUG, which slows every query."""
        return bool(self.force_debug_cursor)

    @property
    def pool(self) -> ConnectionPool[Connection] | None:
        """This process's pool, or None if `OPTIONS` configures none."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        if self.alias not in self._connection_pools:
            pool = ConnectionPool(
                connection_class=Connection,
                kwargs={**self.get_connection_params(), "autocommit": True},
                open=False,  # Django opens it at first use
                configure=self._configure_connection,  # type: ignore[attr-defined]  # not in the stubs
                check=check,
                **options,
            )
            self._connection_pools.setdefault(self.alias, pool)  # if threads race, the first one wins
        return self._connection_pools[self.alias]


def check(connection: Connection) -> None:
    """Raise OperationalError if the server has closed an idle connection.

    A live server sends nothing unasked, so a round trip is needed only if there is something to read.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        ConnectionPool.check_connection(connection)
