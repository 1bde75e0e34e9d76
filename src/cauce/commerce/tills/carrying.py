"""What a deed does to the books, once: goods are moved, levels counted, orders recorded, lines without product wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.fulfilment.store import Handed
from cauce.commerce.orders import api as orders
from cauce.commerce.stock.api import DAMAGED, FREE, OVERSOLD, SHRINKAGE, SOLD, SUPPLIER, shelf_needs
from cauce.commerce.stock.counting import Count, Counted, count
from cauce.commerce.stock.facts import Entry, Side, carried
from cauce.commerce.tills import observing, ordering, returning, rewarding
from cauce.commerce.tills.deeds import AnyDeed, Cancel, Capture, Goods, Levels, Line, Order, Return, Sale
from cauce.commerce.tills.store import (
    CANCELLED,
    COUNTS,
    DONE,
    ORDERS_NAMED,
    PENDING,
    RECEIPTS,
    Done,
    Pending,
    Receipt,
    id_of,
    keyed,
)
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.records import Records
from cauce.commerce.transact.work import Work

STEPS: dict[str, tuple[str, str]] = {
    "sold": (FREE, SOLD),
    "returned": (SOLD, FREE),
    "received": (SUPPLIER, FREE),
    "shipped": (FREE, SUPPLIER),
    "unshipped": (SUPPLIER, FREE),
    "damaged": (FREE, DAMAGED),
    "destroyed": (FREE, SHRINKAGE),
    "used": (FREE, SHRINKAGE),
    "made": (SHRINKAGE, FREE),
}
"""How goods move: from which account of the ledger to which."""
ORDERED = "ordered"
"""The step of a receipt whose goods belong to an order that is known here."""
ZEROS_MAX = 16
"""Digits to which the numbers of receipts are filled with zeros, at most."""
FACTORS: dict[tuple[str, str], tuple[int, int]] = {
    ("GRM", "KGM"): (1, 1_000),
    ("KGM", "GRM"): (1_000, 1),
    ("MLT", "LTR"): (1, 1_000),
    ("LTR", "MLT"): (1_000, 1),
    ("CMT", "MTR"): (1, 100),
    ("MTR", "CMT"): (100, 1),
}
"""(unit that was told, unit of the product) → by what an amount is multiplied, and divided."""


def carry_out(work: Work, deed: AnyDeed) -> tuple[bool, int]:
    """Whether the deed was new, and how many of its lines wait for their product."""
    return _HANDLERS[type(deed)](work, deed)


# -- goods ------------------------------------------------------------------------------------------------------------


def _sale(work: Work, deed: Sale) -> tuple[bool, int]:
    return _receipt(work, deed, "sold", deed.number)


def _goods(work: Work, deed: Goods) -> tuple[bool, int]:
    return _receipt(work, deed, deed.step, deed.reference)


def _receipt(work: Work, deed: Sale | Goods, step: str, number: str) -> tuple[bool, int]:
    """Moves the goods of a receipt, unless it is known, or was cancelled before it came."""
    id_, known = keyed(work, RECEIPTS, deed.key)
    if known is not None:
        return False, 0
    where = deed.where
    wanted: tuple[Line, ...]
    if isinstance(deed, Sale) and deed.order and _is_order(work, deed.order, id_):
        step, wanted = ORDERED, ()
        ids = [order.id for order in ordering.named_orders(work, deed.order, where.source)]
        returning.receipt_known(work, deed.place, number, deed.key, ids)
    else:
        wanted = deed.lines
        if isinstance(deed, Sale):
            wanted = _without(work, deed, fulfilment.handed_with(work, deed.place, number, where.at))
    lines, waiting = _carried_lines(work, deed, step, wanted, id_)
    work.put(
        RECEIPTS,
        Receipt(
            id_, deed.key, COUNTS, step, number, where.source, where.channel, deed.place, where.at, _written(lines),
            where.position,
        ),
    )  # fmt: skip
    return True, waiting


def _without(work: Work, deed: Sale, handed: dict[str, int]) -> tuple[Line, ...]:
    """Lines of a receipt without goods of orders that were handed over against it."""
    found = []
    for line in deed.lines:
        known = _known(work, deed, line) if handed else None
        taken = min(handed.get(known[0], 0), max(0, known[1])) if known else 0
        if known and taken:
            handed[known[0]] -= taken
            found.append(msgspec.structs.replace(line, sku=known[0], amount=known[1] - taken, unit=""))
        else:
            found.append(line)
    return tuple(line for line in found if line.amount)


def handed_over(work: Work, handed: Handed) -> None:
    """Goods of an order were handed over against a receipt: if a till has told of it, they were counted there too."""
    numbers = _written_as(handed.receipt)
    receipts = work.select(
        RECEIPTS, f"number in ({marks(numbers)}) and place = ? and state = ? and step = 'sold' order by id", *numbers,
        handed.desk, COUNTS,
    )  # fmt: skip
    left = dict[str, int]()
    for sku, amount in fulfilment.goods_of(work, handed):
        left[sku] = left.get(sku, 0) + amount
    for receipt in receipts:
        if not fulfilment.is_same_receipt(handed, receipt.number, receipt.at):
            continue
        lines, of_order = [], dict[str, int]()
        for sku, amount in _read(receipt.lines):
            taken = min(left.get(sku, 0), max(0, amount))
            if taken:
                left[sku] -= taken
                of_order[sku] = of_order.get(sku, 0) + taken
                _moved(work, receipt.step, _entry_of(receipt, sku, -taken))
            if amount != taken:
                lines.append((sku, amount - taken))
        work.put(RECEIPTS, receipt._replace(lines=_written(lines)))
        rewarding.handed_over(work, receipt, handed.id, of_order)


def _written_as(number: str) -> list[str]:
    """A receipt's number as systems write it, with however many zeros in front."""
    plain = orders.receipt_number(number)
    return sorted({number.strip(), plain, *(plain.zfill(width) for width in range(ZEROS_MAX) if plain.isdigit())})


