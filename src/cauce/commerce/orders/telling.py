"""What orders tell the river, in the words of the vocabulary (docs/reference/events.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cauce.commerce.baskets import api as baskets
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.orders import rules
from cauce.commerce.orders.store import Line, Order
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.model import to_iso

Part = tuple[Line, int]
"""A line and how much of it (thousandths) something happened to."""

PLACED, COMPLETED, UPDATED = "Order Placed", "Order Completed", "Order Updated"
CANCELLED, REFUNDED, RETURNED = "Order Cancelled", "Order Refunded", "Product Returned"
PAID, READY = "Payment Taken", "Pickup Ready"
NAMES = {
    rules.ALLOCATED: "Order Allocated",
    rules.READY: READY,
    rules.SHIPPED: "Order Shipped",
    rules.DELIVERED: "Order Delivered",
    rules.COLLECTED: "Order Picked Up",
    rules.CANCELLED: CANCELLED,
    rules.RETURNED: RETURNED,
}
"""What a change of state is called; *picked* is nobody's business but the store's."""
NOBODYS = frozenset({RETURNED, PAID})
"""What the vocabulary takes without any identifier."""
PIECES = ("", "H87", "C62")
"""Units that go without saying."""


def money(minor: int, currency: str) -> float:
    """An amount as events have it: in units of its currency."""
    return float(minor / 10 ** catalogue.exponent(currency))


def products(parts: Iterable[Part], currency: str) -> list[dict[str, Any]]:
    """The lines as `products` of an event."""
    found = []
    for line, amount in parts:
        said: dict[str, Any] = {
            "sku": line.sku,
            "name": line.name or line.sku,
            "price": money(line.price, currency),
            "quantity": amount / 1_000 if amount % 1_000 else amount // 1_000,
        }
        found.append(said if line.unit in PIECES else said | {"unit": line.unit})
    return found


def who_of(order: Order) -> tuple[str, ...]:
    """Whose order it is; of a guest's the mail or phone that was left."""
    owners = msgspec.json.decode(order.owners, type=tuple[str, ...])
    contact = msgspec.json.decode(order.contact, type=dict[str, str])
    return owners or tuple(f"{kind}:{contact[kind]}" for kind in ("email", "phone") if contact.get(kind))


def tell(work: Work, order: Order, name: str, channel: str, **properties: Any) -> None:
    """Lets the river know of something about an order; what is nobody's is only told where that makes sense."""
    said = {"order_id": order.number, **{key: value for key, value in properties.items() if value not in ("", None)}}
    who = who_of(order)
    if not who and name not in NOBODYS:
        return
    work.tell(Told(name=name, at=work.now, channel=channel or order.channel, who=who, properties=said))


def tell_whole(work: Work, order: Order, name: str, lines: Sequence[Line]) -> None:
    """An order with all its lines and sums."""
    units = order.currency
    tell(
        work,
        order,
        name,
        order.channel,
        affiliation=order.channel,
        cart_id=baskets.name_of(order.basket) if order.basket else "",
        currency=units,
        total=money(order.total, units),
        revenue=money(order.total - order.shipping - sum(line.tax for line in lines), units),
        shipping=money(order.shipping, units),
        tax=money(sum(line.tax for line in lines), units),
        discount=money(sum(line.discount for line in lines), units),
        products=products([(line, line.amount) for line in lines], units),
    )


def tell_expected(work: Work, order: Order, parts: Sequence[tuple[Line, int]]) -> None:
    """That lines which wait for goods can be had at another moment (microseconds; 0: nobody knows any more when)."""
    said = products([(line, line.placed) for line, _ in parts], order.currency)
    for product, (_, moment) in zip(said, parts, strict=True):
        product["expected"] = to_iso(moment) if moment else None
    tell(work, order, UPDATED, order.channel, currency=order.currency, waits=True, products=said)


def tell_change(
    work: Work, order: Order, became: str, parts: Sequence[Part], *, channel: str, place: str, why: str
) -> None:
    """That parts of an order came into a state."""
    name = NAMES.get(became)
    if name is None or (name == READY and order.kind not in rules.COLLECTED_KINDS):
        return
    more: dict[str, Any] = {}
    if became == rules.CANCELLED:
        more["reason"] = why
        if order.state != rules.CANCELLED:
            name = UPDATED  # the vocabulary has a word for a whole order that is given up, and one for what is left
            more["cancelled"] = True
    if became == rules.RETURNED:
        more["return_id"] = f"{order.number}-R{work.number('return')}"
        more["reason"] = why
    more["store_id"] = place
    tell(work, order, name, channel, currency=order.currency, products=products(parts, order.currency), **more)
