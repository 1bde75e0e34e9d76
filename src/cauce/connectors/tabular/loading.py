"""Items → bodies → log, with progress that survives an interruption.

The n-th item of a table and a mapping is always the same. Progress (in the control database) says how many items are
in the log; who starts again makes the items again and skips those. If the process dies between the log and the note of
it, up to `BODIES_PER_APPEND` bodies are sent twice; the ids of their events make that harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

import msgspec

from cauce.access.api import Control
from cauce.connectors.tabular.canonical import encode_body, encode_item
from cauce.connectors.tabular.mapping import Mapping
from cauce.connectors.tabular.shaping import Item, Shaper
from cauce.engines import api as engines

BODY_ITEMS_MAX = 500
BODY_BYTES_MAX = 1_000_000
BODIES_PER_APPEND = 16

PROGRESS = engines.Table(
    "import_progress",
    (
        ("source", "text"), ("digest", "text"), ("mapping", "text"), ("name", "text"), ("items", "integer"),
        ("finished", "integer"), ("updated", "integer"),
    ),
    ("source", "digest", "mapping"),
)  # fmt: skip
MARKS = engines.Table("import_marks", (("source", "text"), ("query", "text"), ("value", "text")), ("source", "query"))
"""The highest value of an incremental column that each question has seen."""


class Target(Protocol):
    """Where bodies go: the platform."""

    @property
    def control(self) -> Control:
        """Where it is noted how far imports came."""
        ...

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


class Progress:
    """The note of how many items of (source, table, mapping) are in the log."""

    def __init__(self, control: Control, source: str, table: Table, mapping: Mapping) -> None:
        self._control = control
        self._key = (source, table.digest, mapping.digest)
        self._name = table.name
        control.create((PROGRESS,))
        rows = control.select(
            "select items, finished from import_progress where source = ? and digest = ? and mapping = ?", *self._key
        )
        self.items, self.is_finished = (int(rows[0][0]), bool(rows[0][1])) if rows else (0, False)

    def note(self, items: int, *, is_finished: bool = False) -> None:
        now = int(time.time() * 1_000_000)
        with self._control.changing():
            self._control.upsert(PROGRESS, [(*self._key, self._name, items, int(is_finished), now)])
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
    progress = Progress(target.control, source, table, mapping)
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
