"""Pure rules of the archive: how stored events become bytes, and which of them an erasure concerns."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import msgspec
import zstandard

from cauce.model import Event, Identifier

EVENTS_PER_BLOCK = 64
"""More compress better, fewer are quicker to read one event from."""

PERSON_ERASED = "person.erased"
QUARANTINE_REPLAYED = "quarantine.replayed"


class StoredEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event as the archive keeps it, with what identity found out about it when it arrived.

    `subject` is 0 when the event belongs to nobody; `identifier_ids` has the subject first.
    """

    subject: int
    identifier_ids: tuple[int, ...]
    event: Event


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stored event as bytes hold it: the open-ended parts are JSON text, written once for block and history file."""

    subject: int
    identifier_ids: tuple[int, ...]
    position: int
    id: str
    source: str
    channel: str
    type: str
    name: str
    occurred: int
    received: int
    identifiers: tuple[Identifier, ...]
    traits: bytes
    properties: bytes
    context: bytes
    replay_of: int


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The beginning of a row, when only the ids matter; what follows is skipped."""

    subject: int
    identifier_ids: tuple[int, ...]


_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder(dict[str, Any]).decode
_encode_into = msgspec.msgpack.Encoder().encode_into
_decode_row = msgspec.msgpack.Decoder(Row).decode
_decode_head = msgspec.msgpack.Decoder(Head).decode
_NOTHING = b"{}"


def row_of(event: Event, subject: int, identifier_ids: tuple[int, ...]) -> Row:
    """The row of an event; raises when a value in it cannot be written as JSON."""
    return Row(
        subject,
        identifier_ids,
        event.position,
        event.id,
        event.source,
        event.channel,
        event.type,
        event.name,
        event.occurred,
        event.received,
        event.identifiers,
        _encode_json(event.traits) if event.traits else _NOTHING,
        _encode_json(event.properties) if event.properties else _NOTHING,
        _encode_json(event.context) if event.context else _NOTHING,
        event.replay_of,
    )


def stored_of(row: Row) -> StoredEvent:
    """The event that a row holds."""
    event = Event(
        row.id,
        row.source,
        row.channel,
        row.type,
        row.name,
        row.occurred,
        row.received,
        row.position,
        row.identifiers,
        _decode_json(row.traits) if row.traits != _NOTHING else {},
        _decode_json(row.properties) if row.properties != _NOTHING else {},
        _decode_json(row.context) if row.context != _NOTHING else {},
        row.replay_of,
    )
    return StoredEvent(row.subject, row.identifier_ids, event)


def append_row(row: Row, items: bytearray) -> None:
    """Writes one row behind others: the same bytes for the same content in the same order of keys."""
    _encode_into(row, items, -1)


def pack_block(
    positions: Sequence[int], lengths: Iterable[int], items: bytes | bytearray, compressor: zstandard.ZstdCompressor
) -> bytes:
    """Count, positions (int64), lengths (uint32), items one after the other; little-endian, zstd."""
    count = len(positions)
    head = struct.pack(f"<I{count}q{count}I", count, *positions, *lengths)
    return compressor.compress(b"".join((head, items)))


class OpenedBlock:
    """A decompressed block; an event is decoded when it is asked for."""

    __slots__ = ("_body", "_raw", "_starts", "positions")

    def __init__(self, body: bytes, decompressor: zstandard.ZstdDecompressor) -> None:
        self._raw = raw = decompressor.decompress(body)
        (count,) = struct.unpack_from("<I", raw)
        self.positions: tuple[int, ...] = struct.unpack_from(f"<{count}q", raw, 4)
        lengths = struct.unpack_from(f"<{count}I", raw, 4 + 8 * count)
        self._starts = list(accumulate(lengths, initial=4 + 12 * count))
        self._body = memoryview(raw)

    def item(self, index: int) -> memoryview:
        """The encoded event number `index` of the block."""
        return self._body[self._starts[index] : self._starts[index + 1]]

    def items(self) -> list[bytes]:
        return [bytes(self.item(index)) for index in range(len(self.positions))]

    def contains(self, needles: Iterable[bytes]) -> bool:
        """Whether any of the byte sequences occurs anywhere in the block."""
        return any(needle in self._raw for needle in needles)

    def get(self, position: int) -> StoredEvent | None:
        index = bisect_left(self.positions, position)
        if index == len(self.positions) or self.positions[index] != position:
            return None
        return stored_of(_decode_row(self.item(index)))

    def head(self, index: int) -> Head:
        return _decode_head(self.item(index))

    def between(self, after: int, until: int) -> Iterator[Row]:
        """Rows with `after` < position <= `until`, in order."""
        for index, position in enumerate(self.positions):
            if after < position <= until:
                yield _decode_row(self.item(index))


def concerned(heads: Iterable[tuple[int, Head]], erased: Collection[int]) -> list[int]:
    """Positions of the events that carry an erased identifier, whether it is their subject or not."""
    wanted = frozenset(erased)
    return [position for position, head in heads if not wanted.isdisjoint(head.identifier_ids)]


def scrubbed_properties(properties: Mapping[str, Any], identifier_ids: Iterable[int]) -> dict[str, Any]:
    """Properties of an erasure decision without the values: `identifiers` become ids, which are keyed hashes.

    A replay erases the same by them. Only what an erasure needs is kept, so that a note cannot carry a name.
    Doing it again changes nothing.
    """
    return {
        "identifiers": sorted(erased_ids(properties) | set(identifier_ids)),
        "suppress": bool(properties.get("suppress", False)),
    }


def erased_ids(properties: Mapping[str, Any]) -> set[int]:
    """Ids that an erasure decision names; a fresh one names values instead."""
    found = properties.get("identifiers", ())
    return {number for number in found if type(number) is int} if isinstance(found, list | tuple) else set()


def archived_decision(event: Event, identifier_ids: Iterable[int]) -> Event:
    """A decision as the archive keeps it: an erasure without the values, a replay without what was mended.

    What was mended is in the archive as events of its own.
    """
    properties = event.properties
    if event.name == PERSON_ERASED:
        properties = scrubbed_properties(properties, identifier_ids)
    elif event.name == QUARANTINE_REPLAYED:
        items = [item for item in properties.get("items", ()) if isinstance(item, dict)]
        light = [{name: value for name, value in item.items() if name != "raw"} for item in items]
        properties = {**properties, "items": light}
    return msgspec.structs.replace(event, properties=properties)


def mentioned(value: Any) -> Iterator[Identifier]:
    """Everything in a decision's properties that is written like an identifier (`kind:value`, or kind and value)."""
    if isinstance(value, str):
        kind, colon, rest = value.partition(":")
        if colon and kind and rest:
            yield Identifier(kind, rest)
    elif isinstance(value, dict):
        if isinstance(value.get("kind"), str) and isinstance(value.get("value"), str):
            yield Identifier(value["kind"], value["value"])
        for inner in value.values():
            yield from mentioned(inner)
    elif isinstance(value, list | tuple):
        if len(value) == 2 and all(isinstance(part, str) for part in value):
            yield Identifier(value[0], value[1])
        for inner in value:
            yield from mentioned(inner)
