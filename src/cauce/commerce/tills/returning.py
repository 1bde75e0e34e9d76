"""Goods that came back with a receipt or an order's number: to the lines of an order that is known, else to the stock.

A return has one effect, whatever order the news come in. Goods of an order come back to its lines, never more than the
customer was given: what a desk took back already comes back no second time, and what the desk has not recorded as
handed over yet waits until it has. When a receipt turns out to be of an order, what its returns did is taken over. A
desk's return with a receipt of which no order is known is one of them: it comes first, and nothing of it is dropped,
for the goods lie there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty import api as loyalty
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.api import Move, Note
from cauce.commerce.stock.api import DAMAGED, FREE, SOLD, place_of
from cauce.commerce.stock.facts import Entry, Side, carried
from cauce.commerce.tills import ordering
from cauce.commerce.tills.deeds import Line as Bought
from cauce.commerce.tills.deeds import Return, Where, without
from cauce.commerce.tills.store import (
    RECEIPTS,
    RETURNS,
    RETURNS_NAMED,
    SEPARATOR,
    Returned,
    ReturnsNamed,
    id_of,
    keyed,
)
from cauce.commerce.transact.work import Work

NAME_CHARACTERS_MAX = 200
NAMED_MAX = 200
"""Returns of one receipt or order that are remembered."""
WHOLE = 2**62
"""More than ever came back: all of a product."""
Lines = list[tuple[str, int]]
_DESK = f"desk{SEPARATOR}"
"""How the keys of desks' returns begin; those of tills begin with *return*."""


def came(work: Work, deed: Return, lines: Iterable[tuple[str, int]]) -> None:
    """Goods of a return that is new, or of lines of it whose product was not known before: (SKU, thousandths)."""
    wanted = [(sku, abs(amount)) for sku, amount in lines if amount]  # some tills count returns below 0
    if not wanted:
        return
    row = _row(work, deed)
    names = _names(work, deed)
    _put(work, _carried_out(work, deed, row, wanted))
    for name in names:
        _remember(work, name, row.id)


def desk_took_back(work: Work, back: fulfilment.DeskBack) -> None:
    """A desk took goods back with a receipt, to the stock: they go to the orders that it is of once those are known."""
    where = Where(0, back.by or "desk", back.channel, "", back.at)
    deed = Return(
        where=where, key=f"{_DESK}{back.id}", place=back.came_to, number=back.receipt, lines=(), sold_at=back.place,
        is_damaged=bool(back.damaged), receipt=back.receipt,
    )  # fmt: skip
    row = _row(work, deed)
    _put(work, row._replace(plain=_json([(back.sku, back.amount)])))
    name = _receipt_name(back.place, back.receipt)
    _remember(work, name, row.id)
    _take_over(work, name)


def not_of_orders(work: Work, deed: Return) -> tuple[Bought, ...]:
    """Lines of a return as far as no order of our own accounts for them, and for their points."""
    row = work.get(RETURNS, _row(work, deed).id)
    lines = [msgspec.structs.replace(line, amount=abs(line.amount)) for line in deed.lines]
    return without(lines, _ours(row) if row else {})


def points_of(deed: Return) -> tuple[str, str]:
    """The document whose points a return takes back ("" when it names none), and what it is called there."""
    document = f"order:{deed.order}" if deed.order else deed.origin
    return document[:NAME_CHARACTERS_MAX], deed.key.replace(SEPARATOR, "/")[:NAME_CHARACTERS_MAX]


def order_known(work: Work, number: str, order_id: int) -> None:
    """An order of another platform is known from now on by this id: what came back of it is its own."""
    orders.paid_with(work, "", number, order_id)
    _take_over(work, f"order{SEPARATOR}{number}")


def receipt_known(work: Work, place: str, number: str, key: str, order_ids: Iterable[int]) -> None:
    """A receipt is of these orders: what came back of it came back of them. `key` is what makes it one, or ""."""
    for id_ in order_ids:
        orders.paid_with(work, place, number, id_)
    _take_over(work, _receipt_name(place, number))
    if key:
        _take_over(work, f"key{SEPARATOR}{key}")


