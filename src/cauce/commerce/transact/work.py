"""The unit of work: rows in memory by key, changed there by commands, and written together.

A command that fails is undone here, so it leaves no trace in what its neighbours see. Rows are read when they are asked
for, or before, for a whole batch, with one question a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.records import Key, Records
from cauce.commerce.transact.store import NUMBERS, OUTBOX, Fact, Number
from cauce.engines.api import Row, Tables
from cauce.errors import Conflict, NotFound

R = TypeVar("R", bound=tuple[Any, ...])


class AsksTables(Exception):
    """No fault: a command asks the tables, which it may only when all before it is written; it starts again there."""


class Work:
    """One transaction's rows. `now` is its time in microseconds, `cause` the key of the command at work."""

    def __init__(self, tables: Tables, now: int) -> None:
        self.now = now
        self.cause = ""
        self._tables = tables
        self._rows: dict[str, dict[Key, Any]] = {}
        self._changed: dict[str, tuple[Records[Any], dict[Key, None]]] = {}
        self._undo: list[tuple[Records[Any], Key, Any, bool]] = []
        """What the command at work changed: the row before, and whether it was changed already."""
        self._may_ask = False

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, of: Records[R], *key: Any) -> R | None:
        """The row with a key, None when there is none."""
        rows = self._rows.setdefault(of.name, {})
        place: Key = key[0] if of.key_columns == 1 else key
        try:
            found: R | None = rows[place]
        except KeyError:
            answer = self._tables.select(of.by_key, key)
            found = rows[place] = of.of(answer[0]) if answer else None
        return found

    def need(self, of: Records[R], *key: Any) -> R:
        """The row with a key; NotFound when there is none."""
        found = self.get(of, *key)
        if found is None:
            raise NotFound(f"there is no {of.name.replace('_', ' ')} {' '.join(map(str, key))}")
        return found

    def prefetch(self, of: Records[Any], keys: Iterable[int]) -> None:
        """Reads rows with integer keys that are not here yet, with one question."""
        rows = self._rows.setdefault(of.name, {})
        missing = [key for key in keys if key not in rows]
        if missing:
            rows.update(dict.fromkeys(missing))
            rows.update((row[0], of.of(row)) for row in self._tables.select_keys(of.by_keys, missing))

    def select(self, of: Records[R], condition: str, *parameters: Any) -> list[R]:
        """Rows that meet a condition (SQL after `where`, with order and limit), as they are within this work."""
        rows = self._rows.setdefault(of.name, {})
        found = self.ask(f"select {of.columns} from {of.name} where {condition}", *parameters)
        return [rows.setdefault(of.key_of(row), row) for row in map(of.of, found)]

    def ask(self, sql: str, *parameters: Any) -> list[Row]:
        """What a reading statement answers, as things are within this work."""
        if not self._may_ask:
            raise AsksTables
        self.flush()
        return self._tables.select(sql, parameters)

    # -- changing -----------------------------------------------------------------------------------------------

    def put(self, of: Records[R], row: R) -> R:
        """Adds a row, or replaces the one with its key."""
        self._set(of, of.key_of(row), row)
        return row

    def add(self, of: Records[R], row: R) -> R:
        """Adds a row; Conflict when its key is taken."""
        key = of.key_of(row)
        if self.get(of, *(key if of.key_columns > 1 else (key,))) is not None:
            raise Conflict(f"there is already a {of.name.replace('_', ' ')} {key}")
        self._set(of, key, row)
        return row

    def append(self, of: Records[R], row: R) -> R:
        """Adds a row whose key is known to be new, such as one with a fresh number."""
        self._set_new(of, of.key_of(row), row)
        return row

    def drop(self, of: Records[Any], *key: Any) -> None:
        self._set(of, key[0] if of.key_columns == 1 else key, None)

    def number(self, series: str) -> int:
        """The next number of a series, from 1, without gaps but for commands that fail."""
        row = self.get(NUMBERS, series)
        last = row.last + 1 if row else 1
        self._set(NUMBERS, series, Number(series, last))
        return last

    def tell(self, fact: Told) -> None:
        """Lets the river know of something that happened, once this work is committed."""
        id_ = self.number("outbox")
        self._set_new(OUTBOX, id_, Fact(id_, self.now, msgspec.json.encode(fact)))

    def _set(self, of: Records[Any], key: Key, row: Any) -> None:
        rows = self._rows.setdefault(of.name, {})
        if key not in rows:
            self.get(of, *(key if of.key_columns > 1 else (key,)))  # what is undone must be known
        self._change(of, key, rows[key], row)

    def _set_new(self, of: Records[Any], key: Key, row: Any) -> None:
        self._change(of, key, None, row)

    def _change(self, of: Records[Any], key: Key, before: Any, row: Any) -> None:
        changed = self._changed.get(of.name)
        if changed is None:
            changed = self._changed[of.name] = (of, {})
        self._undo.append((of, key, before, key in changed[1]))
        self._rows.setdefault(of.name, {})[key] = row
        changed[1][key] = None

    # -- one command after the other ----------------------------------------------------------------------------

    def begin(self, cause: str) -> None:
        """A command begins; it may not ask the tables."""
        self.cause = cause
        self._undo.clear()

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
        for of, key, before, was_changed in reversed(self._undo):
            self._rows[of.name][key] = before
            if not was_changed and of.name in self._changed:
                self._changed[of.name][1].pop(key, None)
        if self._may_ask:
            self._may_ask = False
            self._tables.execute("rollback to savepoint command")
            self._tables.execute("release savepoint command")
            self._changed.clear()  # all of before was written, and stands there again

    def flush(self) -> None:
        """Writes what changed."""
        for of, keys in self._changed.values():
            rows = self._rows[of.name]
            present = [row for key in keys if (row := rows[key]) is not None]
            if present:
                self._tables.upsert(of.table, present)
            for key in keys:
                if rows[key] is None:
                    self._tables.execute(of.gone, _parameters(of, key))
        self._changed.clear()


def _parameters(of: Records[Any], key: Key) -> Sequence[Any]:
    return key if of.key_columns > 1 else (key,)
