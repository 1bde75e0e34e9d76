"""Tables of commerce have the shape that this release knows: older ones are remade with all their rows, or refused.

Nothing can rebuild commerce, as the log rebuilds the state of people. So every table's shape is written down beside it
when it is made. When a later release opens the store and knows another shape, the table is remade in one transaction:
columns that it gained come from `ADDED`, which whoever changes a table writes; without that the store is left as it
was and refused, with what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from cauce.commerce.transact.keys import FROM_COMMANDS, KEYS
from cauce.commerce.transact.records import records
from cauce.commerce.transact.store import TURN
from cauce.engines.api import Table, Tables
from cauce.errors import StorageBroken

Value = int | str | bytes | float

ADDED: Mapping[str, Mapping[str, Value]] = {
    "backorder_line": {"promised": 0},
    "backorder_product": {"undated": 1},
    "till_return": {"ours": "[]"},
}
"""Table → column that it gained since a release → what rows have there that were written before."""
FILLED: Mapping[str, Sequence[str]] = {KEYS.name: FROM_COMMANDS}
"""Table that came with a release → what fills it from what was written before."""
WAS = "__was"
HINT = "Open it with the release that wrote it, or begin anew in an empty folder: `cauce replay` rebuilds people only"
"""What is left to do."""


class Shape(NamedTuple):
    """The shape in which a table stands there: JSON of its columns, key, conditions, and whether it is sealed."""

    name: str
    shape: str


class _Told(msgspec.Struct, frozen=True):
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    checks: tuple[str, ...]
    sealed: bool


SHAPES = records("commerce_shape", Shape)
TABLES: tuple[Table, ...] = (SHAPES.table,)


def made(tables: Tables, wanted: Sequence[Table], added: Mapping[str, Mapping[str, Value]] = ADDED) -> list[str]:
    """Makes the tables that are missing, and remakes those of another shape; their names.

    StorageBroken, and nothing is changed, when one cannot be: it lost a column, changed the type of one or its key,
    gained one that `added` says nothing of, or holds rows that its conditions refuse.
    """
    try:
        return _made(tables, wanted, added)
    except StorageBroken as fault:
        if fault.hint == HINT:
            raise
        said = f"commerce cannot be brought into the shape of this release: {fault.message}"
        raise StorageBroken(said, hint=HINT) from None


def _made(tables: Tables, wanted: Sequence[Table], added: Mapping[str, Mapping[str, Value]]) -> list[str]:
    tables.create((*TABLES, TURN))
    with tables.transaction():
        if tables.capabilities.concurrent_writers:
            tables.upsert(TURN, [(1, 0)])  # two processes that open it at once come one after the other
        known: dict[str, str] = dict(tables.select(f"select {SHAPES.columns} from {SHAPES.name}"))
        remade = [
            table.name
            for table in wanted
            if table.name in known and _remade(tables, table, known[table.name], added.get(table.name, {}))
        ]
        tables.create(wanted)
        for table in wanted:
            for statement in FILLED.get(table.name, ()) if known and table.name not in known else ():
                tables.execute(statement)
        changed = [(table.name, _told(table)) for table in wanted if known.get(table.name) != _told(table)]
        if changed:
            tables.upsert(SHAPES.table, changed)
    return remade


def _remade(tables: Tables, table: Table, shape: str, added: Mapping[str, Value]) -> bool:
    """Remakes a table with its rows when it has another shape; whether it had."""
    if shape == _told(table):
        return False
    was = msgspec.json.decode(shape, type=_Told)
    _check(table, was, added)
    here = [name for name, _ in was.columns]
    fresh = [name for name in table.names if name not in here]
    kept = f"{table.name}{WAS}"
    tables.execute(f"create table {kept} as select * from {table.name}")
    tables.execute(f"drop table {table.name}")
    if was.sealed and tables.capabilities.name == "postgres":
        tables.execute(f"drop function {table.name}_refuse()")  # what its triggers called outlives them there
    tables.create((table,))
    tables.execute(
        f"insert into {table.name} ({', '.join((*here, *fresh))}) "
        f"select {', '.join((*here, *('?' for _ in fresh)))} from {kept}",
        [added[name] for name in fresh],
    )
    tables.execute(f"drop table {kept}")
    return True


def _check(table: Table, was: _Told, added: Mapping[str, Value]) -> None:
    now = dict(table.columns)
    lost = [name for name, kind in was.columns if now.get(name) != kind]
    unsaid = [name for name in table.names if name not in dict(was.columns) and name not in added]
    faults = [f"column {name} is not there any more, or of another type" for name in lost]
    faults += [f"column {name} is new, and nothing says what older rows have there" for name in unsaid]
    if was.key != table.key:
        faults.append(f"its key was {', '.join(was.key)}, and is {', '.join(table.key)}")
    if faults:
        said = f"table {table.name} of commerce was written by another release: {'; '.join(faults)}"
        raise StorageBroken(said, hint=HINT)


def _told(table: Table) -> str:
    return msgspec.json.encode(_Told(table.columns, table.key, table.checks, table.sealed)).decode()
