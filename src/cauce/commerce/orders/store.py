"""Tables of orders."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cauce.commerce.orders import rules
from cauce.commerce.transact.records import records
from cauce.engines.api import Table


class Order(NamedTuple):
    """An order. Moments are in microseconds, money in minor units of `currency`.

    `state` is how far its least advanced goods are; `kind` how they come to the customer; `place` where the customer
    wants them. `due` is until when what is not confirmed is held (0: no end), `confirmed` when it was. `authorised`,
    `captured` and `refunded` are what its payments come to. `source`, `source_id` and `source_updated` (microseconds)
    say which platform took it, when that was another one. `line_count`: lines are numbered from 1.
    """

    id: int
    number: str
    at: int
    changed: int
    state: str
    kind: str
    channel: str
    place: str
    currency: str
    total: int
    shipping: int
    adjustment: int
    tax_included: int
    line_count: int
    owners: str
    contact: str
    promised: int
    due: int
    confirmed: int
    backorder: int
    authorised: int
    captured: int
    refunded: int
    source: str
    source_id: str
    source_updated: int
    basket: int
    note: str


class Line(NamedTuple):
    """One line: so much of a product at a price, and how much of it is in which state.

    `ref` is the client's own id of it; `price` is for one `unit`; `places` (JSON) those that have a part in it.
    """

    order_id: int
    line: int
    ref: str
    sku: str
    name: str
    unit: str
    amount: int
    price: int
    discount: int
    tax: int
    total: int
    placed: int
    allocated: int
    picked: int
    ready: int
    shipped: int
    delivered: int
    collected: int
    returned: int
    cancelled: int
    places: str

    @property
    def amounts(self) -> dict[str, int]:
        """How much is in which state; they sum to `amount`."""
        return {state: getattr(self, state) for state in rules.STATES}

    @property
    def place_names(self) -> tuple[str, ...]:
        return msgspec.json.decode(self.places, type=tuple[str, ...])


class Allocation(NamedTuple):
    """The part that a place has in a line; `held` of it is held in the ledger by `hold` (0: nothing is).

    `lost` is what was held here until its time ran out, so that a late confirmation knows where to ask again.
    """

    order_id: int
    line: int
    place: str
    hold: int
    held: int
    lost: int
    allocated: int
    picked: int
    ready: int
    shipped: int
    delivered: int
    collected: int
    returned: int
    cancelled: int

    @property
    def amounts(self) -> dict[str, int]:
        return {state: getattr(self, state) for state in rules.SLICED}

    def held_of(self, state: str, amount: int) -> int:
        """How much of an amount in a state is held in the ledger; the rest has left the stock before."""
        if state in rules.HELD:
            return amount
        return min(amount, self.held - self.allocated - self.picked) if state == rules.READY else 0


class Entry(NamedTuple):
    """One change of state, for good: so much of a line went from `was` to `became`.

    `origin` is the place whose part it is, `place` where it happened. A change of the order itself has line 0.
    """

    id: int
    order_id: int
    line: int
    was: str
    became: str
    amount: int
    place: str
    origin: str
    channel: str
    at: int
    actor: str
    why: str


class Payment(NamedTuple):
    """A fact of a payment: `fact` is *authorised*, *captured*, *refunded* or *voided*.

    `counted` of it counts for the order; a refund that is told before its capture waits for it.
    """

    provider: str
    reference: str
    order_id: int
    fact: str
    amount: int
    counted: int
    currency: str
    at: int
    occurred: int
    method: str


class Number(NamedTuple):
    """Which order a number means."""

    number: str
    order_id: int


class Foreign(NamedTuple):
    """Which order an id of another platform means."""

    source: str
    source_id: str
    order_id: int


class Owner(NamedTuple):
    """An order of an identifier (`kind:value`)."""

    owner: str
    order_id: int


class OrderReceipt(NamedTuple):
    """A till's receipt, by the place that gave it out and its number there; `orders` is JSON of ids.

    `id` is a hash of place and number, so that those of many receipts are read with one question.
    """

    id: int
    place: str
    receipt: str
    orders: str


_SUM = " + ".join(rules.STATES)
_NEVER_NEGATIVE = tuple(f"{state} >= 0" for state in rules.STATES)

ORDERS = records(
    "customer_order",
    Order,
    indexes=(("state", "changed"), ("place", "changed"), ("changed",)),
    checks=("total >= 0", "refunded >= 0", "refunded <= captured", "authorised >= 0", "line_count > 0"),
)
LINES = records("order_line", Line, key_columns=2, checks=("amount > 0", f"{_SUM} = amount", *_NEVER_NEGATIVE))
ALLOCATIONS = records(
    "order_allocation",
    Allocation,
    key_columns=3,
    indexes=(("place", "order_id"),),
    checks=(
        *(f"{state} >= 0" for state in rules.SLICED),
        "lost >= 0",
        "held >= allocated + picked",
        "held <= allocated + picked + ready",
    ),
)
HISTORY = records("order_history", Entry, indexes=(("order_id",),), checks=("amount >= 0",), sealed=True)
PAYMENTS = records(
    "order_payment",
    Payment,
    key_columns=2,
    indexes=(("order_id",),),
    checks=("amount > 0", "counted >= 0", "counted <= amount"),
)
NUMBERS = records("order_number", Number)
FOREIGN = records("order_foreign", Foreign, key_columns=2)
OWNERS = records("order_owner", Owner, key_columns=2)
RECEIPTS = records("order_of_receipt", OrderReceipt, indexes=(("place", "receipt"),))
TABLES: tuple[Table, ...] = tuple(
    of.table for of in (ORDERS, LINES, ALLOCATIONS, HISTORY, PAYMENTS, NUMBERS, FOREIGN, OWNERS, RECEIPTS)
)
