"""Goods come back, in any place: of an order, or of a till's receipt, and never more of them than were bought."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment.store import BACKS, DESK_BACKS, TOLD_BACK, Back, DeskBack, ToldBack
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
    """Conflict for more than the receipt says, less what came back before.

    Goods of an order that the receipt is of come back to the order's lines, and count there.
    """
    if not command.sold_at or not command.receipt or len(command.receipt) > TEXT_MAX:
        raise DefinitionInvalid("expected the number of the receipt, and the place that sold the goods")
    catalogue.need_place(work, command.place)
    _check_conditions([(line.amount, line.condition) for line in command.lines])
    left: dict[str, int] = {}
    rest: list[tuple[str, int]] = []
    for one in command.lines:
        ordered, of_orders = _back_to_orders(work, command, one)
        more = one.amount - ordered
        bought, returned = _counted(work, command, one, more, of_orders)
        left[one.sku] = max(0, bought - returned)
        if more:
            _kept(work, command, one, more)
            rest.append((one.sku, more))
    if rest:
        _tell(work, command, rest)
    return TakenBack(number=command.receipt, amount=sum(one.amount for one in command.lines), left=left)


def _kept(work: Work, command: TakeBackReceipt, one: CameOfReceipt, amount: int) -> None:
    """What is of no order that is known goes back to the stock; which return it was is kept for when one is."""
    is_damaged = one.condition == "damaged"
    entry = Entry(one.sku, command.place, amount, channel=command.channel, reference=command.receipt, by=command.by)
    stock.give_back(work, entry, sold_at=command.sold_at, is_damaged=is_damaged)
    work.append(DESK_BACKS, DeskBack(
        work.number("receipt_desk_back"), command.sold_at, orders.receipt_number(command.receipt), one.sku, amount,
        command.place, int(is_damaged), command.channel, work.now, command.by,
    ))  # fmt: skip


def desk_backs_now(work: Work) -> list[DeskBack]:
    """Returns at desks by the command at work that went to the stock."""
    return work.changed(DESK_BACKS)


def is_of_order(work: Work, place: str, receipt: str, sku: str, amount: int) -> None:
    """So much of what desks took back of a receipt turned out to be of an order, whose lines account for it now."""
    row = work.need(BACKS, place, orders.receipt_number(receipt), sku)
    work.put(BACKS, row._replace(returned=row.returned - amount))


def told_back(work: Work, place: str, receipt: str, sku: str, amount: int) -> int:
    """A till says so much came back of a receipt of `place` (below 0: it did not after all).

    How much of it is news: what a desk took back of the receipt is the same goods once there is no more of them.
    """
    number = orders.receipt_number(receipt)
    told = work.get(TOLD_BACK, place, number, sku) or ToldBack(place, number, sku, 0)
    desk = work.get(BACKS, place, number, sku)
    new = amount if desk is None or amount < 0 else max(0, min(amount, desk.bought - desk.returned - told.amount))
    if new:
        work.put(TOLD_BACK, told._replace(amount=max(0, told.amount + new)))
    return new


def _back_to_orders(work: Work, command: TakeBackReceipt, one: CameOfReceipt) -> tuple[int, int]:
    """What of it came back now to lines of the receipt's orders, and what by now came back to them in all."""
    left, returned = one.amount, 0
    why = command.why.strip()[:TEXT_MAX] or one.condition
    note = Note(command.by, command.channel, why, command.place, damaged=one.condition == "damaged")
    for order in orders.of_receipt(work, command.sold_at, command.receipt):
        for line in orders.lines_of(work, order):
            if line.sku != one.sku:
                continue
            back = min(left, line.delivered + line.collected)
            if back:
                orders.change(work, order.id, [Move(line.line, "returned", back, "", ("delivered", "collected"))], note)
            left -= back
            returned += line.returned + back
    return one.amount - left, returned


def _counted(work: Work, command: TakeBackReceipt, one: CameOfReceipt, amount: int, of_orders: int) -> tuple[int, int]:
    """What the receipt says was bought of a product, and what of it came back in all, with `amount` that does now.

    What it said at first stays: later claims change nothing. `of_orders` of it came back to lines of orders.
    """
    number = orders.receipt_number(command.receipt)
    before = work.get(BACKS, command.sold_at, number, one.sku)
    if before is None and not amount:
        return one.bought, of_orders
    if one.bought <= 0:
        raise DefinitionInvalid(f"expected what was bought of {one.sku[:80]!r} to be above 0, got {one.bought}")
    row = before or Back(command.sold_at, number, one.sku, one.bought, 0, work.now)
    returned = row.returned + _told(work, command, one.sku) + of_orders
    if amount and returned + amount > row.bought:
        raise Conflict(
            f"{row.bought} thousandths of {one.sku} were bought with receipt {command.receipt}, "
            f"{returned} came back, {amount} more cannot",
        )
    if amount:
        work.put(BACKS, row._replace(returned=row.returned + amount, at=work.now))
    return row.bought, returned + amount


def _told(work: Work, command: TakeBackReceipt, sku: str) -> int:
    """What tills said came back of the receipt."""
    told = work.get(TOLD_BACK, command.sold_at, orders.receipt_number(command.receipt), sku)
    return told.amount if told else 0


def _tell(work: Work, command: TakeBackReceipt, lines: Sequence[tuple[str, int]]) -> None:
    number = work.number("return")
    properties = {
        "return_id": f"{command.receipt}-R{number}",
        "receipt_id": command.receipt,
        "store_id": command.place,
        "original_store_id": command.sold_at,
        "reason": command.why.strip()[:TEXT_MAX],
        "products": [{"sku": sku, "quantity": amount / 1_000} for sku, amount in lines],
    }
    told = {name: value for name, value in properties.items() if value}
    work.tell(Told(name="Product Returned", at=work.now, channel=command.channel, who=command.owners, properties=told))


def _check_conditions(lines: Sequence[tuple[int, str]]) -> None:
    if not 0 < len(lines) <= LINES_MAX:
        raise DefinitionInvalid(f"expected 1 to {LINES_MAX} lines, got {len(lines)}")
    for amount, condition in lines:
        if amount <= 0:
            raise DefinitionInvalid(f"expected an amount above 0, got {amount}")
        if condition not in CONDITIONS:
            raise DefinitionInvalid(f"expected condition to be {' or '.join(CONDITIONS)}, got {condition[:40]!r}")


ACTIONS = (Action(TakeBack, take_back, TakenBack), Action(TakeBackReceipt, take_back_receipt, TakenBack))
