"""What the connectors of systems that send webhooks have in common: how a delivery is framed, read and known again.

A record's body is `{"batch": [ITEM, …]}`. An ITEM is `{"topic": …, "sender": {…}, "body": …}`: the bytes of the request
stand verbatim as `body`, what its headers told as `topic` and `sender`. Senders sign the body and nothing else, so the
headers decide only how it is read; who, when, how much, and whether it is a repetition, is decided by the body.

A delivery may attest more than one fact (an order that was changed was also placed): then further items with topics of
the connector's own follow. One item is one event, so that it can be mended, erased and counted alone.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from cauce.connectors.reading import aside, read_body, refused, shown
from cauce.connectors.values import moment_of, text_of
from cauce.model import Event, Identifier, Reason, Received, Record, Source, position_of

HEADER_CHARACTERS_MAX = 200
PRODUCTS_MAX = 10_000
_DECIMAL = re.compile(r"[-+]?\d{1,15}(\.\d{1,12})?")
_TOPIC = re.compile(r"[a-z0-9][a-z0-9._/-]{0,119}", re.I)
_encode = msgspec.json.Encoder(order="deterministic").encode

_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = {currency: digits for digits, words in _EXPONENTS.items() for currency in words.split()}
"""Digits after the point of the currencies of ISO 4217 that have not two."""

PRODUCT_CHANGED, STOCK_CHANGED, CHANGED = "Product Changed", "Stock Level Changed", "Record Changed"
CHANGES = frozenset((PRODUCT_CHANGED, STOCK_CHANGED, CHANGED))
"""Events about a record of the system, which say in its own words what happened."""
OF_NOBODY = CHANGES | {"Receipt Issued", "Payment Taken", "Gift Card Sold", "Gift Card Redeemed", "Review Posted"}
"""Events that need not name anybody. Any other that names nobody is told as a changed record, so that it is kept."""

Object = dict[str, Any]


class Delivery(NamedTuple):
    """A request as it came: header names in lower case; `public_url` is the configured one; `now` microseconds UTC."""

    headers: Mapping[bytes, bytes]
    body: bytes
    public_url: str
    now: int

    def header(self, *names: str) -> str:
        """The first of the headers that is there, at most 200 characters of it; "" when none is."""
        return self.header_whole(*names)[:HEADER_CHARACTERS_MAX]

    def header_whole(self, *names: str) -> str:
        """The same, however long the door let it be."""
        found = next((self.headers[name.encode()] for name in names if name.encode() in self.headers), b"")
        return found.decode("latin-1").strip()


class Fact(NamedTuple):
    """What an item says: the bytes of its body as they came, or a body that was put together."""

    topic: str
    body: bytes | Object


class Told(NamedTuple):
    """An event as a connector reads it.

    A fact that there is once has an `id`; a state of something that changes is known by what it is `about` and by all
    that it says, so that two states are two events and one state told twice is one.
    """

    name: str
    occurred: int | None
    identifiers: Mapping[str, Any]
    traits: Object
    properties: Object
    type: str = "track"
    id: str = ""
    about: str = ""


class Fault(Exception):
    """Why a body cannot become an event."""

    def __init__(self, code: str, path: str, expected: str, found: Any) -> None:
        super().__init__(code)
        self.reason = Reason(code, path, expected, shown(found))


Read = Callable[[str, Object, Source], Told]


# -- at the door ----------------------------------------------------------------------------------------------------


def is_signed(told: str, content: bytes, secrets: Sequence[bytes]) -> bool:
    """Whether `told` is the base64 HMAC-SHA256 of the content with one of the secrets; takes as long for each."""
    expected = [b64encode(hmac.digest(secret, content, "sha256")) for secret in secrets]
    return matches(told, expected)


def matches(told: str, expected: Iterable[bytes]) -> bool:
    """Whether a signature is one of those expected, in a time that does not say which or how far."""
    given = told.encode("utf-8", "replace")
    found = False
    for one in expected:
        found |= hmac.compare_digest(given, one)
    return found


def framed(facts: Iterable[Fact], sender: Mapping[str, str] | None = None) -> bytes:
    """The body of a record that holds these facts; bodies that came as bytes stand in it as they are."""
    items: list[bytes] = []
    said = {key: value for key, value in (sender or {}).items() if value}
    for topic, body in facts:
        head = _encode({"topic": topic, "sender": said} if said else {"topic": topic})
        items.append(b"".join((head[:-1], b',"body":', body if isinstance(body, bytes) else encoded(body), b"}")))
    return b'{"batch":[' + b",".join(items) + b"]}"


def encoded(body: Object) -> bytes:
    """A body as JSON, also when it holds a number beyond 64 bits, which is kept to be quarantined with its reason."""
    try:
        return msgspec.json.encode(body)
    except OverflowError:
        return json.dumps(body).encode()


# -- in the river ---------------------------------------------------------------------------------------------------


def decode_with(read: Read, name: str, record: Record, source: Source) -> list[Received]:
    """Items of a record in order, each as an event or with the reason why it is none; never raises."""
    found: list[Received] = []
    for index, item in enumerate(read_body(record).items):
        other = aside(record, source, index, item)
        found.append(_received(read, name, record, source, index, item) if other is None else other)
    return found


def _received(read: Read, name: str, record: Record, source: Source, index: int, item: Object) -> Received:
    topic, body = item.get("topic"), item.get("body")
    try:
        if not isinstance(topic, str) or not _TOPIC.fullmatch(topic):
            raise Fault("event_name_missing", "/topic", "the topic of a webhook", topic)
        if not isinstance(body, dict):
            raise Fault("object_expected", "/body", "an object", body)
        told = read(topic, body, source)
    except Fault as fault:
        item["messageId"] = f"{name}:{_digest([topic, body])}"
        return refused(record, source, index, item, fault.reason)
    identifiers = _identifiers(told.identifiers)
    if not identifiers and told.name not in OF_NOBODY:
        told = told._replace(type="track", name=CHANGED, traits={}, properties={"record": body, **told.properties})
    traits, properties = _clean(told.traits), _clean(told.properties)
    id_ = told.id or f"{told.about or topic}:{_digest([told.occurred, traits, properties])}"
    if told.name in CHANGES:
        properties = {"system": name, "topic": topic, **properties}
    item["messageId"] = id_ = id_ if len(id_) <= 100 else f"{name}:{_digest(id_)}"
    position = position_of(record.offset, index)
    occurred = record.received if told.occurred is None else told.occurred
    event = Event(
        id_, record.source, source.channel, told.type, told.name, occurred, record.received, position,
        identifiers, traits, properties, {"connector": {"name": name}},
    )  # fmt: skip
    return Received(position, record.source, source.channel, record.received, item, event)


def _identifiers(told: Mapping[str, Any]) -> tuple[Identifier, ...]:
    """Identifiers that say something, each once."""
    return tuple(
        Identifier(kind, found)
        for kind, values in told.items()
        for value in dict.fromkeys(values if isinstance(values, list) else [values])
        if (found := text_of(value))
    )


def _digest(value: Any) -> str:
    """96 bits of a value, the same for the same value however it is written."""
    return blake2b(_encode(value), digest_size=12).hexdigest()


def _clean(values: Object) -> Object:
    """Values that say something: null and "" from a whole copy of a resource mean that nothing is known."""
    return {key: value for key, value in values.items() if value is not None and value != ""}


# -- values ---------------------------------------------------------------------------------------------------------


def part(holder: Any, key: str) -> Object:
    """An object inside an object, {} when there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}


