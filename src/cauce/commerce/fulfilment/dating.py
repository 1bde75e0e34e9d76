"""When lines that wait can be had: what is to come, by day, is shared out among them, the oldest order first.

A line has a time once all that it waits for is announced for places that may serve it by the rules in force. A day says
no hour, so goods count from its end; what should have come before today and did not counts for nothing. The time is
said anew when it moves, and withdrawn when there is none any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.catalogue.api import Place, Position
from cauce.commerce.fulfilment.rules import promise
from cauce.commerce.fulfilment.rules.definition import Rule, rule_for
from cauce.commerce.fulfilment.rules.sourcing import Asked, Candidate, Need, why_not
from cauce.commerce.fulfilment.sourcing import InForce, Within, in_force, kilometres, sent_to
from cauce.commerce.fulfilment.store import AWAITED, BACKORDERS, Awaited, Rows
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.api import Line, Order
from cauce.commerce.stock import api as stock
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.model.time import DAY, SECOND

PRODUCTS_MAX = 20
LINES_MAX = 1_000
"""Lines of a product that have a time, the oldest; who stands behind them has none until there are fewer."""
SUPPLIES_MAX = 500
"""Announcements of a product that are looked at, the next ones."""


class DateWaiting(Command, frozen=True, kw_only=True):
    """Lines that wait get their times from what is to come, where that or who waits has changed; so many products."""

    limit: int = PRODUCTS_MAX


class Dated(msgspec.Struct, frozen=True):
    """Numbers of orders of which a line has another time, or none any more."""

    orders: tuple[str, ...] = ()


def date_waiting(work: Work, command: DateWaiting) -> Dated:
    limit = max(1, min(command.limit, PRODUCTS_MAX))
    found = work.select(AWAITED, "undated = 1 and sku <> '' order by sku limit ?", limit)
    if not found:
        return Dated()
    rules = in_force(Within(work))
    changed = [number for awaited in found for number in _dated(work, awaited, rules)]
    return Dated(tuple(dict.fromkeys(changed)))


def undated(work: Work, sku: str) -> None:
    """The times of those who wait for a product have to be made anew."""
    awaited = work.get(AWAITED, sku)
    if awaited is not None and not awaited.undated:
        work.put(AWAITED, awaited._replace(undated=1))


def expected_of(rows: Rows, order_id: int) -> dict[int, int]:
    """When lines of an order that wait can be had, by their numbers, in microseconds; those that have a time."""
    found = rows.select(
        f"select line, promised from {BACKORDERS.name} where order_id = ? and promised > 0 order by line", (order_id,)
    )
    return {int(line): int(moment) for line, moment in found}


def may_wait(order: Order, now: int) -> bool:
    """Whether lines of an order are served when goods come.

    Another platform's order is served by that platform; one whose time to pay has run out by nobody.
    """
    return not order.source and (bool(order.confirmed) or not 0 < order.due <= now)


# -- one product --------------------------------------------------------------------------------------------------


class _Supply:
    """What is to come to a place until the end of a day, and how much of it nobody has claimed."""

    __slots__ = ("day", "left", "place")

    def __init__(self, place: Place, day: str, left: int) -> None:
        self.place, self.day, self.left = place, day, left

    @property
    def there(self) -> int:
        """From when on it counts: the end of its day, as clocks in the place show it (microseconds)."""
        return catalogue.midnight(self.place, date.fromisoformat(self.day) + timedelta(days=1))


class _Way(NamedTuple):
    """How goods of an order come, which says what place may serve it and when; alike for many orders."""

    rule: Rule | None
    destination: str
    position: Position | None
    is_collected: bool


def _dated(work: Work, awaited: Awaited, rules: InForce) -> list[str]:
    """The numbers of orders that wait for a product and have another time now."""
    work.put(AWAITED, awaited._replace(undated=0))
    supplies = _supplies(work, awaited.sku)
    lines = work.select(BACKORDERS, "sku = ? order by order_id, line limit ?", awaited.sku, LINES_MAX)
    behind = "sku = ? and promised > 0 and order_id > ? order by order_id, line limit ?"
    if len(lines) == LINES_MAX:
        lines += work.select(BACKORDERS, behind, awaited.sku, lines[-1].order_id, LINES_MAX)
    if not supplies and not any(row.promised for row in lines):
        return []
    ready: dict[tuple[_Way, str, str], int | None] = {}
    changed: dict[int, list[tuple[Line, int]]] = {}
    for number, row in enumerate(lines):
        order, line = orders.order(work, row.order_id), orders.line(work, row.order_id, row.line)
        has_time = number < LINES_MAX and may_wait(order, work.now)
        moment = _claimed(work, (order, line), supplies, rules, ready) if has_time else 0
        if moment != row.promised:
            work.put(BACKORDERS, row._replace(promised=moment))
            changed.setdefault(order.id, []).append((line, moment))
    told = [(orders.order(work, id_), parts) for id_, parts in changed.items()]
    for order, parts in told:
        orders.tell_expected(work, order, parts)
    return [order.number for order, _ in told]


def _supplies(work: Work, sku: str) -> list[_Supply]:
    """What is to come of a product, the next first."""
    found = []
    yesterday = datetime.fromtimestamp((work.now - DAY) // SECOND, UTC).date().isoformat()  # it may be today somewhere
    for row in stock.to_come(work, sku, yesterday, SUPPLIES_MAX):
        place = catalogue.place(Within(work), row.place)
        if place is not None and row.day >= catalogue.day_at(place, work.now).isoformat():
            found.append(_Supply(place, row.day, row.amount - row.met))
    return found


def _claimed(
    work: Work,
    wanted: tuple[Order, Line],
    supplies: Sequence[_Supply],
    rules: InForce,
    ready: dict[tuple[_Way, str, str], int | None],
) -> int:
    """When all of a line can be had; it claims what is to come, also when that is not enough for a time."""
    order, line = wanted
    left, moment = line.placed, 0
    way = _way(work, order, rules)
    for supply in supplies:
        if not left or way.rule is None:
            break
        known = way, supply.place.id, supply.day
        if supply.left and known not in ready:
            ready[known] = _ready(work, way, supply, line.sku)
        at = ready.get(known) if supply.left else None
        if at is None:
            continue
        taken = min(left, supply.left)
        supply.left -= taken
        left -= taken
        moment = max(moment, at)
    return 0 if left else moment


def _way(work: Work, order: Order, rules: InForce) -> _Way:
    is_collected = order.kind in orders.COLLECTED_KINDS
    position = None if is_collected else sent_to(work, order.id)
    return _Way(rule_for(rules.rules, order.kind, order.channel), order.place, position, is_collected)


def _ready(work: Work, way: _Way, supply: _Supply, sku: str) -> int | None:
    """When goods that come with a supply are ready for an order; None when the place may not serve it."""
    assert way.rule is not None, "looked at before"
    rows, place, there = Within(work), supply.place, supply.there
    desk = catalogue.place(rows, way.destination) if way.destination else None
    centre = way.position or (desk.position if desk else None)
    candidate = Candidate(
        place=place.id,
        roles=frozenset(place.roles),
        distance_km=kilometres(place, centre),
        opens=catalogue.next_opening(place, there),
        ready=promise.ready_at(place, desk if way.is_collected else None, there, way.rule.promise),
    )
    asked = Asked(needs=(Need(sku, supply.left),), now=there, destination=way.destination)
    return candidate.ready if why_not(way.rule, asked, candidate) is None else None


ACTIONS = (Action(DateWaiting, date_waiting, Dated),)