def _is_order(work: Work, number: str, receipt: int) -> bool:
    """Whether a receipt names an order that is known here, which then accounts for the goods; remembers that it did."""
    row = ordering.named(work, number)
    receipts = [*msgspec.json.decode(row.receipts, type=list[int]), receipt]
    work.put(ORDERS_NAMED, row._replace(receipts=msgspec.json.encode(receipts).decode()))
    return bool(row.recorded) or orders.is_known(work, number)


def _return(work: Work, deed: Return) -> tuple[bool, int]:
    if not _first_time(work, deed):
        return False, 0
    _, waiting = _carried_lines(work, deed, "returned", deed.lines, 0)
    return True, waiting


def _cancel(work: Work, deed: Cancel) -> tuple[bool, int]:
    """Takes back what a receipt did; one that comes later does nothing."""
    id_, known = keyed(work, RECEIPTS, deed.cancelled)
    where = deed.where
    if known is None:
        row = Receipt(
            id_, deed.cancelled, CANCELLED, "", "", where.source, where.channel, "", where.at, "[]", where.position
        )
        work.put(RECEIPTS, row)
        return True, 0
    if known.state == CANCELLED:
        return False, 0
    _undo(work, known)
    work.put(RECEIPTS, known._replace(state=CANCELLED, lines="[]"))
    return True, 0


def _levels(work: Work, deed: Levels) -> tuple[bool, int]:
    if not _first_time(work, deed):
        return False, 0
    amounts: dict[str, int] = {}
    waiting = 0
    for line in deed.lines:
        found = _known(work, deed, line)
        if found is None:
            waiting += _wait(work, deed, line, 0)
        else:
            amounts[found[0]] = amounts.get(found[0], 0) + found[1]
    if amounts:
        lines = tuple(Counted(sku, amount) for sku, amount in amounts.items())
        occurred = min(deed.where.at, work.now)
        count(work, Count(place=deed.place, lines=lines, occurred=occurred, reference=deed.reference))
    return True, waiting


