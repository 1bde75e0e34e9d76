"""What a client called and what Cauce stored, in one form, so that they can be compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

CLOCKS_DIFFER_SECONDS = 60
"""Clients and Cauce share a clock here; what is sent with a time of days ago must keep it."""


def names(events: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """How often each (type, name) is there; the name of a page is its path."""
    return Counter((event["type"], name_of(event)) for event in events)


def name_of(event: dict[str, Any]) -> str:
    if event["type"] == "page":
        return str(properties_of(event).get("path") or event["name"])
    return str(event["name"])


def properties_of(event: dict[str, Any]) -> dict[str, Any]:
    found = event.get("properties") or {}
    return json.loads(found) if isinstance(found, str) else found


def seconds(moment: str) -> float:
    """Seconds since 1970 of a time as both doors write it."""
    return datetime.fromisoformat(moment).timestamp()


def identifiers(event: dict[str, Any], kind: str) -> list[str]:
    """Values of one kind that an event of the SQL door names."""
    return [found["value"] for found in event["identifiers"] if found["kind"] == kind]


def ids(events: Iterable[dict[str, Any]]) -> Counter[str]:
    """How often each message id is there."""
    return Counter(event["id"] for event in events)
