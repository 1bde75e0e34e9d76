"""Commerce as doors see it: commands that are answered when they are durable, and questions about what is committed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cauce.commerce import shaping
from cauce.commerce.parts import ACTIONS, SHAPES, erasing
from cauce.commerce.transact.store import TABLES
from cauce.commerce.transact.writer import Command, Writer, now_microseconds
from cauce.engines.api import Reader, Row, Tables

Clock = Callable[[], int]
ALL_TABLES = (*TABLES, *SHAPES, *shaping.TABLES)
"""Every table of commerce."""


class Engines(NamedTuple):
    """What opens the tables of commerce: the writing side, and readers beside it."""

    tables: Callable[[], Tables]
    reader: Callable[[], Reader]


class Commerce:
    """One installation's commerce. Commands of all threads share one writer; each thread reads on its own. Close it."""

    def __init__(self, engines: Engines, *, clock: Clock = now_microseconds) -> None:
        self._engines = engines
        self._clock = clock
        self._local = threading.local()
        self._opened: list[Reader] = []
        self._lock = threading.Lock()
        self._writer: Writer | None = None

    @property
    def writer(self) -> Writer:
        with self._lock:
            if self._writer is None:
                self._writer = Writer(self._opened_tables(), ACTIONS, SHAPES, clock=self._clock)
            return self._writer

    def _opened_tables(self) -> Tables:
        """The tables in the shape that this release knows; StorageBroken when another one has written them."""
        tables = self._engines.tables()
        try:
            shaping.made(tables, (*TABLES, *SHAPES))
        except BaseException:
            tables.close()
            raise
        return tables

    def do(self, command: Command) -> Any:
        """Carries a command out and returns its answer when it is durable; raises what it was refused for."""
        return self.writer.do(command)

    async def ask(self, command: Command) -> Any:
        """As `do`, for an event loop."""
        return await self.writer.ask(command)

    def erase(self, owners: Sequence[str]) -> None:
        """Takes a person, known by identifiers (`kind:value`), out of everything but the ledger, which names nobody."""
        for command in erasing(self.reader, tuple(dict.fromkeys(owners))):
            self.do(command)
        self._emptied()

    @property
    def now(self) -> int:
        """The present time in microseconds."""
        return self._clock()

    @property
    def reader(self) -> Reader:
        """This thread's view of what is committed."""
        found: Reader | None = getattr(self._local, "reader", None)
        if found is None:
            _ = self.writer  # the tables exist from now on
            found = self._local.reader = self._engines.reader()
            with self._lock:
                self._opened.append(found)
        return found

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Rows of what is committed."""
        return self.reader.select(sql, parameters)

    def close(self) -> None:
        with self._lock:
            writer, self._writer = self._writer, None
            opened, self._opened = self._opened, []
        for reader in opened:
            reader.close()
        if writer is not None:
            writer.close()  # the last one: who only reads cannot put the file's write-ahead log away

    def _emptied(self) -> None:
        """What was erased is wiped from the file, but its write-ahead log still holds the pages as they were."""
        tables = self._engines.tables()
        try:
            if tables.capabilities.name == "sqlite":
                tables.execute("pragma wal_checkpoint(truncate)")
        finally:
            tables.close()
