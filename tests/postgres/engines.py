"""Fresh engines on one server, many times a second: schemas are emptied and used again instead of being made anew."""

from __future__ import annotations

from itertools import count

import psycopg

from cauce.engines.postgres import Database, PostgresLog, PostgresTables
from cauce.testing.postgres import PrivateServer
from cauce.testing.simulate import Engines


class Pool:
    """Engines for rivers, in a database of its own; those of one test are taken back together."""

    def __init__(self, server: PrivateServer) -> None:
        self.url = server.fresh_database()
        self._numbers = count(1)
        self._free: list[Database] = []
        self._all: list[Database] = []
        self._lent: list[tuple[Database, list[PostgresLog | PostgresTables]]] = []

    def engines(self) -> Engines:
        """An empty log and an empty state."""
        database = self._free.pop() if self._free else self._made()
        opened: list[PostgresLog | PostgresTables] = []
        self._lent.append((database, opened))

        def tables() -> PostgresTables:
            found = PostgresTables(self.url, database.state)
            opened.append(found)
            return found

        log = PostgresLog(self.url, database.home)
        opened.append(log)
        return log, tables

    def database(self) -> Database:
        """Schemas for one test, never used again."""
        return self._made()

    def take_back(self) -> None:
        """Closes and empties all that was lent."""
        for database, opened in self._lent:
            for engine in opened:
                engine.close()
            self._empty(database)
            self._free.append(database)
        self._lent = []

    def close(self) -> None:
        self.take_back()
        for database in self._all:
            database.close()

    def _made(self) -> Database:
        database = Database(self.url, f"river{next(self._numbers)}")
        database.prepare("tests")
        self._all.append(database)
        return database

    def _empty(self, database: Database) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(
                "select schemaname, tablename from pg_tables where schemaname = any(%s)"
                " and tablename not in ('installation', 'lease', 'log_end')",
                [[database.home, database.state]],
            ).fetchall()
            statements = [f'delete from "{schema}"."{table}"' for schema, table in found]
            statements.append(f'update "{database.home}".log_end set at = 0, total = 0')
            connection.execute("; ".join(statements).encode())
