"""What other parts of commerce, and doors, do with stock and ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cauce.commerce.ledger import api as ledger
from cauce.commerce.stock.availability import Available, availability, available, within_caps
from cauce.commerce.stock.facts import (
    Carried,
    Entry,
    adjust,
    damage,
    dispose,
    give_back,
    receive,
    repair,
    sell_fact,
)
from cauce.commerce.stock.levels import owed
from cauce.commerce.stock.movements import Movement, movements
from cauce.commerce.stock.moving import Arrive, Came, Goods, Move, Sent, arrive, move
from cauce.commerce.stock.store import (
    DAMAGED,
    FREE,
    LEVELS,
    OVERSOLD,
    SHRINKAGE,
    SOLD,
    STOCKS,
    SUPPLIER,
    Hook,
    Task,
    place_of,
    stock_id,
)
from cauce.commerce.stock.supply import Expect, Expectation, expected
from cauce.commerce.transact.records import Records

__all__ = [
    "DAMAGED",
    "FREE",
    "OVERSOLD",
    "SHRINKAGE",
    "SOLD",
    "SUPPLIER",
    "Arrive",
    "Available",
    "Came",
    "Carried",
    "Entry",
    "Expect",
    "Expectation",
    "Goods",
    "Hook",
    "Move",
    "Movement",
    "Sent",
    "Task",
    "adjust",
    "arrive",
    "availability",
    "available",
    "damage",
    "dispose",
    "expected",
    "give_back",
    "move",
    "movements",
    "owed",
    "place_of",
    "receive",
    "repair",
    "sell_fact",
    "shelf_needs",
    "within_caps",
]


def shelf_needs(sku: str, place: str, names: Iterable[str]) -> Iterator[tuple[Records[Any], int]]:
    """The rows that a command asks for who moves a product in a place between accounts, for its `needs`."""
    id_ = stock_id(sku, place)
    yield LEVELS, id_
    yield STOCKS, id_
    for name in names:
        yield ledger.ACCOUNTS, ledger.id_of(place_of(sku, place, name))
