"""A database that takes no connections for a while."""

import psycopg
from django.db import connection

from tests.settings import POSTGRES


class database_away:  # noqa: N801 - reads as a phrase where it is used
    """Refuse connections to the tests' database and end those that exist."""

    def __enter__(self) -> None:
        self._name = connection.settings_dict["NAME"]
        connection.close()
        self._sql(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self._sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'")

    def __exit__(self, *_: object) -> None:
        self._sql(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    def _sql(self, statement: str) -> None:
        with psycopg.connect(POSTGRES.url("postgres"), autocommit=True) as maintenance:
            maintenance.execute(statement)
