"""What somebody wants and what they bought, read from their events: pure functions over the e-commerce vocabulary.

Events are those of Segment's e-commerce spec (*Product Viewed*, *Product Added*, *Product Removed*, *Cart Viewed*,
*Checkout Started*, *Order Completed*, *Order Refunded*) and those of stores (*Receipt Issued*, *Product Returned*).
Their order of arrival does not matter: they are read in order of occurrence. Amounts are whole millionths of their
currency, because that is what computed traits count in; what is no number is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cauce.model import Event
from cauce.profiles.rules import MILLION, micros_of

VIEWED = "Product Viewed"
ADDED = "Product Added"
REMOVED = "Product Removed"
CART_VIEWED = "Cart Viewed"
CHECKOUT_STARTED = "Checkout Started"
BOUGHT = frozenset(("Order Completed", "Receipt Issued"))
RETURNED = frozenset(("Order Refunded", "Product Returned"))
NAMES = frozenset((VIEWED, ADDED, REMOVED, CART_VIEWED, CHECKOUT_STARTED)) | BOUGHT | RETURNED
"""Every event that is read here."""

AMOUNTS = ("total", "revenue", "value")
LINES_MAX = 200
"""Products that are read from one event."""


class Product(msgspec.Struct, frozen=True):
    """A product as an event named it: `key` is its id, article number or name, whichever came first.

    `price` is in millionths of `currency`, `quantity` in thousandths; None and 1,000 when the event does not say.
    """

    key: str
    name: str
    category: str = ""
    price: int | None = None
    currency: str = ""
    quantity: int = 1_000


class Look(msgspec.Struct, frozen=True):
    """A product that was looked at and not bought since: how often, when last (microseconds), and where.

    `bought_before` is when it was last bought before that, None when it never was.
    """

    product: Product
    times: int
    last: int
    channel: str
    bought_before: int | None = None


class BasketLine(msgspec.Struct, frozen=True):
    """A product that lies in a basket; `bought_since` is when it was bought some other way, None when it was not."""

    product: Product
    bought_since: int | None = None


class Basket(msgspec.Struct, frozen=True):
    """A basket that was filled and not bought. `checkout` is when the checkout was begun last, None when it was not."""

    id: str
    channel: str
    changed: int
    lines: tuple[BasketLine, ...]
    checkout: int | None = None

    @property
    def values(self) -> dict[str, int]:
        """What lies in it, in millionths by currency; lines without a price are left out."""
        return _sums((line.product.currency, line.product.price, line.product.quantity) for line in self.lines)


class Sale(msgspec.Struct, frozen=True):
    """One purchase or return. `amount` is in millionths of `currency`, None when the event does not say."""

    id: str
    channel: str
    place: str
    occurred: int
    amount: int | None
    currency: str
    products: tuple[Product, ...]
    event: str
    reason: str = ""


class ChannelSum(msgspec.Struct, frozen=True):
    """Purchases of one channel in one currency: how many, and their amounts in millionths."""

    channel: str
    currency: str
    count: int
    amount: int


class Shopping(msgspec.Struct, frozen=True):
    """Everything at once, each list latest first; sums by channel are largest first."""

    looked_at: tuple[Look, ...]
    baskets: tuple[Basket, ...]
    purchases: tuple[Sale, ...]
    returns: tuple[Sale, ...]
    by_channel: tuple[ChannelSum, ...]


def shopping_of(events: Iterable[Event]) -> Shopping:
    """What these events say of one person's shopping."""
    ordered = sorted(events, key=lambda event: (event.occurred, event.position))
    purchases = _sales(ordered, BOUGHT)
    return Shopping(
        looked_at=looked_at(ordered),
        baskets=open_baskets(ordered),
        purchases=purchases,
        returns=_sales(ordered, RETURNED),
        by_channel=_by_channel(purchases),
    )


def looked_at(ordered: Sequence[Event]) -> tuple[Look, ...]:
    """Products whose latest look is later than their latest purchase, latest first."""
    looks: dict[str, Look] = {}
    bought = _bought(ordered)
    for event in ordered:
        product = _product(event.properties, "") if event.name == VIEWED else None
        if product is not None:
            before = looks.get(product.key)
            times = before.times + 1 if before else 1
            known = before.product if before else product
            looks[product.key] = Look(_richer(product, known), times, event.occurred, event.channel)
    found = []
    for key, look in looks.items():
        times_bought = bought.get(key, ())
        if not any(moment >= look.last for moment in times_bought):
            found.append(msgspec.structs.replace(look, bought_before=max(times_bought, default=None)))
    return tuple(sorted(found, key=lambda look: (-look.last, look.product.key)))


def open_baskets(ordered: Sequence[Event]) -> tuple[Basket, ...]:
    """Baskets with something in them that no order closed, latest first.

    A basket is told by its `cart_id` or `checkout_id`, else it is the one of its channel that changed last. A cart that
    is viewed or checked out says what is in it; an order closes the basket that it names, or those of its channel when
    it names none that is known.
    """
    open_: dict[tuple[str, str], _Filling] = {}
    for event in ordered:
        if event.name in BOUGHT:
            _close(open_, event)
        elif event.name in (ADDED, REMOVED, CART_VIEWED, CHECKOUT_STARTED):
            filling = open_.setdefault(_basket_key(open_, event), _Filling())
            filling.take(event)
    bought = _bought(ordered)
    baskets = []
    for (channel, id), filling in open_.items():
        lines = tuple(
            BasketLine(product, _first_since(bought.get(product.key, ()), filling.changed))
            for product in filling.products.values()
        )
        if lines:
            baskets.append(Basket(id, channel, filling.changed, lines, filling.checkout))
    return tuple(sorted(baskets, key=lambda basket: (-basket.changed, basket.channel, basket.id)))


