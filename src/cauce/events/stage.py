"""The archive stage, last in the river: what reaches it is stored, in blocks, and now and then in a Parquet file.

Block cuts follow from the sequence of stored events alone: the last block is kept open and written again by every
flush until it is full, so a million live batches of one event make as many blocks as one import.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from operator import sub
from pathlib import Path
from typing import Any

import zstandard

from cauce.engines.api import Reader, Row, Table, Tables, Turns
from cauce.events import store
from cauce.events.api import LAST_POSITION
from cauce.events.erasure import Eraser, Erasure, Target, Tools
from cauce.events.history import Folder, HistoryWriter, Options
from cauce.events.rules import (
    EVENTS_PER_BLOCK,
    PERSON_ERASED,
    OpenedBlock,
    append_row,
    archived_decision,
    pack_block,
    row_of,
)
from cauce.events.rules import Row as EventRow
from cauce.model import DECISION, Fate, Passage

ROWS_PER_CHUNK = 1_000

BLOCK_BYTES_MAX = 131_072
"""A block of large events is closed earlier, so that reading one event of it stays quick."""


class _Block:
    """Rows of one block: their positions, and where each ends in `items`.

    `key` is 0 until the block is stored; then it stays, even when an erasure takes away the position that it was.
    """

    __slots__ = ("ends", "items", "key", "positions")

    def __init__(self, key: int = 0, positions: Sequence[int] = (), items: Sequence[bytes] = ()) -> None:
        self.key = key
        self.positions = list(positions)
        self.ends = list(accumulate(map(len, items)))
        self.items = bytearray().join(items)

    def copy(self) -> _Block:
        copied = _Block(self.key, self.positions)
        copied.ends, copied.items = self.ends.copy(), self.items.copy()
        return copied

    @property
    def is_open(self) -> bool:
        """Whether one more row may join."""
        return len(self.ends) < EVENTS_PER_BLOCK and len(self.items) < BLOCK_BYTES_MAX


class BlockWriter:
    """Writes rows into blocks; remembers the last block while it is not full."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._committed = _Block()
        self._open = _Block()
        self._full: list[Row] = []

    def load(self) -> None:
        """Takes the open block from the table, after a start or after an erasure rewrote it."""
        row = store.last_block(self._tables)
        self._committed = _Block()
        if row is not None:
            opened = OpenedBlock(row[3], zstandard.ZstdDecompressor())
            block = _Block(row[0], opened.positions, opened.items())
            if block.is_open:
                self._committed = block
        self.rolled_back()

    def add(self, row: EventRow) -> None:
        """Takes one more row of the batch; positions ascend."""
        block = self._open
        items, positions = block.items, block.positions
        append_row(row, items)
        positions.append(row.position)
        block.ends.append(len(items))
        if not block.is_open:
            self._full.append(self._row(block))
            self._open = _Block()

    def flush(self) -> None:
        """Inside the transaction: writes full blocks, and the last one as far as it goes."""
        if not self._full and len(self._open.ends) == len(self._committed.ends):
            return
        last = [self._row(self._open)] if self._open.ends else []
        self._tables.upsert(store.EVENT_BLOCK, self._full + last)

    def committed(self) -> None:
        self._committed, self._full = self._open.copy(), []

    def rolled_back(self) -> None:
        self._open, self._full = self._committed.copy(), []

    def _row(self, block: _Block) -> Row:
        positions, ends = block.positions, block.ends
        body = pack_block(positions, map(sub, ends, (0, *ends)), block.items, self._compressor)
        return (block.key or positions[0], positions[-1], len(positions), body)


def _all_rows(reader: Reader, table: Table) -> Iterator[Row]:
    return (row for chunk in reader.scan_all(table) for row in chunk)


