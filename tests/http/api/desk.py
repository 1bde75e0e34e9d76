"""Orders as each operation of the shelf and the desk needs them, and what its example says of them."""

from __future__ import annotations

from typing import Any

from cauce.app import Platform
from cauce.commerce.fulfilment.api import Pick, Taken, pickup
from cauce.commerce.orders.changing import Advance, Change
from cauce.commerce.orders.placing import NewLine, PlaceOrder
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.http.api.fulfilment import counter_of
from tests.http.api import desk_of_bookings

SKU, PLACE = "ABR-00001-AZ", "S01"
NEEDED = {
    "pickups.get": "ready",
    "pickups.ready": "picked",
    "pickups.new_code": "ready",
    "pickups.link": "ready",
    "pickups.arrive": "ready",
    "pickups.present": "ready",
    "pickups.hand_over": "ready",
    "pickups.not_collected": "ready",
    "fulfilment.pick": "allocated",
    "fulfilment.unpick": "picked",
    "fulfilment.send": "sent_home",
    "fulfilment.source": "waiting",
    "fulfilment.take_back": "collected",
}
"""Operation → how far its order must be."""


def chosen(platform: Platform, name: str, values: dict[str, str]) -> dict[str, str]:
    """The values with an order that is as far as the operation needs it, and the code and link that belong to it.

    There is enough on the shelf then, whatever other operations sold or counted.
    """
    platform.commerce.do(Receive(lines=(Entry(SKU, PLACE, 1_000_000),)))
    if name.startswith("baskets."):
        _ = values["line"]  # now something lies in them
    if name.startswith(("bookings.", "waiting.")):
        return desk_of_bookings.chosen(platform, name, values)
    state = NEEDED.get(name, "")
    if not state:
        return values
    number = _ordered(platform, state)
    if state in ("picked", "ready", "sent_home"):
        platform.commerce.do(Pick(order=number, place=PLACE, lines=(Taken(line=1, picked=2_000),)))
    found = {"order": number}
    if state == "ready":
        counter = counter_of(platform)
        counter.ready(number, by="tests")
        seen = pickup(platform.commerce, number)
        found |= {"code": counter.code(seen), "link": counter.link(seen)}
    values.update(found)
    return values


def _ordered(platform: Platform, state: str) -> str:
    do = platform.commerce.do
    order = do(
        PlaceOrder(
            lines=(NewLine(sku=SKU, amount=2_000, price=12_995),),
            currency="EUR",
            kind="ship" if state in ("sent_home", "waiting") else "pick_up",
            place="" if state == "waiting" else PLACE,
            backorder=state == "waiting",
            pays_first=False,
        )
    )
    if state == "collected":
        for became in ("picked", "ready"):
            counter_of(platform).advance(Advance(order=order.id, to=became, changes=(Change(line=1),)))
        counter_of(platform).hand_over(PLACE, order=order.number, initials="AR", by="ana")
    return str(order.number)


def said(name: str, example: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """The example of an operation, with the order, the code and the link that it is about."""
    if name in desk_of_bookings.TIMED:
        example |= desk_of_bookings.said(example, values)
    if name == "fulfilment.pick":
        example["lines"] = [{"line": 1, "picked": 1_000, "short": 1_000}]
    if name == "fulfilment.take_back":
        example["order"] = values["order"]
    for member in ("code", "link"):
        if (
            name in ("pickups.present", "pickups.hand_over", "pickups.arrive")
            and member in example
            and member in values
        ):
            example[member] = values[member]
    return example
