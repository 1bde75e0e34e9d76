"""Products, prices and places as everybody sees them. A record that comes from the catalogue is valid."""

from __future__ import annotations

import msgspec

PIECE = "H87"
"""UN/ECE Recommendation 20: piece."""
STANDARD_RATE = "standard"
ANY = ""
"""Any channel, where a more particular one may stand beside it."""


class Product(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One article that can be counted, priced and sold: a variant, known by its `sku`.

    `product` groups the variants of one product (the SKU itself when it has none), `options` tell them apart
    (*colour: azul*). `names` are by language (BCP 47), `gtins` 14 digits each, the first one the usual one. `category`
    is a path from the general to the particular. `unit` is a UN/ECE code, amounts are thousandths of it.
    What is `retired` is not sold any more; its ids are still understood, because late receipts name it.
    `version` counts its changes, `changed` is the time of the last in microseconds; they are the catalogue's to set.
    """

    sku: str
    product: str = ""
    names: dict[str, str] = {}
    gtins: tuple[str, ...] = ()
    brand: str = ""
    category: tuple[str, ...] = ()
    options: dict[str, str] = {}
    tax_class: str = STANDARD_RATE
    unit: str = PIECE
    image: str = ""
    retired: bool = False
    version: int = 0
    changed: int = 0
    changed_by: str = ""

    def name(self, language: str = "") -> str:
        """Its name in a language (*es* serves *es-MX*), else in the first one it has, else the SKU."""
        for wanted in (language, language.partition("-")[0]):
            if wanted in self.names:
                return self.names[wanted]
        return next(iter(self.names.values()), self.sku)


class Price(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a unit costs in a `channel` ("" for any), tax included, in minor units of `currency`.

    It holds from `start` until before `until` (microseconds; 0: since ever, for ever).
    """

    currency: str
    amount: int
    channel: str = ANY
    start: int = 0
    until: int = 0


class Position(msgspec.Struct, frozen=True):
    """Degrees of WGS 84."""

    latitude: float
    longitude: float


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where letters go. `country` is ISO 3166."""

    street: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """One span of a weekday (1 Monday … 7 Sunday), as clocks there show it: `opens` 09:00, `closes` 24:00 at most.

    What closes earlier than it opens closes on the next day.
    """

    weekday: int
    opens: str
    closes: str


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A span of one day; as in `Opening`."""

    opens: str
    closes: str


class SpecialDay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A day with other hours: `date` is 2026-12-25, or 12-25 for every year; without spans it is closed."""

    date: str
    name: str = ""
    spans: tuple[Span, ...] = ()


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where goods are: a *store*, *warehouse*, *counter* or *dark_store*.

    `roles`: *sells* (people buy there), *picks_up* (they collect there), *ships* (parcels leave from there).
    `zone` is an IANA time zone; spans belong to the day on which they begin. Without `hours` it is never open.
    `bays` are for curbside. What is kept back from promises there, and what a channel may see, is known by the stock.
    `retired`, `version`, `changed` are as in `Product`.
    """

    id: str
    name: str = ""
    kind: str = "store"
    gln: str = ""
    address: Address = Address()
    position: Position | None = None
    zone: str = "UTC"
    hours: tuple[Opening, ...] = ()
    special_days: tuple[SpecialDay, ...] = ()
    roles: tuple[str, ...] = ()
    bays: tuple[str, ...] = ()
    retired: bool = False
    version: int = 0
    changed: int = 0
    changed_by: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An id that a channel ("" for any) uses for a product."""

    channel: str
    id: str
    sku: str


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """An id that no product is known by; seen `count` times between `first` and `last` (microseconds).

    `name` is what the channel calls it. An `ignored` one is no goods (a bag, a delivery charge) and waits for nobody.
    """

    channel: str
    id: str
    name: str
    first: int
    last: int
    count: int
    ignored: bool
