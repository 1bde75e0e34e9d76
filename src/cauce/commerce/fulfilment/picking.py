"""The shelf: goods are taken for an order, or are not there; what is short comes from elsewhere or is cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cauce.commerce.fulfilment.allocating import allocate, record, wish_of
from cauce.commerce.fulfilment.sourcing import Sourced, Within, sourced
from cauce.commerce.fulfilment.store import PARCELS, Parcel
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.api import Move, Note, Order
from cauce.commerce.stock import api as stock
from cauce.commerce.stock.api import Entry
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid

SHORT_REASONS = {
    "not_found": "It is not where it should be: the stock is corrected.",
    "damaged": "It is there and cannot be sold: it is booked as damaged.",
    "not_possible": "It is there, and cannot be taken now: the stock stays as it is.",
}
"""Why something is short, and what that does to the stock."""
LINES_MAX = 500
TEXT_MAX = 200


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a line at the shelf, in thousandths: so much was `picked`, so much is `short` and why."""

    line: int
    picked: int = 0
    short: int = 0
    why: str = "not_found"


class Pick(Command, frozen=True, kw_only=True):
    """Goods of an order (by number) were taken from the shelf of `place`, or were not there.

    `instead`: *source* looks for what is short in other places and cancels what none has; *cancel* does not look;
    *wait* leaves it without a place.
    """

    order: str
    place: str
    lines: tuple[Taken, ...]
    instead: str = "source"
    by: str = ""
    channel: str = ""


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """What is left to pick here of the order, and where what was short comes from now (`cancelled` from nowhere)."""

    order: str
    state: str
    left: int
    picked: int
    elsewhere: dict[str, int] = {}
    cancelled: int = 0
    choice: int = 0


class Unpick(Command, frozen=True, kw_only=True):
    """What was picked by mistake is put back on the shelf, and still promised."""

    order: str
    place: str
    lines: tuple[int, ...] = ()
    by: str = ""


class Send(Command, frozen=True, kw_only=True):
    """What `place` has picked of an order was given to a carrier, or to the van that goes to the store."""

    order: str
    place: str
    carrier: str = ""
    tracking: str = ""
    by: str = ""
    channel: str = ""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The parcel's number, counted by order and place, and how the order stands."""

    order: str
    state: str
    place: str
    parcel: int


def pick(work: Work, command: Pick) -> Picked:
    """Conflict when less is allocated to the place than is said to be taken or missing."""
    _check(command)
    order = orders.numbered(work, command.order)
    note = Note(command.by, command.channel)
    taken = [Move(one.line, "picked", one.picked, command.place, ("allocated",)) for one in command.lines if one.picked]
    short = tuple(one for one in command.lines if one.short)
    freed = [Move(one.line, "placed", one.short, command.place, ("allocated",)) for one in short]
    if taken or freed:
        order = orders.change(work, order.id, [*taken, *freed], note._replace(why=_told(short) or "picked"))
    for one in short:
        _correct(work, order, one, command)
    elsewhere, cancelled, choice = _instead(work, order, short, command, note) if short else ({}, 0, 0)
    order = orders.order(work, order.id)
    left, picked = here(work, order, command.place)
    return Picked(
        order=order.number,
        state=order.state,
        left=left,
        picked=picked,
        elsewhere=elsewhere,
        cancelled=cancelled,
        choice=choice,
    )


def unpick(work: Work, command: Unpick) -> Picked:
    """Conflict when nothing of it is picked there."""
    order = orders.numbered(work, command.order)
    moves = []
    for line in orders.lines_of(work, order):
        part = orders.allocation(work, order.id, line.line, command.place)
        if part and part.picked and (not command.lines or line.line in command.lines):
            moves.append(Move(line.line, "allocated", part.picked, command.place, ("picked",)))
    if not moves:
        raise Conflict(f"nothing of order {order.number} is picked in {command.place}")
    order = orders.change(work, order.id, moves, Note(command.by, why="put back on the shelf"))
    left, picked = here(work, order, command.place)
    return Picked(order=order.number, state=order.state, left=left, picked=picked)


