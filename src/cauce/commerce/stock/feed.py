"""What may be promised, change by change: for channels that keep a copy.

Every stock carries the number of its last change, and numbers only grow, so one question gives everything that changed
behind a number, and behind 0 the whole. Of a stock that changed often only the last state is told: the feed never holds
more than there are stocks, however long nobody asked.
"""

from __future__ import annotations

from cauce.commerce.stock.availability import STOCK, Available, caps_of, shown
from cauce.commerce.stock.levels import CHANGES
from cauce.engines.api import Reader

LIMIT_MAX = 10_000


def changes(
    reader: Reader, after: int, limit: int = 1_000, *, channel: str = "", place: str = "", sku: str = ""
) -> list[Available]:
    """What changed behind a number, in order of numbers, as `channel` may see it now."""
    conditions = ["l.number > ?"]
    told: list[int | str] = [after]
    for name, value in (("s.place", place), ("s.sku", sku)):
        if value:
            conditions.append(f"{name} = ?")
            told.append(value)
    sql = f"{STOCK} where {' and '.join(conditions)} order by l.number limit {min(limit, LIMIT_MAX)}"
    return shown(reader.select(sql, told), caps_of(reader, channel))


def last_change(reader: Reader) -> int:
    """The number of the last change of any stock."""
    found = reader.select("select last from number where name = ?", (CHANGES,))
    return int(found[0][0]) if found else 0
