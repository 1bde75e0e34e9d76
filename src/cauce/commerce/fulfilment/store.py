"""Tables of fulfilment. How much of a line is picked, ready or collected is told by the order alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from cauce.commerce.transact.records import records
from cauce.engines.api import Row, Table


class Rows(Protocol):
    """What can be asked in SQL: a `Reader`, an installation's `Commerce`, or a unit of work (`sourcing.Within`)."""

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...


class Pickup(NamedTuple):
    """An order that somebody comes for. Moments are microseconds, 0 for never.

    `desk` is the place where it is handed over. `ready` is when it first lay there, `due` until when it waits. `code`
    is a keyed hash of the code that works now ("" for none), `round` counts the codes that there were. `arrived`, `bay`
    and `vehicle` are told by who waits outside. `ended` is when nothing was left to hand over, and `why`.
    """

    order_id: int
    desk: str
    ready: int
    due: int
    code: str
    round: int
    arrived: int
    bay: str
    vehicle: str
    ended: int
    why: str


class Chosen(NamedTuple):
    """One decision about where goods come from: JSON of the wish and of what the rules said, and who asked for it."""

    id: int
    order_id: int
    at: int
    rule: str
    version: int
    wish: str
    sourced: str
    by: str


class Code(NamedTuple):
    """A code that was given out, by its keyed hash; `state` is *open*, *used* or *withdrawn*."""

    hash: str
    order_id: int
    state: str
    at: int


class Tries(NamedTuple):
    """Wrong codes in a row that somebody typed at a desk; until `until` (microseconds) no further one is looked at."""

    desk: str
    by: str
    failures: int
    last: int
    until: int


class DeskOf(NamedTuple):
    """The desk at which an account works."""

    account: str
    desk: str
    at: int


class Handed(NamedTuple):
    """Goods that were handed over, with the proof: *code*, or *id* and the initials of who showed one.

    `lines` is JSON: (number of the line, amount).
    """

    id: int
    order_id: int
    at: int
    desk: str
    by: str
    proof: str
    initials: str
    receipt: str
    lines: str


class Parcel(NamedTuple):
    """What a place gave to a carrier for an order, the n-th time."""

    order_id: int
    place: str
    number: int
    at: int
    carrier: str
    tracking: str
    by: str


class Back(NamedTuple):
    """What of a till's receipt (by the place and number that it was sold under) came back of a product at desks.

    `bought` is what the receipt says, `returned` what of it no line of an order accounts for.
    """

    place: str
    receipt: str
    sku: str
    bought: int
    returned: int
    at: int


class DeskBack(NamedTuple):
    """One return at a desk of a product of a till's receipt, as far as no order was known that it is of; key as `Back`.

    `came_to` is where the goods are now, `damaged` 1 when they are not to be sold again.
    """

    id: int
    place: str
    receipt: str
    sku: str
    amount: int
    came_to: str
    damaged: int
    channel: str
    at: int
    by: str


class ToldBack(NamedTuple):
    """What tills, rather than desks, say came back of a receipt's product; key as of `Back`."""

    place: str
    receipt: str
    sku: str
    amount: int


class BackorderedLine(NamedTuple):
    """A line of an order that waits for goods; `promised` is when it can be had (microseconds, 0: nobody knows)."""

    order_id: int
    line: int
    sku: str
    promised: int


class Awaited(NamedTuple):
    """A product that `lines` wait for; the one without a name counts them over all products.

    `rose` is 1 when more of it may be promised since those who wait were tried (without a name: of how many products),
    `due` when they are tried again (microseconds), `reached` the order up to which they were tried this time. `undated`
    is 1 when their times have to be made anew.
    """

    sku: str
    lines: int
    rose: int
    due: int
    reached: int
    undated: int


class RulesRow(NamedTuple):
    """One version of the sourcing rules, JSON of the document; the last one is in force."""

    version: int
    at: int
    by: str
    why: str
    document: str


PICKUPS = records(
    "pickup",
    Pickup,
    indexes=(("ended", "due"), ("desk", "ended")),
    checks=("round >= 0", "code = '' or round > 0", "ready = 0 or due > ready"),
)
CHOICES = records("sourcing_choice", Chosen, indexes=(("order_id",),), sealed=True)
CODES = records("pickup_code", Code, indexes=(("order_id",),))
TRIES = records("pickup_tries", Tries, key_columns=2, checks=("failures >= 0",))
DESKS = records("pickup_desk", DeskOf)
HANDED = records("pickup_handed", Handed, indexes=(("order_id",),), sealed=True)
PARCELS = records("order_parcel", Parcel, key_columns=3, sealed=True)
BACKS = records("receipt_back", Back, key_columns=3, checks=("bought > 0", "returned >= 0", "returned <= bought"))
DESK_BACKS = records("receipt_desk_back", DeskBack, checks=("amount > 0",), sealed=True)
TOLD_BACK = records("receipt_told_back", ToldBack, key_columns=3, checks=("amount >= 0",))
BACKORDERS = records("backorder_line", BackorderedLine, key_columns=2, indexes=(("sku", "order_id"),))
AWAITED = records("backorder_product", Awaited, indexes=(("due",), ("undated",)), checks=("lines >= 0", "rose >= 0"))
RULES = records("sourcing_rules", RulesRow, sealed=True)
TABLES: tuple[Table, ...] = tuple(
    each.table
    for each in (
        PICKUPS, CHOICES, CODES, TRIES, DESKS, HANDED, PARCELS, BACKS, DESK_BACKS, TOLD_BACK, BACKORDERS, AWAITED,
        RULES,
    )
)  # fmt: skip
