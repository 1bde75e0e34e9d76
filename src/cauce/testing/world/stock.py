"""The retailer's stock: what lies where, what was counted, what is on its way, what is owed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.stock.api import Entry
from cauce.commerce.stock.counting import Count, Counted
from cauce.commerce.stock.keeping import Damage, Receive, Sell
from cauce.commerce.stock.limits import SetCap, SetLow, SetSafety
from cauce.commerce.stock.moving import Goods, Move
from cauce.commerce.stock.questions import stocked_places
from cauce.commerce.stock.supply import Expect
from cauce.commerce.transact.carrier import Command
from cauce.model import DAY
from cauce.testing.world.chance import Dice, key

if TYPE_CHECKING:
    from cauce.app import Platform

BY = "demo"
PIECE = 1_000
LINES = 500
"""Lines of one command."""
ABSENT_EVERY = 7
"""One product of so many is never sold in a store."""


def furnish(platform: Platform, *, seed: int = 7, at: int = 0) -> None:
    """Fills the places of the catalogue with its products, as of `at` (microseconds; default: a week ago), once."""
    commerce = platform.commerce
    if stocked_places(commerce.reader):
        return  # once is enough
    at = at or commerce.now - 7 * DAY
    for command in commands(platform, Dice(key(seed, "stock")), at):
        commerce.do(command)


def commands(platform: Platform, dice: Dice, at: int) -> Iterator[Command]:
    """The same stock for the same seed, keyed, so that it is furnished once however often it is asked."""
    places = catalogue.places(platform.commerce)
    products = catalogue.products(platform.commerce, limit=1_000)
    for place in places:
        yield SetLow(key=f"world:low:{place.id}", place=place.id, amount=3 * PIECE)
        yield SetSafety(
            key=f"world:safety:{place.id}", place=place.id, amount=0 if place.kind == "store" else 2 * PIECE
        )
        lines = []
        for product in products:
            if place.kind == "store" and not dice.below(ABSENT_EVERY):
                continue
            amount = dice.below(14) if place.kind == "store" else 20 + dice.below(80)
            if amount:
                lines.append(Entry(product.sku, place.id, amount * PIECE, at, reference=f"PO-{place.id}", by=BY))
        for number in range(0, len(lines), LINES):
            yield Receive(key=f"world:receive:{place.id}:{number}", lines=tuple(lines[number : number + LINES]))
    stores = [place.id for place in places if place.kind == "store"]
    others = [place.id for place in places if place.kind != "store"]
    skus = [product.sku for product in products]
    if stores and skus:
        yield from _days(dice, stores, others, skus, at)


def _days(dice: Dice, stores: list[str], others: list[str], skus: list[str], at: int) -> Iterator[Command]:
    """What happened since: sales, a count, something broken, goods on their way, goods expected."""
    for number, store in enumerate(stores):
        sold = tuple(
            Entry(dice.pick(skus), store, PIECE, at + DAY + dice.below(5) * DAY, "store", f"{store}-{line}", BY)
            for line in range(30)
        )
        yield Sell(key=f"world:sell:{store}", lines=sold)
        yield Damage(key=f"world:damage:{store}", lines=(Entry(dice.pick(skus), store, PIECE, at + 3 * DAY, by=BY),))
        counted = {dice.pick(skus): dice.below(9) * PIECE for _ in range(6)}
        lines = tuple(Counted(sku, amount) for sku, amount in counted.items())
        yield Count(key=f"world:count:{store}", place=store, lines=lines, occurred=at + 4 * DAY, by=BY)
        if others:
            day = datetime.fromtimestamp((at + (9 + number % 5) * DAY) / 1e6, UTC).date().isoformat()
            goods = tuple(Goods(sku, 4 * PIECE) for sku in dict.fromkeys(dice.pick(skus) for _ in range(3)))
            yield Move(
                key=f"world:move:{store}", origin=others[0], destination=store, lines=goods, on=day, is_fact=True, by=BY
            )
            yield Expect(
                key=f"world:expect:{store}", sku=dice.pick(skus), place=store, amount=12 * PIECE, on=day,
                reference=f"PO-{store}-2",
            )  # fmt: skip
    yield SetCap(key="world:cap", channel="marketplace", amount=5 * PIECE)
