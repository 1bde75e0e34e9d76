"""Orders and baskets of the world's customers: in all states, of all channels, over the last days."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.app import Platform
from cauce.commerce.api import Commerce, Engines
from cauce.commerce.baskets.api import Put
from cauce.commerce.fulfilment.counter import Counter
from cauce.commerce.orders import questions
from cauce.commerce.orders.changing import Advance, Cancel, Change, Return
from cauce.commerce.orders.paying import Pay
from cauce.commerce.orders.placing import NewLine, Part, PlaceOrder, Standing
from cauce.commerce.stock.api import availability
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.errors import CauceError
from cauce.testing.world.chance import Dice, key
from cauce.testing.world.products import Assortment, Product
from cauce.testing.world.stores import STORES

HOUR = 3_600_000_000
BY = "world"
CLERK = "cauce"
"""Who has done what nobody did, because time passed."""
KINDS = ("ship", "pick_up", "reserve_in_store", "ship", "pick_up", "curbside", "ship_to_store", "endless_aisle")
CHANNELS = {"ship": "web", "pick_up": "app", "reserve_in_store": "web", "curbside": "app", "ship_to_store": "web"}
SHIPPED_KINDS = ("ship", "endless_aisle")
TO_SHIP = ("picked", "shipped", "delivered")
TO_COLLECT = ("picked", "ready", "collected")
TO_STORE = ("picked", "shipped", "ready", "collected")
WAREHOUSE = "W01"
NUMBERS = "D-"
"""How the numbers of these orders begin."""


def furnish(
    platform: Platform, owners: Sequence[str], *, orders: int = 60, days: int = 4, seed: int = 7, now: int = 0
) -> None:
    """Places orders of these people (`kind:value`) and moves each on as far as chance wills; done twice it changes
    nothing. What they take is received first, so that nothing else's stock is touched."""
    if questions.page(platform.commerce, questions.Which(text=NUMBERS), limit=1):
        return
    began = (now or platform.commerce.now) - days * 24 * HOUR
    shop = _Shop(platform, began)
    try:
        products = Assortment(seed).products
        step = days * 24 * HOUR // max(1, orders)
        for number in range(orders):
            dice = Dice(key(seed, f"order {number}"))
            shop.now = max(shop.now, began + number * step)
            is_old = number < orders * 2 // 3
            order_one(shop, dice, number, owners[number % len(owners)], products, is_old=is_old)
        for number, owner in enumerate(owners[: orders // 4]):
            dice = Dice(key(seed, f"basket {number}"))
            for line in range(1 + dice.below(3)):
                sku = str(products[dice.below(len(products))].line["sku"])
                kind = "wish_list" if dice.hits(0.3) else "basket"
                name = f"world-{number}-{line}"
                shop.do(Put(key=f"{name}", owners=(owner,), line=name, sku=sku, amount=1_000, kind=kind, channel="app"))
    finally:
        shop.close()


class _Shop:
    """The installation's commerce at times of the past."""

    def __init__(self, platform: Platform, now: int) -> None:
        self.now = now
        engines = Engines(platform.storage.commerce, platform.storage.commerce_reader)
        self._commerce = Commerce(engines, clock=lambda: self.now)
        self.do = self._commerce.do
        self.counter = Counter(self._commerce, platform.secret, str(platform.settings.public_url))

    def line_count(self, order: int) -> int:
        return questions.head(self._commerce, order).line_count

    def was_given_up(self, order: int) -> bool:
        """Whether the clerk of a running installation, for whom all this is long ago, took back what it held."""
        return any(entry.actor == CLERK for entry in questions.history(self._commerce, order))

    def wanted(self, order: int) -> str:
        return questions.head(self._commerce, order).place

    def lacks(self, sku: str, place: str, amount: int) -> int:
        """What is to be received there beyond an amount so that it can be promised: the place's safety stock."""
        found = availability(self._commerce.reader, sku, places=(place,))
        return max(0, amount - sum(one.available for one in found))

    def close(self) -> None:
        self._commerce.close()


def order_one(shop: _Shop, dice: Dice, number: int, owner: str, products: Sequence[Product], *, is_old: bool) -> None:
    """One order, from its placing to wherever it has come; an old one mostly to its end."""
    kind = KINDS[number % len(KINDS)]
    store = STORES[dice.below(len(STORES))].id
    place = WAREHOUSE if kind in ("ship", "ship_to_store") else store
    waits = number % 16 == 3  # nothing of it is there yet, and nobody else orders it: what comes is for who waits
    wanted = products[-1:] if waits else products[:-1]
    lines = tuple(_line(wanted[dice.below(len(wanted))], dice) for _ in range(1 + dice.below(3)))
    for line in () if waits else lines:
        entry = Entry(line.sku, place, line.amount, reference=f"world-{number}", by=BY)
        shop.do(Receive(key=f"world received {number} {line.ref}", lines=(entry,)))
        kept_back = shop.lacks(line.sku, place, line.amount)
        if kept_back:
            more = msgspec.structs.replace(entry, amount=kept_back)
            shop.do(Receive(key=f"world kept back {number} {line.ref}", lines=(more,)))
    order: Standing = shop.do(
        PlaceOrder(
            key=f"world order {number}",
            number=f"{NUMBERS}{number:04d}",
            lines=lines,
            currency="EUR",
            kind=kind,
            place=place if kind != "ship_to_store" else store,
            channel=CHANNELS.get(kind, "store"),
            owners=(owner,),
            shipping=395 if kind == "ship" else 0,
            backorder=waits,
            promised=shop.now + (48 if kind in SHIPPED_KINDS else 4) * HOUR,
            by=BY,
        )
        if kind != "ship_to_store"
        else _to_store(number, lines, store, owner, shop.now)
    )
    if not order.confirmed:
        if dice.hits(0.08):
            return  # nobody paid
        shop.now += HOUR // 20
        shop.do(
            Pay(
                key=f"world payment {number}",
                order=order.id,
                provider="bank",
                reference=f"ch_{number:06d}",
                fact="captured",
                amount=order.total,
                currency="EUR",
                method="card",
                by="bank",
            )
        )
    if waits:
        return
    try:
        _move_on(shop, dice, number, order, (kind, place), is_old=is_old)
    except CauceError:
        if not shop.was_given_up(order.id):
            raise


def _line(product: Product, dice: Dice) -> NewLine:
    price = product.price_cents
    amount = 1_000 * (1 + dice.below(2))
    tax = price * amount // 1_000 * 21 // 121
    return NewLine(
        sku=str(product.line["sku"]),
        amount=amount,
        price=price,
        tax=tax,
        name=str(product.line["name"]),
        unit="H87",
        ref=f"{product.number}-{dice.below(1_000_000)}",
    )


def _to_store(number: int, lines: Sequence[NewLine], store: str, owner: str, now: int) -> PlaceOrder:
    """An order whose goods lie in the warehouse and are wanted in a store."""
    from_there = tuple(msgspec.structs.replace(line, parts=(Part(WAREHOUSE, line.amount),)) for line in lines)
    return PlaceOrder(
        key=f"world order {number}",
        number=f"{NUMBERS}{number:04d}",
        lines=from_there,
        currency="EUR",
        kind="ship_to_store",
        place=store,
        channel="web",
        owners=(owner,),
        promised=now + 72 * HOUR,
        by=BY,
    )


def _move_on(shop: _Shop, dice: Dice, number: int, order: Standing, at: tuple[str, str], *, is_old: bool) -> None:
    kind, place = at
    changes = (Change(line=1),)
    if dice.hits(0.08):
        shop.do(Cancel(key=f"world cancel {number}", order=order.id, by="customer", why="changed their mind"))
        return
    steps = TO_SHIP if kind in SHIPPED_KINDS else TO_STORE if kind == "ship_to_store" else TO_COLLECT
    reached = len(steps) if is_old and dice.hits(0.9) else dice.below(len(steps) + 1)
    done = steps[:reached]
    for step in done:
        shop.now += HOUR // 12
        _step(shop, number, order, step)
    if len(done) == len(steps) and dice.hits(0.35):
        shop.now += HOUR
        back = place if kind not in SHIPPED_KINDS else STORES[dice.below(len(STORES))].id
        shop.do(
            Return(
                key=f"world return {number}",
                order=order.id,
                place=back,
                changes=changes,
                by="luis",
                channel="store",
                why="too small",
            )
        )


def _step(shop: _Shop, number: int, order: Standing, step: str) -> None:
    """All of an order comes into a state."""
    if step == "collected":
        shop.counter.hand_over(
            shop.wanted(order.id), by="ana", order=order.number, initials="ana", receipt=f"W{number}",
            key=f"world {step} {number}",
        )  # fmt: skip
        return
    every = tuple(Change(line=line) for line in range(1, shop.line_count(order.id) + 1))
    where = shop.wanted(order.id) if step == "ready" else ""
    key = f"world {step} {number}"
    shop.counter.advance(
        Advance(key=key, order=order.id, to=step, changes=every, where=where, by="ana", channel="store")
    )
