"""Orders that other systems took: recorded as those stand there, whatever order their news come in."""

from __future__ import annotations

import msgspec

from cauce.commerce.loyalty import api as loyalty
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.outside import FactLine, Recorded, RecordOrder, record
from cauce.commerce.tills.deeds import Line, Order
from cauce.commerce.tills.store import (
    ORDERS_NAMED,
    ORDERS_TOLD,
    SEPARATOR,
    OrderNamed,
    OrderTold,
    id_of,
)
from cauce.commerce.transact.work import Work

FACTS_MAX = 200
"""News of one order that are kept; the oldest of more are what the latest say anyway."""


def told(work: Work, deed: Order) -> Recorded | None:
    """Records an order as everything that its source has told makes it; None while nobody has said what it is."""
    facts = _with(work, deed)
    standing = [one for one in facts if one.lines]
    if not standing:
        return None  # it was cancelled before anybody said what it was
    newest = standing[-1]
    command = RecordOrder(
        source=deed.where.source,
        source_id=deed.order,
        updated=facts[-1].where.at + len(facts),
        lines=tuple(_lines(newest)),
        currency=newest.currency,
        number=newest.number,
        channel=newest.where.channel,
        place=newest.place,
        owners=newest.who,
        shipping=newest.shipping,
        total=newest.total,
        is_cancelled=any(one.is_cancelled for one in facts),
        by=deed.where.source,
    )
    return record(work, command)


def named(work: Work, number: str) -> OrderNamed:
    """What is known of an order by its number."""
    id_ = id_of(f"order{SEPARATOR}{number}")
    return work.get(ORDERS_NAMED, id_) or OrderNamed(id_, number, "[]", 0)


def named_orders(work: Work, number: str, source: str) -> list[orders.Order]:
    """The orders that a fact of a source means by this: that platform's id of it, our number, or whosever id it is."""
    foreign = orders.foreign(work, source, number)
    if foreign:
        return [foreign]
    return [orders.numbered(work, number)] if orders.is_known(work, number) else orders.of_receipt(work, "", number)


def rewarded(work: Work, deed: Order) -> None:
    """An order earns once, whatever document tells of it; one that was given up earns nothing."""
    document = f"order:{deed.order}"[:200]
    where = deed.where
    if deed.is_cancelled:
        loyalty.claw_back(work, document, f"cancelled:{where.source}", where.at, whole=True)
        return
    if not deed.who:
        return
    lines = tuple(loyalty.Line(line.sku or line.items[0], max(0, line.price), line.amount) for line in deed.lines)
    loyalty.earn(
        work, "", deed.who, (document,), lines, where.channel, where.at, place=deed.place, currency=deed.currency
    )


def _with(work: Work, deed: Order) -> list[Order]:
    """Everything that was told of the order, with this, oldest first."""
    key = f"{deed.where.source}{SEPARATOR}{deed.order}"
    id_ = id_of(key)
    row = work.get(ORDERS_TOLD, id_) or OrderTold(id_, key, "[]")
    facts = [*msgspec.json.decode(row.facts, type=list[Order]), deed]
    facts.sort(key=lambda one: (one.where.at, one.key))
    kept = [one for one in facts if one.is_cancelled] + [one for one in facts if not one.is_cancelled][-FACTS_MAX:]
    work.put(ORDERS_TOLD, row._replace(facts=msgspec.json.encode(kept).decode()))
    return facts


def _lines(deed: Order) -> list[FactLine]:
    """A line for each product: systems number lines anew when an order changes."""
    found: dict[str, tuple[Line, int, int]] = {}
    for line in deed.lines:
        _, amount, price = found.get(line.sku, (line, 0, 0))
        found[line.sku] = (line, amount + line.amount, price + line.price)
    return [
        FactLine(
            ref=sku,
            sku=sku,
            amount=amount,
            price=round(price * 1_000 / amount),
            name=line.name,
            fulfilled=amount if deed.is_fulfilled and deed.place else 0,
            total=price,
        )
        for sku, (line, amount, price) in found.items()
    ]
