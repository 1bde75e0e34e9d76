"""Goods that came, went or broke: facts, in any order, which are never refused.

Every fact says when it happened. A physical count says what lay there at an instant, so a fact that is older than the
last count changes nothing on the shelf: it explains a part of the difference that the count found, and goes between
where the goods came from or went to and *shrinkage*. Whatever the order in which facts and counts arrive, the same
lies on the shelf in the end.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.stock.levels import opened, owed, settled
from cauce.commerce.stock.store import (
    DAMAGED,
    FACTS,
    FREE,
    OVERSOLD,
    SHRINKAGE,
    SOLD,
    SUPPLIER,
    Fact,
    place_of,
    stock_id,
)
from cauce.commerce.stock.supply import met
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid

SKEW_MICROSECONDS_MAX = 86_400_000_000
"""How far the clock of a till may be ahead; what claims to be later happened then."""


class Entry(msgspec.Struct, frozen=True):
    """So much of a product in a place, and what is known of what happened to it.

    `amount` in thousandths of its unit; `occurred` in microseconds, 0 for now; `channel` where it happened, `reference`
    the paper it stands on (a receipt, a purchase order), `by` who says it.
    """

    sku: str
    place: str
    amount: int
    occurred: int = 0
    channel: str = ""
    reference: str = ""
    by: str = ""


class Carried(msgspec.Struct, frozen=True):
    """What a fact did: so much was `moved`, of which `oversold` was not there; `late` when a later count knew of it."""

    moved: int
    oversold: int = 0
    late: bool = False


class Side(NamedTuple):
    """One end of a transfer: an account of the entry's product in a place."""

    place: str
    name: str


def sell_fact(work: Work, entry: Entry) -> Carried:
    """A till has sold it: never refused. What is not free is owed, raises a task, and is paid by what comes in next."""
    return carried(work, entry, Side(entry.place, FREE), Side(entry.place, SOLD), "sold")


def give_back(work: Work, entry: Entry, *, sold_at: str = "", is_damaged: bool = False) -> Carried:
    """Goods came back to `entry.place`, where they now are; `sold_at` is where they were sold, if it was elsewhere."""
    origin = Side(sold_at or entry.place, SOLD)
    if origin.place != entry.place:
        opened(work, entry.sku, origin.place)
    return carried(work, entry, origin, Side(entry.place, DAMAGED if is_damaged else FREE), "returned")


def receive(work: Work, entry: Entry) -> Carried:
    """Goods came from outside; what is expected under their reference is met by so much."""
    met(work, entry.reference, entry.sku, entry.place, entry.amount)
    return carried(work, entry, Side(entry.place, SUPPLIER), Side(entry.place, FREE), "received")


def adjust(work: Work, entry: Entry, why: str) -> Carried:
    """So much more (or less, below 0) lies there than was known."""
    if entry.amount < 0:
        less = msgspec.structs.replace(entry, amount=-entry.amount)
        return carried(work, less, Side(entry.place, FREE), Side(entry.place, SHRINKAGE), why)
    return carried(work, entry, Side(entry.place, SHRINKAGE), Side(entry.place, FREE), why)


def damage(work: Work, entry: Entry) -> Carried:
    """Goods broke: they are there and cannot be sold."""
    return carried(work, entry, Side(entry.place, FREE), Side(entry.place, DAMAGED), "damaged")


def repair(work: Work, entry: Entry) -> Carried:
    """Damaged goods can be sold again. Shortage when fewer are damaged."""
    return carried(work, entry, Side(entry.place, DAMAGED), Side(entry.place, FREE), "repaired")


def dispose(work: Work, entry: Entry) -> Carried:
    """Damaged goods are thrown away. Shortage when fewer are damaged."""
    return carried(work, entry, Side(entry.place, DAMAGED), Side(entry.place, SHRINKAGE), "disposed of")


def carried(work: Work, entry: Entry, origin: Side, target: Side, why: str, *, is_fact: bool = True) -> Carried:
    """Moves goods of an entry from one account to another, by when it happened.

    `is_fact`: what is missing on the shelf of the origin is owed there; otherwise Shortage.
    """
    if entry.amount <= 0:
        raise DefinitionInvalid(f"expected an amount above 0 of {entry.sku} at {entry.place}, got {entry.amount}")
    occurred = min(entry.occurred, work.now + SKEW_MICROSECONDS_MAX) if entry.occurred else work.now
    real = [_known(work, entry.sku, side, occurred) for side in (origin, target)]
    late = real != [origin, target]
    if real[0] == real[1]:
        return Carried(0, 0, late)  # both ends are what the count wrote off: it knew already
    missing = 0
    if real[0].name == FREE and is_fact:
        free = ledger.account(work, place_of(entry.sku, real[0].place, FREE))
        missing = entry.amount - min(max(0, free.available), entry.amount)
    done = entry, occurred, why
    if entry.amount > missing:
        _moved(work, done, real[0], real[1], entry.amount - missing)
    if missing:
        _moved(work, done, Side(real[0].place, OVERSOLD), real[1], missing)
        owed(work, entry.sku, real[0].place)
    for place in dict.fromkeys(side.place for side in real):
        settled(work, entry.sku, place)
    return Carried(entry.amount, missing, late)


def _known(work: Work, sku: str, side: Side, occurred: int) -> Side:
    """The account that a fact of that time concerns: what a later count has settled is no matter of the shelf."""
    level = opened(work, sku, side.place)
    return Side(side.place, SHRINKAGE) if side.name == FREE and occurred <= level.counted else side


def _moved(work: Work, done: tuple[Entry, int, str], origin: Side, target: Side, amount: int) -> None:
    entry, occurred, why = done
    debit, credit = (place_of(entry.sku, side.place, side.name) for side in (origin, target))
    transfer = ledger.move(work, debit, credit, amount, why)
    deltas: dict[str, int] = {entry.place: 0}
    for side, sign in ((origin, -1), (target, 1)):
        if side.name in (FREE, OVERSOLD):
            deltas[side.place] = deltas.get(side.place, 0) + sign * amount
    for place, delta in deltas.items():
        stock = stock_id(entry.sku, place)
        work.append(FACTS, Fact(transfer.id, stock, occurred, delta, entry.channel, entry.reference, entry.by))
