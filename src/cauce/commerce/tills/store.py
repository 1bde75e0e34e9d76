"""Tables of what came from the river: how far it was followed, what had its effect, and what waits."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeVar

from cauce.commerce.transact.asking import number_of
from cauce.commerce.transact.records import Records, records
from cauce.commerce.transact.work import Work
from cauce.engines.api import Table

FOLLOWER = "river"
"""The one row of the cursor."""
COUNTS, CANCELLED = "counts", "cancelled"
WAITING, APPLIED, DROPPED = "waiting", "applied", "dropped"
SEPARATOR = "\x1f"

R = TypeVar("R", bound=tuple[object, ...])


class Cursor(NamedTuple):
    """Up to which position of the river everything had its effect."""

    name: str
    position: int


class Done(NamedTuple):
    """A fact that had its effect. `id` is a hash of `key`, which is what makes the fact one; see `rules.key_of`."""

    id: int
    key: str
    position: int


class Receipt(NamedTuple):
    """What a till has sold, or another movement of goods.

    `id` is a hash of `key`, which for a sale is store, workstation, business day and sequence. `state` is *counts* or
    *cancelled*; `step` how goods moved; `number` as it is printed; `at` when, by the clock of who says it, in
    microseconds. `lines` is JSON of [sku, thousandths], those that had their effect on the stock.
    """

    id: int
    key: str
    state: str
    step: str
    number: str
    source: str
    channel: str
    place: str
    at: int
    lines: str
    position: int


class Returned(NamedTuple):
    """Goods that a till says came back. `id` is a hash of `key`; `deed` is JSON of the fact without its lines.

    `plain` is JSON of [sku, thousandths] that went to the stock because no order is known that they are of; `waits` of
    [order id, sku, thousandths] that the order's customer has not been given yet, as far as is known; `ours` of
    [sku, thousandths] that orders of our own account for, and `is_ours` is 1 when there are any.
    """

    id: int
    key: str
    deed: str
    plain: str
    waits: str
    is_ours: int
    ours: str


class ReturnsNamed(NamedTuple):
    """Returns by what they name, a receipt or an order. `id` is a hash of `name`; `returns` JSON of ids."""

    id: int
    name: str
    returns: str


class Pending(NamedTuple):
    """A line whose product nobody knows yet. `deed` is JSON of the fact with this line alone."""

    id: int
    channel: str
    item: str
    name: str
    deed: str
    receipt: int
    position: int


class Unfit(NamedTuple):
    """A fact that cannot have its effect. `event` is its JSON, `reason` a code, `message` for people.

    `state` is *waiting*, *applied* (it was mended) or *dropped*; `at` since when, `ended` until when, microseconds.
    """

    position: int
    source: str
    name: str
    event_id: str
    reason: str
    message: str
    event: bytes
    state: str
    at: int
    ended: int
    by: str


class Strange(NamedTuple):
    """A store that a source names and that is no place of ours; `facts` named it, from position `first` to `last`."""

    source: str
    store: str
    facts: int
    first: int
    last: int


class PlaceName(NamedTuple):
    """What a source calls one of our places."""

    source: str
    store: str
    place: str
    at: int
    by: str


class Habit(NamedTuple):
    """What the facts of a source do here, each 1 or 0; `ids` is the channel in which its ids of products are looked up,
    empty for that of the event. The source `*` speaks for all that have no row of their own.
    """

    source: str
    receipts: int
    orders: int
    levels: int
    goods: int
    ids: str
    at: int
    by: str


class OrderTold(NamedTuple):
    """What a source has told of one of its orders. `id` is a hash of `key` (source and order); `facts` is JSON of what
    came, in no particular order.
    """

    id: int
    key: str
    facts: str


class OrderNamed(NamedTuple):
    """An order by the number that receipts name: `receipts` (JSON of ids) that do; `recorded` is 1 once it is known."""

    id: int
    number: str
    receipts: str
    recorded: int


class Observed(NamedTuple):
    """An event of EPCIS; `id` is its position in the river. Times in microseconds; words as in the Core Business
    Vocabulary; `declared` is 1 for an error declaration, `reason` why; `body` its JSON.
    """

    id: int
    event_id: str
    type: str
    action: str
    step: str
    disposition: str
    read_point: str
    location: str
    event_time: int
    record_time: int
    declared: int
    reason: str
    body: bytes


class ObservedIn(NamedTuple):
    """What an observed event names, for looking it up; `role` is how (*epc*, *class*, *parent*, *input* …)."""

    value: str
    role: str
    id: int


CURSORS = records("till_cursor", Cursor, checks=("position >= 0",))
DONE = records("till_done", Done)
RECEIPTS = records("till_receipt", Receipt, indexes=(("number",), ("place", "at")))
PENDING = records("till_pending", Pending, indexes=(("channel", "item"), ("receipt",)))
UNFIT = records("till_unfit", Unfit, indexes=(("state", "position"),))
STRANGE = records("till_strange", Strange, key_columns=2)
PLACE_NAMES = records("till_place", PlaceName, key_columns=2)
HABITS = records("till_habit", Habit)
ORDERS_TOLD = records("till_order_told", OrderTold)
ORDERS_NAMED = records("till_order_named", OrderNamed)
RETURNS = records("till_return", Returned)
RETURNS_NAMED = records("till_return_named", ReturnsNamed)
OBSERVED = records("epcis_event", Observed, indexes=(("event_id",), ("event_time",), ("step", "event_time")))
OBSERVED_IN = records("epcis_named", ObservedIn, key_columns=3, indexes=(("id",),))
TABLES: tuple[Table, ...] = tuple(
    each.table
    for each in (
        CURSORS,
        DONE,
        RECEIPTS,
        PENDING,
        UNFIT,
        STRANGE,
        PLACE_NAMES,
        HABITS,
        ORDERS_TOLD,
        ORDERS_NAMED,
        RETURNS,
        RETURNS_NAMED,
        OBSERVED,
        OBSERVED_IN,
    )
)


@lru_cache(maxsize=100_000)
def id_of(key: str) -> int:
    """63 bits of a key's hash, never 0."""
    return number_of(key.encode("utf-8", "surrogatepass"))


def keyed(work: Work, of: Records[R], key: str) -> tuple[int, R | None]:
    """The id that the row with a key has, or will have, and the row when it is there."""
    return work.hashed(of, id_of(key), lambda row: row.key == key)
