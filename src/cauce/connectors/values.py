"""Values of events as clients write them: identifiers, times, objects; shared by the connectors that speak JSON."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cauce.model import Identifier

MILLISECONDS_FROM = 100_000_000_000
"""A number from here on is milliseconds since 1970, below it seconds (which then reach the year 5138)."""
TIME_MIN = -62_135_596_800_000_000
TIME_MAX = 253_402_300_799_999_999
"""The years 1 to 9999 in microseconds; other times cannot be shown, so they count as unreadable."""
KIND_CHARACTERS_MAX = 64

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_parse = datetime.fromisoformat

KINDS = {
    "android.id": "device_id",
    "ios.id": "device_id",
    "device": "device_id",
    "android.idfa": "advertising_id",
    "ios.idfa": "advertising_id",
    "idfa": "advertising_id",
    "gaid": "advertising_id",
    "android.push_token": "push_token",
    "ios.push_token": "push_token",
    "ga_client_id": "ga_client_id",
    "ga4_client_id": "ga_client_id",
    "loyalty_id": "loyalty",
    "loyalty_number": "loyalty",
    "loyalty_card": "loyalty",
    "phone_number": "phone",
    "email_address": "email",
}
"""What clients call kinds of identifiers that Cauce knows under another name."""


def moment_of(value: Any) -> int | None:
    """Microseconds UTC of an ISO 8601 text or of seconds or milliseconds since 1970; None when it is neither.

    A text without a zone counts as UTC.
    """
    kind = value.__class__
    try:
        if kind is str:
            moment = _parse(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            since = moment - _EPOCH
            return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        if kind is int or kind is float:
            found = int(value * (1_000 if abs(value) >= MILLISECONDS_FROM else 1_000_000))
            return found if TIME_MIN <= found <= TIME_MAX else None
    except (ValueError, OverflowError):
        return None
    return None


def corrected(received: int, sent: int | None, original: int | None) -> int:
    """When it happened by the receiver's clock: `received − (sent − original)`, all in microseconds.

    Without `original` it happened when it was received; without `sent` the client's clock is believed.
    """
    if original is None:
        return received
    if sent is None:
        return original
    occurred = received - (sent - original)
    return occurred if TIME_MIN <= occurred <= TIME_MAX else original


def text_of(value: Any) -> str | None:
    """An identifier as text: "" when it is absent, None when it can be none (an object, a list, a truth value)."""
    kind = value.__class__
    if kind is str:
        return str(value)
    if value is None:
        return ""
    if kind is int:
        return str(value)
    if kind is float:
        return str(int(value)) if value.is_integer() else str(value)
    return None


@lru_cache(maxsize=4_096)
def kind_of(name: str) -> str:
    """The kind of identifier that a client's word means, in snake_case; "" when it names none."""
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).lower()
    word = KINDS.get(word, word)
    word = re.sub(r"[^a-z0-9_:]+", "_", word).strip("_")[:KIND_CHARACTERS_MAX]
    return KINDS.get(word, word)


def identifiers_of(pairs: dict[str, str]) -> tuple[Identifier, ...]:
    """Identifiers of {kind: value}, without the empty ones."""
    return tuple(Identifier(kind, value) for kind, value in pairs.items() if value)
