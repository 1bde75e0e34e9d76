"""The archive for readers: stored events by position, in order, and the audit trail of decisions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

import zstandard

from cauce.engines.api import Reader
from cauce.events import store
from cauce.events.rules import OpenedBlock, StoredEvent, stored_of
from cauce.model import Event

__all__ = ["Archive", "StoredEvent", "Trace"]

LAST_POSITION = 2**63 - 1
POSITIONS_PER_QUESTION = 256
Head = tuple[int, int, int]
"""First position, last position and count of a block."""


class Trace(NamedTuple):
    """Who an event concerns: ids of its identifiers (the subject's first, none of a decision), and if it has traits."""

    position: int
    identifier_ids: tuple[int, ...]
    type: str
    name: str
    has_traits: bool


class Archive:
    """Every stored event, up to the reader's last commit. One thread at a time."""

    def __init__(self, reader: Reader, *, cache_blocks: int = 256) -> None:
        self._reader = reader
        self._cache_blocks = cache_blocks
        self._cache: OrderedDict[Head, OpenedBlock] = OrderedDict()
        self._decompressor = zstandard.ZstdDecompressor()

    def bodies(self, positions: Iterable[int]) -> dict[int, StoredEvent]:
        """Stored events by position, in order of position; what was erased or never stored is left out."""
        found: dict[int, StoredEvent] = {}
        ordered = sorted(set(positions))
        for start in range(0, len(ordered), POSITIONS_PER_QUESTION):
            group = ordered[start : start + POSITIONS_PER_QUESTION]
            heads = store.block_heads(self._reader, group)
            holding = [
                (position, head)
                for position, head in zip(group, heads, strict=True)
                if head is not None and position <= head[1]
            ]
            blocks = self._opened({head for _, head in holding})
            for position, head in holding:
                stored = blocks[head].get(position) if head in blocks else None
                if stored is not None:
                    found[position] = stored
        return found

    def scan(self, after: int = 0, until: int | None = None, batch: int = 1_000) -> Iterator[list[StoredEvent]]:
        """Stored events with `after` < position <= `until`, in order, in lists of at most `batch`; decisions too."""
        for rows in store.rows(self._reader, after, LAST_POSITION if until is None else until, batch):
            yield [stored_of(row) for row in rows]

    def traces(self, after: int = 0, until: int | None = None, batch: int = 1_000) -> Iterator[list[Trace]]:
        """The same events in the same order, but only what a follower must know: several times cheaper than `scan`."""
        for rows in store.rows(self._reader, after, LAST_POSITION if until is None else until, batch):
            yield [Trace(row.position, row.identifier_ids, row.type, row.name, row.traits != b"{}") for row in rows]

    def aside(self, positions: Iterable[int]) -> dict[int, str]:
        """What became of items that were not stored, by position; those that were stored or never came are left out."""
        rows = self._reader.select_keys("select position, fate from event_aside where position in {keys}", positions)
        return {int(position): str(fate) for position, fate in rows}

    def newest(self) -> Iterator[StoredEvent]:
        """Stored events from the last one backwards, as long as somebody asks for more."""
        before = LAST_POSITION
        while (row := store.block_before(self._reader, before)) is not None:
            opened = OpenedBlock(row[3], self._decompressor)
            for position in reversed(opened.positions):
                stored = opened.get(position)
                if stored is not None:
                    yield stored
            before = row[0] - 1

    def last_position(self) -> int:
        """Position of the last stored event, 0 when there is none."""
        # By the key: `max(last_position)` would look at every block, and each search asks for it.
        found = self._reader.select("select last_position from event_block order by first_position desc limit 1")
        return int(found[0][0]) if found else 0

    def audit(self, *, after: int = 0, limit: int = 100, name: str = "", descending: bool = True) -> list[Event]:
        """Decisions with position > `after`, newest first unless `descending` is false, of one name when given."""
        named = " and name = ?" if name else ""
        rows = self._reader.select(
            f"select position from event_decision where position > ?{named} "
            f"order by position {'desc' if descending else 'asc'} limit {int(limit)}",
            (after, name) if name else (after,),
        )
        found = self.bodies(position for (position,) in rows)
        return [found[position].event for (position,) in rows if position in found]

    def count(self) -> int:
        """How many events are stored, decisions among them."""
        return int(self._reader.select("select coalesce(sum(count), 0) from event_block")[0][0])

    def canonical(self) -> Iterator[bytes]:
        """The encoded stored events in order: the same for the same events, wherever batches and blocks were cut."""
        for row in store.blocks(self._reader, 0, LAST_POSITION):
            yield from OpenedBlock(row[3], self._decompressor).items()

    def digest(self) -> str:
        """Fingerprint of `canonical`, for comparing two installations."""
        total = blake2b(digest_size=16)
        for item in self.canonical():
            total.update(len(item).to_bytes(4, "little"))
            total.update(item)
        return total.hexdigest()

    def _opened(self, heads: Collection[Head]) -> dict[Head, OpenedBlock]:
        """Blocks by their heads: erasure and growth change a head, so an old body is never given out."""
        opened = {head: self._cache[head] for head in heads if head in self._cache}
        missing = sorted(head for head in heads if head not in opened)
        bodies = store.block_bodies(self._reader, [head[0] for head in missing]) if missing else {}
        for head in missing:
            if head[0] in bodies:  # else it was erased a moment ago
                opened[head] = OpenedBlock(bodies[head[0]], self._decompressor)
        for head, block in opened.items():
            self._cache[head] = block
            self._cache.move_to_end(head)
        while len(self._cache) > self._cache_blocks:
            self._cache.popitem(last=False)
        return opened
