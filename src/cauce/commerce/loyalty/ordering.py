"""Orders of Cauce earn when their goods are given to the customer, and give back what came back.

The history of orders is read on, entry by entry. What an order has earned is a function of all that was given of it by
now, so that goods given in parts, entries read twice, and receipts that tell of the same order make no difference: an
order earns once. Orders that another system took earn by what that system tells the river.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.loyalty import earning, programmes
from cauce.commerce.loyalty.earning import ClawBack, Earn
from cauce.commerce.loyalty.rules import Line, ReturnedLine
from cauce.commerce.loyalty.store import CURSORS, Cursor
from cauce.commerce.orders import api as orders
from cauce.commerce.orders import handed
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work

CURSOR = "orders"
ENTRIES_MAX = 500
AMOUNT_MAX = 2**43


class EarnOrders(Command, frozen=True, kw_only=True):
    """Reads on in the history of orders, at most `limit` entries."""

    limit: int = ENTRIES_MAX


def earn_orders(work: Work, command: EarnOrders) -> int:
    """How many entries were read. What was given before any programme was open earns nothing."""
    cursor = work.get(CURSORS, CURSOR) or Cursor(CURSOR, 0)
    entries = handed.changes(work, cursor.position, max(1, min(command.limit, ENTRIES_MAX)))
    if not entries:
        return 0
    until = entries[-1].id
    if programmes.heads(work, ""):
        of_order: dict[int, list[orders.Entry]] = {}
        for entry in entries:
            of_order.setdefault(entry.order_id, []).append(entry)
        for order_id, changes in of_order.items():
            _followed(work, orders.order(work, order_id), changes)
    else:
        until = handed.last(work)
    work.put(CURSORS, Cursor(CURSOR, until))
    return len(entries)


def document_of(number: str) -> str:
    """What a purchase is called that is the order of a number; receipts that tell of it name it so too."""
    return f"order:{number}"[: earning.TEXT_MAX]


def line_of(work: Work, sku: str, amount: int, quantity: int) -> Line:
    """What was bought of an article: `amount` minor units, `quantity` thousandths; as the catalogue knows it."""
    product = catalogue.product(work, sku)
    if product is None:
        return Line(sku, amount, quantity)
    gtin = product.gtins[0] if product.gtins else ""
    return Line(sku, amount, quantity, " > ".join(product.category), product.brand, gtin)


def _followed(work: Work, order: orders.Order, changes: Sequence[orders.Entry]) -> None:
    if order.source:
        return
    for entry in changes:
        if handed.is_back(order, entry):
            line = orders.line(work, order.id, entry.line)
            earning.claw_back(work, ClawBack(
                document=document_of(order.number), id=f"order entry {entry.id}", at=entry.at, channel=entry.channel,
                lines=(ReturnedLine(line.sku, min(entry.amount, AMOUNT_MAX)),),
            ))  # fmt: skip
    who = msgspec.json.decode(order.owners, type=tuple[str, ...])
    if who and any(handed.is_given(order, entry) for entry in changes):
        _earned(work, order, who)


def _earned(work: Work, order: orders.Order, who: tuple[str, ...]) -> None:
    given = handed.given_of(work, order)
    lines = tuple(
        line_of(work, line.sku, min(line.total * amount // line.amount, AMOUNT_MAX), min(amount, AMOUNT_MAX))
        for line, amount in given.lines
    )
    earning.earn(work, Earn(
        documents=(document_of(order.number),), who=who, at=given.since, lines=lines, channel=order.channel,
        place=order.place, currency=order.currency, leads=True,
    ))  # fmt: skip


ACTIONS = (Action(EarnOrders, earn_orders, int),)
