"""Events of PostHog's SDKs: `/batch/`, `/capture/` and `/e/`.

PostHog knows one id, `distinct_id`, which is an anonymous one until somebody is identified. It counts as anonymous here
when the event says so (`$device_id` equal to it, `$is_identified` or `$process_person_profile` false).
"""

from __future__ import annotations

from typing import Any

from cauce.connectors.reading import aside, read_body, refused, shown
from cauce.connectors.values import corrected, moment_of, text_of
from cauce.model import Event, Identifier, Reason, Received, Record, Source, position_of

NAME = "posthog"
READS_COMPRESSED = True

_NAMES_FORMER_FIRST = frozenset(("posthog-python",))
"""Libraries whose `$create_alias` names the former id as `distinct_id` and the lasting one as `alias`."""
_TYPES = {
    "$identify": "identify",
    "$set": "identify",
    "$pageview": "page",
    "$screen": "screen",
    "$groupidentify": "group",
    "$create_alias": "alias",
    "$merge_dangerously": "alias",
}


def decode(record: Record, source: Source) -> list[Received]:
    """Events of a record in order, each as an event or with the reasons why it is none; pure, never raises."""
    opened = read_body(record)
    sent_text = opened.envelope.get("sent_at")
    found: list[Received] = []
    for index, item in enumerate(opened.items):
        other = aside(record, source, index, item)
        found.append(_received(record, source, index, item, sent_text) if other is None else other)
    return found


def _received(record: Record, source: Source, index: int, item: dict[str, Any], sent_text: Any) -> Received:
    position = position_of(record.offset, index)
    if sent_text is not None and "sent_at" not in item:
        item["sent_at"] = sent_text
    if not text_of(item.get("uuid")):
        item["uuid"] = text_of(_properties(item).get("$insert_id")) or f"cauce-{position}"
    event = _event(record, source, position, item)
    if isinstance(event, Reason):
        return refused(record, source, index, item, event)
    return Received(position, record.source, source.channel, record.received, item, event)


def _properties(item: dict[str, Any]) -> dict[str, Any]:
    value = item.get("properties")
    return value if isinstance(value, dict) else {}


def _event(record: Record, source: Source, position: int, item: dict[str, Any]) -> Event | Reason:
    """The event, or why there is none."""
    name = item.get("event")
    if not isinstance(name, str) or not name.strip():
        return Reason("event_name_missing", "/event", "text that is not empty", shown(name))
    if item.get("properties") is not None and not isinstance(item["properties"], dict):
        return Reason("object_expected", "/properties", "an object", shown(item["properties"]))
    properties = _properties(item)
    type_ = _TYPES.get(name, "track")
    traits = _traits(item, properties)
    identifiers = _identifiers(item, properties, traits, type_, source)
    if isinstance(identifiers, Reason):
        return identifiers
    if type_ == "group":
        properties = {**properties, "groupId": properties.get("$group_key", "")}
        traits = {}
    return Event(
        text_of(item["uuid"]) or "",
        record.source,
        source.channel,
        type_,
        _name(name, type_, properties),
        _occurred(item, record.received),
        record.received,
        position,
        identifiers,
        traits,
        {key: value for key, value in properties.items() if key != "$set"},
        _context(properties),
    )


def _name(name: str, type_: str, properties: dict[str, Any]) -> str:
    if type_ == "track":
        return name
    shown_name = properties.get("$screen_name") if type_ == "screen" else properties.get("title")
    return shown_name if type_ in ("page", "screen") and isinstance(shown_name, str) else ""


def _occurred(item: dict[str, Any], received: int) -> int:
    offset = item.get("offset")
    if item.get("timestamp") is None and isinstance(offset, int) and not isinstance(offset, bool):
        return corrected(received, None, received - abs(offset) * 1_000 if abs(offset) < 2**40 else None)
    return corrected(received, moment_of(item.get("sent_at")), moment_of(item.get("timestamp")))


def _traits(item: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """What `$set` says of the person, with `$unset` as deletions."""
    traits: dict[str, Any] = {}
    for holder in (item, properties):
        told = holder.get("$set")
        if isinstance(told, dict):
            traits.update(told)
        unset = holder.get("$unset")
        if isinstance(unset, list):
            traits.update({key: None for key in unset if isinstance(key, str)})
    return traits


def _identifiers(
    item: dict[str, Any], properties: dict[str, Any], traits: dict[str, Any], type_: str, source: Source
) -> tuple[Identifier, ...] | Reason:
    told = item.get("distinct_id", properties.get("distinct_id"))
    if text_of(told) is None:
        return Reason("identifier_unreadable", "/distinct_id", "text", shown(told))
    distinct = text_of(told) or ""
    device = text_of(properties.get("$device_id")) or ""
    former = text_of(properties.get("$anon_distinct_id")) or ""
    alias = text_of(properties.get("alias")) or ""
    if type_ == "alias" and properties.get("$lib") in _NAMES_FORMER_FIRST:
        lasting, alias = alias, distinct
        distinct = lasting
    found: dict[Identifier, None] = {}
    if distinct:
        kind = "anonymous_id" if type_ == "group" or _is_anonymous(distinct, device, properties) else ""
        found[Identifier(kind or source.user_id_kind, distinct)] = None
    for value in (former, alias if type_ == "alias" else "", device):
        if value and value != distinct:
            found[Identifier("anonymous_id", value)] = None
    for kind in ("email", "phone"):
        for holder in (traits, properties):
            text = text_of(holder.get(kind))
            if text:
                found[Identifier(kind, text)] = None
    return tuple(found)


def _is_anonymous(distinct: str, device: str, properties: dict[str, Any]) -> bool:
    return (
        distinct == device
        or properties.get("$is_identified") is False
        or properties.get("$process_person_profile") is False
    )


def _context(properties: dict[str, Any]) -> dict[str, Any]:
    """The part of PostHog's properties that Cauce keeps as context, under its usual names."""
    context: dict[str, Any] = {}
    page = {
        name: properties[key]
        for name, key in (("url", "$current_url"), ("path", "$pathname"), ("referrer", "$referrer"), ("title", "title"))
        if isinstance(properties.get(key), str)
    }
    if page:
        context["page"] = page
    campaign = {
        name: properties[f"utm_{key}"]
        for name, key in (("source", "source"), ("medium", "medium"), ("name", "campaign"), ("term", "term"))
        if isinstance(properties.get(f"utm_{key}"), str)
    }
    if campaign:
        context["campaign"] = campaign
    if isinstance(properties.get("$lib"), str):
        context["library"] = {"name": properties["$lib"], "version": properties.get("$lib_version", "")}
    return context
