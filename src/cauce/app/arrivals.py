"""The last raw events of a source, and what became of each: what somebody wants to see who connects a channel."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.app.assembly import decoder
from cauce.errors import NotFound
from cauce.identity.api import text_of
from cauce.model import Fate, Reason, Received, Record, offset_of

if TYPE_CHECKING:
    from cauce.app.platform import Platform

RECORDS_PER_LOOK = 250
BYTES_PER_LOOK = 4_000_000
LOOKS_MAX = 12
SECONDS_MAX = 0.2
"""How long is looked back through the log for a source that sent nothing lately."""
RAW_CHARACTERS_MAX = 20_000
WAITING = "waiting"
"""The fate of what was taken in and not processed yet."""


class Arrival(msgspec.Struct, frozen=True):
    """One item as it came. `fate` is one of `Fate`, or *waiting*; `person` and `reasons` as far as there are any."""

    position: int
    received: int
    connector: str
    type: str
    name: str
    event_id: str
    fate: str
    person: str
    reasons: tuple[Reason, ...]
    raw: str
    is_cut: bool


class Arrivals(msgspec.Struct, frozen=True):
    """The latest items, newest first; `records` of the log were looked through, back to the moment `since`."""

    items: list[Arrival]
    records: int
    since: int | None


def arrivals(platform: Platform, source: str, limit: int = 30) -> Arrivals:
    """The last items of a source. Looks back through the log for a bounded time."""
    found: list[Record] = []
    looked, since = 0, None
    deadline = time.monotonic() + SECONDS_MAX
    end = platform.log.end()
    for _ in range(LOOKS_MAX):
        after = max(0, end - RECORDS_PER_LOOK)
        records = [
            record
            for record in platform.log.read(after, records_max=RECORDS_PER_LOOK, bytes_max=BYTES_PER_LOOK)
            if record.offset <= end
        ]
        looked += len(records)
        since = records[0].received if records else since
        found += reversed([record for record in records if record.source == source])
        end = after
        if end <= 0 or len(found) >= limit or time.monotonic() > deadline:
            break
    decode = decoder(platform.source_of, platform.secret)
    items: list[Received] = []
    connectors: dict[int, str] = {}
    for record in found:
        connectors[record.offset] = record.connector
        items += reversed(decode(record))
        if len(items) >= limit:
            break
    return Arrivals(_told(platform, items[:limit], connectors), looked, since)


def _told(platform: Platform, items: Sequence[Received], connectors: dict[int, str]) -> list[Arrival]:
    """Items with their fates, which are looked up for all of them at once and at one moment."""
    positions = [item.position for item in items]
    with platform.reader.snapshot():
        stored = platform.archive.bodies(positions)
        aside = platform.archive.aside(positions)
        owners = platform.people.owners(one.subject for one in stored.values() if one.subject)
    told = []
    for item in items:
        event, position = item.event, item.position
        fate = str(Fate.STORED) if position in stored else aside.get(position, WAITING)
        subject = stored[position].subject if position in stored else 0
        raw = _pretty(item.raw)
        told.append(
            Arrival(
                position=position,
                received=item.received,
                connector=connectors[offset_of(position)],
                type=event.type if event else "",
                name=event.name if event else "",
                event_id=event.id if event else "",
                fate=fate,
                person=text_of(owners[subject]) if subject in owners else "",
                reasons=_reasons(platform, position) if fate == Fate.QUARANTINED else (),
                raw=raw[:RAW_CHARACTERS_MAX],
                is_cut=len(raw) > RAW_CHARACTERS_MAX,
            )
        )
    return told


def _reasons(platform: Platform, position: int) -> tuple[Reason, ...]:
    with suppress(NotFound):  # erased between the two questions
        return platform.quality.entry(position).reasons
    return ()


def _pretty(raw: Any) -> str:
    """A raw item as somebody reads it: JSON with line breaks, text as it is."""
    if isinstance(raw, bytes | bytearray):
        with suppress(msgspec.DecodeError):
            return msgspec.json.format(bytes(raw), indent=2).decode("utf-8", "replace")
        return bytes(raw).decode("utf-8", "replace")
    if isinstance(raw, str):
        return raw
    return msgspec.json.format(msgspec.json.encode(raw, enc_hook=str), indent=2).decode()
