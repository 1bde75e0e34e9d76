"""A plain stream of web events for benchmarks: ready request bodies, several times faster than the world.

Visitors come in sessions of several events. Three visitors in ten log in: their sessions begin with an `identify` that
carries an anonymous id, a user id and an e-mail; the other events carry the anonymous id, and the user id of members.
The first sessions introduce every visitor in turn; later ones bring known visitors back, each equally likely.
Sessions run side by side, so that neighbours in a request belong to different visitors.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cauce.model import SECOND
from cauce.model.time import from_iso
from cauce.testing.world.chance import draw, key
from cauce.testing.world.channels import iso_milliseconds
from cauce.testing.world.products import Assortment, Product

_TOGETHER = 64
"""Sessions that run side by side."""
_SCRIPTS: tuple[tuple[str, ...], ...] = (
    ("Products Searched", "Product List Viewed", "Product Clicked", "Product Viewed", "Product Viewed"),
    ("Promotion Viewed", "Product List Viewed", "Product Viewed"),
    ("Product Viewed", "Product Added", "Cart Viewed", "Product Removed"),
    ("Product List Viewed", "Product Viewed", "Product Added", "Cart Viewed", "Checkout Started", "Order Completed"),
    ("Product Viewed", "Product Viewed", "Product Added to Wishlist"),
    ("Product List Viewed", "Product Clicked", "Product Viewed", "Product Added", "Coupon Applied", "Checkout Started"),
    ("Products Searched", "Product Viewed", "Product Viewed", "Product Viewed"),
    ("Cart Viewed", "Checkout Started", "Order Completed"),
)
EVENT_NAMES = tuple(sorted({name for script in _SCRIPTS for name in script}))
_PADDING_KEY = 1
_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36"
)


class Load:
    """`events` events of about `event_bytes` bytes with about `identifiers` distinct identifiers; deterministic.

    `visitors` and `identifiers` are exact when there are at least as many sessions as visitors; otherwise sessions are
    shortened, to one event at least, and only as many visitors come as there are events. Times begin at `start`.
    """

    def __init__(
        self, events: int, identifiers: int, seed: int = 7, event_bytes: int = 1_060, start: str = "2026-06-01"
    ) -> None:
        if events < 1 or identifiers < 1:
            raise ValueError(f"expected events and identifiers to be 1 or more, got {events} and {identifiers}")
        self.events = events
        self.visitors = min(events, max(1, round(identifiers / 1.6)))
        self.identifiers = self.visitors + 2 * _members(self.visitors)
        self._session_events_max = max(1, min(6, events // self.visitors))
        self._start = from_iso(start)
        self._seed = seed
        self._keys = {name: key(seed, name) for name in ("load visitor", "load script", "load id")}
        self._tails = _tails(Assortment(seed).products[:64], event_bytes)

    def bodies(self, events_per_request: int = 100) -> Iterator[bytes]:
        """Request bodies for `POST /v1/batch`, each of `events_per_request` events (the last one perhaps fewer)."""
        waiting: list[bytes] = []
        moment = self._start
        for moment, event in self._events():
            waiting.append(event)
            if len(waiting) == events_per_request:
                yield _body(waiting, moment)
                waiting = []
        if waiting:
            yield _body(waiting, moment)

    def _events(self) -> Iterator[tuple[int, bytes]]:
        number = 0
        session = 0
        head = f'{{"messageId":"load-{self._seed}-%012d","timestamp":"%s","anonymousId":"%s"%s,%s'.encode()
        while number < self.events:
            together = [self._session(session + place) for place in range(_TOGETHER)]
            session += _TOGETHER
            for step in range(self._session_events_max + 1):
                for anonymous_id, user_id, tails in together:
                    if step < len(tails) and number < self.events:
                        moment = self._start + number * 20_000
                        stamp = iso_milliseconds(moment).encode()
                        yield moment, head % (number, stamp, anonymous_id, user_id, tails[step])
                        number += 1

    def _session(self, session: int) -> tuple[bytes, bytes, list[bytes]]:
        """Anonymous id, `userId` member (empty when not logged in) and the rest of each event of a session."""
        visitor = session if session < self.visitors else draw(self._keys["load visitor"], session) % self.visitors
        word = draw(self._keys["load script"], session)
        script = _SCRIPTS[word % len(_SCRIPTS)]
        tails = [self._tails[name][(word >> 8 + 6 * place) & 63] for place, name in enumerate(script)]
        high = draw(self._keys["load id"], visitor)
        text = f"{high:016x}"
        anonymous_id = f"{text[:8]}-{text[8:12]}-4{text[12:15]}-8{text[13:16]}-{visitor:012x}".encode()
        if visitor % 10 >= 3:
            return anonymous_id, b"", tails[: self._session_events_max]
        tails.insert(0, self._tails["identify"][0] % (visitor, visitor))
        return anonymous_id, b',"userId":"u%09d"' % visitor, tails[: self._session_events_max]


def load(
    events: int, identifiers: int, seed: int = 7, event_bytes: int = 1_060, *, events_per_request: int = 100
) -> Iterator[bytes]:
    """Request bodies of a `Load`."""
    return Load(events, identifiers, seed, event_bytes).bodies(events_per_request)


def _members(visitors: int) -> int:
    """How many of the visitors 0 … visitors − 1 have an account: three of every ten."""
    return visitors // 10 * 3 + min(3, visitors % 10)


def _body(events: list[bytes], moment: int) -> bytes:
    sent_at = iso_milliseconds(moment + SECOND).encode()
    return b'{"batch":[' + b",".join(events) + b'],"sentAt":"' + sent_at + b'"}'


def _tails(products: tuple[Product, ...], event_bytes: int) -> dict[str, list[bytes]]:
    """Per event name 64 ready ends of an event, from its type on, padded to the wanted size."""
    found = {name: [_tail(name, product, event_bytes) for product in products] for name in EVENT_NAMES}
    traits = msgspec.json.encode({"email": "EMAIL", "firstName": "NAME", "city": "Madrid", "plan": "club"})
    identify = b'"type":"identify","traits":' + traits + _context(products[0], event_bytes - len(traits) - 170)
    escaped = identify.replace(b"%", b"%%").replace(b"EMAIL", b"visitante%d@correo.example").replace(b"NAME", b"V%d")
    return {**found, "identify": [escaped]}


def _tail(name: str, product: Product, event_bytes: int) -> bytes:
    start = b'"type":"track","event":"%s","properties":' % name.encode()
    properties = msgspec.json.encode(_properties(name, product))
    return start + properties + _context(product, event_bytes - len(start) - len(properties) - 130)


def _properties(name: str, product: Product) -> dict[str, object]:
    line = {**product.line, "quantity": 1 + product.number % 3}
    total = round(line["price"] * line["quantity"], 2)
    money = {"total": total, "revenue": total, "value": total, "tax": round(total * 0.1736, 2), "currency": "EUR"}
    by_name: dict[str, dict[str, object]] = {
        "Products Searched": {"query": product.category},
        "Product List Viewed": {"list_id": product.category, "category": product.category},
        "Promotion Viewed": {"promotion_id": f"PR{product.number % 9}", "name": "Primavera", "position": "1"},
        "Cart Viewed": {"cart_id": f"K{product.number}", "products": [line]},
        "Checkout Started": {"order_id": f"W{product.number}", **money, "products": [line]},
        "Order Completed": {"order_id": f"W{product.number}", "shipping": 3.95, **money, "products": [line]},
        "Coupon Applied": {
            "coupon_id": "VERANO",
            "coupon_name": "Verano",
            "discount": 5.0,
            "order_id": f"W{product.number}",
        },
    }
    return by_name.get(name, {**line, "currency": "EUR"})


def _context(product: Product, size: int) -> bytes:
    """The `context` and the end of an event, as near to `size` bytes as padding of the page's search allows."""

    def rendered(padding: str) -> bytes:
        page = {
            "path": f"/{product.category}/{product.number}",
            "referrer": "",
            "search": f"?utm_source=newsletter&utm_content={padding}",
            "title": product.line["name"],
            "url": f"https://tienda.ribera.example/{product.category}/{product.number}",
        }
        context = {
            "page": page,
            "userAgent": _AGENT,
            "locale": "es-ES",
            "library": {"name": "analytics.js", "version": "npm:next-1.84.3"},
            "timezone": "Europe/Madrid",
        }
        return b',"context":' + msgspec.json.encode(context) + b',"integrations":{}}'

    bare = rendered("")
    words = "".join(f"{draw(_PADDING_KEY, product.number, place):016x}" for place in range(max(0, size) // 16 + 1))
    return rendered(words[: max(0, size - len(bare))])