def _captured(work: Work, deed: Capture) -> tuple[bool, int]:
    if not _first_time(work, deed):
        return False, 0
    observing.keep(work, deed)
    return True, 0


def _order(work: Work, deed: Order) -> tuple[bool, int]:
    """Records what is told of an order; it waits as a whole while one of its products is unknown."""
    if not _first_time(work, deed):
        return False, 0
    return True, _recorded(work, deed)


def _recorded(work: Work, deed: Order) -> int:
    lines = [(line, _known(work, deed, line)) for line in deed.lines]
    unknown = [line for line, found in lines if found is None]
    if unknown:
        return _wait(work, deed, unknown[0], 0, whole=True)
    products = tuple(
        msgspec.structs.replace(line, sku=found[0], amount=found[1], unit="") for line, found in lines if found
    )
    recorded = ordering.told(work, msgspec.structs.replace(deed, lines=products))
    if recorded and recorded.is_new:
        _taken_over(work, deed.order, recorded.order.id)
    return 0


def _taken_over(work: Work, number: str, order_id: int) -> None:
    """An order is known from now on: receipts that name it took the same goods, and give them back to it."""
    row = ordering.named(work, number)
    returning.order_known(work, number, order_id)
    for id_ in msgspec.json.decode(row.receipts, type=list[int]):
        receipt = work.need(RECEIPTS, id_)
        if receipt.state == COUNTS:
            _undo(work, receipt)
            work.put(RECEIPTS, receipt._replace(step=ORDERED, lines="[]"))
            returning.receipt_known(work, receipt.place, receipt.number, receipt.key, [order_id])
    work.put(ORDERS_NAMED, row._replace(recorded=1))


def _undo(work: Work, receipt: Receipt) -> None:
    """Takes back what a receipt did to the stock, and what of it still waits."""
    for sku, amount in _read(receipt.lines):
        _moved(work, receipt.step, _entry_of(receipt, sku, -amount))
    for waiting in work.select(PENDING, "receipt = ?", receipt.id):
        work.drop(PENDING, waiting.id)


def _entry_of(receipt: Receipt, sku: str, amount: int) -> Entry:
    return Entry(sku, receipt.place, amount, receipt.at, receipt.channel, receipt.number, receipt.source)


_HANDLERS: dict[type[AnyDeed], Callable[[Work, Any], tuple[bool, int]]] = {
    Sale: _sale,
    Return: _return,
    Cancel: _cancel,
    Levels: _levels,
    Goods: _goods,
    Capture: _captured,
    Order: _order,
}


def needs(deed: AnyDeed) -> Iterator[tuple[Records[Any], int]]:
    """Rows that carrying a deed out will ask for."""
    if isinstance(deed, Sale):
        yield orders.receipt_needs(deed.place, deed.number)
    if isinstance(deed, Sale | Goods):
        yield RECEIPTS, id_of(deed.key)
    elif isinstance(deed, Cancel):
        yield RECEIPTS, id_of(deed.cancelled)
    else:
        yield DONE, id_of(deed.key)
    if isinstance(deed, Sale | Goods | Return):
        names = {*STEPS[deed.step], OVERSOLD} if isinstance(deed, Goods) else _TILL_ACCOUNTS
        sold_at = (deed.sold_at,) if isinstance(deed, Return) and deed.sold_at else ()
        for line in deed.lines:
            for place in (deed.place, *sold_at) if line.sku else ():
                yield from shelf_needs(line.sku, place, names)


_TILL_ACCOUNTS = frozenset((FREE, SOLD, OVERSOLD))


# -- once -------------------------------------------------------------------------------------------------------------


