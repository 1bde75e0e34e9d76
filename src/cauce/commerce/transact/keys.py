"""Which commands were answered, by the hashes of their keys: an index whose pages are written one after the other.

Hashes are spread evenly, so an index of them that grows with every command changes a page for each. Here the keys of
the newest commands are known in memory. Whenever a span of commands is full, the keys of one slice of all hashes, which
lie side by side, are written: slice after slice, all within one round. Which one follows from the number of the command
alone, so whoever knows the last number knows which commands may not be in the index yet, and reads those again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import NamedTuple

from cauce.commerce.transact.records import records
from cauce.engines.api import Reader

SLICE_BITS = 8
SLICES = 1 << SLICE_BITS
SPAN = 128
"""Commands after which the keys of a slice are written."""
ROUND = SLICES * SPAN
"""Commands within which all slices are: as many keys are held in memory, some 4 MB of them."""
_SHIFT = 63 - SLICE_BITS


class KeyOf(NamedTuple):
    """`hash` of a key, and the number (`id`) of the command that was answered under it; two keys may share a hash."""

    hash: int
    id: int


KEYS = records("command_key", KeyOf, key_columns=2)
BY_HASH = f"select {KEYS.columns} from {KEYS.name} where hash in {{keys}}"
_NEWEST = "select hash, id from command where id > ? order by id"

FROM_COMMANDS = (f"insert into {KEYS.name} select hash, id from command", "drop index if exists command_by_hash")
"""Makes the index from the commands of a store that had another one."""


def settled(last: int) -> int:
    """The command up to which all are in the index, when `last` is the number of the last one."""
    return max(0, last // SPAN * SPAN - ROUND)


class KnownKeys:
    """What one writer knows of the keys that were answered. Numbers of commands have no gaps."""

    def __init__(self) -> None:
        self.last = 0
        """Number of the last command that is known."""
        self._numbers: dict[int, int | tuple[int, ...]] = {}
        """Numbers of the newest commands by hash: one, or several that share it."""
        self._slices: list[list[int]] = [[] for _ in range(SLICES)]
        """Their hashes, by slice."""

    def catch_up(self, reader: Reader, last: int) -> None:
        """Learns the newest keys up to command number `last`: those that others answered, or all after a start."""
        if last == self.last:
            return
        self._learn(reader.select(_NEWEST, (max(self.last, settled(last)),)))
        for span in self._spans_to(last):
            self._written(span)  # by whoever answered its last command
        self.last = last

    def found(self, hashes: Set[int], written: Iterable[Sequence[int]]) -> set[int]:
        """Numbers of the commands that may have been answered under keys with some hashes; `written`: by the index."""
        found = {id_ for _, id_ in written}
        for hash_ in self._numbers.keys() & hashes:
            found.update(id_ for _, id_ in self._keys((hash_,)))
        return found

    def due(self, answered: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """What the index must learn with the commit of new commands, (hash, number) of each; in the index's order."""
        slices = {span % SLICES for span in self._spans_to(self.last + len(answered))}
        if not slices:
            return []
        found = [key for slice_ in slices for key in self._keys(self._slices[slice_])]
        found += (key for key in answered if key[0] >> _SHIFT in slices)
        return sorted(found)

    def committed(self, answered: Sequence[tuple[int, int]]) -> None:
        """The commands are committed, and so is what was due with them."""
        self._learn(answered)
        last = self.last + len(answered)
        for span in self._spans_to(last):
            self._written(span)
        self.last = last

    def _spans_to(self, last: int) -> range:
        """The spans that end with the commands up to `last`; of several for one slice, the last counts."""
        ended = last // SPAN
        return range(max(self.last // SPAN, ended - SLICES) + 1, ended + 1)

    def _written(self, span: int) -> None:
        """The keys of a span's slice are in the index, those of all commands up to the end of the span."""
        hashes, self._slices[span % SLICES] = self._slices[span % SLICES], []
        left = [key for key in self._keys(hashes) if key[1] > span * SPAN]
        for hash_ in hashes:
            self._numbers.pop(hash_, None)
        self._learn(left)

    def _keys(self, hashes: Iterable[int]) -> Iterator[tuple[int, int]]:
        """(hash, number) of what is known under some hashes, those that several share more than once."""
        for hash_ in hashes:
            numbers = self._numbers[hash_]
            if isinstance(numbers, int):
                yield hash_, numbers
            else:
                yield from ((hash_, id_) for id_ in numbers)

    def _learn(self, answered: Iterable[Sequence[int]]) -> None:
        numbers, slices = self._numbers, self._slices
        for hash_, id_ in answered:
            known = numbers.setdefault(hash_, id_)
            if known != id_:
                numbers[hash_] = (known, id_) if isinstance(known, int) else (*known, id_)
            else:
                slices[hash_ >> _SHIFT].append(hash_)
