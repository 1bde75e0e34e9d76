"""Items → bodies → log, with progress that survives an interruption.

The n-th item of a table and a mapping is always the same. Progress (in `control.db`) says how many items are in the
log; who starts again makes the items again and skips those. If the process dies between the log and the note of it,
up to `BODIES_PER_APPEND` bodies are sent twice; the ids of their events make that harmless.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from cauce.connectors.tabular.canonical import encode_body, encode_item
from cauce.connectors.tabular.mapping import Mapping
from cauce.connectors.tabular.shaping import Item, Shaper

BODY_ITEMS_MAX = 500
BODY_BYTES_MAX = 1_000_000
BODIES_PER_APPEND = 16

_TABLES = (
    """create table if not exists import_progress (
        source text not null, digest text not null, mapping text not null, name text not null,
        items integer not null, finished integer not null, updated integer not null,
        primary key (source, digest, mapping))""",
    """create table if not exists import_marks (
        source text not null, query text not null, value text not null, primary key (source, query))""",
)


class Target(Protocol):
    """Where bodies go: the platform."""

    @property
    def control_path(self) -> Path: ...

    def append(self, source: str, connector: str, bodies: list[bytes]) -> Any:
        """Durable on return."""
        ...


class Table(Protocol):
    """What can be loaded: a file's sheet, or the rows of a query."""

    name: str
    digest: str
    columns: list[str]
    total: int

    def rows(self) -> Iterator[Any]: ...

    def position(self) -> int: ...


class ImportReport(msgspec.Struct, frozen=True):
    """What one table gave. `events` and `bad` count items in the log; `resumed` of them were there from before."""

    name: str
    source: str
    rows: int = 0
    events: int = 0
    bad: int = 0
    skipped: int = 0
    resumed: int = 0
    already: bool = False
    """The same table was imported before with the same mapping, and nothing was done."""
    seconds: float = 0.0


class Step(msgspec.Struct, frozen=True):
    """How far an import is: *reading* or *grouping*, with `done` of `total` (0: unknown) in any unit."""

    phase: str
    done: int
    total: int
    items: int


OnProgress = Callable[[Step], None]


@contextmanager
def control(path: Path) -> Iterator[sqlite3.Connection]:
    """The control database with the tables of imports; afterwards every statement is its own commit."""
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as database:
        database.executescript(f"begin; {'; '.join(_TABLES)}; commit")
        yield database


class Progress:
    """The note of how many items of (source, table, mapping) are in the log."""

    def __init__(self, database: sqlite3.Connection, source: str, table: Table, mapping: Mapping) -> None:
        self._database = database
        self._key = (source, table.digest, mapping.digest)
        self._name = table.name
        row = database.execute(
            "select items, finished from import_progress where source = ? and digest = ? and mapping = ?", self._key
        ).fetchone()
        self.items, self.is_finished = (int(row[0]), bool(row[1])) if row else (0, False)

    def note(self, items: int, *, is_finished: bool = False) -> None:
        self._database.execute(
            "insert into import_progress values (?, ?, ?, ?, ?, ?, ?)"
            " on conflict do update set items = excluded.items, finished = excluded.finished,"
            " updated = excluded.updated",
            (*self._key, self._name, items, int(is_finished), int(time.time() * 1_000_000)),
        )
        self.items, self.is_finished = items, is_finished


class _Counts:
    """What went through, by kind."""

    def __init__(self) -> None:
        self.events = 0
        self.bad = 0

    def counted(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            if isinstance(item, list):
                self.events += 1
            else:
                self.bad += 1
            yield item


def load(
    target: Target,
    connector: str,
    table: Table,
    mapping: Mapping,
    *,
    source: str = "",
    again: bool = False,
    is_repeatable: bool = False,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Appends a table's items to the log from where an earlier import stopped, and reports.

    A finished import is not repeated unless `again`; then everything is sent again, and its ids make it duplicates.
    A table that `is_repeatable` (a query, whose answer changes) is read anew every time.
    """
    started = time.perf_counter()
    source = source or mapping.source
    shaper, counts = Shaper(mapping, table.columns), _Counts()
    with control(target.control_path) as database:
        progress = Progress(database, source, table, mapping)
        again = again or is_repeatable
        if progress.is_finished and not again:
            return ImportReport(table.name, source, already=True)
        skip = 0 if is_repeatable or progress.is_finished else progress.items
        done, pending = skip, list[bytes]()

        def told(phase: str, position: int, total: int) -> None:
            if on_progress:
                on_progress(Step(phase, position, total, counts.events + counts.bad))

        def send(*, is_last: bool = False) -> None:
            if pending:
                target.append(source, connector, pending.copy())
                pending.clear()
            progress.note(done, is_finished=is_last)

        items = counts.counted(shaper.items(_told(table, told), lambda at, total: told("grouping", at, total)))
        for chunk in cut(islice(items, skip, None)):
            pending.append(encode_body(table.name, mapping.channel, chunk))
            done += len(chunk)
            if len(pending) >= BODIES_PER_APPEND:
                send()
        send(is_last=True)
    seconds = round(time.perf_counter() - started, 3)
    return ImportReport(
        table.name, source, shaper.rows_read, counts.events, counts.bad, shaper.skipped, skip, False, seconds
    )


def cut(items: Iterable[Item]) -> Iterator[list[bytes]]:
    """Encoded items, in lists of at most `BODY_ITEMS_MAX` and about `BODY_BYTES_MAX`."""
    chunk: list[bytes] = []
    size_bytes = 0
    for item in items:
        encoded = encode_item(item)
        if chunk and (len(chunk) >= BODY_ITEMS_MAX or size_bytes + len(encoded) > BODY_BYTES_MAX):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(encoded)
        size_bytes += len(encoded)
    if chunk:
        yield chunk


def _told(table: Table, told: Callable[[str, int, int], None]) -> Iterator[Any]:
    """The table's rows; says now and then how far they are."""
    for count, row in enumerate(table.rows()):
        if count % 2_000 == 0:
            told("reading", table.position(), table.total)
        yield row
    told("reading", table.position(), table.total)
