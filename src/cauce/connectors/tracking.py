"""The Segment tracking protocol, as the SDKs of Segment and RudderStack speak it: one call, or a batch of calls.

A record's connector is `tracking`, or `tracking:track` when the path said the type; a call need not repeat it.
`raw` of an item is the call as sent, completed by what only the batch or the path knew (type, sentAt, context, an id),
so that it can be mended and decoded again alone with the same result.
"""

from __future__ import annotations

import re
from typing import Any

from cauce.connectors.reading import Opened, aside, read_body, refused, shown
from cauce.connectors.values import corrected, kind_of, moment_of, text_of
from cauce.model import Event, Identifier, Reason, Received, Record, Source, position_of

NAME = "tracking"
READS_COMPRESSED = True

TYPES = ("identify", "track", "page", "screen", "group", "alias")
EXTERNAL_IDS_MAX = 100
_KNOWN = frozenset(TYPES)
_VIEWS = frozenset(("page", "screen"))
_ANALYTICS = frozenset(("Google Analytics", "Google Analytics 4"))
_ANALYTICS_IDS = frozenset(("clientId", "ga_client_id", "_ga"))
_identifier = tuple.__new__
"""Makes an Identifier in half the time of calling it; there are two for every event."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_GA_COOKIE = re.compile(r"GA\d\.\d\.(\d+\.\d+)")


class Call(Exception):
    """Why a call cannot become an event."""

    def __init__(self, code: str, path: str, expected: str, found: Any) -> None:
        super().__init__(code)
        self.reason = Reason(code, path, expected, shown(found))


def decode(record: Record, source: Source) -> list[Received]:
    """Calls of a record in order, each as an event or with the reasons why it is none; pure, never raises."""
    opened = read_body(record)
    return _Reader(record, source, opened).read_all(opened.items)


class _Reader:
    """What the calls of one record have in common."""

    def __init__(self, record: Record, source: Source, opened: Opened) -> None:
        envelope = opened.envelope
        self.bytes_max = opened.bytes_max
        self.record = record
        self.source = source
        self.type = record.connector.partition(":")[2]
        self.sent_text = envelope.get("sentAt")
        self.sent = moment_of(self.sent_text)
        context = envelope.get("context")
        self.context: dict[str, Any] = context if context.__class__ is dict else {}
        self.envelope_says = bool(self.context) or self.sent_text is not None

    def read_all(self, items: list[Any]) -> list[Received]:
        record, source = self.record, self.source
        first = position_of(record.offset, 0)
        name, channel, moment = record.source, source.channel, record.received
        bytes_max = self.bytes_max
        found: list[Received] = []
        for index, item in enumerate(items):
            if item.__class__ is not dict or "_erased" in item:
                other = aside(record, source, index, item)
                if other is not None:
                    found.append(other)
                    continue
            try:
                event = self._event(item, first + index)
                found.append(Received(first + index, name, channel, moment, item, event, (), 0, "", bytes_max))
            except Call as fault:
                found.append(refused(record, source, index, item, fault.reason))
        return found

    def _event(self, item: dict[str, Any], position: int) -> Event:
        """The event of a call; the order of the steps is that of how often they decide something."""
        get = item.get
        type_ = get("type")
        id_ = get("messageId")
        if self.envelope_says or not type_ or not id_ or id_.__class__ is not str:
            self._complete(item, position)
            type_ = item["type"]
        if type_.__class__ is not str or type_ not in _KNOWN:
            raise Call("type_unknown", "/type", f"one of {', '.join(TYPES)}", type_)
        context = get("context")
        if context.__class__ is not dict:
            context = _object(item, "context")
        properties = get("properties")
        if properties.__class__ is not dict:
            properties = _object(item, "properties")
        traits = get("traits")
        if traits.__class__ is not dict:
            traits = _object(item, "traits")
        if type_ != "track":
            properties, traits = _arranged(item, type_, properties, traits)
        if context.get("traits"):
            traits = {**_object(context, "traits", "/context/traits"), **traits}
        identifiers = self._identifiers(item, type_, context, properties, traits)
        email = properties.get("email")
        if email and email.__class__ is str and "email" not in traits:
            traits = {**traits, "email": email}
        received = self.record.received
        return Event(
            item["messageId"],
            self.record.source,
            self.source.channel,
            type_,
            _name(item, type_, properties),
            _occurred(item, received, self.sent, self.sent_text),
            received,
            position,
            identifiers,
            traits,
            properties,
            context,
        )

    def _complete(self, item: dict[str, Any], position: int) -> None:
        """Writes into the call what only its batch and its path knew."""
        if not item.get("type"):
            item["type"] = self.type
        if self.sent_text is not None and item.get("sentAt") is None:
            item["sentAt"] = self.sent_text
        if self.context:
            own = item.get("context")
            if not own:
                item["context"] = self.context
            elif own.__class__ is dict and own is not self.context:
                item["context"] = {**self.context, **own}
        id_ = item.get("messageId")
        if id_.__class__ is not str or not id_:
            text = text_of(id_)
            if text is None:
                raise Call("id_unreadable", "/messageId", "text", id_)
            item["messageId"] = text or f"cauce-{position}"

    def _identifiers(
        self,
        item: dict[str, Any],
        type_: str,
        context: dict[str, Any],
        properties: dict[str, Any],
        traits: dict[str, Any],
    ) -> tuple[Identifier, ...]:
        """Identifiers as sent, each once."""
        found: list[Identifier] = []
        user = item.get("userId")
        if user:
            if user.__class__ is not str:
                user = _id(item, "userId")
            found.append(_identifier(Identifier, (self.source.user_id_kind, user)))
        anonymous = item.get("anonymousId")
        if anonymous:
            if anonymous.__class__ is not str:
                anonymous = _id(item, "anonymousId")
            found.append(_identifier(Identifier, ("anonymous_id", anonymous)))
        if type_ == "alias":
            previous = _id(item, "previousId")
            if previous and previous != user:
                _add(found, "email" if _EMAIL.fullmatch(previous) else "anonymous_id", previous)
        if traits:
            _promote(found, traits)
        if properties:
            _promote(found, properties)
        if "device" in context:
            _promote_device(found, context["device"])
        if "externalIds" in context:
            _promote_external(found, context["externalIds"])
        integrations = item.get("integrations")
        if integrations.__class__ is not dict or _ANALYTICS.isdisjoint(integrations):
            integrations = None
        if integrations or not _ANALYTICS_IDS.isdisjoint(context):
            _promote_analytics(found, integrations or {}, context)
        return tuple(found)


def _object(holder: dict[str, Any], key: str, path: str = "") -> dict[str, Any]:
    value = holder.get(key)
    if value.__class__ is dict:
        return value
    if value is None or value == "":
        return {}
    raise Call("object_expected", path or f"/{key}", "an object", value)


def _id(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    if value.__class__ is str:
        return value
    text = text_of(value)
    if text is None:
        raise Call("identifier_unreadable", f"/{key}", "text", value)
    return text


def _arranged(
    item: dict[str, Any], type_: str, properties: dict[str, Any], traits: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Properties and traits of a call that is no track: what stands beside them joins the properties.

    Traits of a group call are the group's; they are nobody's own.
    """
    if type_ == "group":
        group = _id(item, "groupId")
        if not group:
            raise Call("group_id_missing", "/groupId", "text that is not empty", item.get("groupId"))
        told = {"groupId": group, "traits": traits} if traits else {"groupId": group}
        return {**properties, **told}, {}
    if type_ in _VIEWS and item.get("category") and "category" not in properties:
        return {**properties, "category": item["category"]}, traits
    return properties, traits