def order_changed(work: Work, order_id: int) -> None:
    """Goods of an order moved on: what tills say came back of it, and was not known to be handed over, may be now."""
    waiting = work.get(RETURNS_NAMED, id_of(_waiting_name(order_id)))
    if waiting is None:
        return
    still = []
    for row in _rows(work, waiting):
        deed = msgspec.json.decode(row.deed, type=Return)
        waits = []
        plain = msgspec.json.decode(row.plain, type=Lines)
        for order, sku, amount in msgspec.json.decode(row.waits, type=list[tuple[int, str, int]]):
            left = amount
            if order == order_id:
                left -= _brought_back(work, orders.order(work, order), sku, amount, deed)
                over = max(0, left - _open(work, orders.order(work, order), sku))
                if over and _is_desks(deed) and (moved := _given_back(work, deed, sku, over)):
                    plain.append((sku, moved))
                left -= over
            if left:
                waits.append((order, sku, left))
        work.put(RETURNS, row._replace(waits=_json(waits), plain=_json(plain)))
        if any(order == order_id for order, _, _ in waits):
            still.append(row.id)
    if still:
        work.put(RETURNS_NAMED, waiting._replace(returns=_json(still)))
    else:
        work.drop(RETURNS_NAMED, waiting.id)


# -- one return -------------------------------------------------------------------------------------------------------


def _carried_out(work: Work, deed: Return, row: Returned, lines: Lines) -> Returned:
    """Gives so much back: to the orders that it is of as far as they have it, else to the stock."""
    of, is_named = _orders(work, deed)
    plain: Lines = msgspec.json.decode(row.plain, type=Lines)
    waits = msgspec.json.decode(row.waits, type=list[tuple[int, str, int]])
    for sku, amount in lines:
        left = amount
        having = [order for order in of if _has(work, order, sku)]
        for order in having:
            back = _brought_back(work, order, sku, left, deed)
            if back and not order.source:
                row = _with_ours(row, sku, back)
            left -= back
        for order in having if is_named else ():
            waiting = min(left, _open(work, orders.order(work, order.id), sku))
            if waiting:
                waits.append((order.id, sku, waiting))
                left -= waiting
        if is_named and any(not order.source for order in having):
            row = _with_ours(row, sku, WHOLE)
        if (_is_desks(deed) or not (having and is_named)) and left and (moved := _given_back(work, deed, sku, left)):
            plain.append((sku, moved))
    for order_id in dict.fromkeys(order for order, _, _ in waits):
        _remember(work, _waiting_name(order_id), row.id)
    return row._replace(plain=_json(plain), waits=_json(waits))


def _given_back(work: Work, deed: Return, sku: str, amount: int) -> int:
    """Goods came back to where they now are, and leave the books of where they were sold; how many of them are new."""
    place, number = _receipt_of(work, deed)
    if number and not _is_desks(deed):
        amount = fulfilment.told_back(work, place, number, sku, amount)
    if amount:
        target = DAMAGED if deed.is_damaged else FREE
        carried(work, _entry(deed, sku, amount), Side(place, SOLD), Side(deed.place, target), "returned")
    return amount


def _taken_back(work: Work, deed: Return, sku: str, amount: int) -> bool:
    """Undoes `_given_back`; False when the goods are not where they were kept any more, and it stays."""
    place, number = _receipt_of(work, deed)
    target = DAMAGED if deed.is_damaged else FREE
    if deed.is_damaged and ledger.account(work, place_of(sku, deed.place, DAMAGED)).available < amount:
        return False
    carried(work, _entry(deed, sku, amount), Side(deed.place, target), Side(place, SOLD), "returned")
    if number and not _is_desks(deed):
        fulfilment.told_back(work, place, number, sku, -amount)
    return True


def _is_desks(deed: Return) -> bool:
    return deed.key.startswith(_DESK)


def _entry(deed: Return, sku: str, amount: int) -> Entry:
    where = deed.where
    return Entry(sku, deed.place, amount, where.at, where.channel, deed.number, where.source)


def _take_over(work: Work, name: str) -> None:
    """What returns under a name did to the stock, they do to the order that is known now."""
    named = work.get(RETURNS_NAMED, id_of(name))
    for row in _rows(work, named) if named else ():
        deed = msgspec.json.decode(row.deed, type=Return)
        if not _orders(work, deed)[0]:
            continue
        stays: Lines = []
        goes: Lines = []
        for sku, amount in msgspec.json.decode(row.plain, type=Lines):
            (goes if _taken_back(work, deed, sku, amount) else stays).append((sku, amount))
        if goes:
            after = _carried_out(work, deed, row._replace(plain=_json(stays)), goes)
            _put(work, after)
            before = _ours(row)
            ours = {sku: amount - before.get(sku, 0) for sku, amount in _ours(after).items()}
            if any(ours.values()):  # from now on the order's history takes their points back
                loyalty.forget_return(work, *points_of(deed), ours)


# -- orders -----------------------------------------------------------------------------------------------------------


def _orders(work: Work, deed: Return) -> tuple[list[orders.Order], bool]:
    """The orders that a return is of: the one that it names, those of its receipt, or else those of who brought it.

    And whether it named them: what it only may be of is theirs as far as they were given it, and no further.
    """
    named = ordering.named_orders(work, deed.order, deed.where.source) if deed.order else []
    if named:
        return named, True
    place, number = _receipt_of(work, deed)
    if number:
        return orders.of_receipt(work, place, number), True
    is_open = deed.who and not (deed.order or deed.origin_key)
    return (orders.owned_by(work, deed.who) if is_open else []), False


