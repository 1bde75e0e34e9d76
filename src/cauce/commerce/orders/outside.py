"""Orders that another platform took: facts, which follow what it says and are never refused for a shortage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from cauce.commerce.orders import moves, placing, rules
from cauce.commerce.orders.moves import Move, Note
from cauce.commerce.orders.placing import NewLine, PlaceOrder, Standing, standing
from cauce.commerce.orders.store import FOREIGN, ORDERS, Line, Order
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid

FULFILLED = {"ship": rules.SHIPPED, "endless_aisle": rules.SHIPPED}
"""What goods are, by the kind of delivery, that a platform calls fulfilled; others are collected."""


class FactLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line as the platform has it now, named by its own id `ref`; amounts in thousandths, money in minor units.

    `amount` was ordered in all; of it `fulfilled` left, `returned` came back and `cancelled` never left.
    """

    ref: str
    sku: str
    amount: int
    price: int
    discount: int = 0
    tax: int = 0
    name: str = ""
    unit: str = ""
    fulfilled: int = 0
    returned: int = 0
    cancelled: int = 0
    total: int | None = None


class RecordOrder(Command, frozen=True, kw_only=True):
    """An order of another platform, as it stands there since `updated` (microseconds): older versions change nothing.

    `source` and `source_id` make it the same order however often it is told. `place` is where its goods are taken from;
    without one they wait to be allocated. `is_cancelled` gives up all that has not left.
    """

    source: str
    source_id: str
    updated: int
    lines: tuple[FactLine, ...]
    currency: str
    number: str = ""
    kind: str = "ship"
    channel: str = ""
    place: str = ""
    owners: tuple[str, ...] = ()
    contact: tuple[tuple[str, str], ...] = ()
    shipping: int = 0
    tax_included: bool = True
    total: int | None = None
    is_cancelled: bool = False
    tells: bool = False
    by: str = ""


class Recorded(msgspec.Struct, frozen=True):
    """How the order stands; `stale` when a newer version of it is known already."""

    order: Standing
    is_new: bool
    stale: bool


class _Goal(NamedTuple):
    """So much of a platform's line is to be in a state, or past it."""

    ref: str
    to: str
    amount: int


def record(work: Work, command: RecordOrder) -> Recorded:
    if not command.source or not command.source_id:
        raise DefinitionInvalid("expected the platform's name and its own id of the order")
    if command.total is not None and command.total < 0:
        raise DefinitionInvalid(f"expected a total of 0 or more minor units, got {command.total}")
    if len({line.ref for line in command.lines}) < len(command.lines):
        raise DefinitionInvalid("expected each line with a ref of its own", hint="Give the platform's id of the line")
    known = work.get(FOREIGN, command.source, command.source_id)
    if known is None:
        order = _taken(work, command)
    else:
        order = work.need(ORDERS, known.order_id)
        if command.updated <= order.source_updated:
            return Recorded(standing(order), is_new=False, stale=True)
        order = _edited(work, order, command)
    note = Note(command.by or command.source, command.channel, f"told by {command.source}", is_fact=True)
    note = note._replace(tells=command.tells)
    for goal in _goals(command):
        steps = list(_steps(work, order, goal, command.place))
        if steps:
            order = moves.change(work, order.id, steps, note)
    if command.place and not command.is_cancelled:
        waiting = [line for line in moves.lines_of(work, order) if line.placed]
        rest = [Move(line.line, rules.ALLOCATED, line.placed, command.place) for line in waiting]
        order = moves.change(work, order.id, rest, note) if rest else order
    return Recorded(standing(order), is_new=known is None, stale=False)


def _taken(work: Work, command: RecordOrder) -> Order:
    number = command.number or f"{command.source}-{command.source_id}"
    lines = tuple(map(_line, command.lines))
    placed = PlaceOrder(
        lines=lines,
        currency=command.currency,
        kind=command.kind,
        channel=command.channel or command.source,
        place=command.place,
        owners=command.owners,
        contact=command.contact,
        shipping=command.shipping,
        tax_included=command.tax_included,
        backorder=True,
        number=number,
        by=command.by or command.source,
    )
    placing.checked(placed)
    order = placing.written(work, placed, due=0, confirmed=work.now, adjustment=_adjustment(command, lines))
    order = placing.known_as(work, order, command.source, command.source_id, command.updated)
    note = Note(placed.by, placed.channel, f"told by {command.source}")
    moves.entered(work, order, became=rules.PLACED, note=note, amount=order.total)
    return order


