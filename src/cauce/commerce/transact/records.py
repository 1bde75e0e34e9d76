"""Rows of commerce as named tuples: what the engine stores is what the rules read, without a copy in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Generic, TypeVar, get_type_hints

from cauce.engines.api import Table

R = TypeVar("R", bound=tuple[Any, ...])
_RESERVED = """
all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else end
except false fetch for foreign from grant group having in index initially intersect into lateral leading left limit
localtime localtimestamp not null offset on only or order placing primary references returning right select
session_user some symmetric table then to trailing true union unique user using variadic when where window with
"""
RESERVED = frozenset(_RESERVED.split())
"""Words that SQL keeps for itself on one engine or another; no table and no column is called so."""
TYPES = {int: "integer", str: "text", bytes: "blob", float: "real"}

Key = Any
"""The key of a row: its first column, or a tuple of its first columns when there are several."""


class Records(Generic[R]):
    """The rows of one table; `make` is a NamedTuple whose first `key_columns` fields are the key."""

    def __init__(self, table: Table, make: type[R], key_columns: int) -> None:
        self.table = table
        self.name = table.name
        self.make: Any = make
        self.key_columns = key_columns
        self.has_number = key_columns == 1 and table.columns[0][1] == "integer"
        self.columns = ", ".join(table.names)
        self.by_key = f"select {self.columns} from {table.name} where " + " and ".join(
            f"{name} = ?" for name in table.key
        )
        self.by_keys = f"select {self.columns} from {table.name} where {table.key[0]} in {{keys}}"
        self.gone = f"delete from {table.name} where " + " and ".join(f"{name} = ?" for name in table.key)
        self.key_of: Callable[[R], Key] = itemgetter(0 if key_columns == 1 else slice(key_columns))
        # What `_make` does, without a function of Python's around it: every row that is read goes through here.
        self.of: Callable[[Sequence[Any]], R] = partial(tuple.__new__, make)


def records(
    name: str,
    make: type[R],
    *,
    key_columns: int = 1,
    indexes: tuple[tuple[str, ...], ...] = (),
    fixed: tuple[str, ...] = (),
    checks: tuple[str, ...] = (),
    sealed: bool = False,
) -> Records[R]:
    """Declares a table by the fields of a NamedTuple (int, str, bytes, float); `checks` are SQL over its columns,
    `fixed` are columns that never change once their row is there.

    `sealed`: rows are only added; the engine refuses to change or remove one.
    """
    hints = get_type_hints(make)
    columns = tuple((field, TYPES[hints[field]]) for field in make._fields)  # type: ignore[attr-defined]
    taken = RESERVED & {name, *hints}
    if taken:
        raise ValueError(f"table {name}: SQL keeps the word {min(taken)!r} for itself")
    key = tuple(field for field, _ in columns[:key_columns])
    table = Table(name, columns, key, indexes=indexes, fixed=fixed, checks=checks, sealed=sealed)
    return Records(table, make, key_columns)