def _has(work: Work, order: orders.Order, sku: str) -> bool:
    return any(line.sku == sku for line in orders.lines_of(work, order))


def _brought_back(work: Work, order: orders.Order, sku: str, amount: int, deed: Return) -> int:
    """How much of it comes back to lines of the order: what the customer was given, and did not bring back before."""
    where = deed.where
    why = f"receipt {deed.receipt}" if _is_desks(deed) else f"told by {where.source}: {deed.number}"
    note = Note(
        where.source, where.channel, why[:200], deed.place,
        damaged=deed.is_damaged, is_fact=True, tells=False, at=where.at,
    )  # fmt: skip
    left = amount
    for line in orders.lines_of(work, order):
        if line.sku != sku or not left:
            continue
        # Carriers often do not say that they have delivered; who brings goods back has had them.
        shipped = 0 if order.kind in orders.COLLECTED_KINDS else line.shipped
        given = line.delivered + line.collected
        back = min(left, given + shipped)
        moves = [Move(line.line, "delivered", back - given, "", ("shipped",))] if back > given else []
        if back:
            moves.append(Move(line.line, "returned", back, "", ("delivered", "collected")))
            orders.change(work, order.id, moves, note)
        left -= back
    if _is_desks(deed) and amount > left:
        fulfilment.is_of_order(work, *_receipt_of(work, deed), sku, amount - left)
    return amount - left


def _open(work: Work, order: orders.Order, sku: str) -> int:
    """How much of it the customer may still be given."""
    return sum(
        line.placed + line.allocated + line.picked + line.ready + line.shipped
        for line in orders.lines_of(work, order)
        if line.sku == sku
    )


# -- names ------------------------------------------------------------------------------------------------------------


def _receipt_of(work: Work, deed: Return) -> tuple[str, str]:
    """The place and the printed number of the receipt that goods were sold with; "" for a number that nobody knows."""
    place = deed.sold_at or deed.place
    if deed.receipt or not deed.origin_key:
        return place, deed.receipt
    _, known = keyed(work, RECEIPTS, deed.origin_key)
    return place, known.number if known else ""


def _names(work: Work, deed: Return) -> list[str]:
    """What a return is found by when its order becomes known later."""
    place, number = _receipt_of(work, deed)
    names = [f"order{SEPARATOR}{deed.order}"] if deed.order else []
    names += [_receipt_name(place, number)] if number else []
    return names + ([f"key{SEPARATOR}{deed.origin_key}"] if deed.origin_key else [])


def _receipt_name(place: str, number: str) -> str:
    return SEPARATOR.join(("receipt", place, orders.receipt_number(number)))


def _waiting_name(order_id: int) -> str:
    return f"waits{SEPARATOR}{order_id}"


def _row(work: Work, deed: Return) -> Returned:
    """The row of a return, a fresh one when there is none yet; it names nobody."""
    id_, known = keyed(work, RETURNS, deed.key)
    if known is not None:
        return known
    body = msgspec.json.encode(msgspec.structs.replace(deed, lines=(), who=())).decode()
    return Returned(id_, deed.key, body, "[]", "[]", 0, "[]")


def _rows(work: Work, named: ReturnsNamed) -> list[Returned]:
    """The returns of a name, those of desks first."""
    rows = [work.need(RETURNS, id_) for id_ in msgspec.json.decode(named.returns, type=list[int])]
    return sorted(rows, key=lambda row: not row.key.startswith(_DESK))


def _ours(row: Returned) -> dict[str, int]:
    """What of a return orders of our own account for, by product."""
    return dict(msgspec.json.decode(row.ours, type=Lines))


def _with_ours(row: Returned, sku: str, amount: int) -> Returned:
    ours = _ours(row)
    ours[sku] = min(WHOLE, ours.get(sku, 0) + amount)
    return row._replace(is_ours=1, ours=_json(list(ours.items())))


def _put(work: Work, row: Returned) -> None:
    work.put(RETURNS, row)


def _remember(work: Work, name: str, return_id: int) -> None:
    id_ = id_of(name)
    row = work.get(RETURNS_NAMED, id_) or ReturnsNamed(id_, name, "[]")
    ids = msgspec.json.decode(row.returns, type=list[int])
    if return_id not in ids:
        work.put(RETURNS_NAMED, row._replace(returns=_json([*ids, return_id][-NAMED_MAX:])))


def _json(value: Sequence[object]) -> str:
    return msgspec.json.encode(value).decode()