class ArchiveStage:
    """Stores what reaches it.

    `folder` is where history files go, None for none. `tools` let an erasure reach the log; without them only the state
    is erased. `background` makes files beside the river; `close` waits for the one in the making.
    """

    name = "archive"
    tables: tuple[Table, ...] = store.TABLES

    def __init__(
        self,
        tables: Tables,
        folder: Path | None = None,
        options: Options | None = None,
        *,
        tools: Tools | None = None,
        clock: Callable[[], float] = time.monotonic,
        background: bool = True,
        turns: Turns | None = None,
    ) -> None:
        self._tables = tables
        self._blocks = BlockWriter(tables)
        self._eraser = Eraser(tables, tools)
        self._blanks_log = tools is not None
        self._executor = ThreadPoolExecutor(1, "history") if background and folder is not None else None
        self._history: HistoryWriter | None = None
        if folder is not None:
            self._history = HistoryWriter(
                Folder(folder), tables, options or Options(), clock=clock, executor=self._executor, turns=turns
            )
        self._recovered = False
        self._passages: Sequence[Passage] = ()
        self._stored: list[EventRow] = []
        self._erasures: list[Erasure] = []
        self._erased: list[int] = []

    def contents(self, reader: Reader) -> dict[str, Iterator[Any]]:
        """What two equal archives have in common, however blocks and files were cut (`cauce.runner.contents`)."""
        rows = (row for chunk in store.rows(reader, 0, LAST_POSITION, ROWS_PER_CHUNK) for row in chunk)
        tables = {table.name: _all_rows(reader, table) for table in (store.EVENT_DECISION, store.EVENT_ASIDE)}
        return {"event": rows, **tables}

    def wait(self) -> None:
        """Waits for a history file in the making; the next commit lists it."""
        if self._history:
            self._history.wait()

    def close(self) -> None:
        """Gives back what makes files beside the river; a file in the making is made again by the next runner."""
        if self._executor is not None:
            self._executor.shutdown()

    def recover(self) -> None:
        """Finishes what a crash left undone. The first batch or idle moment calls it; a start may do so before."""
        self._blocks.load()
        if self._history:
            self._history.recover()
        self._eraser.recover()
        self._recovered = True

    def refresh(self, *, decided: bool) -> None:
        """Another runner has committed: the open block and the list of files are other ones."""
        self._blocks.load()
        if self._history:
            self._history.refresh(decided=decided)

    def prefetch(self, passages: Sequence[Passage]) -> None:
        if not self._recovered:
            self.recover()
        self._passages = passages

    def apply(self, passage: Passage) -> bool:
        event = passage.event
        if event is None:
            return True  # blanked by an erasure: it counts, and that is all
        subject, identifier_ids = passage.subject, passage.identifier_ids
        if event.type == DECISION and event.name == PERSON_ERASED:
            self._erasures.append(Erasure.of(event, identifier_ids))
        if event.type == DECISION:
            event, subject, identifier_ids = archived_decision(event, identifier_ids), 0, ()
        row = row_of(event, subject, identifier_ids)
        self._blocks.add(row)
        self._stored.append(row)
        return True

    def flush(self) -> None:
        if not self._recovered:
            self.recover()
        suppressed = self._write_aside()
        self._blocks.flush()
        decisions = [(one.position, one.name) for one in self._stored if one.type == DECISION]
        if decisions:
            self._tables.upsert(store.EVENT_DECISION, decisions)
        self._erased = self._eraser.flush(self._erasures, suppressed)
        if self._history:
            self._history.flush(self._stored, self._erased)

    def committed(self) -> None:
        stored, erased = self._stored, self._erased
        self._blocks.committed()
        if erased:
            self._blocks.load()
            gone = frozenset(erased)
            stored = [one for one in stored if one.position not in gone]
        self._forget_batch()
        if self._history:
            self._history.committed(stored)
        self._eraser.committed()

    def rolled_back(self) -> None:
        self._forget_batch()
        self._blocks.rolled_back()
        if self._history:
            self._history.rolled_back()
        self._eraser.rolled_back()

    def due(self) -> bool:
        """Whether a commit without new events has something to do: files to list, erasures to strike off."""
        if not self._recovered:
            self.recover()
        return self._eraser.due() or (self._history is not None and self._history.due())

    def _write_aside(self) -> list[Target]:
        """Notes the items that were not stored; returns the suppressed ones, whose bytes must leave the log."""
        aside: list[Row] = []
        suppressed: list[Target] = []
        for passage in self._passages:
            fate = passage.fate
            if fate is None or fate is Fate.STORED or passage.item.erased:
                continue
            if fate is Fate.SUPPRESSED and self._blanks_log:
                event = passage.item.event
                suppressed.append(Target(passage.item.position, str(fate), event.id if event else ""))
            else:
                aside.append((passage.item.position, str(fate)))
        if aside:
            self._tables.upsert(store.EVENT_ASIDE, aside)
        return suppressed

    def _forget_batch(self) -> None:
        self._passages = ()
        self._stored = []
        self._erasures = []
        self._erased = []
