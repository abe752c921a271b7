"""Connections that hang up on a server which says nothing, and a pool that gives them out cheaply.

The server's own time-outs end what takes too long while it works. One that stands still, as a stopped
process or a frozen machine does, ends nothing, and its kernel goes on acknowledging what it is sent.
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
    """One that is closed where the server has not answered in time: nobody knows what it has done."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's. Raises OperationalError where the server says nothing for too long.

        A migration may forbid what was prepared before it ("cached plan must not change result type"). The
        statement fails before it runs, and would fail for as long as the connection lives: that ends here.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        longest = longest_silence(settings.DATABASE_TIMING.silence)
        try:
            return super().wait(gen, interval, longest)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"The database has not answered for {longest:g} s.") from None
        except psycopg.errors.FeatureNotSupported:
            self.pgconn.finish()
            raise


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, with our connections, in a pool or not."""

    Database: Any = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})
    _connection_pools: dict[str, ConnectionPool[Connection]]

    @property
    def queries_logged(self) -> bool:
        """Only where a test asks for it. Django's own does it with DEBUG, too, which slows every query."""
        return bool(self.force_debug_cursor)

    @property
    def pool(self) -> ConnectionPool[Connection] | None:
        """This process's pool, as `OPTIONS` has it, or None."""
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
            self._connection_pools.setdefault(self.alias, pool)  # of racing threads the first one's stays
        return self._connection_pools[self.alias]


def check(connection: Connection) -> None:
    """Raise OperationalError where the server has closed a connection that was at rest.

    A server that is there says nothing unasked, so that only one that has spoken costs a round trip.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        ConnectionPool.check_connection(connection)
