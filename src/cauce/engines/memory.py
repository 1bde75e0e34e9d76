"""In memory: the reference that every engine is compared with, and the one that breaks on demand.

`MemoryTables` is SQLite's own in-memory database, so that capabilities' SQL is the same; `runs` tables are plain
tables there, which makes it the reference for the sorted runs of the file engine. `Faults` makes any engine fail at
its n-th operation, to prove that a crash anywhere leaves no trace.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from cauce.engines.api import Capabilities, Reader, Row, Table
from cauce.engines.sqlite import SqliteReader, SqliteTables, upsert_of
from cauce.model import Record


class MemoryTables(SqliteTables):
    """Tables that vanish with the object."""

    def __init__(self) -> None:
        super().__init__(":memory:", cache_mb=16)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("memory", durable=False, concurrent_writers=False, shared_between_processes=False)

    def create(self, tables: Iterable[Table]) -> None:
        for table in tables:
            self._create_rows(table, table.name)

    def upsert(self, table: Table, rows: Iterable[Row]) -> None:
        self._put(partial(upsert_of, table), rows)

    def scrub(self) -> None:
        """Nothing is left behind in memory."""

    def reader(self) -> Reader:
        return _MemoryReader(self.path, connection=self._connection)

    def _run_names(self, table: Table) -> list[str]:
        return [table.name]


class _MemoryReader(SqliteReader):
    """Reads through the writer's own connection: an in-memory database has no other."""

    def _run_names(self, table: Table) -> list[str]:
        return [table.name]

    def close(self) -> None:
        """The connection is the writer's."""


class MemoryLog:
    """A list of records."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._lock = threading.Lock()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("memory", durable=False, concurrent_writers=True, shared_between_processes=False)

    def append(self, records: Sequence[tuple[str, str, int, bytes]]) -> int:
        with self._lock:
            first = len(self._records) + 1
            self._records += [Record(first + index, *record) for index, record in enumerate(records)]
        return first

    def read(self, after: int, *, records_max: int, bytes_max: int) -> list[Record]:
        found: list[Record] = []
        size = 0
        for record in self._records[after : after + records_max]:
            size += len(record.body)
            if found and size > bytes_max:
                break
            found.append(record)
        return found

    def get(self, offsets: Iterable[int]) -> list[Record]:
        return [self._records[offset - 1] for offset in sorted(set(offsets)) if 0 < offset <= len(self._records)]

    def rewrite(self, offset: int, body: bytes) -> None:
        old = self._records[offset - 1]
        self._records[offset - 1] = Record(old.offset, old.source, old.connector, old.received, body)

    def scrub(self) -> None:
        """Nothing is left behind in memory."""

    def end(self) -> int:
        return len(self._records)

    def bytes_after(self, offset: int) -> int:
        return sum(len(record.body) for record in self._records[offset:])

    def close(self) -> None:
        """Nothing to give back."""


class MemoryTurns:
    """Turns of runners in one thread; `taken` (stretch → runner) is what they share. `die` is the end of this one."""

    def __init__(self, taken: dict[int, object]) -> None:
        self._taken = taken

    def take(self, stretch: int) -> bool:
        return self._taken.setdefault(stretch, self) is self

    def leave(self, stretch: int) -> None:
        if self._taken.get(stretch) is self:
            del self._taken[stretch]

    def alone(self) -> AbstractContextManager[None]:
        return nullcontext()

    def wait(self, seconds: float) -> None:
        """Nobody else moves meanwhile."""

    def is_alone(self) -> bool:
        return False

    def lanes(self, wanted: Sequence[int], most: int) -> list[int]:
        return list(wanted[:most])  # there is one transaction at a time

    def all_lanes(self) -> None:
        """No other transaction has any."""

    def die(self) -> None:
        for stretch in [stretch for stretch, who in self._taken.items() if who is self]:
            del self._taken[stretch]


class Broken(Exception):
    """The fault that `Faults` injects; nothing in Cauce catches it by name."""


class Faults:
    """Wraps an engine so that its n-th watched operation fails; `n` counts down over all wrapped engines together."""

    WATCHED = (
        "append",
        "read",
        "select",
        "select_keys",
        "select_keys_each",
        "select_each",
        "scan",
        "upsert",
        "upsert_each",
        "merge",
        "delete",
        "execute",
        "transaction",
    )

    def __init__(self, operations_left: int) -> None:
        self.operations_left = operations_left

    def wrap(self, engine: Any) -> Any:
        """The engine, with its watched operations counted."""
        return _Faulty(engine, self)

    def tick(self, operation: str) -> None:
        self.operations_left -= 1
        if self.operations_left == 0:
            raise Broken(f"injected fault in {operation}")


class _Faulty:
    def __init__(self, engine: Any, faults: Faults) -> None:
        self._engine = engine
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._engine, name)
        if name not in Faults.WATCHED:
            return attribute

        def watched(*arguments: Any, **options: Any) -> Any:
            self._faults.tick(name)
            return attribute(*arguments, **options)

        return watched
