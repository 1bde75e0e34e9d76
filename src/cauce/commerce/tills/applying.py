"""Facts of the river take effect: all of a stretch in one transaction with the cursor, each fact once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.stock.counting import Count, Counted, count
from cauce.commerce.stock.facts import Entry, Side, carried
from cauce.commerce.stock.store import DAMAGED, FREE, SHRINKAGE, SOLD, SUPPLIER
from cauce.commerce.tills import observing, rewarding
from cauce.commerce.tills.deeds import AnyDeed, Cancel, Capture, Goods, Levels, Line, Order, Return, Sale
from cauce.commerce.tills.store import (
    APPLIED,
    CANCELLED,
    COUNTS,
    CURSORS,
    DONE,
    DROPPED,
    FOLLOWER,
    PENDING,
    RECEIPTS,
    STRANGE,
    UNFIT,
    WAITING,
    Cursor,
    Done,
    Pending,
    Receipt,
    Strange,
    Unfit,
    id_of,
)
from cauce.commerce.transact.records import Records
from cauce.commerce.transact.work import AsksTables, Work
from cauce.commerce.transact.writer import Action, Command
from cauce.errors import Busy, CauceError, Ended, StorageBroken

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
FACTORS: dict[tuple[str, str], tuple[int, int]] = {
    ("GRM", "KGM"): (1, 1_000),
    ("KGM", "GRM"): (1_000, 1),
    ("MLT", "LTR"): (1, 1_000),
    ("LTR", "MLT"): (1_000, 1),
    ("CMT", "MTR"): (1, 100),
    ("MTR", "CMT"): (100, 1),
}
"""(unit that was told, unit of the product) → by what an amount is multiplied, and divided."""
PENDING_AT_ONCE = 500

_logger = logging.getLogger(__name__)


class StrangeStore(msgspec.Struct, frozen=True):
    """A fact that names a store that is no place of ours."""

    position: int
    source: str
    store: str


class Misfit(msgspec.Struct, frozen=True):
    """A fact that cannot have its effect, and why; `event` is its JSON."""

    position: int
    source: str
    name: str
    event_id: str
    reason: str
    message: str
    event: bytes


class Follow(Command, frozen=True, kw_only=True):
    """Everything that the river says after position `after`, up to `until`."""

    after: int
    until: int
    deeds: tuple[AnyDeed, ...] = ()
    unfit: tuple[Misfit, ...] = ()
    strange: tuple[StrangeStore, ...] = ()
    rewards: bool = False
    """Whether there is a programme in which anything could be earned."""


class Rewind(Command, frozen=True, kw_only=True):
    """The river is followed once more from behind this position; what had its effect has it no second time."""

    position: int


class Skip(Command, frozen=True, kw_only=True):
    """Nothing up to this position concerns commerce, as long as there is no place where anything could lie."""

    after: int
    until: int


class Settle(Command, frozen=True, kw_only=True):
    """An id of a channel is known now: what waited for it has its effect."""

    channel: str
    item: str


class Mend(Command, frozen=True, kw_only=True):
    """A fact that could not have its effect has it now, as these deeds."""

    position: int
    deeds: tuple[AnyDeed, ...]
    rewards: bool = False
    by: str = ""


class Drop(Command, frozen=True, kw_only=True):
    """A fact that could not have its effect shall have none."""

    position: int
    by: str = ""


class Faulty(CauceError):
    """One deed of a stretch failed, and with it the stretch; `deed` is its place among them."""

    code = "fact_unfit"

    def __init__(self, deed: int, fault: CauceError) -> None:
        super().__init__(fault.message, hint=fault.hint)
        self.deed = deed
        self.reason = fault.code


class Followed(msgspec.Struct, frozen=True):
    """What a stretch came to: how far the cursor is, how many deeds were new, how many lines wait for their product."""

    position: int
    new: int = 0
    pending: int = 0


def follow(work: Work, command: Follow) -> Followed:
    """Nothing at all when somebody else has followed meanwhile; Faulty names the deed that spoils the stretch."""
    cursor = work.get(CURSORS, FOLLOWER) or Cursor(FOLLOWER, 0)
    if cursor.position != command.after:
        return Followed(cursor.position)
    pending = 0
    fresh: list[tuple[int, AnyDeed]] = []
    for index, deed in enumerate(command.deeds):
        with _blaming(index, deed):
            done, waits = carry_out(work, deed)
        if done:
            fresh.append((index, deed))
        pending += waits
    for index, deed in fresh if command.rewards else ():  # apart, because points ask the tables and stock does not
        with _blaming(index, deed):
            _reward(work, deed)
    for misfit in command.unfit:
        _put_aside(work, misfit)
    for fact in command.strange:
        _note_strange(work, fact)
    work.put(CURSORS, Cursor(FOLLOWER, command.until))
    return Followed(command.until, len(fresh), pending)


@contextmanager
def _blaming(index: int, deed: AnyDeed) -> Iterator[None]:
    """Says whose fault it is when a deed cannot be carried out."""
    try:
        yield
    except (AsksTables, Busy, StorageBroken):
        raise  # no fault of the deed
    except CauceError as fault:
        raise Faulty(index, fault) from None
    except Exception as fault:  # a fault of ours: it must not keep the rest of the river waiting
        _logger.exception("a fact of %s at %d could not be carried out", deed.where.source, deed.where.position)
        raise Faulty(index, CauceError(f"this failed ({type(fault).__name__}); the log says why")) from None


def _reward(work: Work, deed: AnyDeed) -> None:
    if isinstance(deed, Sale):
        rewarding.earned(work, deed)
    elif isinstance(deed, Return):
        rewarding.clawed_back(work, deed)
    elif isinstance(deed, Cancel):
        rewarding.cancelled(work, deed)


def follow_needs(command: Follow) -> Iterator[tuple[Records[Any], int]]:
    for deed in command.deeds:
        yield from _needs(deed)


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
    id_, known = _looked_up(work, deed.key)
    if known is not None:
        return False, 0
    where = deed.where
    lines, waiting = _carried_lines(work, deed, step, deed.lines, id_)
    work.put(
        RECEIPTS,
        Receipt(
            id_, deed.key, COUNTS, step, number, where.source, where.channel, deed.place, where.at, _written(lines),
            where.position,
        ),
    )  # fmt: skip
    return True, waiting


def _return(work: Work, deed: Return) -> tuple[bool, int]:
    if not _first_time(work, deed):
        return False, 0
    _, waiting = _carried_lines(work, deed, "returned", deed.lines, 0)
    return True, waiting


def _cancel(work: Work, deed: Cancel) -> tuple[bool, int]:
    """Takes back what a receipt did; one that comes later does nothing."""
    id_, known = _looked_up(work, deed.cancelled)
    where = deed.where
    if known is None:
        row = Receipt(
            id_, deed.cancelled, CANCELLED, "", "", where.source, where.channel, "", where.at, "[]", where.position
        )
        work.put(RECEIPTS, row)
        return True, 0
    if known.state == CANCELLED:
        return False, 0
    for sku, amount in _read(known.lines):
        _moved(work, known.step, Entry(sku, known.place, -amount, known.at, known.channel, known.number, where.source))
    for waiting in work.select(PENDING, "receipt = ?", id_):
        work.drop(PENDING, waiting.id)
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
    return _first_time(work, deed), 0


_HANDLERS: dict[type[AnyDeed], Callable[[Work, Any], tuple[bool, int]]] = {
    Sale: _sale,
    Return: _return,
    Cancel: _cancel,
    Levels: _levels,
    Goods: _goods,
    Capture: _captured,
    Order: _order,
}


def _needs(deed: AnyDeed) -> Iterator[tuple[Records[Any], int]]:
    if isinstance(deed, Sale | Goods):
        yield RECEIPTS, id_of(deed.key)
    elif isinstance(deed, Cancel):
        yield RECEIPTS, id_of(deed.cancelled)
    else:
        yield DONE, id_of(deed.key)


# -- once -------------------------------------------------------------------------------------------------------------


def _first_time(work: Work, deed: AnyDeed) -> bool:
    """Notes that a deed has had its effect; False when it had before."""
    id_ = id_of(deed.key)
    while (known := work.get(DONE, id_)) is not None:
        if known.key == deed.key:
            return False
        id_ += 1  # two keys with one hash: both are counted
    work.put(DONE, Done(id_, deed.key, deed.where.position))
    return True


def _looked_up(work: Work, key: str) -> tuple[int, Receipt | None]:
    """The id that a receipt has, or will have, and the receipt when it is known."""
    id_ = id_of(key)
    while (known := work.get(RECEIPTS, id_)) is not None:
        if known.key == key:
            return id_, known
        id_ += 1
    return id_, None


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
        where = deed.where
        number = deed.reference if isinstance(deed, Goods) else deed.number
        entry = Entry(sku, deed.place, amount, where.at, where.channel, number, where.source)
        if isinstance(deed, Return):
            _given_back(work, deed, entry)
        else:
            _moved(work, step, entry)
        moved.append((sku, amount))
    return moved, waiting


def _moved(work: Work, step: str, entry: Entry) -> None:
    """Moves goods as a step says; an amount below 0 the other way round."""
    origin, target = STEPS[step]
    if entry.amount < 0:
        origin, target = target, origin
        entry = msgspec.structs.replace(entry, amount=-entry.amount)
    if entry.amount:
        carried(work, entry, Side(entry.place, origin), Side(entry.place, target), step)


def _given_back(work: Work, deed: Return, entry: Entry) -> None:
    """Goods came back to where they now are, and leave the books of where they were sold."""
    if not entry.amount:
        return
    entry = msgspec.structs.replace(entry, amount=abs(entry.amount))  # some tills count returns below 0
    target = DAMAGED if deed.is_damaged else FREE
    carried(work, entry, Side(deed.sold_at or entry.place, SOLD), Side(entry.place, target), "returned")


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


def _wait(work: Work, deed: AnyDeed, line: Line, receipt: int) -> int:
    """A line waits until somebody says what product it is."""
    alone = msgspec.structs.replace(deed, lines=(line,))
    catalogue.note_unknown(work, deed.ids, line.items[0], line.name)
    id_ = work.number("till_pending")
    body = msgspec.json.encode(alone).decode()
    work.append(PENDING, Pending(id_, deed.ids, line.items[0], line.name, body, receipt, deed.where.position))
    return 1


def settle(work: Work, command: Settle) -> int:
    """How many waiting lines had their effect; at most some hundred at once, so that others get their turn."""
    rows = work.select(
        PENDING, "channel = ? and item = ? order by id limit ?", command.channel, command.item, PENDING_AT_ONCE
    )
    return sum(_settled(work, row) for row in rows)


def _settled(work: Work, row: Pending) -> bool:
    deed: Any = msgspec.json.decode(row.deed, type=AnyDeed)
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


# -- what cannot be done ----------------------------------------------------------------------------------------------


def _put_aside(work: Work, fact: Misfit) -> None:
    if work.get(UNFIT, fact.position) is None:
        row = Unfit(
            fact.position, fact.source, fact.name, fact.event_id, fact.reason, fact.message, fact.event, WAITING,
            work.now, 0, "",
        )  # fmt: skip
        work.put(UNFIT, row)


def _note_strange(work: Work, told: StrangeStore) -> None:
    known = work.get(STRANGE, told.source, told.store)
    if known is None:
        work.put(STRANGE, Strange(told.source, told.store, 1, told.position, told.position))
    elif told.position > known.last:  # followed once more, the same facts are not counted again
        work.put(STRANGE, known._replace(facts=known.facts + 1, last=told.position))


def mend(work: Work, command: Mend) -> Followed:
    """Carries out what a fact was mended to. Ended when it waits no more."""
    row = _waiting(work, command.position)
    new = waits = 0
    for deed in command.deeds:
        done, waiting = carry_out(work, deed)
        new, waits = new + done, waits + waiting
        if done and command.rewards:
            _reward(work, deed)
    work.put(UNFIT, row._replace(state=APPLIED, ended=work.now, by=command.by))
    return Followed(command.position, new, waits)


def drop(work: Work, command: Drop) -> None:
    row = _waiting(work, command.position)
    work.put(UNFIT, row._replace(state=DROPPED, ended=work.now, by=command.by))


def _waiting(work: Work, position: int) -> Unfit:
    row = work.need(UNFIT, position)
    if row.state != WAITING:
        raise Ended(f"the fact {position} waits no more: it was {row.state}")
    return row


def skip(work: Work, command: Skip) -> Followed:
    """Moves the cursor on; not when there is a place by now, from which on everything counts."""
    cursor = work.get(CURSORS, FOLLOWER) or Cursor(FOLLOWER, 0)
    if cursor.position != command.after or work.ask("select 1 from place limit 1"):
        return Followed(cursor.position)
    work.put(CURSORS, cursor._replace(position=command.until))
    return Followed(command.until)


def rewind(work: Work, command: Rewind) -> Followed:
    """Sets the cursor back, never forward."""
    cursor = work.get(CURSORS, FOLLOWER) or Cursor(FOLLOWER, 0)
    position = min(cursor.position, max(0, command.position))
    work.put(CURSORS, cursor._replace(position=position))
    return Followed(position)


ACTIONS = (
    Action(Follow, follow, Followed, follow_needs),
    Action(Skip, skip, Followed),
    Action(Rewind, rewind, Followed),
    Action(Settle, settle, int),
    Action(Mend, mend, Followed),
    Action(Drop, drop, None),
)
