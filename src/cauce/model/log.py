"""A record of the log, and positions: the total order in which facts arrived."""

from __future__ import annotations

import msgspec

DECISIONS = "cauce"
"""Connector of the records that carry what people decided; each of them is a batch of its own."""

INDEX_BITS = 20
"""A record holds at most 2**20 items; an int64 position leaves 2**43 records."""


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What was acknowledged in one request: bytes as received, and who sent them.

    `connector` names the decoder; `source` is the source's name; `received` is microseconds UTC.
    """

    offset: int
    source: str
    connector: str
    received: int
    body: bytes


def position_of(offset: int, index: int) -> int:
    """Position of item `index` (0-based) of the record at `offset`."""
    return offset << INDEX_BITS | index


def offset_of(position: int) -> int:
    return position >> INDEX_BITS


def index_of(position: int) -> int:
    return position & ((1 << INDEX_BITS) - 1)