def _first_time(work: Work, deed: AnyDeed) -> bool:
    """Notes that a deed has had its effect; False when it had before."""
    id_, known = keyed(work, DONE, deed.key)
    if known is None:
        work.put(DONE, Done(id_, deed.key, deed.where.position))
    return known is None


# -- lines ------------------------------------------------------------------------------------------------------------


def _carried_lines(
    work: Work, deed: Sale | Goods | Return, step: str, lines: tuple[Line, ...], receipt: int
) -> tuple[list[tuple[str, int]], int]:
    """Moves what is known of the lines; the moved ones, and how many wait for their product."""
    moved: list[tuple[str, int]] = []
    waiting = 0
    for line in lines:
        found = _known(work, deed, line)
        if found is None:
            waiting += _wait(work, deed, line, receipt)
            continue
        sku, amount = found
        moved.append((sku, amount))
        if isinstance(deed, Return):
            continue
        where = deed.where
        number = deed.reference if isinstance(deed, Goods) else deed.number
        _moved(work, step, Entry(sku, deed.place, amount, where.at, where.channel, number, where.source))
    if isinstance(deed, Return):
        returning.came(work, deed, moved)
    return moved, waiting


def _moved(work: Work, step: str, entry: Entry) -> None:
    """Moves goods as a step says; an amount below 0 the other way round."""
    origin, target = STEPS[step]
    if entry.amount < 0:
        origin, target = target, origin
        entry = msgspec.structs.replace(entry, amount=-entry.amount)
    if entry.amount:
        carried(work, entry, Side(entry.place, origin), Side(entry.place, target), step)


def _known(work: Work, deed: AnyDeed, line: Line) -> tuple[str, int] | None:
    """The product of a line and its amount in the product's own unit; None when nobody knows the product."""
    sku = line.sku or next((sku for item in line.items if (sku := catalogue.resolve(work, deed.ids, item))), "")
    if not sku:
        return None
    if not line.unit:
        return sku, line.amount
    found = catalogue.product(work, sku)
    factor, divisor = FACTORS.get((line.unit, found.unit if found else ""), (1, 1))
    return sku, round(line.amount * factor / divisor)


def _wait(work: Work, deed: AnyDeed, line: Line, receipt: int, *, whole: bool = False) -> int:
    """A line waits until somebody says what product it is, and with it the `whole` deed where parts make no sense."""
    alone = deed if whole else msgspec.structs.replace(deed, lines=(line,))
    catalogue.note_unknown(work, deed.ids, line.items[0], line.name)
    id_ = work.number("till_pending")
    body = msgspec.json.encode(alone).decode()
    work.append(PENDING, Pending(id_, deed.ids, line.items[0], line.name, body, receipt, deed.where.position))
    return 1


def settled(work: Work, row: Pending) -> bool:
    deed: Any = msgspec.json.decode(row.deed, type=AnyDeed)
    if isinstance(deed, Order):
        work.drop(PENDING, row.id)
        return not _recorded(work, deed)  # or it waits for the next one that nobody knows
    (line,) = deed.lines
    found = _known(work, deed, line)
    if found is None:
        return False
    work.drop(PENDING, row.id)
    line = msgspec.structs.replace(line, sku=found[0])
    if isinstance(deed, Levels):
        occurred = min(deed.where.at, work.now)
        counted = (Counted(*found),)
        count(work, Count(place=deed.place, lines=counted, occurred=occurred, reference=deed.reference))
        return True
    step = deed.step if isinstance(deed, Goods) else "sold"
    lines, _ = _carried_lines(work, deed, step, (line,), row.receipt)
    known = work.get(RECEIPTS, row.receipt) if row.receipt else None
    if known is not None:
        work.put(RECEIPTS, known._replace(lines=_written([*_read(known.lines), *lines])))
    return True


def _written(lines: list[tuple[str, int]]) -> str:
    return msgspec.json.encode(lines).decode()


def _read(lines: str) -> list[tuple[str, int]]:
    return msgspec.json.decode(lines, type=list[tuple[str, int]])
