"""Points for what tills sold, and back for what came back: whatever the document, a purchase earns once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.loyalty import api as loyalty
from cauce.commerce.loyalty.ordering import line_of
from cauce.commerce.tills import returning
from cauce.commerce.tills.deeds import Cancel, Line, Return, Sale, without
from cauce.commerce.tills.store import SEPARATOR, Receipt
from cauce.commerce.transact.work import Work

LINES_MAX = 1_000


def earned(work: Work, deed: Sale) -> None:
    """What a receipt earns those whom it names; nothing when it names nobody, or for goods that an order earns for."""
    if not deed.who:
        return
    bought = deed if deed.order else _without_orders(work, deed)
    if deed.lines and not bought.lines:
        return
    lines = tuple(_lines(work, bought))[:LINES_MAX]
    documents = tuple(_named(one) for one in _documents(deed))
    where = deed.where
    loyalty.earn(
        work, "", deed.who, documents, lines, where.channel, where.at, place=deed.place, currency=deed.currency
    )


def clawed_back(work: Work, deed: Return) -> None:
    """What a return takes back of what its purchase earned, also when that is told later.

    Of goods of an order of our own it is the order's history that says so; of what else came with them the return.
    """
    document, key = returning.points_of(deed)
    others = returning.not_of_orders(work, deed)
    lines = tuple(
        loyalty.ReturnedLine(line.sku or line.items[0], abs(line.amount), abs(line.price)) for line in others
    )[:LINES_MAX]
    is_whole = not deed.lines and deed.total > 0
    if document and (lines or is_whole):
        amount = deed.total if is_whole else 0
        loyalty.claw_back(work, document, key, deed.where.at, lines=lines, amount=amount)


def cancelled(work: Work, deed: Cancel) -> None:
    """A receipt that does not count earns nothing."""
    key = _named(deed.key.replace(SEPARATOR, "/"))
    loyalty.claw_back(work, _named(deed.cancelled.replace(SEPARATOR, "/")), key, deed.where.at, whole=True)


def handed_over(work: Work, receipt: Receipt, handed: int, goods: Mapping[str, int]) -> None:
    """Goods on a receipt that has earned are of an order, which earns for them; `handed` is the hand-over."""
    lines = tuple(loyalty.ReturnedLine(sku, amount) for sku, amount in goods.items() if amount)[:LINES_MAX]
    document = _named(receipt.key.replace(SEPARATOR, "/"))
    if lines:
        loyalty.claw_back(work, document, f"hand-over {handed}", receipt.at, lines=lines)


def _without_orders(work: Work, deed: Sale) -> Sale:
    """A receipt without goods of orders that were handed over against it: their orders earn for them."""
    handed = fulfilment.handed_with(work, deed.place, deed.number, deed.where.at)
    if not handed:
        return deed
    return msgspec.structs.replace(deed, lines=without(deed.lines, handed))


def _documents(deed: Sale) -> Iterator[str]:
    """All names that a purchase is known by: what makes the receipt one, the number on it, the order."""
    yield deed.key.replace(SEPARATOR, "/")
    yield f"receipt/{deed.place}//{deed.number}"
    if deed.order:
        yield f"order:{deed.order}"


def _named(document: str) -> str:
    return document[: returning.NAME_CHARACTERS_MAX]


def _lines(work: Work, deed: Sale) -> Iterator[loyalty.Line]:
    for line in deed.lines:
        if line.amount > 0:
            yield _line(work, line)
    if not deed.lines and deed.total > 0:
        yield loyalty.Line("", deed.total)


def _line(work: Work, line: Line) -> loyalty.Line:
    if not line.sku:
        return loyalty.Line(line.items[0], max(0, line.price), line.amount)
    return line_of(work, line.sku, max(0, line.price), line.amount)
