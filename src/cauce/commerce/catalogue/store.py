"""Tables of the catalogue. A product or place is one row: columns to look it up by, and JSON of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from cauce.commerce.transact.records import Records, records
from cauce.commerce.transact.work import Work
from cauce.engines.api import Row, Table

R = TypeVar("R", bound=tuple[Any, ...])
PATH = " > "
"""Between the steps of a category."""


class ProductRow(NamedTuple):
    """`search` holds what people look for, folded; `category` its path; `body` JSON of `Product`."""

    sku: str
    product: str
    brand: str
    category: str
    search: str
    retired: int
    body: str


class GtinRow(NamedTuple):
    """Whose a GTIN (14 digits) is."""

    gtin: str
    sku: str


class ItemRow(NamedTuple):
    """What a channel's id means; since `at` (microseconds), by the word of `who`."""

    channel: str
    id: str
    sku: str
    at: int
    who: str


class UnknownRow(NamedTuple):
    """An id that meant nothing when it came."""

    channel: str
    id: str
    name: str
    first: int
    last: int
    times: int
    ignored: int


class PricesRow(NamedTuple):
    """All prices of a product: JSON of a list of `Price`, for they are weighed together; `version` counts changes."""

    sku: str
    version: int
    body: str


class PlaceRow(NamedTuple):
    """`body` is JSON of `Place`."""

    id: str
    kind: str
    gln: str
    retired: int
    body: str


PRODUCTS = records("product", ProductRow, indexes=(("product", "sku"), ("category", "sku")))
GTINS = records("gtin", GtinRow, indexes=(("sku",),))
ITEMS = records("item", ItemRow, key_columns=2, indexes=(("sku",),))
UNKNOWN = records("unknown_item", UnknownRow, key_columns=2, indexes=(("id",),), checks=("times > 0",))
PRICES = records("price_list", PricesRow)
PLACES = records("place", PlaceRow, indexes=(("gln",),))
TABLES: tuple[Table, ...] = tuple(each.table for each in (PRODUCTS, GTINS, ITEMS, UNKNOWN, PRICES, PLACES))


class Rows(Protocol):
    """What can be asked in SQL: a `Reader`, or an installation's `Commerce`."""

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...


Source = Work | Rows


def row(source: Source, of: Records[R], *key: Any) -> R | None:
    """The row with a key, None when there is none."""
    if isinstance(source, Work):
        return source.get(of, *key)
    found = source.select(of.by_key, key)
    return of.of(found[0]) if found else None
