"""What doors and the other parts of commerce ask the catalogue.

Most questions are answered from a unit of work (`Work`) as well as from what is committed (a `Reader`, or the
`Commerce` of an installation), so a command and a page ask alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cauce.commerce.catalogue import items as channel_items
from cauce.commerce.catalogue import many
from cauce.commerce.catalogue import places as all_places
from cauce.commerce.catalogue import prices as all_prices
from cauce.commerce.catalogue import products as all_products
from cauce.commerce.catalogue.items import note_unknown, resolve, unknown_of
from cauce.commerce.catalogue.nouns import (
    ANY,
    Address,
    Item,
    Opening,
    Place,
    Position,
    Price,
    Product,
    Span,
    SpecialDay,
    Unknown,
)
from cauce.commerce.catalogue.rules import hours, pricing
from cauce.commerce.catalogue.rules.checks import KINDS, ROLES, folded
from cauce.commerce.catalogue.rules.codes import UNITS, gtin_in, gtin_or_none, is_whole, zones
from cauce.commerce.catalogue.rules.distance import distance, nearest_first
from cauce.commerce.catalogue.rules.hours import (
    clock,
    clock_at,
    closing,
    day_at,
    midnight,
    next_opening,
    opens_on,
    promised,
)
from cauce.commerce.catalogue.rules.money import exponent, minor, written
from cauce.commerce.catalogue.store import PATH, PLACES, PRICES, PRODUCTS, TABLES, UNKNOWN, Rows, Source, row
from cauce.commerce.transact.asking import plain
from cauce.errors import NotFound

__all__ = [
    "ACTIONS",
    "ANY",
    "KINDS",
    "ROLES",
    "TABLES",
    "UNITS",
    "Address",
    "Item",
    "Opening",
    "Place",
    "Position",
    "Price",
    "Product",
    "Span",
    "SpecialDay",
    "Unknown",
    "clock",
    "clock_at",
    "closing",
    "day_at",
    "distance",
    "exponent",
    "gtin_in",
    "gtin_or_none",
    "is_whole",
    "items",
    "midnight",
    "minor",
    "nearest_first",
    "need_place",
    "need_product",
    "next_opening",
    "note_unknown",
    "open_at",
    "opens_on",
    "place",
    "places",
    "price",
    "price_list",
    "product",
    "products",
    "promised",
    "resolve",
    "unknown",
    "unknown_count",
    "variants",
    "written",
    "zones",
]

ACTIONS = (
    *all_products.ACTIONS,
    *channel_items.ACTIONS,
    *all_prices.ACTIONS,
    *all_places.ACTIONS,
    *many.ACTIONS,
)
"""Commands of the catalogue."""

WORDS_MAX = 8
"""Words of a search that are looked at."""
PLACES_MAX = 100_000

open_at = hours.is_open


def product(source: Source, sku: str) -> Product | None:
    found = row(source, PRODUCTS, sku)
    return msgspec.json.decode(found.body, type=Product) if found else None


def need_product(source: Source, sku: str) -> Product:
    """NotFound when there is no such product."""
    found = product(source, sku)
    if found is None:
        raise NotFound(f"there is no product with the SKU {sku[:80]!r}")
    return found


def price_list(source: Source, sku: str) -> tuple[Price, ...]:
    """All prices of a product, past and future ones too, by channel, currency and start."""
    found = row(source, PRICES, sku)
    return msgspec.json.decode(found.body, type=tuple[Price, ...]) if found else ()


def price(source: Source, sku: str, channel: str, currency: str, at: int) -> Price | None:
    """The price in force at an instant (microseconds), None when there is none: one of the channel before one for any,
    and of these the one that began last.
    """
    return pricing.in_force(price_list(source, sku), channel, currency, at)


def place(source: Source, id: str) -> Place | None:
    found = row(source, PLACES, id)
    return msgspec.json.decode(found.body, type=Place) if found else None


def need_place(source: Source, id: str) -> Place:
    """NotFound when there is no such place."""
    found = place(source, id)
    if found is None:
        raise NotFound(f"there is no place {id[:80]!r}")
    return found


# -- lists of what is committed ---------------------------------------------------------------------------------------


def products(
    rows: Rows,
    *,
    text: str = "",
    brand: str = "",
    category: str = "",
    retired: bool = False,
    after: str = "",
    limit: int = 50,
) -> list[Product]:
    """Products in order of SKU, behind `after`; `text` finds words of SKU, names, brand, category and GTINs.

    `category` is a path (*Mujer > Abrigos*) and finds what lies below it too.
    """
    conditions, parameters = ["sku > ?"], [after]
    for word in folded(text).split()[:WORDS_MAX]:
        conditions.append("search like ? escape '!'")
        parameters.append(f"%{plain(word)}%")
    if brand:
        conditions.append("brand = ?")
        parameters.append(brand)
    if category:
        conditions.append("(category = ? or category like ? escape '!')")
        parameters += [category, f"{plain(category)}{PATH}%"]
    if not retired:
        conditions.append("retired = 0")
    sql = f"select body from product where {' and '.join(conditions)} order by sku limit {int(limit)}"
    return [msgspec.json.decode(body, type=Product) for (body,) in rows.select(sql, parameters)]


def variants(rows: Rows, product: str) -> list[Product]:
    """The variants of a product, in order of SKU."""
    found = rows.select("select body from product where product = ? order by sku limit 1000", (product,))
    return [msgspec.json.decode(body, type=Product) for (body,) in found]


def places(rows: Rows, role: str = "", *, kind: str = "", retired: bool = False) -> list[Place]:
    """Places in order of their ids: those that have a role, are of a kind."""
    condition = "" if retired else " where retired = 0"
    found = rows.select(f"select body from place{condition} order by id limit {PLACES_MAX}")
    decoded = (msgspec.json.decode(body, type=Place) for (body,) in found)
    return [one for one in decoded if (not role or role in one.roles) and (not kind or one.kind == kind)]


def items(rows: Rows, sku: str) -> list[Item]:
    """The ids that channels use for a product."""
    found = rows.select("select channel, id, sku from item where sku = ? order by channel, id limit 1000", (sku,))
    return [Item(channel=channel, id=id_, sku=named) for channel, id_, named in found]


def unknown(
    rows: Rows, *, channel: str = "", ignored: bool = False, after: tuple[str, str] = ("", ""), limit: int = 50
) -> list[Unknown]:
    """Ids that nobody has resolved yet (or that were ignored), in order of channel and id, behind `after`."""
    conditions = ["ignored = ?", "(channel > ? or (channel = ? and id > ?))"]
    parameters: list[Any] = [int(ignored), after[0], after[0], after[1]]
    if channel:
        conditions.append("channel = ?")
        parameters.append(channel)
    sql = (
        f"select {UNKNOWN.columns} from unknown_item where {' and '.join(conditions)} "
        f"order by channel, id limit {int(limit)}"
    )
    return [unknown_of(UNKNOWN.of(row)) for row in rows.select(sql, parameters)]


def unknown_count(rows: Rows) -> int:
    """How many ids wait to be resolved."""
    return int(rows.select("select count(*) from unknown_item where ignored = 0")[0][0])


def named(products: Iterable[Product], language: str) -> dict[str, str]:
    """Names by SKU."""
    return {one.sku: one.name(language) for one in products}