def send(work: Work, command: Send) -> Sent:
    """Conflict when nothing of the order is picked there, or something is still to pick."""
    order = orders.numbered(work, command.order)
    if order.kind in orders.COLLECTED_KINDS and order.place == command.place:
        raise Conflict(f"order {order.number} is collected in {command.place} itself", hint="Say that it is ready")
    left, _ = here(work, order, command.place)
    if left:
        raise Conflict(
            f"{left} thousandths of order {order.number} are still to pick in {command.place}",
            hint="Pick them, or say that they are short",
        )
    moves = []
    for line in orders.lines_of(work, order):
        part = orders.allocation(work, order.id, line.line, command.place)
        if part and part.picked:
            moves.append(Move(line.line, "shipped", part.picked, command.place, ("picked",)))
    if not moves:
        raise Conflict(f"nothing of order {order.number} is picked in {command.place}")
    number = 1
    while work.get(PARCELS, order.id, command.place, number) is not None:
        number += 1
    carrier, tracking = command.carrier.strip()[:TEXT_MAX], command.tracking.strip()[:TEXT_MAX]
    why = " ".join(filter(None, (carrier, tracking))) or "sent"
    order = orders.change(work, order.id, moves, Note(command.by, command.channel, why))
    parcel = Parcel(order.id, command.place, number, work.now, carrier, tracking, command.by)
    work.append(PARCELS, parcel)
    return Sent(order=order.number, state=order.state, place=command.place, parcel=number)


def _check(command: Pick) -> None:
    if not 0 < len(command.lines) <= LINES_MAX:
        raise DefinitionInvalid(f"expected 1 to {LINES_MAX} lines, got {len(command.lines)}")
    if command.instead not in ("source", "cancel", "wait"):
        raise DefinitionInvalid(f"expected instead to be source, cancel or wait, got {command.instead[:40]!r}")
    numbers = [one.line for one in command.lines]
    if len(set(numbers)) < len(numbers):
        raise DefinitionInvalid("expected each line once")
    for one in command.lines:
        if one.picked < 0 or one.short < 0 or not one.picked + one.short:
            raise DefinitionInvalid(f"expected line {one.line} to have an amount picked or short, above 0")
        if one.short and one.why not in SHORT_REASONS:
            raise DefinitionInvalid(f"expected why to be one of {', '.join(SHORT_REASONS)}, got {one.why[:40]!r}")


def _told(short: Iterable[Taken]) -> str:
    return ", ".join(sorted({f"short: {one.why}" for one in short}))


def _correct(work: Work, order: Order, one: Taken, command: Pick) -> None:
    """The stock as the shelf shows it: what is missing or broken must not be promised to the next one."""
    sku = orders.line(work, order.id, one.line).sku
    entry = Entry(sku, command.place, one.short, channel=command.channel, reference=order.number, by=command.by)
    if one.why == "not_found":
        stock.adjust(work, msgspec.structs.replace(entry, amount=-one.short), "not found when picking")
    elif one.why == "damaged":
        stock.damage(work, entry)


def _instead(
    work: Work, order: Order, short: Sequence[Taken], command: Pick, note: Note
) -> tuple[dict[str, int], int, int]:
    """Finds another place for what is short: (amounts by place, cancelled amount, number of the decision)."""
    parts = [(orders.line(work, order.id, one.line), one.short) for one in short]
    why = _told(short)
    if command.instead == "source":
        for delivery in (order.kind, "ship_to_store") if order.kind in orders.COLLECTED_KINDS else (order.kind,):
            wish = wish_of(order, parts, delivery=delivery, not_places=(command.place,))
            found = sourced(Within(work), wish, work.now)
            if found.choice.taken:
                allocate(work, order, parts, found, note._replace(why=f"{why}; {found.rule}"[:TEXT_MAX]))
                return _sums(found), 0, record(work, order.id, wish, found, command.by)
    if command.instead == "wait":
        return {}, 0, 0
    moves = [Move(line.line, "cancelled", amount, "", ("placed",)) for line, amount in parts]
    orders.change(work, order.id, moves, note._replace(why=why, where=command.place))
    return {}, sum(amount for _, amount in parts), 0


def _sums(found: Sourced) -> dict[str, int]:
    return {place: sum(amounts.values()) for place, amounts in found.choice.taken.items()}


def here(work: Work, order: Order, place: str) -> tuple[int, int]:
    """What a place has still to pick of an order, and what it has picked."""
    left = picked = 0
    for line in orders.lines_of(work, order):
        part = orders.allocation(work, order.id, line.line, place)
        if part is not None:
            left += part.allocated
            picked += part.picked
    return left, picked


ACTIONS = (Action(Pick, pick, Picked), Action(Unpick, unpick, Picked), Action(Send, send, Sent))
