"""A store that another release has written is remade with all its rows, or refused and left as it was."""

from __future__ import annotations

import msgspec
import pytest

from cauce.commerce.api import Commerce, Engines
from cauce.commerce.parts import SHAPES
from cauce.commerce.shaping import made
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.transact.store import TABLES
from cauce.engines.api import Table
from cauce.engines.sqlite import SqliteTables
from cauce.errors import StorageBroken

OLD = Table("thing", (("id", "integer"), ("name", "text")), ("id",), indexes=(("name",),), sealed=True)
NEW = Table(
    "thing",
    (("id", "integer"), ("colour", "text"), ("name", "text"), ("amount", "integer")),
    ("id",),
    indexes=(("name",), ("colour",)),
    checks=("amount >= 0",),
    sealed=True,
)
ROWS = [(number, f"thing {number}") for number in range(1, 400)]


@pytest.fixture
def old(fresh):
    """What opens a store in which an older release has written things."""
    open_ = fresh()
    tables = open_()
    assert made(tables, [OLD]) == []
    with tables.transaction():
        tables.upsert(OLD, ROWS)
    tables.close()
    return open_


def rows(tables) -> list[tuple]:
    return sorted(map(tuple, tables.select("select * from thing")))


def test_a_table_that_gained_columns_keeps_its_rows(old):
    for expected in (["thing"], []):
        tables = old()
        assert made(tables, [NEW], {"thing": {"colour": "none", "amount": 0}}) == expected
        assert rows(tables) == [(id_, "none", name, 0) for id_, name in ROWS]
        tables.close()
    tables = old()
    with pytest.raises(Exception, match=r"amount|check|CHECK"), tables.transaction():
        tables.upsert(NEW, [(1_000, "red", "new", -1)])
    with pytest.raises(Exception, match="never changed"), tables.transaction():
        tables.execute("delete from thing where id = 1")
    tables.close()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (NEW, "column colour is new"),
        (msgspec.structs.replace(OLD, columns=(("id", "integer"),)), "column name is not there"),
        (msgspec.structs.replace(OLD, columns=(("id", "integer"), ("name", "integer"))), "of another type"),
        (msgspec.structs.replace(OLD, key=("name",)), "its key was id, and is name"),
        (msgspec.structs.replace(OLD, checks=("id > 7",)), "cannot be brought into the shape"),
    ],
)
def test_what_cannot_be_remade_is_refused_and_stays(old, wanted, said):
    tables = old()
    with pytest.raises(StorageBroken, match=said) as refused:
        made(tables, [wanted])
    assert "replay" in refused.value.hint
    assert rows(tables) == ROWS
    assert made(tables, [OLD]) == []
    tables.close()


def test_a_store_without_any_note_of_its_shapes_is_refused_clearly(tmp_path):
    tables = SqliteTables(tmp_path / "commerce.db", cache_mb=4, durable=True)
    (level,) = (table for table in SHAPES if table.name == "stock_level")
    tables.create([msgspec.structs.replace(level, columns=level.columns[:-1])])
    tables.close()
    commerce = Commerce(Engines(lambda: SqliteTables(tmp_path / "commerce.db", cache_mb=4, durable=True), tuple))
    with pytest.raises(StorageBroken, match="into the shape of this release: table stock_level") as refused:
        commerce.do(Receive(lines=(Entry("A", "S1", 1_000),)))
    assert "begin anew" in refused.value.hint
    commerce.close()


@pytest.mark.soak
def test_every_table_can_be_remade(fresh):
    """Conditions that every table gains: what stands in one is copied, and the engine takes the words."""
    open_ = fresh()
    tables = open_()
    made(tables, (*TABLES, *SHAPES))
    changed = [msgspec.structs.replace(table, checks=(*table.checks, "1 = 1")) for table in (*TABLES, *SHAPES)]
    assert len(made(tables, changed)) == len(changed)
    tables.close()
