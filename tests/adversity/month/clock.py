"""The database's clock, which the month moves: every session of its database sees it.

PostgreSQL finds a function by the search path. A schema before its own has a `clock_timestamp` that adds an
offset, and the columns' defaults are bound to it anew. Nothing of FicPay changes.
"""

from datetime import datetime

import psycopg
from psycopg import sql

from dev.postgres import APPLICATION

_CLOCK = """
    CREATE SCHEMA moved;
    CREATE TABLE moved.clock (ahead interval NOT NULL);
    INSERT INTO moved.clock VALUES ('0');
    CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
        AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM moved.clock';
    CREATE FUNCTION moved.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
        AS 'SELECT pg_catalog.statement_timestamp() + ahead FROM moved.clock';
"""

_DEFAULTS = """
    DO $$ DECLARE bound record; BEGIN
        FOR bound IN
            SELECT d.adrelid::regclass AS name, a.attname FROM pg_attrdef d
            JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
            WHERE pg_get_expr(d.adbin, d.adrelid) LIKE '%clock_timestamp()'
        LOOP
            EXECUTE format(
                'ALTER TABLE %s ALTER %I SET DEFAULT clock_timestamp()', bound.name, bound.attname
            );
        END LOOP;
    END $$
"""


class MovedClock:
    """The clock of one database. Move it only while nothing is in flight."""

    def __init__(self, url: str) -> None:
        self._url = url

    def install(self) -> None:
        """Sessions that begin from now on see it."""
        with psycopg.connect(self._url, autocommit=True) as session:
            session.execute(_CLOCK)
            for command in (
                "ALTER DATABASE {database} SET search_path = public, moved, pg_catalog",
                "GRANT USAGE ON SCHEMA moved TO {role}",
                "GRANT SELECT ON moved.clock TO {role}",
            ):
                names = {"database": sql.Identifier(session.info.dbname), "role": sql.Identifier(APPLICATION)}
                session.execute(sql.SQL(command).format(**names))

        with psycopg.connect(self._url, autocommit=True) as session:
            session.execute(_DEFAULTS)

    def set(self, at: datetime) -> None:
        """Let it be this time now; it goes on from there."""
        with psycopg.connect(self._url, autocommit=True) as session:
            session.execute("UPDATE moved.clock SET ahead = %s - pg_catalog.clock_timestamp()", [at])
