"""What Cauce's own commerce tells the river: orders, receipts of points, movements of stock, bookings.

A record's body is `{"batch": [FACT, …]}`. A FACT is what commerce told (`name`, `at` in microseconds, `channel`, `who`
as `kind:value`, `properties`) and the `messageId` by which it is known again: the same fact appended twice is a
duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from cauce.connectors.reading import aside, read_body, refused, shown
from cauce.connectors.values import TIME_MAX, TIME_MIN, kind_of, text_of
from cauce.model import Event, Identifier, Reason, Received, Record, Source, position_of

NAME = "commerce"
READS_COMPRESSED = True

TYPE = "track"
_OBJECT = Reason("object_expected", "/properties", "an object")
_encode = msgspec.json.Encoder().encode


class Waiting(NamedTuple):
    """A fact on its way: its number in the outbox, and the JSON of what was told."""

    id: int
    body: bytes


def framed(facts: Iterable[Waiting]) -> bytes:
    """The body of a record that holds these facts, each with the id that it has for ever.

    Numbers begin again when an installation's commerce is restored from a copy, so the content belongs to the id.
    """
    items = [b"".join((b'{"messageId":', _encode(id_of(fact)), b",", fact.body[1:])) for fact in facts]
    return b'{"batch":[' + b",".join(items) + b"]}"


def id_of(fact: Waiting) -> str:
    return f"commerce-{fact.id}-{blake2b(fact.body, digest_size=8).hexdigest()}"


def decode(record: Record, source: Source) -> list[Received]:
    """Facts of a record in order, each as an event or with the reason why it is none; pure, never raises."""
    found: list[Received] = []
    for index, item in enumerate(read_body(record).items):
        other = aside(record, source, index, item)
        found.append(_received(record, source, index, item) if other is None else other)
    return found


def _received(record: Record, source: Source, index: int, item: dict[str, Any]) -> Received:
    fault = _fault(item)
    if fault is not None:
        return refused(record, source, index, item, fault)
    position = position_of(record.offset, index)
    event = Event(
        item["messageId"],
        record.source,
        text_of(item.get("channel")) or source.channel,
        TYPE,
        item["name"],
        item["at"],
        record.received,
        position,
        tuple(_identifiers(item.get("who", ()))),
        {},
        item.get("properties", {}),
    )
    return Received(position, record.source, source.channel, record.received, item, event)


def _fault(item: dict[str, Any]) -> Reason | None:
    """Why a fact cannot become an event: only what is no fact of commerce has such a reason."""
    for key in ("messageId", "name"):
        if not isinstance(item.get(key), str) or not item[key].strip():
            return Reason("value_missing", f"/{key}", "text that is not empty", shown(item.get(key)))
    at = item.get("at")
    if at.__class__ is not int or not TIME_MIN <= at <= TIME_MAX:
        return Reason("value_unreadable", "/at", "microseconds since 1970", shown(at))
    if not isinstance(item.get("properties", {}), dict):
        return msgspec.structs.replace(_OBJECT, found=shown(item["properties"]))
    who = item.get("who", [])
    if not isinstance(who, list) or any(not isinstance(one, str) or not _parts(one) for one in who):
        return Reason("identifier_unreadable", "/who", "a list of kind:value", shown(who))
    return None


def _parts(who: str) -> tuple[str, str] | None:
    kind, _, value = who.partition(":")
    kind = kind_of(kind)
    return (kind, value) if kind and value else None


def _identifiers(who: Iterable[str]) -> Iterable[Identifier]:
    found = (_parts(one) for one in who)
    return dict.fromkeys(Identifier(*pair) for pair in found if pair)
