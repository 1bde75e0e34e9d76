"""Which events were seen before: a set of 64-bit keys that stays quick and small for tens of millions of events.

In memory, keys lie in sorted runs whose lengths at least double from the newest to the oldest, so that n keys need
about log2(n) runs; a bitmap answers for most new keys at once, and what it does not answer is looked up with one binary
search per run. In the tables, keys lie in blocks in their order of arrival: a pure function of the log, however its
batches were cut. See `docs/decisions/dedupe.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

BLOCK_KEYS = 4_096
"""Keys in one full block (32 KiB); the last block is written again until it is full."""

FILTER_BITS_PER_KEY_MIN = 8
FILTER_BITS_MIN = 1 << 16

Keys = NDArray[np.int64]


def keys_of(names: Sequence[str]) -> list[int]:
    """64-bit keys of texts, in their order: BLAKE2b of 8 bytes, read as a little-endian integer."""
    digests = b"".join([blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names])
    keys: list[int] = np.frombuffer(digests, dtype="<i8").tolist()
    return keys


def name_of(source: str, event_id: str) -> str:
    """The text that an event is known by; no source's name contains the separator."""
    return f"{source}\x1f{event_id}"


class _Filter:
    """One bit per key's low bits: a clear bit says that a key is new; a set one (at most 1 in 8) says nothing."""

    def __init__(self, runs: Sequence[Keys]) -> None:
        count = sum(len(run) for run in runs)
        bits = max(FILTER_BITS_MIN, 1 << (4 * FILTER_BITS_PER_KEY_MIN * count - 1).bit_length() if count else 0)
        self.keys_max = bits // FILTER_BITS_PER_KEY_MIN
        self._mask = np.int64(bits - 1)
        self._bytes = np.zeros(bits // 8, dtype=np.uint8)
        for run in runs:
            self.add(run)

    def add(self, keys: Keys) -> None:
        places = keys & self._mask
        np.bitwise_or.at(self._bytes, places >> 3, np.left_shift(1, places & 7).astype(np.uint8))

    def maybe(self, keys: Keys) -> NDArray[np.bool_]:
        places = keys & self._mask
        found: NDArray[np.bool_] = (self._bytes[places >> 3] >> (places & 7).astype(np.uint8)) & 1 == 1
        return found


class SeenSet:
    """A set of int64 keys that only grows, with a committed part and the changes of the running batch."""

    def __init__(self, blocks: Iterable[bytes] = ()) -> None:
        data = b"".join(blocks)
        keys: Keys = np.frombuffer(data, dtype="<i8").astype(np.int64)
        self._count = len(keys)
        self._tail = data[(self._count - self._count % BLOCK_KEYS) * 8 :]
        self._runs: list[Keys] = [np.sort(keys)] if self._count else []
        self._filter = _Filter(self._runs)
        self._added: list[int] = []

    def __len__(self) -> int:
        """Committed keys."""
        return self._count

    def known(self, keys: Sequence[int]) -> set[int]:
        """Those of `keys` that are committed."""
        if not keys or not self._runs:
            return set()
        asked = np.asarray(keys, dtype=np.int64)
        wanted = np.unique(asked[self._filter.maybe(asked)])
        found = np.zeros(len(wanted), dtype=bool)
        for run in self._runs:
            places = np.searchsorted(run, wanted)
            places[places == len(run)] = 0
            found |= run[places] == wanted
        known: list[int] = wanted[found].tolist()
        return set(known)

    def add(self, keys: Sequence[int]) -> None:
        """Adds keys that are not in the set, in order of arrival; they count once `committed` says so."""
        self._added += keys

    def changed_blocks(self) -> list[tuple[int, bytes]]:
        """(number, keys) of the blocks that the added keys change; the blocks of a set, in order, restore it."""
        if not self._added:
            return []
        data = self._tail + np.asarray(self._added, dtype="<i8").tobytes()
        first = self._count // BLOCK_KEYS
        size = BLOCK_KEYS * 8
        return [(first + start // size, data[start : start + size]) for start in range(0, len(data), size)]

    @property
    def next_block(self) -> int:
        """Number of the first block that is not full."""
        return self._count // BLOCK_KEYS

    def extend(self, blocks: Iterable[bytes]) -> None:
        """Takes over the keys that others added: `blocks` as they are in the tables now, from `next_block` on."""
        data = b"".join(blocks)
        keys = np.frombuffer(data, dtype="<i8").astype(np.int64)[self._count % BLOCK_KEYS :]
        if len(keys):
            places = len(data) // 8 % BLOCK_KEYS
            self._keep(keys, data[len(data) - 8 * places :] if places else b"")

    def committed(self) -> None:
        """The added keys stand in the tables."""
        blocks = self.changed_blocks()
        if blocks:
            added = np.asarray(self._added, dtype=np.int64)
            self._added = []
            self._keep(added, blocks[-1][1] if (self._count + len(added)) % BLOCK_KEYS else b"")

    def _keep(self, keys: Keys, tail: bytes) -> None:
        """More committed keys, in order of arrival; `tail` is the content of the block that is not full."""
        self._count += len(keys)
        self._tail = tail
        newest = np.sort(keys)
        self._runs.append(newest)
        self._merge()
        if self._count > self._filter.keys_max:
            self._filter = _Filter(self._runs)
        else:
            self._filter.add(newest)

    def _merge(self) -> None:
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            newest = self._runs.pop()
            both = np.concatenate((self._runs[-1], newest))
            both.sort(kind="stable")  # merges two sorted runs in one pass
            self._runs[-1] = both

    def rolled_back(self) -> None:
        """The added keys never were."""
        self._added = []
