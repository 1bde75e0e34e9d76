"""Tables of stock, and the accounts that stock of one product in one place has in the ledger."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cauce.commerce.ledger.api import Place, id_of
from cauce.commerce.transact.records import records
from cauce.engines.api import Table

BOOK = "stock"
FREE, SOLD, SUPPLIER, TRANSIT, DAMAGED, SHRINKAGE, OVERSOLD = (
    "free", "sold", "supplier", "transit", "damaged", "shrinkage", "oversold",
)  # fmt: skip
WITHOUT_FLOOR = frozenset({SUPPLIER, SHRINKAGE, OVERSOLD})
"""Accounts that stand for the world outside, or for a debt: they may go below nothing."""

SEPARATOR = "\x1f"


class Stock(NamedTuple):
    """One product in one place. `id` is that of its free account; `safety` is kept back from every promise."""

    id: int
    sku: str
    place: str
    safety: int


class Reservation(NamedTuple):
    """Lines that are held together. `lines` is JSON of `Held`, `due` microseconds, `owner` what it is for."""

    id: int
    at: int
    due: int
    state: str
    channel: str
    owner: str
    lines: str


STOCKS = records("stock", Stock, indexes=(("sku", "place"), ("place", "sku")), checks=("safety >= 0",))
RESERVATIONS = records("reservation", Reservation, indexes=(("owner",),))
TABLES: tuple[Table, ...] = (STOCKS.table, RESERVATIONS.table)


@lru_cache(maxsize=200_000)
def place_of(sku: str, place: str, name: str) -> Place:
    """The account `name` of a product in a place."""
    return Place(BOOK, f"{sku}{SEPARATOR}{place}", name, name not in WITHOUT_FLOOR)


@lru_cache(maxsize=200_000)
def stock_id(sku: str, place: str) -> int:
    return id_of(place_of(sku, place, FREE))
