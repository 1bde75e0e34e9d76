"""Tables of stock, and the accounts that stock of one product in one place has in the ledger."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cauce.commerce.ledger.api import Place, id_of
from cauce.commerce.transact.records import records
from cauce.engines.api import Table

BOOK = "stock"
FREE, SOLD, SUPPLIER, TRANSIT, DAMAGED, SHRINKAGE, OVERSOLD = (
    "free", "sold", "supplier", "transit", "damaged", "shrinkage", "oversold",
)  # fmt: skip
WITHOUT_FLOOR = frozenset({SUPPLIER, SHRINKAGE, OVERSOLD, SOLD})
"""Accounts that stand for the world outside, or for a debt: they may go below nothing.

*sold* is among them because a return may be known before the sale that it takes back.
"""

SEPARATOR = "\x1f"


class Stock(NamedTuple):
    """One product in one place. `id` is that of its free account; `safety` is kept back from every promise.

    It is low when `low` or less may be promised.
    """

    id: int
    sku: str
    place: str
    safety: int
    low: int


class Reservation(NamedTuple):
    """Lines that are held together. `lines` is JSON of `Held`, `due` microseconds, `owner` what it is for."""

    id: int
    at: int
    due: int
    state: str
    channel: str
    owner: str
    lines: str


class Level(NamedTuple):
    """What else is known of a product in a place; `id` as in `Stock`.

    `own` and `own_low` are the safety stock and the threshold of just this product here, -1 where those of the place
    hold. `counted` is the moment of the last physical count (microseconds, 0 for none) and `amount` what was counted.
    `task` is the open task about what was sold and is not there, 0 for none.
    """

    id: int
    own: int
    own_low: int
    counted: int
    amount: int
    task: int


class Change(NamedTuple):
    """What may be promised of a stock has changed. Only the last `CHANGES_KEPT` are kept: `slot` is where in that ring.

    `number` grows with every change.
    """

    slot: int
    number: int
    stock: int


class Fact(NamedTuple):
    """What a transfer of the ledger did to the goods on the shelf (free and owed) of one stock, and when it happened.

    `occurred` in microseconds by the clock of who says it; `delta` in thousandths, 0 when a later count knew of it.
    """

    transfer: int
    stock: int
    occurred: int
    delta: int
    channel: str
    reference: str
    by: str


class Counting(NamedTuple):
    """A physical count of one stock. `difference` is what the ledger was corrected by, 0 for one that was late."""

    id: int
    stock: int
    sku: str
    place: str
    occurred: int
    amount: int
    difference: int
    at: int
    by: str
    reference: str


class Shipment(NamedTuple):
    """Goods on their way between two places. `lines` is JSON of `Carried`; `state` *sent*, *partly* or *arrived*."""

    id: int
    at: int
    origin: str
    destination: str
    state: str
    lines: str
    day: str
    reference: str
    by: str


class Expected(NamedTuple):
    """Goods that are to come: `amount` on a `day` (ISO 8601), of which `met` came already under that reference."""

    reference: str
    sku: str
    place: str
    amount: int
    met: int
    day: str
    at: int


class Task(NamedTuple):
    """Something that somebody must look at. `done` in microseconds, 0 while open; `by` empty when it solved itself."""

    id: int
    kind: str
    stock: int
    sku: str
    place: str
    amount: int
    since: int
    done: int
    by: str


class Cap(NamedTuple):
    """The most that a channel may see of a product in a place; `sku` and `place` are empty for any."""

    channel: str
    sku: str
    place: str
    most: int


class Default(NamedTuple):
    """What holds for all products of a place that have nothing of their own."""

    place: str
    safety: int
    low: int


class Hook(NamedTuple):
    """An address that is told of changes. `cursor` is how far it knows; `salt` makes its secret.

    `filter` is JSON of what it wants to hear of; `since` when it began to fail, `due` when it is tried again.
    """

    id: str
    url: str
    salt: str
    filter: str
    state: str
    cursor: str
    failures: int
    since: int
    due: int
    fault: str
    at: int
    by: str


CHANGES_KEPT = 131_072
"""Who has not asked for longer than so many changes is told the whole again."""

STOCKS = records(
    "stock",
    Stock,
    # The first index holds all that availability asks of a stock, so that its row need not be looked up.
    indexes=(("sku", "place", "safety", "low"), ("place", "sku")),
    checks=("safety >= 0", "low >= 0"),
)
RESERVATIONS = records("reservation", Reservation, indexes=(("owner",),))
LEVELS = records("stock_level", Level, checks=("own >= -1", "own_low >= -1", "amount >= 0"))
CHANGES = records("stock_change", Change)
FACTS = records("stock_fact", Fact, key_columns=2, indexes=(("stock", "occurred"),), sealed=True)
COUNTINGS = records("stock_count", Counting, indexes=(("stock", "occurred"),), checks=("amount >= 0",), sealed=True)
SHIPMENTS = records("stock_shipment", Shipment, indexes=(("state", "destination"),), checks=("origin <> destination",))
EXPECTED = records(
    "stock_expected", Expected, key_columns=3, indexes=(("sku", "place"), ("day",)), checks=("amount >= 0", "met >= 0")
)
TASKS = records("stock_task", Task, indexes=(("done", "since"),), checks=("amount >= 0",))
CAPS = records("stock_cap", Cap, key_columns=3, indexes=(("sku",),), checks=("most >= 0",))
DEFAULTS = records("stock_default", Default, checks=("safety >= 0", "low >= 0"))
HOOKS = records("stock_hook", Hook)
TABLES: tuple[Table, ...] = tuple(
    each.table
    for each in (
        STOCKS, RESERVATIONS, LEVELS, CHANGES, FACTS, COUNTINGS, SHIPMENTS, EXPECTED, TASKS, CAPS, DEFAULTS, HOOKS,
    )
)  # fmt: skip


@lru_cache(maxsize=200_000)
def place_of(sku: str, place: str, name: str) -> Place:
    """The account `name` of a product in a place."""
    return Place(BOOK, f"{sku}{SEPARATOR}{place}", name, name not in WITHOUT_FLOOR)


@lru_cache(maxsize=200_000)
def stock_id(sku: str, place: str) -> int:
    return id_of(place_of(sku, place, FREE))
