"""What of an order the customer has been given, and what of that came back: read from its history, for good."""

from __future__ import annotations

from typing import NamedTuple

from cauce.commerce.orders import rules
from cauce.commerce.orders.moves import lines_of
from cauce.commerce.orders.store import HISTORY, Entry, Line, Order
from cauce.commerce.transact.work import Work

GIVEN = frozenset({rules.SHIPPED, rules.DELIVERED, rules.COLLECTED})
GIVEN_AT_A_DESK = frozenset({rules.DELIVERED, rules.COLLECTED})
"""What is on its way to the desk where it is collected is nobody's yet."""


class Given(NamedTuple):
    """What a customer has been given of an order since `since` (microseconds): each line with how much (thousandths).

    What came back still counts here; what is given once more counts once more.
    """

    since: int
    lines: tuple[tuple[Line, int], ...]


def changes(work: Work, after: int, limit: int) -> list[Entry]:
    """Entries of all orders' history behind an id, in order."""
    return work.select(HISTORY, "id > ? order by id limit ?", after, limit)


def last(work: Work) -> int:
    """The id of the latest entry, 0 when there is none."""
    return int(work.ask("select coalesce(max(id), 0) from order_history")[0][0])


def is_given(order: Order, entry: Entry) -> bool:
    """Whether by this entry the customer has got goods."""
    given = _given_of(order)
    return entry.became in given and entry.was not in given


def is_back(order: Order, entry: Entry) -> bool:
    """Whether by this entry goods came back that the customer had."""
    given = _given_of(order)
    return entry.was in given and entry.became not in given


def given_of(work: Work, order: Order) -> Given:
    """All that the customer has been given of an order by now."""
    amounts: dict[int, int] = {}
    since = 0
    for entry in work.select(HISTORY, "order_id = ? order by id", order.id):
        if entry.line and is_given(order, entry):
            amounts[entry.line] = amounts.get(entry.line, 0) + entry.amount
            since = since or entry.at
    lines = (line for line in lines_of(work, order) if line.line in amounts)
    return Given(since, tuple((line, amounts[line.line]) for line in lines))


def _given_of(order: Order) -> frozenset[str]:
    return GIVEN_AT_A_DESK if order.kind in rules.COLLECTED_KINDS else GIVEN
