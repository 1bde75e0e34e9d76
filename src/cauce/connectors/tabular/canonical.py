"""The one JSON form in which table rows enter the log, and its decoder.

A body is `{"file": NAME, "channel": CHANNEL or "", "events": [ITEM, …]}`. An ITEM is one of

* `[line, id, type, name, occurred, identifiers, traits, properties]`: an event. `occurred` is microseconds UTC, or null
  for the moment of receipt; `identifiers` is {kind: value or [values]}.
* an object with the keys `file`, `channel`, `line`, `messageId`, `type`, `event`, `occurred` (microseconds or ISO
  8601), `identifiers`, `traits`, `properties`: the same, self-contained. It stands in the quarantine as `raw`.
* such an object with `row` (the cells as read) and `reasons`: a row that could not become an event. The parts that
  could be made are there; what could not stands at its place as read. **A reason stands as long as the value at its
  `path` is what was `found`**: whoever mends the value (or removes it) has lifted the reason, and the item is an
  event.
* `{"_erased": FATE}`: the item of an erased person.

A body that has no `events` is itself one such object: a mended item is replayed by encoding it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cauce.model import Event, Identifier, Reason, Received, Record, Source, from_iso, position_of, to_iso

FOUND_CHARACTERS_MAX = 200

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(decimal_format="string").encode


def encode_item(item: Any) -> bytes:
    """One item as JSON."""
    return _encode(item)


def described(item: list[Any] | dict[str, Any]) -> dict[str, Any]:
    """An item as an object for people to read: a compact event with the names of its members."""
    if isinstance(item, dict):
        return item
    line, id_, type_, name, occurred, identifiers, traits, properties = item
    return {
        "line": line,
        "messageId": id_,
        "type": type_,
        "event": name,
        "occurred": None if occurred is None else to_iso(occurred),
        "identifiers": identifiers,
        "traits": traits,
        "properties": properties,
    }


def encode_body(file: str, channel: str, items: Iterable[bytes]) -> bytes:
    """A body of encoded items."""
    head = _encode({"file": file, "channel": channel})[:-1]
    return b"".join((head, b',"events":[', b",".join(items), b"]}"))


def shown(value: Any) -> str:
    """How a reason shows what was found; the same value always gives the same text."""
    try:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    except RecursionError:  # it lies about as deep as can be read
        text = type(value).__name__
    return text[:FOUND_CHARACTERS_MAX]


def decode(record: Record, source: Source) -> list[Received]:
    """Items of a body, in order; pure, and never raises: what cannot be read is an item with reasons."""
    try:
        body = _decode(record.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        reason = Reason("unreadable", expected="JSON of the connector files", found=str(fault)[:FOUND_CHARACTERS_MAX])
        raw = record.body[:4_096].decode("utf-8", "replace")
        return [_refused(record, source, 0, raw, (reason,))]
    if not isinstance(body, dict):
        return [_refused(record, source, 0, body, (_wrong("", "an object with events", body),))]
    rows = body.get("events")
    if not isinstance(rows, list):
        return [_object(record, source, 0, body, body)]
    return [
        _row(record, source, index, row, body) if row.__class__ is list else _object(record, source, index, row, body)
        for index, row in enumerate(rows)
    ]


def _row(record: Record, source: Source, index: int, row: list[Any], body: dict[str, Any]) -> Received:
    if len(row) != 8:
        return _refused(record, source, index, row, (_wrong("", "8 members", row),))
    line, id_, type_, name, occurred, identifiers, traits, properties = row
    item = {
        "file": body.get("file", ""),
        "channel": body.get("channel", ""),
        "line": line,
        "messageId": id_,
        "type": type_,
        "event": name,
        "occurred": occurred,
        "identifiers": identifiers,
        "traits": traits,
        "properties": properties,
    }
    return _event(record, source, index, item)


def _object(record: Record, source: Source, index: int, item: Any, body: dict[str, Any]) -> Received:
    if not isinstance(item, dict):
        return _refused(record, source, index, item, (_wrong("", "an object", item),))
    if "_erased" in item:
        fate = str(item["_erased"])
        return Received(
            position_of(record.offset, index), record.source, source.channel, record.received, item, erased=fate
        )
    if item is not body:
        item = {"file": body.get("file", ""), "channel": body.get("channel", ""), **item}
    standing = _standing(item)
    if standing:
        return _refused(record, source, index, item, standing)
    return _event(record, source, index, item)


def _standing(item: dict[str, Any]) -> tuple[Reason, ...]:
    """The reasons whose place still holds what was found."""
    reasons = item.get("reasons")
    if reasons is None:
        return ()
    try:
        found = msgspec.convert(reasons, tuple[Reason, ...])
    except msgspec.ValidationError:
        return (_wrong("/reasons", "a list of reasons", reasons),)
    return tuple(reason for reason in found if _at(item, reason.path) == reason.found)


def _at(item: Any, pointer: str) -> str | None:
    """What stands at a JSON pointer, as a reason would show it; None when the place is not there."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(item, dict) and name in item:
            item = item[name]
        elif isinstance(item, list) and name.isdigit() and int(name) < len(item):
            item = item[int(name)]
        else:
            return None
    return shown(item)


def _event(record: Record, source: Source, index: int, item: dict[str, Any]) -> Received:
    faults: list[Reason] = []
    occurred: Any = item.get("occurred")
    if occurred is None:
        occurred = record.received
    elif isinstance(occurred, str):
        try:
            occurred = from_iso(occurred)
        except (ValueError, OverflowError):
            faults.append(_wrong("/occurred", "microseconds or ISO 8601", occurred))
    elif occurred.__class__ is not int:
        faults.append(_wrong("/occurred", "microseconds or ISO 8601", occurred))
    texts = [name for name in ("messageId", "type") if not item.get(name) or item[name].__class__ is not str]
    faults += [_wrong(f"/{name}", "a text", item.get(name)) for name in texts]
    if item.get("event", "").__class__ is not str:
        faults.append(_wrong("/event", "a text", item["event"]))
    objects = [name for name in ("identifiers", "traits", "properties") if item.get(name, {}).__class__ is not dict]
    faults += [_wrong(f"/{name}", "an object", item[name]) for name in objects]
    if faults:
        return _refused(record, source, index, item, tuple(faults))
    position = position_of(record.offset, index)
    channel = item.get("channel") or source.channel
    event = Event(
        item["messageId"],
        record.source,
        str(channel),
        item["type"],
        item.get("event", ""),
        occurred,
        record.received,
        position,
        _identifiers(item.get("identifiers", {})),
        item.get("traits", {}),
        item.get("properties", {}),
        {"file": {"name": item.get("file", ""), "line": item.get("line", 0)}},
    )
    return Received(position, record.source, event.channel, record.received, item, event)


def _identifiers(table: dict[str, Any]) -> tuple[Identifier, ...]:
    return tuple(
        Identifier(kind, value if value.__class__ is str else shown(value))
        for kind, values in table.items()
        for value in (values if isinstance(values, list) else (values,))
        if value is not None and value != ""
    )


def _wrong(path: str, expected: str, found: Any) -> Reason:
    return Reason("malformed", path, expected, shown(found))


def _refused(record: Record, source: Source, index: int, raw: Any, reasons: tuple[Reason, ...]) -> Received:
    return Received(
        position_of(record.offset, index), record.source, source.channel, record.received, raw, None, reasons
    )
