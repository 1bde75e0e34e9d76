"""The states of an order's goods, the transitions between them, and what lines come to: pure, and data where it can be.

Goods change their state by amounts: of three pieces one may be collected while two are still on the shelf.
The drawing in docs/howto/orders.md is made from `TRANSITIONS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

PLACED, ALLOCATED, PICKED, READY, SHIPPED = "placed", "allocated", "picked", "ready", "shipped"
DELIVERED, COLLECTED, RETURNED, CANCELLED = "delivered", "collected", "returned", "cancelled"

STATES: dict[str, str] = {
    PLACED: "Ordered; nothing is promised for it yet.",
    ALLOCATED: "Held in a place for this order.",
    PICKED: "Taken from the shelf.",
    READY: "Packed, and waiting to be collected or fetched by a carrier.",
    SHIPPED: "On its way: to the customer, or to the store where it will be collected.",
    DELIVERED: "Brought to the customer.",
    COLLECTED: "Handed over to the customer.",
    RETURNED: "Brought back by the customer.",
    CANCELLED: "Given up before the customer had it.",
}
"""Every state, in the order of an order's life."""

OPEN = (PLACED, ALLOCATED, PICKED, READY, SHIPPED)
"""States in which something is still to be done."""
HELD = (ALLOCATED, PICKED)
"""States whose goods are always held in the ledger; *ready* ones are, unless they were shipped to where they wait."""
SLICED = tuple(state for state in STATES if state != PLACED)
"""States that belong to a place."""
BEFORE_WORK = (PLACED, ALLOCATED, CANCELLED)
"""What may become of goods before the order is confirmed."""


class Transition(NamedTuple):
    """One way from a state to another.

    `stock` is what it does to the stock of the place: *hold* promises it, *leave* takes what was promised away, *free*
    makes it available again (what was promised there, what had left where it came back to), "" nothing.
    """

    was: str
    to: str
    stock: str
    meaning: str


TRANSITIONS: tuple[Transition, ...] = (
    Transition(PLACED, ALLOCATED, "hold", "A place promises the goods."),
    Transition(PLACED, CANCELLED, "", "Given up before a place was found."),
    Transition(ALLOCATED, PLACED, "free", "The place cannot serve it after all, or its time has run out."),
    Transition(ALLOCATED, PICKED, "", "Taken from the shelf."),
    Transition(ALLOCATED, CANCELLED, "free", "Given up; the goods can be sold again."),
    Transition(PICKED, ALLOCATED, "", "Put back, and still promised."),
    Transition(PICKED, READY, "", "Packed, and waiting at the desk or for the carrier."),
    Transition(PICKED, SHIPPED, "leave", "Handed to a carrier."),
    Transition(PICKED, CANCELLED, "free", "Given up; the goods go back to the shelf."),
    Transition(READY, SHIPPED, "leave", "Handed to a carrier."),
    Transition(READY, COLLECTED, "leave", "Handed over to the customer."),
    Transition(READY, CANCELLED, "free", "Not collected, or given up; the goods go back to the shelf."),
    Transition(SHIPPED, READY, "", "Arrived in the store where it will be collected."),
    Transition(SHIPPED, DELIVERED, "", "Brought to the customer."),
    Transition(SHIPPED, CANCELLED, "free", "Could not be delivered and came back to a place."),
    Transition(DELIVERED, RETURNED, "free", "Brought back, in whatever place."),
    Transition(COLLECTED, RETURNED, "free", "Brought back, in whatever place."),
)
"""Every way there is; there is no other."""

BY_STEP: Mapping[tuple[str, str], Transition] = {(one.was, one.to): one for one in TRANSITIONS}


def sources_of(to: str) -> tuple[str, ...]:
    """The states from which a state can be reached in one step, least advanced first."""
    return tuple(state for state in STATES if (state, to) in BY_STEP)


def path(was: str, to: str) -> tuple[str, ...]:
    """The states to go through from one to another without a step back, both excluded and included; () for none.

    A platform that only tells how it ended is followed step by step.
    """
    order = list(STATES)
    queue: list[tuple[str, ...]] = [(was,)]
    for so_far in queue:
        if so_far[-1] == to:
            return so_far[1:]
        last = order.index(so_far[-1])
        queue.extend((*so_far, step) for step in order[last + 1 :] if (so_far[-1], step) in BY_STEP)
    return ()


def state_of(amounts: Iterable[Mapping[str, int]]) -> str:
    """How an order stands, by the amounts of its lines: its least advanced goods say it, ended ones only at the end."""
    there = {state for line in amounts for state, amount in line.items() if amount > 0}
    for state in (*OPEN, DELIVERED, COLLECTED, RETURNED):
        if state in there:
            return state
    return CANCELLED


# Money: whole minor units of one currency


def gross(amount: int, price: int) -> int:
    """What so many thousandths cost at a price for one unit, rounded half up."""
    return (amount * price + 500) // 1_000


def line_total(amount: int, price: int, discount: int, tax: int, *, tax_included: bool) -> int:
    """What the customer pays for a line."""
    return gross(amount, price) - discount + (0 if tax_included else tax)


def worth(total: int, part: int, whole: int) -> int:
    """What a `part` of a `whole` line is worth of its `total`, rounded down; the whole is worth all of it."""
    return total * part // whole


def to_refund(paid: int, shipping: int, lines: Iterable[tuple[int, int, int, int]]) -> int:
    """What is paid and not owed any more. Lines are (total, amount, cancelled, returned); never below 0.

    What was given up or brought back is worth its share of its line; shipping is owed while anything was sent.
    """
    owed, sent = 0, False
    for total, amount, cancelled, returned in lines:
        owed += total - worth(total, cancelled + returned, amount)
        sent = sent or cancelled < amount
    return max(0, paid - owed - (shipping if sent else 0))


# Deliveries


class Delivery(NamedTuple):
    """A way in which goods come to a customer. `seconds` is how long they are held while `pays_first` waits, or for the
    customer to come; 0: without end. `is_collected`: somebody comes for them, rather than that they are sent."""

    pays_first: bool
    seconds: int
    is_collected: bool
    meaning: str


HALF_HOUR, TWO_DAYS = 1_800, 172_800

DELIVERIES: dict[str, Delivery] = {
    "ship": Delivery(True, HALF_HOUR, False, "Sent to an address, from a warehouse or a store."),
    "pick_up": Delivery(True, HALF_HOUR, True, "Paid online, collected in a store."),
    "reserve_in_store": Delivery(False, TWO_DAYS, True, "Put aside in a store, tried and paid there."),
    "curbside": Delivery(True, HALF_HOUR, True, "Paid online, brought to the car."),
    "ship_to_store": Delivery(True, HALF_HOUR, True, "Sent to a store, and collected there."),
    "endless_aisle": Delivery(True, HALF_HOUR, False, "Sold in a store, sent from another place."),
    "order_ahead": Delivery(False, 0, True, "Ordered for a time slot, and collected then."),
}
"""The ways of delivery."""

COLLECTED_KINDS = frozenset(kind for kind, delivery in DELIVERIES.items() if delivery.is_collected)
"""Deliveries for which somebody comes: what becomes ready of them gets a code, at its desk (fulfilment)."""
