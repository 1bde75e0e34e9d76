"""The stock of an order's goods: held for it, gone with it, and back again. Every touch of stock by orders is here."""

from __future__ import annotations

from cauce.commerce.ledger import api as ledger
from cauce.commerce.orders.store import Allocation
from cauce.commerce.stock import api as stock
from cauce.commerce.stock.api import FREE, OVERSOLD, SOLD, owed, place_of
from cauce.commerce.transact.work import Work
from cauce.errors import Ended

OWNER = "orders"
"""Whose holds these are, in the ledger."""


def owner_of(part: Allocation) -> str:
    return f"{OWNER}:{part.order_id}:{part.line}:{part.place}"


def named_by(owner: str) -> tuple[int, int, str]:
    """Order, line and place of a hold's owner."""
    _, order, line, place = owner.split(":", 3)
    return int(order), int(line), place


def hold(work: Work, part: Allocation, sku: str, amount: int, due: int) -> Allocation:
    """Holds so much more for a part, all of it until `due`. Shortage when it is not there."""
    if part.hold:
        ledger.void(work, part.hold)
    made = _held(work, part, sku, part.held + amount, due)
    return part._replace(hold=made, held=part.held + amount)


def hold_as_fact(work: Work, part: Allocation, sku: str, amount: int) -> tuple[Allocation, int]:
    """Holds what another platform has promised already, and how much of it was not there: that is owed as oversold."""
    free = place_of(sku, part.place, FREE)
    missing = max(0, amount - ledger.account(work, free).available)
    if missing:
        ledger.move(work, place_of(sku, part.place, OVERSOLD), free, missing, "promised elsewhere")
    part = hold(work, part, sku, amount, 0)
    if missing:
        owed(work, sku, part.place)
    return part, missing


def free(work: Work, part: Allocation, sku: str, amount: int) -> Allocation:
    """Gives back so much of what is held for a part."""
    found = work.need(ledger.HOLDS, part.hold)
    ledger.void(work, part.hold)
    left = part.held - amount
    made = _held(work, part, sku, left, found.due) if left else 0
    return part._replace(hold=made, held=left)


def leave(work: Work, part: Allocation, amount: int, why: str) -> Allocation:
    """What is held leaves the stock. Ended when its time has run out."""
    ledger.post(work, part.hold, amount, why=why)
    left = part.held - amount
    return part._replace(hold=part.hold if left else 0, held=left)


def back(work: Work, entry: stock.Entry, origin: str, *, is_damaged: bool) -> None:
    """What left the stock of `origin` is there again, where the entry says."""
    stock.give_back(work, entry, sold_at=origin, is_damaged=is_damaged)


def renew(work: Work, part: Allocation, sku: str, due: int) -> Allocation:
    """What is held for a part stays held until another moment."""
    ledger.void(work, part.hold)
    return part._replace(hold=_held(work, part, sku, part.held, due))


def is_open(work: Work, part: Allocation) -> bool:
    """Whether what is held for a part still is."""
    if not part.hold:
        return False
    found = work.need(ledger.HOLDS, part.hold)
    return found.state == ledger.OPEN and not 0 < found.due <= work.now


def given_up(work: Work, part: Allocation) -> ledger.Hold:
    """The hold of a part whose time has run out, given back when nobody has done so yet."""
    found = work.need(ledger.HOLDS, part.hold)
    return ledger.void(work, found.id, state=ledger.EXPIRED) if found.state == ledger.OPEN else found


def must_be_open(work: Work, part: Allocation) -> None:
    """Ended when what was held for a part has run out."""
    if not is_open(work, part):
        raise Ended(f"what was held at {part.place} for line {part.line} of an order has run out")


def _held(work: Work, part: Allocation, sku: str, amount: int, due: int) -> int:
    giver, taker = place_of(sku, part.place, FREE), place_of(sku, part.place, SOLD)
    return ledger.hold(work, giver, taker, amount, due=due, owner=owner_of(part)).id
