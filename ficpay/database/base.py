"""Connections that hang up on a server which says nothing.

The server's own time-outs end what takes too long while it works. One that stands still, as a stopped
process or a frozen machine does, ends nothing, and its kernel goes on acknowledging what it is sent.
"""

from types import SimpleNamespace
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base

from payments.domain.patience import longest_silence


class Connection(psycopg.Connection[Any]):
    """One that is closed where the server has not answered in time: nobody knows what it has done."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's. Raises OperationalError where the server says nothing for too long."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        longest = longest_silence(settings.DATABASE_TIMING.silence)
        try:
            return super().wait(gen, interval, longest)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"The database has not answered for {longest:g} s.") from None


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, with our connections, in a pool or not."""

    Database: Any = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pool = self.settings_dict.get("OPTIONS", {}).get("pool")
        if pool:
            pool["connection_class"] = Connection
