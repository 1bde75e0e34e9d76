"""Tables of the archive, and the questions that are asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import zstandard

from cauce.engines.api import Reader, Row, Table
from cauce.events.rules import OpenedBlock
from cauce.events.rules import Row as EventRow

EVENT_BLOCK = Table(
    "event_block",
    (("first_position", "integer"), ("last_position", "integer"), ("count", "integer"), ("body", "blob")),
    ("first_position",),
)
"""`first_position` is a lower bound: erasure may take the first event out of a block."""

EVENT_DECISION = Table("event_decision", (("position", "integer"), ("name", "text")), ("position",))
"""Where the decisions lie in the archive."""

EVENT_ASIDE = Table("event_aside", (("position", "integer"), ("fate", "text")), ("position",))
"""Items that were not stored; an erasure looks among them too, because their bytes are in the log."""

EVENT_ERASURE = Table("event_erasure", (("position", "integer"), ("body", "blob")), ("position",))
"""Erasures whose log bodies are not blanked yet; empty but for moments."""

HISTORY_FILE = Table(
    "history_file",
    (
        ("first_position", "integer"),
        ("last_position", "integer"),
        ("path", "text"),
        ("day", "integer"),
        ("rows", "integer"),
        ("bytes", "integer"),
        ("occurred_min", "integer"),
        ("occurred_max", "integer"),
    ),
    ("first_position",),
)
"""The live files. Each stored event is in one at most, so its first position is a file's key."""

TABLES = (EVENT_BLOCK, EVENT_DECISION, EVENT_ASIDE, EVENT_ERASURE, HISTORY_FILE)

BLOCKS_PER_QUERY = 32


class HistoryFile(msgspec.Struct, frozen=True, array_like=True):
    """One live Parquet file, `path` relative to the history folder.

    It holds exactly the stored events received on `day` (days since 1970) with first <= position <= last.
    """

    first_position: int
    last_position: int
    path: str
    day: int
    rows: int
    bytes: int
    occurred_min: int
    occurred_max: int

    def as_row(self) -> Row:
        return msgspec.structs.astuple(self)


def block_before(reader: Reader, position: int) -> Row | None:
    """The row of the block that would hold `position`."""
    rows = reader.select(
        "select first_position, last_position, count, body from event_block "
        "where first_position <= ? order by first_position desc limit 1",
        (position,),
    )
    return rows[0] if rows else None


def block_heads(reader: Reader, positions: Iterable[int]) -> list[tuple[int, int, int] | None]:
    """(first position, last position, count) of the block that would hold each position; None where there is none."""
    found = reader.select_each(
        "select first_position, last_position, count from event_block "
        "where first_position <= ? order by first_position desc limit 1",
        [(position,) for position in positions],
    )
    return [(rows[0][0], rows[0][1], rows[0][2]) if rows else None for rows in found]


def block_bodies(reader: Reader, first_positions: Iterable[int]) -> dict[int, bytes]:
    """The bodies of blocks by their first position."""
    rows = reader.select_keys(
        "select first_position, body from event_block where first_position in {keys}", first_positions
    )
    return dict(rows)


def last_block(reader: Reader) -> Row | None:
    rows = reader.select(
        "select first_position, last_position, count, body from event_block order by first_position desc limit 1"
    )
    return rows[0] if rows else None


def blocks(reader: Reader, after: int, until: int) -> Iterator[Row]:
    """Rows of the blocks that may hold a position in (after, until], in order."""
    first = block_before(reader, after + 1)
    start = first[0] if first else 0
    while True:
        rows = reader.select(
            "select first_position, last_position, count, body from event_block "
            f"where first_position >= ? and first_position <= ? order by first_position limit {BLOCKS_PER_QUERY}",
            (start, until),
        )
        yield from rows
        if len(rows) < BLOCKS_PER_QUERY:
            return
        start = rows[-1][0] + 1


def rows(reader: Reader, after: int, until: int, batch: int) -> Iterator[list[EventRow]]:
    """Stored rows with `after` < position <= `until`, in order, in lists of at most `batch`."""
    decompressor = zstandard.ZstdDecompressor()
    chunk: list[EventRow] = []
    for block in blocks(reader, after, until):
        chunk += OpenedBlock(block[3], decompressor).between(after, until)
        while len(chunk) >= batch:
            yield chunk[:batch]
            chunk = chunk[batch:]
    if chunk:
        yield chunk


def history_files(reader: Reader) -> list[HistoryFile]:
    """The live files in order of position."""
    columns = ", ".join(HISTORY_FILE.names)
    return [HistoryFile(*row) for row in reader.select(f"select {columns} from history_file order by first_position")]


def written_until(reader: Reader) -> int:
    """The last position that is in a history file, 0 when there is none."""
    rows = reader.select("select max(last_position) from history_file")
    return rows[0][0] or 0


def tail(reader: Reader) -> tuple[tuple[int, int], int]:
    """((after, until), rows): the positions that are in no history file yet, and about how many events they hold."""
    after = written_until(reader)
    until, rows = reader.select(
        "select coalesce(max(last_position), 0), coalesce(sum(count), 0) from event_block where last_position > ? "
        "and first_position >= (select coalesce(max(first_position), 0) from event_block where first_position <= ?)",
        (after, after),
    )[0]
    return (after, max(after, until)), rows
