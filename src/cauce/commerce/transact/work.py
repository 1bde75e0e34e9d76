"""The unit of work: rows in memory by key, changed there by commands, and written together.

A command that fails is undone here, so it leaves no trace in what its neighbours see. Rows are read when they are asked
for, or before, for a whole batch, with one question a table.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.records import Key, Records
from cauce.commerce.transact.store import NUMBERS, OUTBOX, Fact, Number
from cauce.engines.api import Changes, Row, Tables
from cauce.errors import Conflict, NotFound

R = TypeVar("R", bound=tuple[Any, ...])


class AsksTables(Exception):
    """No fault: a command asks the tables, which it may only when all before it is written; it starts again there."""


_NOT_THERE = (None, False)
"""What `_Shelf.touched` says of a row that was not there before."""


class _Shelf:
    """The rows of one table that are here, by key (None: there is none).

    `changed` are the keys of what is to be written, `touched` what the command at work changed: the row before, and
    whether it was changed already.
    """

    __slots__ = ("changed", "of", "rows", "touched")

    def __init__(self, of: Records[Any]) -> None:
        self.of = of
        self.rows: dict[Key, Any] = {}
        self.changed: dict[Key, None] = {}
        self.touched: dict[Key, tuple[Any, bool]] = {}


class _Shelves(dict[Records[Any], _Shelf]):
    def __missing__(self, of: Records[Any]) -> _Shelf:
        found = self[of] = _Shelf(of)
        return found


class Work:
    """One transaction's rows. `now` is its time in microseconds, `cause` the key of the command at work."""

    def __init__(self, tables: Tables, now: int) -> None:
        self.now = now
        self.cause = ""
        self._tables = tables
        self._shelves = _Shelves()
        self._touched: dict[Records[Any], _Shelf] = {}
        self._numbers: dict[str, int] = {}
        self._given: list[str] = []
        """The series of the numbers that the command at work was given."""
        self._numbers_written: dict[str, int] = {}
        self._last: dict[tuple[Callable[[Work, Any], None], Hashable], None] = {}
        self._may_ask = False

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, of: Records[R], key: Any, *rest: Any) -> R | None:
        """The row with a key (of one column or several), None when there is none."""
        place: Key = (key, *rest) if rest else key
        try:
            found: R | None = self._shelves[of].rows[place]
        except KeyError:
            answer = self._tables.select(of.by_key, (key, *rest))
            found = self._shelves[of].rows[place] = of.of(answer[0]) if answer else None
        return found

    def need(self, of: Records[R], *key: Any) -> R:
        """The row with a key; NotFound when there is none."""
        found = self.get(of, *key)
        if found is None:
            raise NotFound(f"there is no {of.name.replace('_', ' ')} {' '.join(map(str, key))}")
        return found

    def hashed(self, of: Records[R], id_: int, is_it: Callable[[Any], bool]) -> tuple[int, R | None]:
        """The row that a hash stands for, and its id; the id that it will have, and None, while it is not there."""
        while (found := self.get(of, id_)) is not None and not is_it(found):
            id_ += 1  # two with one hash: both count
        return id_, found

    def prefetch(self, of: Records[Any], keys: Iterable[int]) -> None:
        """Reads rows with integer keys that are not here yet, with one question."""
        rows = self._shelves[of].rows
        missing = [key for key in keys if key not in rows]
        if missing:
            self.know(of, missing, self._tables.select_keys(of.by_keys, missing))

    def know(self, of: Records[Any], keys: Iterable[Any], found: Iterable[Row]) -> None:
        """The rows that there are of some keys of one column, read before anything was changed."""
        rows = self._shelves[of].rows
        rows.update(dict.fromkeys(keys))
        rows.update((row[0], of.of(row)) for row in found)

    def know_numbers(self, last: dict[str, int]) -> None:
        """The last number given out of every series, read before any was: there are few of them."""
        self._numbers = last
        self._numbers_written = dict(last)

    def select(self, of: Records[R], condition: str, *parameters: Any) -> list[R]:
        """Rows that meet a condition (SQL after `where`, with order and limit), as they are within this work."""
        rows = self._shelves[of].rows
        found = self.ask(f"select {of.columns} from {of.name} where {condition}", *parameters)
        return [rows.setdefault(of.key_of(row), row) for row in map(of.of, found)]

    def ask(self, sql: str, *parameters: Any) -> list[Row]:
        """What a reading statement answers, as things are within this work."""
        if not self._may_ask:
            raise AsksTables
        self.flush()
        return self._tables.select(sql, parameters)

    def change(self, sql: str, *parameters: Any) -> None:
        """Carries a changing statement out, about rows that nobody holds in memory."""
        if not self._may_ask:
            raise AsksTables
        self.flush()
        self._tables.execute(sql, parameters)

    # -- changing -----------------------------------------------------------------------------------------------

    def put(self, of: Records[R], row: R) -> R:
        """Adds a row, or replaces the one with its key."""
        shelf, key = self._shelves[of], of.key_of(row)
        if key not in shelf.rows:
            self.get(of, *(key if of.key_columns > 1 else (key,)))  # what is undone must be known
        self._change(shelf, key, shelf.rows[key], row)
        return row

    def add(self, of: Records[R], row: R) -> R:
        """Adds a row; Conflict when its key is taken."""
        key = of.key_of(row)
        if self.get(of, *(key if of.key_columns > 1 else (key,))) is not None:
            raise Conflict(f"there is already a {of.name.replace('_', ' ')} {key}")
        self._change(self._shelves[of], key, None, row)
        return row

    def append(self, of: Records[R], row: R) -> R:
        """Adds a row whose key is known to be new, such as one with a fresh number."""
        shelf, key = self._shelves[of], of.key_of(row)
        touched = shelf.touched
        if not touched:
            self._touched[of] = shelf
        touched[key] = _NOT_THERE
        shelf.rows[key] = row
        shelf.changed[key] = None
        return row

    def changed(self, of: Records[R]) -> list[R]:
        """Rows that the command at work added or replaced, as they are now."""
        shelf = self._touched.get(of)
        if shelf is None:
            return []
        rows = shelf.rows
        return [row for key in shelf.touched if (row := rows[key]) is not None]

    def touches(self, tables: frozenset[Records[Any]]) -> bool:
        """Whether the command at work has changed anything in one of these tables."""
        return not tables.isdisjoint(self._touched)

    def before(self, of: Records[R], key: Key) -> R | None:
        """The row with a key as it was before the command at work changed it."""
        shelf = self._shelves[of]
        touched = shelf.touched.get(key)
        found: R | None = touched[0] if touched else shelf.rows.get(key)
        return found

    def drop(self, of: Records[Any], *key: Any) -> None:
        place: Key = key[0] if of.key_columns == 1 else key
        self._change(self._shelves[of], place, self.get(of, *key), None)

    def number(self, series: str) -> int:
        """The next number of a series, from 1, without gaps."""
        number = self._numbers[series] = self._numbers.get(series, 0) + 1
        self._given.append(series)
        return number

    def tell(self, fact: Told) -> None:
        """Lets the river know of something that happened, once this work is committed."""
        self.append(OUTBOX, Fact(self.number("outbox"), self.now, msgspec.json.encode(fact)))

    def finally_once(self, then: Callable[[Work, Any], None], about: Hashable) -> None:
        """`then(work, about)` is done when all commands of this work have been, once for all that say the same.

        It must do no harm after a command that was undone.
        """
        self._last[then, about] = None

    def _change(self, shelf: _Shelf, key: Key, before: Any, row: Any) -> None:
        touched, changed = shelf.touched, shelf.changed
        if key not in touched:
            if not touched:
                self._touched[shelf.of] = shelf
            touched[key] = (before, key in changed)
        shelf.rows[key] = row
        changed[key] = None

    # -- one command after the other ----------------------------------------------------------------------------

    def begin(self, cause: str) -> None:
        """A command begins; it may not ask the tables."""
        self.cause = cause
        self._forget()

    def _forget(self) -> None:
        for shelf in self._touched.values():
            shelf.touched.clear()
        self._touched.clear()
        self._given.clear()

    def begin_asking(self, cause: str) -> None:
        """A command begins that may ask the tables: what was changed before it is written first."""
        self.begin(cause)
        self.flush()
        self._tables.execute("savepoint command")
        self._may_ask = True

    def end(self) -> None:
        """The command stands."""
        if self._may_ask:
            self._may_ask = False
            self._tables.execute("release savepoint command")

    def undo(self) -> None:
        """The command leaves no trace."""
        for shelf in self._touched.values():
            for key, (before, was_changed) in shelf.touched.items():
                shelf.rows[key] = before
                if not was_changed:
                    shelf.changed.pop(key, None)
        for series in self._given:
            self._numbers[series] -= 1
        self._forget()
        if self._may_ask:
            self._may_ask = False
            self._tables.execute("rollback to savepoint command")
            self._tables.execute("release savepoint command")
            for shelf in self._shelves.values():
                shelf.changed.clear()  # all of before was written, and stands there again
            self._numbers_written = dict(self._numbers)

    def finish(self, beside: Changes = ()) -> None:
        """All commands were carried out: does what is left for the end, and writes it all, and `beside` it."""
        self.begin("")
        for then, about in self._last:
            then(self, about)
        self.flush(beside)

    def flush(self, beside: Changes = ()) -> None:
        """Writes what changed."""
        changes = [change for change in beside if change[1]]
        for shelf in self._shelves.values():
            if not shelf.changed:
                continue
            rows, of = shelf.rows, shelf.of
            present = [row for key in shelf.changed if (row := rows[key]) is not None]
            if present:
                changes.append((of.table, present))
            if len(present) < len(shelf.changed):
                self._remove(of, [key for key in shelf.changed if rows[key] is None])
            shelf.changed.clear()
        written = self._numbers_written
        numbers = [Number(*each) for each in self._numbers.items() if written.get(each[0], 0) != each[1]]
        if numbers:
            changes.append((NUMBERS.table, numbers))
            self._numbers_written = dict(self._numbers)
        if changes:
            self._tables.upsert_each(changes)

    def _remove(self, of: Records[Any], keys: Sequence[Key]) -> None:
        if of.has_number:
            self._tables.delete(of.table, keys)
            return
        for key in keys:
            self._tables.execute(of.gone, key if of.key_columns > 1 else (key,))