def parts(holder: Any, key: str) -> list[Object]:
    """The objects of a list inside an object, [] when there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return [one for one in value[:PRODUCTS_MAX] if isinstance(one, dict)] if isinstance(value, list) else []


def needed(body: Object, key: str) -> str:
    """An identifier without which the fact makes no sense; Fault when it is missing."""
    text = text_of(body.get(key))
    if not text:
        raise Fault("value_missing", f"/body/{key}", "an identifier", body.get(key))
    return text


def text(holder: Any, *keys: str) -> str:
    """The first of these values that is a text or a number and not empty, as text; "" when none is."""
    for key in keys:
        found = text_of(holder.get(key)) if isinstance(holder, dict) else ""
        if found:
            return found
    return ""


def moment(holder: Any, *keys: str) -> int | None:
    """The first of these values that is a time, in microseconds UTC; None when none is."""
    for key in keys:
        found = moment_of(holder[key]) if isinstance(holder, dict) and holder.get(key) else None
        if found is not None:
            return found
    return None


def amount(holder: Any, key: str, path: str = "") -> int | float | None:
    """A decimal text (`"27.50"`) or a number as the number it says; None when absent; Fault when it says none.

    A text counts only when the number says exactly the same, so no digit is lost on the way.
    """
    value = holder.get(key) if isinstance(holder, dict) else None
    if value is None or value == "":
        return None
    if value.__class__ is int or value.__class__ is float:
        return value
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        exact = Decimal(value)
        number = int(exact) if exact == exact.to_integral_value() else float(exact)
        if Decimal(repr(number)) == exact:
            return number
    raise Fault("value_unreadable", f"/body{path}/{key}", "a decimal number that is kept to the last digit", value)


def total_of(*amounts: int | float | None) -> int | float | None:
    """The exact sum of the amounts that are known; None when none is."""
    known = [Decimal(repr(one)) for one in amounts if one is not None]
    return number_of(sum(known, Decimal())) if known else None


def number_of(exact: Decimal) -> int | float:
    """A decimal as a JSON number, whole ones without a point."""
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def major(value: Any, currency: str, exponents: Mapping[str, int] = EXPONENTS) -> int | float | None:
    """An amount in the smallest units of its currency (1099 of EUR) in major ones (10.99).

    None when it is no whole number, or when it is not said of which currency.
    """
    if value.__class__ is not int or not currency:
        return None
    return number_of(Decimal(value).scaleb(-exponents.get(currency.upper(), 2)))


def own_name(platform: str, topic: str) -> str:
    """The name of an event that the vocabulary does not know: `Shopify Inventory Level Updated`."""
    words = re.split(r"[._/-]+", topic)
    last = words.pop().lower() if len(words) > 1 else ""
    shown_words = [_one(word).title() for word in words] + ([_DONE.get(last, last.title())] if last else [])
    return " ".join((platform, *filter(None, shown_words)))


_DONE = {"create": "Created", "update": "Updated", "delete": "Deleted", "cancel": "Cancelled", "canceled": "Cancelled"}


def _one(word: str) -> str:
    """A word without its plural: `orders` → `order`, `statuses` and `address` stay."""
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is", "ses")) else word
