"""Orders as other parts and doors see them: changes within a unit of work, and questions about what is committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cauce.commerce.orders import goods
from cauce.commerce.orders.changing import Advance, Cancel, Change, moves_to
from cauce.commerce.orders.moves import Move, Note, change, expired, lines_of, parts_of
from cauce.commerce.orders.papers import of_receipt, paid_with, receipt_needs, receipt_number
from cauce.commerce.orders.placing import Confirm, NewLine, Part, PlaceOrder, Standing, confirm, place, standing
from cauce.commerce.orders.rules import COLLECTED_KINDS, DELIVERIES, STATES, TRANSITIONS, Delivery, Transition
from cauce.commerce.orders.store import (
    ALLOCATIONS,
    FOREIGN,
    LINES,
    NUMBERS,
    ORDERS,
    OWNERS,
    TABLES,
    Allocation,
    Entry,
    Line,
    Order,
)
from cauce.commerce.orders.telling import tell_expected
from cauce.commerce.transact.records import Records
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, NotFound

__all__ = [
    "CHANGED",
    "COLLECTED_KINDS",
    "DELIVERIES",
    "OWNER",
    "STATES",
    "TABLES",
    "TRANSITIONS",
    "Advance",
    "Allocation",
    "Cancel",
    "Change",
    "Confirm",
    "Delivery",
    "Entry",
    "Line",
    "Move",
    "NewLine",
    "Note",
    "Order",
    "Part",
    "PlaceOrder",
    "Standing",
    "Transition",
    "advance",
    "allocation",
    "change",
    "changed_now",
    "confirm",
    "expired",
    "foreign",
    "is_known",
    "line",
    "lines_changed_now",
    "lines_of",
    "moves_to",
    "numbered",
    "of_receipt",
    "order",
    "owned_by",
    "paid_with",
    "parts_of",
    "place",
    "placed_lines",
    "prolong",
    "promise",
    "receipt_needs",
    "receipt_number",
    "standing",
    "tell_expected",
]

OWNER = goods.OWNER
"""The word before the colon of the owners of holds that belong to orders; `expired` is told when one runs out."""

CHANGED: frozenset[Records[Any]] = frozenset({ORDERS, LINES})
"""Tables of which a command that changes an order, or a line of one, changes a row."""


# Within a unit of work


def advance(
    work: Work,
    order: int,
    line: int,
    to: str,
    amount: int,
    *,
    place: str = "",
    was: str | Sequence[str] = (),
    where: str = "",
    by: str = "",
    channel: str = "",
    why: str = "",
) -> Order:
    """So much of a line (thousandths) comes into a state, as the table of transitions allows.

    `place` is the place whose part it is, `where` the place where it happened when that is another one. Several at
    once, with one fact for the river, are `change`. Conflict, Shortage and Ended as there.
    """
    states = (was,) if isinstance(was, str) and was else tuple(was)
    return change(work, order, [Move(line, to, amount, place, states)], Note(by, channel, why, where))


def order(work: Work, id_: int) -> Order:
    """The order; NotFound."""
    return work.need(ORDERS, id_)


def is_known(work: Work, number: str) -> bool:
    """Whether an order has this number."""
    return work.get(NUMBERS, number) is not None


def numbered(work: Work, number: str) -> Order:
    """The order of a number; NotFound."""
    found = work.get(NUMBERS, number)
    if found is None:
        raise NotFound(f"there is no order {number!r}")
    return work.need(ORDERS, found.order_id)


def changed_now(work: Work) -> list[Order]:
    """Orders that the command at work has changed, as they are now."""
    return work.changed(ORDERS)


def lines_changed_now(work: Work) -> list[tuple[Line, Line | None]]:
    """Lines that the command at work has changed, or whose order it has confirmed: as they are, and were before."""
    found = {(row.order_id, row.line): row for row in work.changed(LINES)}
    for row in work.changed(ORDERS):
        before = work.before(ORDERS, row.id)
        if before and (before.confirmed, before.due, before.source) != (row.confirmed, row.due, row.source):
            found.update(((one.order_id, one.line), one) for one in lines_of(work, row))
    return [(row, work.before(LINES, key)) for key, row in found.items()]


def placed_lines(work: Work) -> list[Line]:
    """Lines of which something has no place yet; asks the tables."""
    open_ = f"select id from {ORDERS.name} where state = 'placed'"
    return work.select(LINES, f"placed > 0 and order_id in ({open_}) order by order_id, line")


def foreign(work: Work, source: str, source_id: str) -> Order | None:
    """The order that another platform calls so; None when it is not known here."""
    found = work.get(FOREIGN, source, source_id)
    return work.need(ORDERS, found.order_id) if found else None


def owned_by(work: Work, owners: Sequence[str], limit: int = 50) -> list[Order]:
    """Orders of these identifiers, the latest first; asks the tables."""
    ids = {row.order_id for owner in owners for row in work.select(OWNERS, "owner = ?", owner)}
    return [work.need(ORDERS, id_) for id_ in sorted(ids, reverse=True)[:limit]]


def line(work: Work, order_id: int, number: int) -> Line:
    """A line of an order; NotFound."""
    return work.need(LINES, order_id, number)


def allocation(work: Work, order_id: int, number: int, place_name: str) -> Allocation | None:
    """The part that a place has in a line, None when it has none."""
    return work.get(ALLOCATIONS, order_id, number, place_name)


def promise(work: Work, order_id: int, moment: int) -> Order:
    """The customer is told to have it at another time (microseconds)."""
    return work.put(ORDERS, work.need(ORDERS, order_id)._replace(promised=moment, changed=work.now))


def prolong(work: Work, order_id: int, due: int) -> Order:
    """What is held for a confirmed order stays held until `due` (microseconds, 0: no end): a customer comes later.

    Conflict when the order is not confirmed; Ended when what was held has run out.
    """
    found = work.need(ORDERS, order_id)
    if not found.confirmed:
        raise Conflict(f"order {found.number} waits for its payment", hint="Confirm it first")
    for one in lines_of(work, found):
        for part in parts_of(work, one):
            if part.held:
                goods.must_be_open(work, part)
                work.put(ALLOCATIONS, goods.renew(work, part, one.sku, due))
    return work.put(ORDERS, found._replace(due=due, changed=work.now))