def _edited(work: Work, order: Order, command: RecordOrder) -> Order:
    """The order with lines that were added since; what a line grew by is a line of its own."""
    known: dict[str, int] = {}
    for line in moves.lines_of(work, order):
        known[line.ref] = known.get(line.ref, 0) + line.amount
    count = order.line_count
    for fact in command.lines:
        more = fact.amount - known.get(fact.ref, 0)
        if more > 0:
            count += 1
            added = _line(msgspec.structs.replace(fact, amount=more, total=None if fact.ref in known else fact.total))
            placing.add_line(work, order, count, added)
    order = order._replace(line_count=count, source_updated=command.updated, changed=work.now)
    ours = sum(line.total for line in moves.lines_of(work, order)) + command.shipping
    total = ours if command.total is None else command.total
    return work.put(ORDERS, order._replace(total=total, shipping=command.shipping, adjustment=total - ours))


def _line(fact: FactLine) -> NewLine:
    return NewLine(
        sku=fact.sku,
        amount=fact.amount,
        price=fact.price,
        discount=fact.discount,
        tax=fact.tax,
        name=fact.name,
        unit=fact.unit,
        ref=fact.ref,
        total=fact.total,
    )


def _adjustment(command: RecordOrder, lines: Sequence[NewLine]) -> int:
    """What the platform's total differs by from what its lines and shipping come to."""
    if command.total is None:
        return 0
    return command.total - placing.sum_of(lines, command.tax_included) - command.shipping


def _goals(command: RecordOrder) -> Iterator[_Goal]:
    fulfilled = FULFILLED.get(command.kind, rules.COLLECTED)
    for line in command.lines:
        if max(line.fulfilled, line.returned) and not command.place:
            raise DefinitionInvalid(f"expected a place, because goods of line {line.ref!r} have left one")
        yield _Goal(line.ref, fulfilled, max(line.fulfilled, line.returned))
        yield _Goal(line.ref, rules.RETURNED, line.returned)
        yield _Goal(line.ref, rules.CANCELLED, line.amount if command.is_cancelled else line.cancelled)


def _steps(work: Work, order: Order, goal: _Goal, place: str) -> Iterator[Move]:
    """The moves that bring a line where the platform says it is; what is further already stays."""
    lines = [line for line in moves.lines_of(work, order) if line.ref == goal.ref]
    missing = goal.amount - sum(_there(line, goal.to) for line in lines)
    for line in lines:
        for was in _before(goal.to):
            amount = min(missing, getattr(line, was))
            if amount <= 0:
                continue
            missing -= amount
            previous = was
            for step in (goal.to,) if goal.to == rules.CANCELLED else rules.path(was, goal.to):
                yield Move(line.line, step, amount, place if step == rules.ALLOCATED else "", (previous,))
                previous = step


def _there(line: Line, state: str) -> int:
    """How much of a line is in a state or past it."""
    if state in (rules.CANCELLED, rules.RETURNED):
        return int(getattr(line, state))
    gone = (rules.SHIPPED, rules.DELIVERED, rules.COLLECTED, rules.RETURNED)
    return sum(getattr(line, one) for one in gone)


def _before(to: str) -> tuple[str, ...]:
    """The states from which a goal is made up, what is nearest first."""
    if to == rules.CANCELLED:
        return (rules.PLACED, rules.ALLOCATED, rules.PICKED, rules.READY)
    if to == rules.RETURNED:
        return (rules.COLLECTED, rules.DELIVERED, rules.SHIPPED)
    return (rules.READY, rules.PICKED, rules.ALLOCATED, rules.PLACED)


ACTIONS = (Action(RecordOrder, record, Recorded),)
