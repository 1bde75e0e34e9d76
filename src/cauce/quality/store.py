"""Tables of quality and the queries on them. Private to this package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from cauce.engines.api import Reader, Row, Table, Tables
from cauce.model import Reason

COUNT = Table(
    "quality_count",
    (("source", "text"), ("hour", "integer"), ("fate", "text"), ("count", "integer")),
    ("source", "hour", "fate"),
)
"""Items by source, hour of receipt (hours since 1970) and fate; the fate *received* is counted on its own at entry."""

NAME = Table(
    "quality_name",
    (("channel", "text"), ("name", "text"), ("day", "integer"), ("count", "integer")),
    ("channel", "name", "day"),
)
"""Stored events by channel, name (the type, where there is none) and day of receipt (days since 1970)."""

BREACH = Table(
    "quality_breach",
    (
        ("source", "text"),
        ("contract", "text"),
        ("code", "text"),
        ("path", "text"),
        ("day", "integer"),
        ("count", "integer"),
        ("expected", "text"),
        ("example", "integer"),
    ),
    ("source", "contract", "code", "path", "day"),
)
"""Reasons of events that were stored although they break their contract; `example` is the position of the last one."""

QUARANTINE = Table(
    "quarantine",
    (
        ("position", "integer"),
        ("source", "text"),
        ("channel", "text"),
        ("event_id", "text"),
        ("name", "text"),
        ("received", "integer"),
        ("occurred", "integer"),
        ("reasons", "text"),
        ("form", "text"),
        ("raw", "text"),
        ("state", "text"),
        ("decided", "integer"),
        ("decided_by", "text"),
        ("why", "text"),
    ),
    ("position",),
    # Pages go through the open ones by position; groups and filters by source.
    indexes=(("state", "position"), ("state", "source")),
)

CONTRACT = Table(
    "quality_contract",
    (
        ("key", "text"),
        ("state", "text"),
        ("definition", "text"),
        ("version", "integer"),
        ("decided", "integer"),
        ("decided_by", "text"),
    ),
    ("key",),
)
"""What decisions did to contracts; starter contracts that nobody touched have no row."""

SEEN = Table("quality_seen", (("id", "integer"), ("keys", "blob")), ("id",))

TABLES = (COUNT, NAME, BREACH, QUARANTINE, CONTRACT, SEEN)

RECEIVED = "received"
SEEN_BLOCKS_PER_QUERY = 256
_ENTRY_COLUMNS = ", ".join(QUARANTINE.names)
_CLIENTS_WORDS = tuple(QUARANTINE.names.index(name) for name in ("channel", "event_id", "name"))
"""Columns that may hold a NUL, because a client wrote it (which is why the entry is here); no table keeps one."""


class Entry(msgspec.Struct, frozen=True):
    """A quarantined item. `state` is *open*, *replayed*, *dropped* or *erased*; times are microseconds UTC.

    `raw` is the item as sent (or as last patched); `form` says how: *json*, *text*, or *base64*.
    `decided`, `decided_by` and `why` tell the last decision about it.
    """

    position: int
    source: str
    channel: str
    event_id: str
    name: str
    received: int
    occurred: int
    reasons: tuple[Reason, ...]
    form: str
    raw: str
    state: str = "open"
    decided: int = 0
    decided_by: str = ""
    why: str = ""

    def document(self) -> Any:
        """The raw item as JSON value; text and base64 stay text."""
        return msgspec.json.decode(self.raw) if self.form == "json" else self.raw


_reasons = msgspec.json.Decoder(tuple[Reason, ...])


def reasons_of(text: str) -> tuple[Reason, ...]:
    return _reasons.decode(text)


def entry_of(row: Row) -> Entry:
    values = list(row)
    values[7] = _reasons.decode(values[7])
    return Entry(*values)


def row_of(entry: Entry) -> Row:
    values = list(msgspec.structs.astuple(entry))
    for place in _CLIENTS_WORDS:
        values[place] = values[place].replace("\x00", "\ufffd")
    values[7] = msgspec.json.encode(entry.reasons).decode()
    return tuple(values)


def entries_at(reader: Reader, positions: Iterable[int]) -> list[Entry]:
    """The entries at these positions, as far as there are any."""
    rows = reader.select_keys(f"select {_ENTRY_COLUMNS} from quarantine where position in {{keys}}", positions)
    return [entry_of(row) for row in rows]


def all_entries(reader: Reader) -> Iterator[Entry]:
    """Every entry, whatever its state, by position."""
    for rows in reader.scan_all(QUARANTINE, batch=1_000):
        yield from map(entry_of, rows)


def entries_where(
    reader: Reader, conditions: str, parameters: Sequence[Any], limit: int, *, newest_first: bool = False
) -> list[Entry]:
    """Entries that meet `conditions` (SQL over the columns of the table), by position."""
    order = "position desc" if newest_first else "position"
    sql = f"select {_ENTRY_COLUMNS} from quarantine where {conditions} order by {order} limit ?"
    return [entry_of(row) for row in reader.select(sql, [*parameters, limit])]


def seen_blocks(reader: Reader, first: int = 0) -> Iterator[bytes]:
    """Blocks of seen keys from the `first` on, in order of arrival."""
    query = f"select keys from {SEEN.name} where id >= ? order by id limit {SEEN_BLOCKS_PER_QUERY}"
    while rows := reader.select(query, (first,)):
        yield from (keys for (keys,) in rows)
        first += len(rows)


class Tally:
    """Counters of one table whose last column is `count`: changes are gathered, and added when flushed."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.changes: Counter[tuple[Any, ...]] = Counter()

    def flush(self, tables: Tables) -> None:
        # A change of zero is written too: which rows there are must not depend on where batches are cut.
        rows = [(*key, change) for key, change in sorted(self.changes.items())]
        tables.merge(self.table, rows, {"count": "sum"})

    def committed(self) -> None:
        self.changes.clear()

    def rolled_back(self) -> None:
        self.changes.clear()


def add_breaches(tables: Tables, found: Callable[[], Iterable[tuple[tuple[Any, ...], str, int]]]) -> None:
    """Adds (key, expected, position) of observed reasons to their counters; equal keys count together."""
    counts: dict[tuple[Any, ...], tuple[int, str, int]] = {}
    for key, expected, position in found():
        count, told, example = counts.get(key, (0, "", 0))
        counts[key] = (count + 1, max(told, expected), max(example, position))
    rows = [(*key, *values) for key, values in sorted(counts.items())]
    tables.merge(BREACH, rows, {"count": "sum", "expected": "max", "example": "max"})
