"""The pick-up desks of the world's stores on a working day: something to pick, something ready, somebody outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment.api import Arrive, Pick, PlaceSourced, Taken, pick_list, pickup
from cauce.commerce.fulfilment.counter import Counter
from cauce.commerce.orders.api import NewLine, PlaceOrder
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.errors import Shortage
from cauce.testing.world.chance import Dice, key
from cauce.testing.world.names import GIVEN, SURNAMES
from cauce.testing.world.products import Assortment, Product
from cauce.testing.world.stores import STORES

if TYPE_CHECKING:
    from cauce.app import Platform

BY = "demo"
KINDS = ("pick_up", "curbside", "pick_up", "reserve_in_store", "ship_to_store")
STEPS = ("to_pick", "ready", "waiting", "collected", "ready", "to_pick")
VEHICLES = ("Seat Ibiza rojo", "Renault Clio gris 4821 KLM", "Toyota Yaris blanco")


def furnish(platform: Platform, owners: Sequence[str], *, orders: int = 36, stores: int = 6, seed: int = 7) -> None:
    """Places orders of these people (`kind:value`) by the sourcing rules, and brings each as far as its turn says.

    Done twice it changes nothing: every command has its key. Goods are received first, so nobody else's are touched.
    """
    commerce = platform.commerce
    counter = Counter(commerce, platform.secret, str(platform.settings.public_url))
    products = Assortment(seed).products
    for number in range(orders):
        dice = Dice(key(seed, f"pick-up {number}"))
        store = STORES[number % stores]
        if catalogue.place(commerce.reader, store.id) is None:
            continue
        kind = KINDS[dice.below(len(KINDS))]
        chosen = {products[dice.below(len(products))].number: None for _ in range(1 + dice.below(3))}
        lines = tuple(_line(products[article]) for article in chosen)
        entries = tuple(
            Entry(line.sku, place, 2_000) for line in lines for place in (store.id, STORES[(number + 1) % stores].id)
        )
        commerce.do(Receive(key=f"world:pick-up:{number}:goods", lines=entries))
        first = GIVEN[dice.below(len(GIVEN))].name
        order = PlaceOrder(
            lines=lines,
            currency="EUR",
            kind=kind,
            place=store.id,
            channel="app" if number % 2 else "web",
            owners=(owners[number % len(owners)],),
            contact=(("name", f"{first} {SURNAMES[dice.below(len(SURNAMES))]}"),),
            pays_first=False,
            by=BY,
        )
        try:
            found = commerce.do(PlaceSourced(key=f"world:pick-up:{number}", order=order))
        except Shortage:
            continue  # the store has too many open orders: as in life
        _brought(platform, counter, found.order.number, STEPS[number % len(STEPS)], number)


def _line(article: Product) -> NewLine:
    line = article.line
    return NewLine(sku=str(line["sku"]), amount=1_000, price=article.price_cents, name=str(line["name"]))


def _brought(platform: Platform, counter: Counter, number: str, step: str, turn: int) -> None:
    """Brings an order as far as a step, if all of it lies where it is collected."""
    commerce = platform.commerce
    seen = pickup(commerce, number)
    task = next((task for task in pick_list(commerce, seen.desk) if task.order == number), None)
    if step == "to_pick" or task is None or not task.left or seen.delivery == "ship_to_store":
        return
    lines = tuple(Taken(line=line.line, picked=line.to_pick) for line in task.lines)
    commerce.do(Pick(key=f"world:picked:{turn}", order=number, place=seen.desk, lines=lines, by=BY, channel="store"))
    counter.ready(number, by=BY, channel="store", key=f"world:ready:{turn}")
    if step == "waiting":
        vehicle = VEHICLES[turn % len(VEHICLES)] if seen.delivery == "curbside" else ""
        bay = str(1 + turn % 3) if vehicle else ""
        commerce.do(Arrive(key=f"world:here:{turn}", order=seen.order_id, bay=bay, vehicle=vehicle))
    if step == "collected":
        code = counter.code(pickup(commerce, number))
        counter.hand_over(seen.desk, by=BY, code=code, receipt=f"R-{turn}", key=f"world:handed:{turn}")
