"""What the facts of each source do here, and what it calls our places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.tills.reading import DEFAULT
from cauce.commerce.tills.store import CURSORS, FOLLOWER, HABITS, PLACE_NAMES, STRANGE, Habit, PlaceName
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command
from cauce.engines.api import Row
from cauce.errors import DefinitionInvalid

NAME_CHARACTERS_MAX = 200
EVERY = "*"


class SetHabit(Command, frozen=True, kw_only=True):
    """What facts of a source (`*`: of all that have no habit of their own) do from now on; None leaves it as it is.

    `receipts`: receipts and returns move stock and earn points. `orders`: its orders are recorded. `levels`: what it
    says lies in a place counts as a physical count. `goods`: observed goods (EPCIS) move stock. `ids`: the channel
    in which its ids of products are looked up, empty for that of the event.
    """

    source: str
    receipts: bool | None = None
    orders: bool | None = None
    levels: bool | None = None
    goods: bool | None = None
    ids: str | None = None
    by: str = ""


class NameStore(Command, frozen=True, kw_only=True):
    """A source's number of a store means one of our places; what it had told of that store before has its effect now.

    An empty `place` takes the name back.
    """

    source: str
    store: str
    place: str
    by: str = ""


class Recognise(Command, frozen=True, kw_only=True):
    """A store that nobody knew is a place by now: what was told of it before has its effect now."""

    source: str
    store: str


class Named(msgspec.Struct, frozen=True):
    """A store by its name and its place; the river is followed once more from `since` (a position; 0: not at all)."""

    source: str
    store: str
    place: str
    since: int


class Rows(Protocol):
    """What can be asked in SQL."""

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...


def set_habit(work: Work, command: SetHabit) -> Habit:
    if not 0 < len(command.source) <= NAME_CHARACTERS_MAX:
        raise DefinitionInvalid(f"expected the name of a source, got {command.source[:80]!r}")
    before = work.get(HABITS, command.source) or DEFAULT
    told: dict[str, Any] = {
        name: value if isinstance(value, str) else int(value)
        for name in ("receipts", "orders", "levels", "goods", "ids")
        if (value := getattr(command, name)) is not None
    }
    return work.put(HABITS, before._replace(source=command.source, at=work.now, by=command.by, **told))


def name_store(work: Work, command: NameStore) -> Named:
    """NotFound when there is no such place."""
    if not 0 < len(command.source) <= NAME_CHARACTERS_MAX or len(command.store) > NAME_CHARACTERS_MAX:
        raise DefinitionInvalid("expected a source and its name of a store, of at most 200 characters each")
    if not command.place:
        work.drop(PLACE_NAMES, command.source, command.store)
        return Named(command.source, command.store, "", 0)
    catalogue.need_place(work, command.place)
    row = PlaceName(command.source, command.store, command.place, work.now, command.by)
    work.put(PLACE_NAMES, row)
    return Named(command.source, command.store, command.place, _caught_up(work, command.source, command.store))


def recognise(work: Work, command: Recognise) -> int:
    return _caught_up(work, command.source, command.store)


def _caught_up(work: Work, source: str, store: str) -> int:
    """Has the river followed once more from the first fact that named the store; its position, 0 when none did."""
    strange = work.get(STRANGE, source, store)
    if strange is None:
        return 0
    work.drop(STRANGE, source, store)
    cursor = work.get(CURSORS, FOLLOWER)
    if cursor is not None and strange.first <= cursor.position:
        work.put(CURSORS, cursor._replace(position=strange.first - 1))
    return strange.first


def habits(rows: Rows) -> dict[str, Habit]:
    """Habits by source, with that for all others."""
    found = [HABITS.of(row) for row in rows.select(f"select {HABITS.columns} from till_habit")]
    return {EVERY: DEFAULT, **{row.source: row for row in found}}


ACTIONS = (Action(SetHabit, set_habit, Habit), Action(NameStore, name_store, Named), Action(Recognise, recognise, int))
