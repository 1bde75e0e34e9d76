"""A small installation with people who show everything that pages and the people API tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cauce.app import Platform
from cauce.model import Source
from cauce.settings import Settings

ANA = "email:ana@tienda.es"
ODD = "a/b+c%ñ d"
"""A user id with everything that an address has to write in another way."""


def ana() -> list[tuple[str, dict[str, Any]]]:
    """(source, call) of somebody who was met on the web, in a store and by the CRM."""
    who = {"anonymousId": "web-ana", "userId": "u-ana"}
    told = {"email": "ana@tienda.es", "firstName": "Ana", "phone": "+34612345678"}
    order = {"order_id": "o1", "total": 1234.5, "currency": "EUR", "products": [{"product_id": "p1", "name": "Falda"}]}
    return [
        ("web", {"type": "page", "name": "Inicio", "anonymousId": "web-ana", "properties": {"path": "/"}}),
        ("web", {"type": "identify", **who, "traits": told}),
        ("crm", {"type": "identify", "userId": "u-ana", "traits": {"lastName": "García", "phone": "+34698765432"}}),
        ("web", {"type": "track", "event": "Order Completed", **who, "properties": order}),
        ("store", {"type": "track", "event": "Store Visited", "userId": "u-ana", "properties": {"store_id": "S01"}}),
        ("crm", {
            "type": "track", "event": "Consent Given", "userId": "u-ana",
            "properties": {"purpose": "marketing", "channel": "email"},
        }),
    ]  # fmt: skip


def others() -> list[tuple[str, dict[str, Any]]]:
    """(source, call) of people of whom less is known; one has a script for a name."""
    return [
        ("web", {"type": "track", "event": "Signed In", "anonymousId": "odd", "userId": ODD}),
        ("web", {"type": "track", "event": "Signed In", "userId": "x/traits"}),
        ("web", {
            "type": "identify", "anonymousId": "web-bad", "userId": "u-bad",
            "traits": {"name": "<script>alert(1)</script>", "email": "bad@tienda.es"},
        }),
    ]  # fmt: skip


def make(folder: Path) -> str:
    """Fills a data folder; a token."""
    with Platform.open(Settings({"data": str(folder)})) as platform:
        for name in ("web", "store", "crm"):
            platform.sources.add(Source(name, name))
        for number, (source, call) in enumerate([*ana(), *others()]):
            stamped = {**call, "messageId": f"m{number}", "timestamp": f"2026-03-{number + 1:02}T10:{number:02}:00Z"}
            platform.append(source, "tracking", [json.dumps({"batch": [stamped]}).encode()])
        platform.drain()
        return platform.access.tokens.add("tests", ["people.read", "people.personal", "status.read"]).secret
