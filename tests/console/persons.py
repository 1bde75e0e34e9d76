"""A small shop made by hand: Ana, who was met in every channel over ten days; a stranger; somebody hostile."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from cauce.app import Platform
from cauce.identity.api import text_of
from cauce.model import DAY, Source, to_iso
from cauce.model.time import from_iso
from cauce.settings import Settings
from tests.console.seat import Seat

FIRST = from_iso("2026-03-01T09:00:00")
ANA = "email:ana@tienda.es"
BROWSER = "anonymous_id:b2b2b2b2-0002"
EVA = "email:eva@tienda.es"
HOSTILE = "email:bad@tienda.es"
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
SKIRT = {"product_id": "p1", "name": "Falda Olmo", "category": "faldas", "price": 39.9, "currency": "EUR"}
SHOES = {"product_id": "p2", "name": "Zapato Duna", "category": "zapatos", "price": 60, "currency": "EUR"}
HAT = {"product_id": "p3", "name": "Sombrero Sol", "category": "sombreros", "price": 15, "currency": "EUR"}
PERSONAL = ("ana@tienda.es", "Ana", "Garcia", "+34612345678", "2980001112223", "u-ana", "Calle Mayor")
"""What nobody may see without the permission: parts of Ana's values."""

Call = tuple[int, str, dict[str, Any]]
"""(day of receipt, source, call)."""


def track(event: str, properties: dict[str, Any] | None = None, **who: Any) -> dict[str, Any]:
    return {"type": "track", "event": event, "properties": properties or {}, **who}


def ana() -> list[Call]:
    web = {"anonymousId": "b1b1b1b1-0001", "userId": "u-ana"}
    card = {
        "context": {
            "externalIds": [{"id": "2980001112223", "type": "loyalty", "collection": "users", "encoding": "none"}]
        }
    }
    order = {"order_id": "o1", "checkout_id": "k1", "total": 39.9, "currency": "EUR", "products": [SKIRT]}
    receipt = {"receipt_id": "r1", "store_id": "S01", "total": 60, "currency": "EUR", "products": [SHOES]}
    told = {"email": "ana@tienda.es", "firstName": "Ana", "lastName": "Garcia", "phone": "+34612345678"}
    by_mail = {"context": {"traits": {"email": "ana@tienda.es"}}}
    consent = {"purpose": "marketing", "channel": "email"}
    returned = {"return_id": "v1", "total": 39.9, "currency": "EUR", "reason": "size", "products": [SKIRT]}
    known = {
        "email": "ana@tienda.es",
        "firstName": "Ana Maria",
        "city": "Madrid",
        "address": {"street": "Calle Mayor 1"},
    }
    other_browser = {"anonymousId": "b2b2b2b2-0002"}
    pages = [{"type": "page", "name": f"Pagina {number}", **web} for number in range(40)]
    return [
        (0, "web", {"type": "page", "name": "Inicio", "anonymousId": "b1b1b1b1-0001", "properties": {"path": "/"}}),
        (0, "web", {"type": "identify", **web, "traits": told}),
        (1, "web", track("Product Viewed", SKIRT, **web)),
        (1, "web", track("Product Added", {"cart_id": "k1", **SKIRT}, **web)),
        (1, "web", track("Order Completed", order, **web)),
        (2, "email", track("Consent Given", consent, **by_mail)),
        (3, "crm", {"type": "identify", "userId": "C-7", "traits": known}),
        (4, "store", track("Receipt Issued", receipt, traits={"email": "ana@tienda.es"}, **card)),
        (4, "store", track("Loyalty Points Earned", {"points": 60}, context={**card["context"], **by_mail["context"]})),
        (5, "store", track("Product Returned", returned, **card)),
        (6, "web", track("Order Completed", {"order_id": "o2", "total": 100, "currency": "EUR"}, **other_browser)),
        (7, "web", {"type": "identify", **other_browser, "traits": {"email": "ana@tienda.es"}}),
        (8, "web", track("Product Viewed", HAT, **web)),
        (8, "web", track("Product Added", {"cart_id": "k9", **HAT}, **web)),
        (9, "email", track("Consent Withdrawn", consent, **by_mail)),
        *((9, "web", page) for page in pages),
    ]


def hostile() -> list[Call]:
    """Somebody whose every field is an attack; and Eva, who is nobody in particular."""
    who = {"anonymousId": f"x{EVIL}", "userId": f"u{EVIL}"}
    line = {"product_id": EVIL, "name": EVIL, "category": EVIL, "price": 5, "currency": "EUR"}
    order = {"order_id": EVIL, "total": 5, "currency": "EUR", "affiliation": EVIL, "products": [line]}
    traits = {"email": "bad@tienda.es", "name": EVIL, EVIL: EVIL, "address": {EVIL: EVIL}}
    consent = {"purpose": EVIL, "channel": EVIL, "source": EVIL}
    return [
        (
            0,
            "web",
            {"type": "identify", "anonymousId": "e3e3e3e3-0003", "traits": {"email": "eva@tienda.es", "name": "Eva"}},
        ),
        (0, "web", {"type": "identify", **who, "traits": traits}),
        (0, "web", {"type": "page", "name": EVIL, **who, "properties": {"path": "javascript:alert(1)", EVIL: EVIL}}),
        *((1, "web", track(name, {**line, "cart_id": EVIL}, **who)) for name in ("Product Viewed", "Product Added")),
        (1, "app", track("Order Completed", order, **who)),
        (1, "app", track("Product Returned", {**order, "return_id": EVIL, "reason": EVIL}, **who)),
        (2, "web", track(EVIL, {"text": EVIL, "nested": {EVIL: [{EVIL: EVIL}]}}, **who)),
        (2, "web", track("Consent Given", consent, **who)),
    ]


def make(folder: Path) -> None:
    """Fills a data folder; each call is received on its own day at nine, one minute after the one before."""
    with Platform.open(Settings({"data": str(folder)})) as platform:
        for name in ("web", "app", "store", "email"):
            platform.sources.add(Source(name, name))
        platform.sources.add(Source("crm", "crm", user_id_kind="crm_id"))
        for number, (day, source, call) in enumerate([*ana(), *hostile()]):
            received = FIRST + day * DAY + number * 60_000_000
            platform.log.append(
                [(source, "tracking", received, json.dumps({"batch": [stamped(call, number, received)]}).encode())]
            )
        platform.drain()


def stamped(call: dict[str, Any], number: int, moment: int) -> dict[str, Any]:
    return {**call, "messageId": f"m{number}", "timestamp": to_iso(moment)}


def home(seat: Seat, key: str = ANA) -> str:
    return f"/people/{seat.platform.people.locate(key).text}"


def id_of(seat: Seat, key: str) -> str:
    return text_of(seat.platform.people.identifier(key).id)


def told(html: str) -> str:
    """The text of a page as it reads."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).replace("\u202f", " ").replace("\xa0", " ")