def _name(item: dict[str, Any], type_: str, properties: dict[str, Any]) -> str:
    if type_ == "track":
        name = item.get("event")
        if name.__class__ is str and name and not name.isspace():
            return name
        raise Call("event_name_missing", "/event", "text that is not empty", name)
    if type_ in _VIEWS:
        name = item.get("name") or properties.get("name")
        return name if name.__class__ is str else ""
    return ""


def _occurred(item: dict[str, Any], received: int, sent: int | None, sent_text: Any) -> int:
    """Corrected time; an explicit `timestamp` beside an `originalTimestamp` stays as it is."""
    told = item.get("timestamp")
    stamp = moment_of(told) if told else None
    told = item.get("originalTimestamp")
    if told:
        original = moment_of(told)
        if original is not None:
            if stamp is not None:
                return stamp
            stamp = original
    told = item.get("sentAt")
    if told is not sent_text:
        sent = moment_of(told)
    return corrected(received, sent, stamp)


def _add(found: list[Identifier], kind: str, value: Any) -> None:
    text = text_of(value)
    if text:
        identifier: Identifier = _identifier(Identifier, (kind, text))
        if identifier not in found:
            found.append(identifier)


def _promote(found: list[Identifier], values: dict[str, Any]) -> None:
    """Identifiers among traits or properties."""
    get = values.get
    if value := get("email"):
        _add(found, "email", value)
    if value := get("phone"):
        _add(found, "phone", value)
    if value := get("loyalty_id"):
        _add(found, "loyalty", value)
    if value := get("loyalty_number"):
        _add(found, "loyalty", value)


def _promote_device(found: list[Identifier], device: Any) -> None:
    if device.__class__ is dict:
        for key, kind in (("id", "device_id"), ("advertisingId", "advertising_id"), ("token", "push_token")):
            _add(found, kind, device.get(key))


def _promote_external(found: list[Identifier], listed: Any) -> None:
    """`context.externalIds`: [{id, type}]; those of other collections than users are nobody's."""
    if listed.__class__ is not list:
        return
    for entry in listed[:EXTERNAL_IDS_MAX]:
        if entry.__class__ is not dict or entry.get("collection") not in (None, "", "users"):
            continue
        kind = entry.get("type")
        if kind.__class__ is str and kind_of(kind):
            _add(found, kind_of(kind), entry.get("id"))


def _promote_analytics(found: list[Identifier], integrations: dict[str, Any], context: dict[str, Any]) -> None:
    """Google Analytics' client id, where SDKs and tag managers put it."""
    clients = [context.get(key) for key in sorted(_ANALYTICS_IDS)]
    for name in sorted(_ANALYTICS):
        options = integrations.get(name)
        if options.__class__ is dict:
            clients.append(options.get("clientId"))
    for client in clients:
        if client.__class__ is str and client:
            cookie = _GA_COOKIE.fullmatch(client)
            _add(found, "ga_client_id", cookie[1] if cookie else client)
