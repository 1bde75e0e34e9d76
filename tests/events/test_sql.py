"""SQL: complete up to the last commit, one moment for all views, reading only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.engines.api import Reader, Table
from cauce.engines.sqlite import SqliteReader, SqliteTables
from cauce.errors import DefinitionInvalid, TooLarge, Unsupported
from cauce.events.sql import Limits, Sql, table_view
from cauce.model import Identifier
from tests.events.river import River, body, calls, id_of, item

USER = Identifier("email", "user0@example.com")


def people(_reader: Reader) -> pa.Table:
    return pa.table({"id": pa.array([id_of(USER)], pa.int64()), "person": ["p_first"], "kind": ["email"]})


def sql_over(river: River, **limits: Any) -> Sql:
    return Sql(river.history, lambda: river.tables, {"identifiers": people}, Limits(**limits))


@pytest.fixture(scope="module")
def river(tmp_path_factory: pytest.TempPathFactory) -> River:
    """60 events, most of them in files, the rest in the tail, and one decision."""
    found = River(tmp_path_factory.mktemp("river"), history_rows=20)
    found.send(body([item(500, USER.value, properties={"price": 9.5}, traits={"city": "Jaén"})]), *calls(59))
    found.decide("trait.applied", {"name": "orders"})
    found.drain()
    assert 0 < len(found.file_rows()) < 60
    return found


def test_files_and_tail_are_one(river: River) -> None:
    found = sql_over(river).query("select count(*), count(distinct position) from events")
    assert found.rows == [(60, 60)]


@given(rows=st.integers(1, 40), count=st.integers(0, 60), batch_records=st.integers(1, 9))
@settings(max_examples=10, deadline=None)
def test_sql_sees_every_event_once(
    rows: int, count: int, batch_records: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    river = River(tmp_path_factory.mktemp("river"), history_rows=rows, batch_records=batch_records)
    river.send(*calls(count))
    river.drain()
    found = sql_over(river).query("select position from events order by position")
    assert [position for (position,) in found.rows] == river.positions()


def test_an_empty_installation_has_no_events(tmp_path: Path) -> None:
    river = River(tmp_path)
    assert sql_over(river).query("select count(*) from events").rows == [(0,)]
    assert sql_over(river).query("from events").rows == []


def test_open_parts_are_json(river: River) -> None:
    found = sql_over(river).query(
        "select (properties->>'$.price')::double, traits->>'$.city', identifiers[1].value "
        "from events where id = 'm-500'"
    )
    assert found.rows == [(9.5, "Jaén", USER.value)]


def test_events_say_whose_they_are(river: River) -> None:
    sql = sql_over(river)
    assert sql.query("select person, count(*) from events group by all order by all").rows == [
        ("p_first", 13),
        (None, 47),
    ]
    assert "person" in sql.query("from events limit 1").columns
    assert "person" in {row[0] for row in sql.query("describe events").rows}


def test_decisions_have_a_view_of_their_own(river: River) -> None:
    assert sql_over(river).query("select name, context->>'$.by' from decisions").rows == [("trait.applied", "ana")]
    assert sql_over(river).query("select count(*) from events where type = 'decision'").rows == [(0,)]


def test_a_long_answer_is_cut_and_says_so(river: River) -> None:
    found = sql_over(river).query("select id from events", rows_max=7)
    assert (len(found.rows), found.truncated) == (7, True)
    found = sql_over(river).query("select id from events", rows_max=60)
    assert (len(found.rows), found.truncated) == (60, False)


@pytest.mark.parametrize(
    "statement",
    [
        "create table t (a int)",
        "copy events to 'x.csv'",
        "attach 'x.db'",
        "install httpfs",
        "set threads = 1",
        "insert into events select * from events",
        "drop view events",
        "select 1; select 2",
        "",
    ],
)
def test_only_reading_statements_pass(river: River, statement: str) -> None:
    with pytest.raises(Unsupported):
        sql_over(river).query(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from events, read_text('{outside}')",
        "select * from events, read_csv('{outside}')",
        "select * from events, glob('{folder}/*')",
        "select * from events where id in (select content from read_text('{outside}'))",
    ],
)
def test_no_other_file_can_be_read(river: River, statement: str, tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    with pytest.raises(DefinitionInvalid, match="Cannot access"):
        sql_over(river).query(statement.format(outside=outside, folder=tmp_path))


def test_python_variables_are_out_of_reach(river: River) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(DefinitionInvalid):
        sql_over(river).query("select * from secret, events")
    assert secret.num_rows == 1


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("selec 1", "no SQL"),
        ("select * from event", "Did you mean 'events'"),
        ("select nme from events", "name"),
    ],
)
def test_a_mistake_is_explained(river: River, statement: str, message: str) -> None:
    with pytest.raises(DefinitionInvalid, match=message):
        sql_over(river).query(statement)


def test_a_statement_without_end_is_stopped(river: River) -> None:
    endless = "with recursive t(n) as (select 1 union all select n + 1 from t) select max(n) from t"
    with pytest.raises(TooLarge, match="longer than"):
        sql_over(river, seconds=0.2).query(endless)


def test_all_views_show_one_moment(tmp_path: Path) -> None:
    tables = SqliteTables(tmp_path / "state.db")
    river = River(tmp_path, tables=tables, history_rows=5)
    river.send(*calls(12))
    river.drain()
    reader = SqliteReader(tmp_path / "state.db")

    def meanwhile(_reader: Reader) -> pa.Table:
        river.send(*calls(12, first=100))
        river.drain()
        blocks = Table("event_block", (("first_position", "integer"), ("count", "integer")), ("first_position",))
        return table_view(blocks, {"first_position": "block", "count": "events"})(_reader)

    sql = Sql(river.history, lambda: reader, {"blocks": meanwhile})
    rows = sql.query("select (select count(*) from events), (select sum(events) from blocks)").rows
    assert rows == [(12, 12)]
    assert len(river.positions()) == 24
    reader.close()
    tables.close()


def test_a_file_that_is_compacted_meanwhile_is_no_trouble(tmp_path: Path) -> None:
    tables = SqliteTables(tmp_path / "state.db")
    river = River(tmp_path, tables=tables, history_rows=5, history_files_max=2)
    river.send(*calls(10))
    river.drain()
    reader = SqliteReader(tmp_path / "state.db")
    rounds = []

    def compacting(_reader: Reader) -> pa.Table:
        rounds.append(1)
        if len(rounds) == 1:
            for start in (100, 110, 120):
                river.send(*calls(10, first=start))
                river.drain()
        return pa.table({"a": [1]})

    sql = Sql(river.history, lambda: reader, {"other": compacting})
    assert sql.query("select count(*) from events, other").rows == [(40,)]
    assert len(rounds) > 1
    reader.close()
    tables.close()
