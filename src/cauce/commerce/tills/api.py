"""What doors ask about facts of the river: how far they are followed, and which of them wait for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from cauce.commerce.tills.habits import EVERY, habits
from cauce.commerce.tills.store import (
    CURSORS,
    FOLLOWER,
    PENDING,
    PLACE_NAMES,
    STRANGE,
    UNFIT,
    WAITING,
    PlaceName,
    Strange,
    Unfit,
)
from cauce.engines.api import Row
from cauce.errors import NotFound
from cauce.model import Event

__all__ = [
    "EVERY",
    "WAITING",
    "State",
    "Waiting",
    "event_of",
    "habits",
    "names",
    "pending",
    "state",
    "strange",
    "unfit",
]


class Rows(Protocol):
    """What can be asked in SQL."""

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...


class State(msgspec.Struct, frozen=True):
    """How commerce and the river stand to one another.

    `position` is how far the river was followed, of `river`; `to_tell` are facts of commerce on their way into it.
    `pending` lines wait for a product, `unfit` facts for somebody who mends them, `strange` stores for a name.
    """

    position: int
    river: int
    to_tell: int
    pending: int
    unfit: int
    strange: int


class Waiting(NamedTuple):
    """Lines that wait for a product: of which channel's id, what it is called there, how many."""

    channel: str
    item: str
    name: str
    lines: int


def state(rows: Rows, river: int) -> State:
    """How things stand; `river` is the last position of the archive."""
    found = rows.select(f"select position from {CURSORS.name} where name = ?", (FOLLOWER,))
    counts = [
        int(rows.select(f"select count(*) from {table}")[0][0])
        for table in ("outbox", PENDING.name, f"{UNFIT.name} where state = 'waiting'", STRANGE.name)
    ]
    return State(int(found[0][0]) if found else 0, river, *counts)


def pending(rows: Rows, limit: int = 100) -> list[Waiting]:
    """Ids that lines wait for, those of most lines first."""
    sql = (
        f"select channel, item, max(name), count(*) from {PENDING.name} group by channel, item "
        "order by count(*) desc, channel, item limit ?"
    )
    return [Waiting(*row) for row in rows.select(sql, (limit,))]


def unfit(rows: Rows, *, state: str = WAITING, after: int = 0, limit: int = 100) -> list[Unfit]:
    """Facts that could not have their effect, in order of position; `state` "" for all."""
    condition, told = ("state = ? and ", [state]) if state else ("", [])
    sql = f"select {UNFIT.columns} from {UNFIT.name} where {condition}position > ? order by position limit ?"
    return [UNFIT.of(row) for row in rows.select(sql, (*told, after, limit))]


def event_of(rows: Rows, position: int) -> tuple[Unfit, Event]:
    """A fact that could not have its effect, with its event; NotFound."""
    found = rows.select(UNFIT.by_key, (position,))
    if not found:
        raise NotFound(f"no fact at position {position} was put aside", hint="`cauce commerce facts list` shows them")
    row = UNFIT.of(found[0])
    return row, msgspec.json.decode(bytes(row.event), type=Event)


def strange(rows: Rows, limit: int = 100) -> list[Strange]:
    """Stores that are no places of ours, those of most facts first."""
    sql = f"select {STRANGE.columns} from {STRANGE.name} order by facts desc, source, store limit ?"
    return [STRANGE.of(row) for row in rows.select(sql, (limit,))]


def names(rows: Rows) -> list[PlaceName]:
    """What sources call our places."""
    sql = f"select {PLACE_NAMES.columns} from {PLACE_NAMES.name} order by source, store"
    return [PLACE_NAMES.of(row) for row in rows.select(sql)]