class _Filling:
    """A basket while events are read."""

    __slots__ = ("changed", "checkout", "products")

    def __init__(self) -> None:
        self.products: dict[str, Product] = {}
        self.changed = 0
        self.checkout: int | None = None

    def take(self, event: Event) -> None:
        """Applies one event of a basket."""
        self.changed = event.occurred
        if event.name in (CART_VIEWED, CHECKOUT_STARTED):
            listed = _products(event)
            if listed:
                self.products = {
                    product.key: _richer(product, self.products.get(product.key, product)) for product in listed
                }
            if event.name == CHECKOUT_STARTED:
                self.checkout = event.occurred
            return
        product = _product(event.properties, "")
        if product is None:
            return
        held = self.products.get(product.key)
        if event.name == ADDED:
            quantity = product.quantity + (held.quantity if held else 0)
        else:
            says = micros_of(event.properties.get("quantity")) is not None
            quantity = held.quantity - product.quantity if held and says else 0
        if quantity > 0:
            richer = _richer(product, held or product)
            self.products[product.key] = msgspec.structs.replace(richer, quantity=quantity)
        else:
            self.products.pop(product.key, None)


def _basket_key(open_: dict[tuple[str, str], _Filling], event: Event) -> tuple[str, str]:
    id = _text(event.properties, "cart_id", "checkout_id")
    beside = [key for key in open_ if key[0] == event.channel] if not id else []
    return max(beside, key=lambda key: (open_[key].changed, key), default=(event.channel, id))


def _close(open_: dict[tuple[str, str], _Filling], event: Event) -> None:
    named = {_text(event.properties, key) for key in ("cart_id", "checkout_id")} - {""}
    closed = [key for key in open_ if key[1] in named]
    for key in closed or [key for key in open_ if key[0] == event.channel]:
        del open_[key]


def _bought(ordered: Iterable[Event]) -> dict[str, list[int]]:
    """When each product was bought, by key, in order."""
    found: dict[str, list[int]] = {}
    for event in ordered:
        if event.name in BOUGHT:
            for product in _products(event):
                found.setdefault(product.key, []).append(event.occurred)
    return found


def _first_since(moments: Sequence[int], since: int) -> int | None:
    return next((moment for moment in moments if moment >= since), None)


def _sales(ordered: Iterable[Event], names: frozenset[str]) -> tuple[Sale, ...]:
    found = [_sale(event) for event in ordered if event.name in names]
    return tuple(reversed(found))


def _sale(event: Event) -> Sale:
    properties = event.properties
    amount = next((found for key in AMOUNTS if (found := micros_of(properties.get(key))) is not None), None)
    return Sale(
        id=_text(properties, "order_id", "receipt_id", "return_id"),
        channel=event.channel,
        place=_text(properties, "store_name", "store_id", "affiliation"),
        occurred=event.occurred,
        amount=amount,
        currency=_currency(properties),
        products=_products(event),
        event=event.id,
        reason=_text(properties, "reason"),
    )


def _by_channel(purchases: Iterable[Sale]) -> tuple[ChannelSum, ...]:
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for sale in purchases:
        count, amount = sums.get((sale.channel, sale.currency), (0, 0))
        sums[sale.channel, sale.currency] = count + 1, amount + (sale.amount or 0)
    found = [ChannelSum(channel, currency, *both) for (channel, currency), both in sums.items()]
    return tuple(sorted(found, key=lambda each: (-each.amount, -each.count, each.channel, each.currency)))


def _sums(parts: Iterable[tuple[str, int | None, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for currency, price, quantity in parts:
        if price is not None:
            sums[currency] = sums.get(currency, 0) + price * quantity // 1_000
    return dict(sorted(sums.items()))


def _products(event: Event) -> tuple[Product, ...]:
    listed = event.properties.get("products")
    if not isinstance(listed, list):
        return ()
    currency = _currency(event.properties)
    found = (_product(entry, currency) for entry in listed[:LINES_MAX] if isinstance(entry, dict))
    return tuple(product for product in found if product is not None)


def _product(properties: dict[str, Any], currency: str) -> Product | None:
    """The product that properties describe; None when they name none."""
    key = _text(properties, "product_id", "sku", "name")
    if not key:
        return None
    quantity = micros_of(properties.get("quantity"))
    return Product(
        key=key,
        name=_text(properties, "name") or key,
        category=_text(properties, "category"),
        price=micros_of(properties.get("price")),
        currency=_currency(properties) or currency,
        quantity=1_000 if quantity is None or quantity <= 0 else quantity * 1_000 // MILLION,
    )


def _richer(new: Product, old: Product) -> Product:
    """The new word, with what only the old one said."""
    return msgspec.structs.replace(
        new,
        name=new.name if new.name != new.key else old.name,
        category=new.category or old.category,
        price=old.price if new.price is None else new.price,
        currency=new.currency or old.currency,
    )


def _currency(properties: dict[str, Any]) -> str:
    return _text(properties, "currency").upper()[:8]


def _text(properties: dict[str, Any], *keys: str) -> str:
    """The first of these that is a text or a whole number."""
    for key in keys:
        value = properties.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()[:256]
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""
