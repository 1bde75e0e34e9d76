"""Goods come back, in any place: of an order, or of a till's receipt, and never more of them than were bought."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment.store import BACKS, Back
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.api import Move, Note
from cauce.commerce.stock import api as stock
from cauce.commerce.stock.api import Entry
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid

LINES_MAX = 500
TEXT_MAX = 200
CONDITIONS = {
    "sellable": "It goes back on the shelf of the place where it is now.",
    "damaged": "It is kept apart there, and not promised to anybody.",
}


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """So much of a line of an order came back, in thousandths, and how it looks."""

    line: int
    amount: int
    condition: str = "sellable"


class TakeBack(Command, frozen=True, kw_only=True):
    """Goods of an order (by number) came back to `place`."""

    order: str
    place: str
    lines: tuple[Came, ...]
    why: str = ""
    by: str = ""
    channel: str = "store"


class CameOfReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """So much of a product of a receipt came back; `bought` is what the receipt says, in thousandths."""

    sku: str
    amount: int
    bought: int
    condition: str = "sellable"


class TakeBackReceipt(Command, frozen=True, kw_only=True):
    """Goods of a till's receipt came back to `place`; `sold_at` is the place that has sold them.

    `owners` are identifiers of the person, through whom the receipt was found when it was not shown.
    """

    receipt: str
    sold_at: str
    place: str
    lines: tuple[CameOfReceipt, ...]
    owners: tuple[str, ...] = ()
    why: str = ""
    by: str = ""
    channel: str = "store"


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: the number of the order or receipt, and amounts that may still come back, by line or product."""

    number: str
    state: str = ""
    amount: int
    left: dict[str, int]


def take_back(work: Work, command: TakeBack) -> TakenBack:
    """NotFound without the place where the goods are now; Conflict for more than was handed over."""
    catalogue.need_place(work, command.place)
    _check_conditions([(line.amount, line.condition) for line in command.lines])
    order = orders.numbered(work, command.order)
    for condition in CONDITIONS:
        moves = [
            Move(one.line, "returned", one.amount, "", ("delivered", "collected"))
            for one in command.lines
            if one.condition == condition
        ]
        if moves:
            why = command.why.strip()[:TEXT_MAX] or condition
            note = Note(command.by, command.channel, why, command.place, damaged=condition == "damaged")
            order = orders.change(work, order.id, moves, note)
    left = {str(line.line): line.delivered + line.collected for line in orders.lines_of(work, order)}
    return TakenBack(number=order.number, state=order.state, amount=sum(one.amount for one in command.lines), left=left)


def take_back_receipt(work: Work, command: TakeBackReceipt) -> TakenBack:
    """Conflict for more than the receipt says, less what came back before."""
    if not command.sold_at or not command.receipt or len(command.receipt) > TEXT_MAX:
        raise DefinitionInvalid("expected the number of the receipt, and the place that sold the goods")
    catalogue.need_place(work, command.place)
    _check_conditions([(line.amount, line.condition) for line in command.lines])
    left = {}
    for one in command.lines:
        row = _counted(work, command, one)
        left[one.sku] = row.bought - row.returned
        entry = Entry(
            one.sku, command.place, one.amount, channel=command.channel, reference=command.receipt, by=command.by
        )
        stock.give_back(work, entry, sold_at=command.sold_at, is_damaged=one.condition == "damaged")
    number = work.number("return")
    properties = {
        "return_id": f"{command.receipt}-R{number}",
        "receipt_id": command.receipt,
        "store_id": command.place,
        "original_store_id": command.sold_at,
        "reason": command.why.strip()[:TEXT_MAX],
        "products": [{"sku": one.sku, "quantity": one.amount / 1_000} for one in command.lines],
    }
    told = {name: value for name, value in properties.items() if value}
    work.tell(Told(name="Product Returned", at=work.now, channel=command.channel, who=command.owners, properties=told))
    return TakenBack(number=command.receipt, amount=sum(one.amount for one in command.lines), left=left)


def _counted(work: Work, command: TakeBackReceipt, one: CameOfReceipt) -> Back:
    """The receipt's product with what came back now. What it said at first stays: later claims change nothing."""
    if one.bought <= 0:
        raise DefinitionInvalid(f"expected what was bought of {one.sku[:80]!r} to be above 0, got {one.bought}")
    before = work.get(BACKS, command.sold_at, command.receipt, one.sku)
    row = before or Back(command.sold_at, command.receipt, one.sku, one.bought, 0, work.now)
    if row.returned + one.amount > row.bought:
        raise Conflict(
            f"{row.bought} thousandths of {one.sku} were bought with receipt {command.receipt}, "
            f"{row.returned} came back, {one.amount} more cannot",
        )
    return work.put(BACKS, row._replace(returned=row.returned + one.amount, at=work.now))


def _check_conditions(lines: Sequence[tuple[int, str]]) -> None:
    if not 0 < len(lines) <= LINES_MAX:
        raise DefinitionInvalid(f"expected 1 to {LINES_MAX} lines, got {len(lines)}")
    for amount, condition in lines:
        if amount <= 0:
            raise DefinitionInvalid(f"expected an amount above 0, got {amount}")
        if condition not in CONDITIONS:
            raise DefinitionInvalid(f"expected condition to be {' or '.join(CONDITIONS)}, got {condition[:40]!r}")


ACTIONS = (Action(TakeBack, take_back, TakenBack), Action(TakeBackReceipt, take_back_receipt, TakenBack))
