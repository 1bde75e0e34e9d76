"""Tables of loyalty, and the accounts that points have in the ledger."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cauce.commerce.ledger.api import Place
from cauce.commerce.transact.records import records
from cauce.engines.api import Table

BOOK, REWARDS = "points", "rewards"
LOT, DEBT = "lot", "debt"
ISSUED, SPENT, EXPIRED, CLAWED, ADJUSTED = "issued", "spent", "expired", "clawed", "adjusted"
COUNTERS = (ISSUED, SPENT, EXPIRED, CLAWED, ADJUSTED)
"""Accounts of a whole programme, on the other side of every member's: where points come from and where they go."""
SEPARATOR = "\x1f"
FOREVER = 2**62
"""The expiry of what never expires: later than all others."""
RUN_OUT = 2
HELD, COMPLETED, CANCELLED, RAN_OUT = "held", "completed", "cancelled", "expired"


class Head(NamedTuple):
    """A programme: its latest version, and JSON of (version, since) for all of them, oldest first."""

    programme: str
    version: int
    is_open: int
    versions: str


class Version(NamedTuple):
    """A programme as it was applied: what somebody wrote, word for word. It holds for what happens from `at` on."""

    programme: str
    version: int
    at: int
    by: str
    document: str


class Purchase(NamedTuple):
    """What somebody bought or did, and what it earned.

    `base` is millionths of points before the tier's bonus, `points` what it earned with it and within the maxima,
    `clawed` what returns took back of that. `member` is empty once they were erased. `bought` is JSON of
    `rules.Bought`, `returned` of `rules.Returned`. `leads` 1: what it says of what was bought holds, whatever other
    documents say. `same_as` is the purchase that this one turned out to be.
    """

    id: int
    programme: str
    member: str
    document: str
    at: int
    received: int
    event: str
    channel: str
    amount: int
    base: int
    tier: str
    points: int
    clawed: int
    lot: int
    bought: str
    returned: str
    leads: int
    same_as: int


class Document(NamedTuple):
    """A name that a purchase is known by: number of an order, of a receipt."""

    programme: str
    document: str
    purchase: int


class Return(NamedTuple):
    """Goods that came back of a document. `lines` is JSON of `rules.ReturnedLine`; `whole` 1: all of it."""

    document: str
    id: str
    at: int
    received: int
    channel: str
    lines: str
    amount: int
    whole: int


class Lot(NamedTuple):
    """Points of a member (empty once they were erased) that came together and expire together; how many is in the
    ledger.

    `source` says where they come from; `lapsed` is what expired of them; `open` 0 when nothing is left, RUN_OUT
    when its time is over and the rest is promised to somebody.
    """

    id: int
    programme: str
    member: str
    source: str
    at: int
    starts: int
    expires: int
    open: int
    lapsed: int


class Member(NamedTuple):
    """A member of a programme. `circle` is JSON of the identifiers it was last counted with, `review` when its tier
    may change by itself. `number` names the member where nothing is ever removed, as in the ledger."""

    programme: str
    member: str
    since: int
    tier: str
    tier_since: int
    review: int
    circle: str
    number: int


class Adjustment(NamedTuple):
    """Why points were given or taken by hand, and who did it: words that the ledger keeps no copy of."""

    id: int
    programme: str
    member: str
    why: str
    by: str


class Redemption(NamedTuple):
    """Points that are promised for a reward, or were spent on it. `holds` is JSON of `redeeming.Taken`."""

    id: int
    programme: str
    reward: str
    name: str
    points: int
    at: int
    due: int
    state: str
    ended: int
    channel: str
    document: str
    by: str
    holds: str


class Redeemer(NamedTuple):
    """Whose points a redemption takes."""

    member: str
    redemption: int


class Cursor(NamedTuple):
    """How far the river was read for events that earn."""

    name: str
    position: int


CURSOR = "events"
CURSORS = records("loyalty_cursor", Cursor)
HEADS = records("loyalty_programme", Head)
VERSIONS = records("loyalty_version", Version, key_columns=2)
PURCHASES = records(
    "loyalty_purchase",
    Purchase,
    indexes=(("member", "programme", "at"),),
    checks=("points >= 0", "clawed >= 0", "clawed <= points"),
)
DOCUMENTS = records("loyalty_document", Document, key_columns=2, indexes=(("document",), ("purchase",)))
RETURNS = records("loyalty_return", Return, key_columns=2)
LOTS = records(
    "loyalty_lot", Lot, indexes=(("member", "programme", "open"), ("open", "expires")), checks=("lapsed >= 0",)
)
MEMBERS = records("loyalty_member", Member, key_columns=2, indexes=(("member",), ("review",)))
ADJUSTMENTS = records("loyalty_adjustment", Adjustment, indexes=(("member",),))
REDEMPTIONS = records("loyalty_redemption", Redemption, indexes=(("programme", "at"), ("state", "due")))
REDEEMERS = records("loyalty_redeemer", Redeemer, key_columns=2)
_ALL = (HEADS, VERSIONS, PURCHASES, DOCUMENTS, RETURNS, LOTS, MEMBERS, ADJUSTMENTS, REDEMPTIONS, REDEEMERS, CURSORS)
TABLES: tuple[Table, ...] = tuple(each.table for each in _ALL)


@lru_cache(maxsize=1_000)
def counter(programme: str, name: str) -> Place:
    """The account of a programme on the other side: it stands for the world outside and has no floor."""
    return Place(BOOK, programme, name, floor=False)


@lru_cache(maxsize=100_000)
def lot_place(programme: str, lot: int) -> Place:
    """Accounts are named by numbers: nothing is ever removed from the ledger, and so it names nobody."""
    return Place(BOOK, SEPARATOR.join((programme, str(lot))), LOT)


@lru_cache(maxsize=100_000)
def debt_place(programme: str, number: int) -> Place:
    """What the member with a number owes, as a negative amount: a return took back points after they were spent."""
    return Place(BOOK, SEPARATOR.join((programme, str(number))), DEBT, floor=False)


def adjustment_word(id_: int) -> str:
    """What the ledger says of points that came or went by hand; the reason stands with the adjustment."""
    return f"adjustment {id_}"


def reward_place(programme: str, reward: str, name: str) -> Place:
    """Where the pieces of a reward are: *stock*, *given*, or *supply*, which stands for the world outside."""
    return Place(REWARDS, SEPARATOR.join((programme, reward)), name, floor=name != "supply")
