"""What a client called and what Cauce stored, in one form, so that they can be compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

CLOCKS_DIFFER_SECONDS = 60
"""Clients and Cauce share a clock here; what is sent with a time of days ago must keep it."""


def names(events: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """How often each (type, name) is there; the name of a page is its path."""
    return Counter((event["type"], name_of(event)) for event in events)


def name_of(event: dict[str, Any]) -> str:
    if event["type"] == "page":
        return str(properties_of(event).get("path") or event.get("name") or "")
    return str(event.get("event") or event.get("name") or "")


def properties_of(event: dict[str, Any]) -> dict[str, Any]:
    found = event.get("properties") or {}
    return json.loads(found) if isinstance(found, str) else found


def seconds(moment: Any) -> float:
    """Seconds since 1970 of a time as the SQL door or the HTTP door writes it."""
    if isinstance(moment, int | float):
        return moment / (1_000_000 if moment > 10**14 else 1_000 if moment > 10**11 else 1)
    parsed = datetime.fromisoformat(moment)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def ids(events: Iterable[dict[str, Any]]) -> Counter[str]:
    """How often each message id is there."""
    return Counter(event["event_id"] for event in events)
