"""What may be promised, change by change: for channels that keep a copy.

Changes are numbered, and written in the transaction that makes them. Of a stock that changed often only its last state
is told. Who begins, or has not asked for longer than changes are kept, is told the whole first, stock by stock, and
then what has changed meanwhile; a cursor says how far somebody has come, also in the middle of the whole.
"""

from __future__ import annotations

from typing import NamedTuple

from cauce.commerce.stock.availability import STOCK, Available, caps_of, shown
from cauce.commerce.stock.levels import SERIES
from cauce.commerce.stock.store import CHANGES_KEPT
from cauce.engines.api import Reader, Row
from cauce.errors import Unreadable

LIMIT_MAX = 10_000
LAST = 2**63 - 1


class Cursor(NamedTuple):
    """How far somebody has come: all changes up to `number`, or of the whole as of `number` the stocks up to `stock`.

    `stock` is -1 where the whole is known. As text `number` or `number-stock`; empty at the beginning.
    """

    number: int
    stock: int = -1

    @property
    def text(self) -> str:
        return str(self.number) if self.stock < 0 else f"{self.number}-{self.stock}"

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """None for the beginning; Unreadable for what no feed has given out."""
        if not text:
            return None
        number, dash, stock = text.partition("-")
        parts = (number, stock) if dash else (number,)
        if not all(part.isascii() and part.isdigit() and int(part[:20]) <= LAST for part in parts):
            raise Unreadable(f"expected a cursor that the feed gave out, got {text[:60]!r}")
        return cls(*map(int, parts))


class Changes(NamedTuple):
    """Stocks that changed, and the cursor that goes on behind them. `more` when there are more already."""

    items: list[Available]
    cursor: Cursor
    more: bool


class Wish(NamedTuple):
    """Who wants to know, and of what."""

    channel: str = ""
    place: str = ""
    sku: str = ""


ANYTHING = Wish()


def changes(reader: Reader, cursor: Cursor | None = None, limit: int = 1_000, wish: Wish = ANYTHING) -> Changes:
    """What goes on behind a cursor, at most `limit` stocks."""
    size = min(limit, LIMIT_MAX)
    with reader.snapshot():
        last = last_change(reader)
        if cursor is None or (cursor.stock < 0 and not last - CHANGES_KEPT <= cursor.number <= last):
            cursor = Cursor(last, 0)  # too long ago, or of another store
        if cursor.stock >= 0:
            return _whole(reader, cursor, last, size, wish)
        return _since(reader, cursor, last, size, wish)


def last_change(reader: Reader) -> int:
    """The number of the last change of any stock."""
    found = reader.select("select last from number where name = ?", (SERIES,))
    return int(found[0][0]) if found else 0


def _whole(reader: Reader, cursor: Cursor, last: int, size: int, wish: Wish) -> Changes:
    """The next stocks of the whole; behind the last of them follow the changes since its beginning."""
    rows = reader.select(f"{STOCK} where s.id > ? order by s.id limit {size}", (cursor.stock,))
    items = _wished(reader, rows, wish)
    if len(rows) == size:
        return Changes(items, Cursor(cursor.number, rows[-1][0]), True)
    return Changes(items, Cursor(cursor.number), last > cursor.number)


def _since(reader: Reader, cursor: Cursor, last: int, size: int, wish: Wish) -> Changes:
    """The next changes behind a number: those of one stock are one."""
    first, until = cursor.number + 1, min(last, cursor.number + size)
    if first > until:
        return Changes([], cursor, False)
    ids = {stock for low, high in _slots(first, until) for stock in _changed(reader, low, high)}
    rows = reader.select_keys(f"{STOCK} where s.id in {{keys}}", ids)
    return Changes(_wished(reader, rows, wish), Cursor(until), until < last)


def _changed(reader: Reader, low: int, high: int) -> list[int]:
    rows = reader.select("select distinct stock from stock_change where slot >= ? and slot <= ?", (low, high))
    return [stock for (stock,) in rows]


def _slots(first: int, until: int) -> list[tuple[int, int]]:
    """Where in the ring changes lie: one stretch, or two."""
    low, high = first % CHANGES_KEPT, until % CHANGES_KEPT
    return [(low, high)] if low <= high else [(low, CHANGES_KEPT - 1), (0, high)]


def _wished(reader: Reader, rows: list[Row], wish: Wish) -> list[Available]:
    found = shown(rows, caps_of(reader, wish.channel))
    if not wish.place and not wish.sku:
        return found
    return [one for one in found if wish.place in ("", one.place) and wish.sku in ("", one.sku)]
