"""Decisions: what people decide is a record of the log like any other, under the connector `cauce`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cauce.events.rules import scrubbed_properties
from cauce.model import DECISION, DECISIONS, Event, Reason, Received, Record, position_of, to_iso
from cauce.model.time import from_iso


class _Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    properties: dict[str, Any]
    by: str
    occurred: str


class _Blanked(msgspec.Struct, frozen=True):
    fate: str = msgspec.field(name="_erased")


def encode(name: str, properties: dict[str, Any], by: str, occurred: int) -> bytes:
    """The body of a decision's record; `name` is `area.verb` in the past tense, `occurred` microseconds UTC."""
    return msgspec.json.encode(_Decision(name, properties, by, to_iso(occurred)))


def decode(record: Record) -> list[Received]:
    """One item: the decision, or the reasons why the body is none."""
    position = position_of(record.offset, 0)
    try:
        decision = msgspec.json.decode(record.body, type=_Decision)
        occurred = from_iso(decision.occurred)
    except (msgspec.MsgspecError, ValueError, RecursionError) as fault:
        return [_other(record, position, fault)]
    event = Event(
        f"decision-{position}",
        DECISIONS,
        DECISIONS,
        DECISION,
        decision.name,
        occurred,
        record.received,
        position,
        properties=decision.properties,
        context={"by": decision.by},
    )
    return [Received(position, DECISIONS, DECISIONS, record.received, msgspec.to_builtins(decision), event)]


def scrub(body: bytes, identifier_ids: Iterable[int]) -> bytes:
    """The body of an erasure decision without the values it named; what is no decision comes back as it is."""
    try:
        decision = msgspec.json.decode(body, type=_Decision)
    except msgspec.MsgspecError:
        return body
    properties = scrubbed_properties(decision.properties, identifier_ids)
    return msgspec.json.encode(msgspec.structs.replace(decision, properties=properties))


def blank(body: bytes, replacements: Mapping[int, dict[str, str]]) -> bytes:
    """The body with items replaced: 0 is the decision itself, from 1 on the mended items that it carries."""
    if 0 in replacements:
        return msgspec.json.encode(replacements[0])
    try:
        decision = msgspec.json.decode(body, type=_Decision)
    except msgspec.MsgspecError:
        return body
    items = [
        {**item, **({"form": "json"} if "form" in item else {}), "raw": replacements[index]}
        if index in replacements
        else item
        for index, item in enumerate(decision.properties.get("items", ()), start=1)
    ]
    properties = {**decision.properties, "items": items}
    return msgspec.json.encode(msgspec.structs.replace(decision, properties=properties))


def _other(record: Record, position: int, fault: Exception) -> Received:
    raw: Any = record.body.decode("utf-8", "replace")
    try:
        fate = msgspec.json.decode(record.body, type=_Blanked).fate
    except (msgspec.MsgspecError, ValueError, RecursionError):
        expected = '{"name": "area.verb", "properties": {…}, "by": "…", "occurred": "ISO 8601"}'
        reason = Reason("unreadable_decision", "", expected, str(fault)[:300])
        return Received(position, DECISIONS, DECISIONS, record.received, raw, None, (reason,))
    return Received(position, DECISIONS, DECISIONS, record.received, raw, None, (), 0, fate)
