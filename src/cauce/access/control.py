"""The control database: what doors and commands write themselves, beside the log.

Any number of threads and processes: each change is one short transaction that first raises a counter, so changes come
one after the other on every engine, and a process sees by the counter that another one has changed something.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cauce.engines.api import Row, Table, Tables
from cauce.errors import StorageBroken

REFRESH_SECONDS = 1.0
"""How late, at most, another process's change is seen by what a process keeps in memory."""

CHANGES = Table("control_change", (("id", "integer"), ("changes", "integer")), ("id",))
VERSIONS = Table("control_version", (("part", "text"), ("version", "integer")), ("part",))

Migration = Callable[["Control"], None]


class Control:
    """Tables: changes one after the other, and reads that wait for no change. Close it."""

    def __init__(self, tables: Tables, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._clock = clock
        self._lock = threading.RLock()
        self._depth = 0
        self._changer = 0
        """The thread that changes something at present; what it reads is its own change."""
        tables.create((CHANGES, VERSIONS))
        self._reader = tables.reader()
        self._reading = threading.Lock()
        if not self.select("select 1 from control_change where id = 1"):
            with self.changing():
                pass  # the counter's row exists from now on

    def migrated(self, part: str, tables: Sequence[Table], migrations: Sequence[Migration]) -> None:
        """Brings a part's tables to its present version: `migrations[n]` leads from version n to n + 1.

        StorageBroken when a later version of Cauce wrote them.
        """
        self._refuse_later(part, len(migrations))
        with self._lock:
            self._tables.create(tables)
        if self._version(part) == len(migrations):
            return
        with self.changing():
            version = self._version(part)  # again: another process may have been quicker
            for migrate in migrations[version:]:
                migrate(self)
            self.upsert(VERSIONS, [(part, len(migrations))])

    def _version(self, part: str) -> int:
        rows = self.select("select version from control_version where part = ?", part)
        return int(rows[0][0]) if rows else 0

    def _refuse_later(self, part: str, known: int) -> None:
        version = self._version(part)
        if version > known:
            raise StorageBroken(
                f"the control database holds version {version} of {part}, this Cauce knows {known}",
                hint="Use the release that wrote it, or a later one",
            )

    def select(self, sql: str, *parameters: Any) -> list[Row]:
        """Rows as they are committed; within `changing()`, as they are there."""
        if self._changer == threading.get_ident():
            return self._tables.select(sql, parameters)
        with self._reading:
            return self._reader.select(sql, parameters)

    def create(self, tables: Sequence[Table]) -> None:
        self._tables.create(tables)

    def upsert(self, table: Table, rows: Sequence[Row]) -> None:
        """Within `changing()`."""
        self._tables.upsert(table, rows)

    def execute(self, sql: str, *parameters: Any) -> int:
        """One changing statement, within `changing()`; the number of rows it touched."""
        return self._tables.execute(sql, parameters)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other thread of this process changes anything meanwhile."""
        with self._lock:
            yield

    @contextmanager
    def changing(self, *, quietly: bool = False) -> Iterator[None]:
        """One transaction, all or nothing; a block within it belongs to it.

        `quietly`: nothing that anybody keeps in memory changes, so nobody needs to load it anew.
        """
        with self._lock:
            if self._depth:
                yield
                return
            self._depth += 1
            self._changer = threading.get_ident()
            try:
                with self._tables.transaction():
                    # First of all, so that even an engine with many writers does one change after the other.
                    step = 0 if quietly else 1
                    if not self._tables.execute(
                        "update control_change set changes = changes + ? where id = 1", (step,)
                    ):
                        self._tables.upsert(CHANGES, [(1, 1)])
                    yield
            finally:
                self._depth -= 1
                self._changer = 0

    def changes(self) -> int:
        """A number that another one follows whenever anybody changed something."""
        return int(self.select("select changes from control_change where id = 1")[0][0])

    def next_id(self, table: Table) -> int:
        """A number that no row of the table has as its first key column, within `changing()`."""
        return int(self.select(f"select coalesce(max({table.key[0]}), 0) + 1 from {table.name}")[0][0])

    def close(self) -> None:
        with self._lock, self._reading:
            self._reader.close()
            self._tables.close()

    def watch(self, load: Callable[[], None]) -> Watch:
        """Keeps current what a process has in memory; see there."""
        return Watch(self, load, self._clock)


class Watch:
    """Calls `load` when somebody changed something in the control database.

    Loads come one after the other and each sees at least what its count of changes said, so the last is the newest.
    """

    def __init__(self, control: Control, load: Callable[[], None], clock: Callable[[], float]) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._load = load
        self._clock = clock
        self._seen = -1
        self._checked = float("-inf")

    def refresh(self) -> None:
        """Looks once per `REFRESH_SECONDS` at most."""
        if self._clock() - self._checked >= REFRESH_SECONDS:
            self.reload()

    def reload(self) -> None:
        """Looks now, as after a change of one's own."""
        with self._lock:
            changes = self._control.changes()
            if changes != self._seen:
                self._load()
                self._seen = changes
            self._checked = self._clock()
