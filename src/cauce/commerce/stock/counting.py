"""Physical counts: an entry "since this instant", never an overwrite.

What lies there is what was counted last plus what happened since (the model of Square's inventory:
https://developer.squareup.com/docs/inventory-api/how-it-works). A sale of before the count that is told afterwards
therefore changes nothing on the shelf, and a count that is told late knows nothing of what happened since.
"""

from __future__ import annotations

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.stock.facts import Entry, Side, carried
from cauce.commerce.stock.levels import opened
from cauce.commerce.stock.rules import is_newer_count
from cauce.commerce.stock.store import (
    COUNTINGS,
    FACTS,
    FREE,
    LEVELS,
    OVERSOLD,
    SHRINKAGE,
    Counting,
    place_of,
    stock_id,
)
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid

LINES_MAX = 2_000
AHEAD_MICROSECONDS_MAX = 300_000_000
"""How far the clock of who counts may be ahead."""


class Counted(msgspec.Struct, frozen=True):
    """So much of a product was there, with what is promised to somebody and without what is damaged."""

    sku: str
    amount: int


class Count(Command, frozen=True, kw_only=True):
    """What was counted in a place at an instant (`occurred`, microseconds, 0 for now)."""

    place: str
    lines: tuple[Counted, ...]
    occurred: int = 0
    reference: str = ""
    by: str = ""


class Difference(msgspec.Struct, frozen=True):
    """What a count found: `difference` against what was known; `late` when a newer count holds."""

    sku: str
    counted: int
    difference: int
    late: bool


def count(work: Work, command: Count) -> tuple[Difference, ...]:
    if not 0 < len(command.lines) <= LINES_MAX:
        raise DefinitionInvalid(f"expected 1 to {LINES_MAX} lines, got {len(command.lines)}")
    if len({line.sku for line in command.lines}) < len(command.lines):
        raise DefinitionInvalid("expected each product once in a count", hint="Add up what lies on several shelves")
    if command.occurred > work.now + AHEAD_MICROSECONDS_MAX:
        raise DefinitionInvalid("expected a count of the past, its moment is yet to come")
    return tuple(_counted(work, command, line) for line in command.lines)


def _counted(work: Work, command: Count, line: Counted) -> Difference:
    if line.amount < 0:
        raise DefinitionInvalid(f"expected an amount of 0 or more of {line.sku}, got {line.amount}")
    occurred = command.occurred or work.now
    level = opened(work, line.sku, command.place)
    late = not is_newer_count(occurred, line.amount, level.counted, level.amount)
    difference = 0 if late else line.amount - _known(work, line.sku, command.place, occurred)
    id_ = work.number("stock_count")
    row = Counting(
        id_, level.id, line.sku, command.place, occurred, line.amount, difference, work.now, command.by,
        command.reference,
    )  # fmt: skip
    work.append(COUNTINGS, row)
    if not late:
        # Corrected first: what is older than the count goes past the shelf only from now on.
        work.put(LEVELS, level._replace(counted=0))
        _corrected(work, command, line, occurred, difference)
        level = opened(work, line.sku, command.place)
        work.put(LEVELS, level._replace(counted=occurred, amount=line.amount))
    return Difference(line.sku, line.amount, difference, late)


def _corrected(work: Work, command: Count, line: Counted, occurred: int, difference: int) -> None:
    if not difference:
        return
    entry = Entry(
        line.sku, command.place, abs(difference), occurred, reference=command.reference, by=command.by
    )  # fmt: skip
    sides = Side(command.place, SHRINKAGE), Side(command.place, FREE)
    origin, target = sides if difference > 0 else sides[::-1]
    carried(work, entry, origin, target, "counted")


def _known(work: Work, sku: str, place: str, instant: int) -> int:
    """What lay on the shelf at an instant, by all that is known: what lies there now without what happened since."""
    stock = stock_id(sku, place)
    free = ledger.account(work, place_of(sku, place, FREE)).posted
    debt = ledger.account(work, place_of(sku, place, OVERSOLD)).posted
    facts = work.ask(
        f"select coalesce(sum(delta), 0) from {FACTS.name} where stock = ? and occurred > ?", stock, instant
    )
    return free + debt - int(facts[0][0]) + _kept_since(work, stock, instant)


def _kept_since(work: Work, free_account: int, instant: int) -> int:
    """What left the shelf since an instant because a promise was kept: that stands in the ledger alone."""
    since = _first_transfer_after(work, instant)
    kept = work.ask(
        "select coalesce(sum(amount), 0) from transfer where debit = ? and hold <> 0 and id >= ?", free_account, since
    )
    return int(kept[0][0])


def _first_transfer_after(work: Work, instant: int) -> int:
    """The number of the first transfer later than an instant; numbers and times of the ledger grow together."""
    low, high = 1, int(work.ask("select coalesce(max(id), 0) from transfer")[0][0]) + 1
    while low < high:
        middle = (low + high) // 2
        found = work.ask("select id, at from transfer where id >= ? order by id limit 1", middle)
        if found and found[0][1] <= instant:
            low = int(found[0][0]) + 1
        else:
            high = middle
    return low


ACTIONS = (Action(Count, count, tuple[Difference, ...]),)
