"""The generic channel: any program that can send JSON, in Cauce's own words.

An item is `{event, occurred, identifiers: {kind: value or [values]}, traits, properties, context, id, type}`; a body is
one item, a list of them, or `{"batch": [...]}`. Everything but one of `event` and `traits` may be missing.
"""

from __future__ import annotations

from typing import Any

from cauce.connectors.reading import aside, read_body, shown
from cauce.connectors.values import kind_of, moment_of, text_of
from cauce.model import Event, Identifier, Reason, Received, Record, Source, position_of

NAME = "rows"
READS_COMPRESSED = True

TYPES = ("identify", "track", "page", "screen", "group", "alias")


def decode(record: Record, source: Source) -> list[Received]:
    """Items of a record in order, each as an event or with the reasons why it is none; pure, never raises."""
    found: list[Received] = []
    for index, item in enumerate(read_body(record).items):
        other = aside(record, source, index, item)
        found.append(_received(record, source, index, item) if other is None else other)
    return found


def _received(record: Record, source: Source, index: int, item: dict[str, Any]) -> Received:
    position = position_of(record.offset, index)
    if not text_of(item.get("id")):
        item["id"] = f"cauce-{position}"
    reasons, event = _event(record, source, position, item)
    return Received(position, record.source, source.channel, record.received, item, event, tuple(reasons))


def _event(record: Record, source: Source, position: int, item: dict[str, Any]) -> tuple[list[Reason], Event | None]:
    """All reasons why there is no event, or none and the event."""
    reasons: list[Reason] = []
    objects = {}
    for key in ("identifiers", "traits", "properties", "context"):
        value = item.get(key) if item.get(key) not in (None, "") else {}
        if not isinstance(value, dict):
            reasons.append(Reason("object_expected", f"/{key}", "an object", shown(value)))
            value = {}
        objects[key] = value
    name = item.get("event")
    type_ = item.get("type") or ("track" if name else "identify")
    if type_ not in TYPES:
        reasons.append(Reason("type_unknown", "/type", f"one of {', '.join(TYPES)}", shown(type_)))
    if not isinstance(name, str) and name is not None:
        reasons.append(Reason("event_name_missing", "/event", "text", shown(name)))
    elif type_ == "track" and not (name or "").strip():
        reasons.append(Reason("event_name_missing", "/event", "text that is not empty", shown(name)))
    elif not name and not objects["traits"] and not item.get("type"):
        reasons.append(Reason("event_name_missing", "/event", "an event or traits", shown(name)))
    occurred = _occurred(item.get("occurred"), record.received, reasons)
    identifiers = _identifiers(objects["identifiers"], reasons)
    id_ = text_of(item["id"])
    if id_ is None:
        reasons.append(Reason("id_unreadable", "/id", "text", shown(item["id"])))
    if reasons:
        return reasons, None
    return [], Event(
        id_ or "", record.source, source.channel, type_, name or "", occurred, record.received, position,
        identifiers, objects["traits"], objects["properties"], objects["context"],
    )  # fmt: skip


def _occurred(value: Any, received: int, reasons: list[Reason]) -> int:
    """The time as told, or the moment of receipt when none is told; an unreadable one is a reason."""
    if value is None or value == "":
        return received
    moment = moment_of(value)
    if moment is None:
        reasons.append(Reason("time_unreadable", "/occurred", "ISO 8601 or seconds since 1970", shown(value)))
        return received
    return moment


def _identifiers(told: dict[str, Any], reasons: list[Reason]) -> tuple[Identifier, ...]:
    found: dict[Identifier, None] = {}
    for kind, values in told.items():
        for value in values if isinstance(values, list) else [values]:
            text = text_of(value)
            if text is None or not kind_of(kind):
                reasons.append(Reason("identifier_unreadable", f"/identifiers/{kind}", "text", shown(value)))
            elif text:
                found[Identifier(kind_of(kind), text)] = None
    return tuple(found)
