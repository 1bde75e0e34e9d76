"""Lists that doors show: levels, what is expected, shipments, counts, tasks, limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cauce.commerce.stock import moving, reserving, rules, supply
from cauce.commerce.stock.availability import STOCK, Available, caps_of, shown
from cauce.commerce.stock.limits import Capped, Limits
from cauce.commerce.stock.moving import Sent
from cauce.commerce.stock.reserving import Reserved
from cauce.commerce.stock.store import (
    CAPS,
    COUNTINGS,
    DEFAULTS,
    EXPECTED,
    RESERVATIONS,
    SHIPMENTS,
    TASKS,
    Counting,
    Task,
)
from cauce.commerce.stock.supply import Expectation
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.records import Records
from cauce.engines.api import Reader
from cauce.errors import NotFound

LIMIT_MAX = 1_000
LAST = 2**63 - 1


def levels(
    reader: Reader,
    *,
    sku: str = "",
    place: str = "",
    channel: str = "",
    after: tuple[str, str] = ("", ""),
    limit: int = 50,
) -> list[Available]:
    """Stock in order of product and place, behind a pair of them."""
    conditions = ["(s.sku > ? or (s.sku = ? and s.place > ?))"]
    told: list[Any] = [after[0], *after]
    for column, value in (("s.sku", sku), ("s.place", place)):
        if value:
            conditions.append(f"{column} = ?")
            told.append(value)
    where = " and ".join(conditions)
    sql = f"{STOCK} where {where} order by s.sku, s.place limit {min(limit, LIMIT_MAX)}"
    return shown(reader.select(sql, told), caps_of(reader, channel, sku or None))


def table(
    reader: Reader, skus: Sequence[str], places: Iterable[str] | None = None, channel: str = ""
) -> dict[tuple[str, str], Available]:
    """Stock of some products by product and place: what a matrix shows."""
    if not skus:
        return {}
    listed = marks(skus)
    found = shown(reader.select(f"{STOCK} where s.sku in ({listed})", list(skus)), caps_of(reader, channel))
    wanted = None if places is None else frozenset(places)
    return {(one.sku, one.place): one for one in found if wanted is None or one.place in wanted}


def skus(reader: Reader, *, after: str = "", scarce: bool = False, place: str = "", limit: int = 50) -> list[str]:
    """Products that have or had stock (in a place), in order; `scarce`: that are low or out somewhere."""
    conditions, told = ["s.sku > ?"], [after]
    if place:
        conditions.append("s.place = ?")
        told.append(place)
    if scarce:
        conditions.append("coalesce(a.posted - a.pending, 0) - s.safety <= s.low")
    rows = reader.select(
        f"select distinct s.sku from stock s left join account a on a.id = s.id where {' and '.join(conditions)} "
        f"order by s.sku limit {min(limit, LIMIT_MAX + 1)}",
        told,
    )
    return [sku for (sku,) in rows]


def counts_by_state(reader: Reader, place: str = "") -> dict[str, int]:
    """How many stocks are in, low and out."""
    where, told = (" where s.place = ?", [place]) if place else ("", [])
    rows = reader.select(
        "select case when coalesce(a.posted - a.pending, 0) - s.safety <= 0 then 'out' "
        "when a.posted - a.pending - s.safety <= s.low then 'low' else 'in' end as state, count(*) "
        f"from stock s left join account a on a.id = s.id{where} group by 1",
        told,
    )
    return dict.fromkeys(rules.STATES, 0) | {state: int(count) for state, count in rows}


def stocked_places(reader: Reader) -> list[str]:
    """Places that have or had stock, in order."""
    return [place for (place,) in reader.select("select distinct place from stock order by place limit 10000")]


def expectations(
    reader: Reader, *, sku: str = "", place: str = "", since: str = "", after: tuple[str, ...] = (), limit: int = 50
) -> list[Expectation]:
    """What is still to come, by day, behind (day, reference, product, place)."""
    conditions, told = ["amount > met", "day >= ?"], [since]
    if after:
        conditions.append("(day, reference, sku, place) > (?, ?, ?, ?)")
        told += list(after)
    for column, value in (("sku", sku), ("place", place)):
        if value:
            conditions.append(f"{column} = ?")
            told.append(value)
    rows = _rows(reader, EXPECTED, conditions, told, "day, reference, sku, place", limit)
    return [supply.shown(row) for row in rows]


def shipments(
    reader: Reader, *, place: str = "", arrived: bool = False, before: int = 0, limit: int = 50
) -> list[Sent]:
    """Shipments to or from a place, newest first; those that have `arrived` too, when asked."""
    conditions, told = ["id < ?"], [before or LAST]
    if place:
        conditions.append("(origin = ? or destination = ?)")
        told += [place, place]  # type: ignore[list-item]
    if not arrived:
        conditions.append("state <> ?")
        told.append(moving.ARRIVED)  # type: ignore[arg-type]
    return [moving.shown(row) for row in _rows(reader, SHIPMENTS, conditions, told, "id desc", limit)]


def countings(reader: Reader, *, place: str = "", sku: str = "", before: int = 0, limit: int = 50) -> list[Counting]:
    """Physical counts, newest first."""
    conditions: list[str] = ["id < ?"]
    told: list[Any] = [before or LAST]
    for column, value in (("place", place), ("sku", sku)):
        if value:
            conditions.append(f"{column} = ?")
            told.append(value)
    return _rows(reader, COUNTINGS, conditions, told, "id desc", limit)


def tasks(reader: Reader, *, place: str = "", done: bool = False, after: int = 0, limit: int = 50) -> list[Task]:
    """Tasks, the oldest first: those that are open, or those that are done (newest first)."""
    conditions = ["done > 0" if done else "done = 0", "id < ?" if done else "id > ?"]
    told: list[Any] = [(after or LAST) if done else after]
    if place:
        conditions.append("place = ?")
        told.append(place)
    return _rows(reader, TASKS, conditions, told, "id desc" if done else "id", limit)


def task(reader: Reader, id_: int) -> Task:
    """NotFound when there is none."""
    rows = reader.select(TASKS.by_key, (id_,))
    if not rows:
        raise NotFound(f"there is no task {id_}")
    return TASKS.of(rows[0])


def tasks_open(reader: Reader) -> int:
    """How many tasks are open."""
    return int(reader.select("select count(*) from stock_task where done = 0")[0][0])


def reservation(reader: Reader, id_: int, now: int) -> Reserved:
    """A reservation as it stands; NotFound when there is none. One that ran out has expired, swept or not."""
    rows = reader.select(RESERVATIONS.by_key, (id_,))
    if not rows:
        raise NotFound(f"there is no hold {id_}")
    found = reserving.shown(RESERVATIONS.of(rows[0]))
    is_over = found.state == "open" and found.due <= now
    return msgspec.structs.replace(found, state="expired") if is_over else found


def defaults(reader: Reader) -> dict[str, Limits]:
    """What holds for all products of each place that says so."""
    rows = reader.select(f"select {DEFAULTS.columns} from stock_default order by place")
    return {row.place: Limits(row.place, "", row.safety, row.low) for row in map(DEFAULTS.of, rows)}


def caps(reader: Reader, channel: str = "") -> list[Capped]:
    """The most that channels may see."""
    where, told = (" where channel = ?", [channel]) if channel else ("", [])
    rows = reader.select(f"select {CAPS.columns} from stock_cap{where} order by channel, sku, place limit 10000", told)
    return [Capped(row.channel, row.sku, row.place, row.most) for row in map(CAPS.of, rows)]


def _rows(
    reader: Reader, of: Records[Any], conditions: Sequence[str], told: Sequence[Any], order: str, limit: int
) -> list[Any]:
    where = " and ".join(conditions)
    sql = f"select {of.columns} from {of.name} where {where} order by {order} limit {min(limit, LIMIT_MAX + 1)}"
    return [of.of(row) for row in reader.select(sql, told)]
