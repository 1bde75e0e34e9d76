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
    BOOK,
    DAMAGED,
    EXPECTED,
    FREE,
    LEVELS,
    OVERSOLD,
    SEPARATOR,
    SHRINKAGE,
    SOLD,
    STOCKS,
    SUPPLIER,
    Expected,
    Hook,
    Task,
    place_of,
    stock_id,
)
from cauce.commerce.stock.supply import Expect, Expectation, expected
from cauce.commerce.transact.records import Records
from cauce.commerce.transact.work import Work

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
    "accounts_of",
    "adjust",
    "announced_now",
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
    "risen_now",
    "sell_fact",
    "shelf_needs",
    "to_come",
    "within_caps",
]


def accounts_of(work: Work, sku: str) -> list[int]:
    """The accounts of what is free of a product, in every place; asks the tables."""
    ids = [row.id for row in work.select(STOCKS, "sku = ? order by place", sku)]
    work.prefetch(ledger.ACCOUNTS, ids)
    return ids


def to_come(work: Work, sku: str, since: str, limit: int) -> list[Expected]:
    """What of a product is announced for days from `since` on and did not come yet, by day; asks the tables."""
    return work.select(
        EXPECTED, "sku = ? and amount > met and day >= ? order by day, place, reference limit ?", sku, since, limit
    )


def announced_now(work: Work) -> set[str]:
    """Products of which the command at work changed what is to come."""
    return {row.sku for row in work.changed(EXPECTED)}


def risen_now(work: Work) -> set[str]:
    """Products of which the command at work made more to be promised in some place."""
    found = set()
    for row in work.changed(ledger.ACCOUNTS):
        if row.name == FREE and row.book == BOOK:
            before = work.before(ledger.ACCOUNTS, row.id)
            if row.available > (before.available if before else 0):
                found.add(row.subject.split(SEPARATOR, 1)[0])
    for stock in work.changed(STOCKS):
        was = work.before(STOCKS, stock.id)
        if was is not None and stock.safety < was.safety:
            found.add(stock.sku)
    return found


def shelf_needs(sku: str, place: str, names: Iterable[str]) -> Iterator[tuple[Records[Any], int]]:
    """The rows that a command asks for who moves a product in a place between accounts, for its `needs`."""
    id_ = stock_id(sku, place)
    yield LEVELS, id_
    yield STOCKS, id_
    for name in names:
        yield ledger.ACCOUNTS, ledger.id_of(place_of(sku, place, name))
