"""What is sent to the server comes back as it was: columns as binary arrays, and SQL with its marks."""

from __future__ import annotations

import struct
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.engines.api import Table
from cauce.engines.postgres import Database, PostgresTables
from cauce.engines.postgres.session import translated
from cauce.engines.postgres.wire import integers, storable
from cauce.errors import StorageBroken
from tests.postgres.engines import Pool

ANYTHING = Table(
    "anything",
    (("id", "integer"), ("number", "integer"), ("share", "real"), ("name", "text"), ("body", "blob")),
    ("id",),
)
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ROWS = st.lists(
    st.tuples(NUMBERS, st.none() | st.floats(allow_nan=False), TEXTS, st.none() | st.binary(max_size=20)), max_size=12
)


@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_rows_come_back(pool: Pool, rows: list[tuple[int | None, float | None, str | None, bytes | None]]) -> None:
    _, opened = pool.engines()
    tables = opened()
    tables.create((ANYTHING,))
    sent = [(place, *row) for place, row in enumerate(rows)]
    with tables.transaction():
        tables.upsert(ANYTHING, sent)
    found = [row for chunk in tables.scan_all(ANYTHING, 5) for row in chunk]
    assert found == [(*row[:3], row[3] if row[3] is None else storable(row[3]), row[4]) for row in sent]
    for row in sent:
        if row[3] is not None:
            asked = tables.select("select id from anything where name = ? order by id", [row[3]])
            assert (row[0],) in asked
    pool.take_back()


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("select a from t where b = ? and c in {keys}", b"select a from t where b = %b and c = any(%b)"),
        ("select '?' || ? from t", b"select '?' || %b from t"),
        ("select 'it''s ? {keys}' where a like '%x'", b"select 'it''s ? {keys}' where a like '%%x'"),
        ("select a where b % 2 = ?", b"select a where b %% 2 = %b"),
        ("select 1 where a  in  {keys} order by a", b"select 1 where a  = any(%b) order by a"),
    ],
)  # fmt: skip
def test_engine_neutral_sql_is_translated(sql: str, sent: bytes) -> None:
    assert translated(sql) == sent


def test_a_number_of_more_than_64_bits_is_a_programmers_error() -> None:
    for values in ([2**63], [None, 2**63]):
        with pytest.raises((OverflowError, struct.error)):
            integers(values)


def test_sums_are_whole_numbers(pool: Pool, database: Database) -> None:
    with closing(PostgresTables(pool.url, database.state)) as tables:
        tables.create((ANYTHING,))
        tables.upsert(ANYTHING, [(1, 2**62, 0.5, "a", None), (2, 2**62, 0.25, "b", None), (3, 1, None, "b", None)])
        rows = tables.select("select name, sum(number), sum(share) from anything group by name order by name")
        assert rows == [("a", 2**62, 0.5), ("b", 2**62 + 1, 0.25)]
        assert all(type(row[1]) is int for row in rows)
        assert tables.select("select sum(number) from anything") == [(2**63 + 1,)]


def test_a_table_of_another_shape_is_refused(pool: Pool, database: Database) -> None:
    with closing(PostgresTables(pool.url, database.state)) as tables:
        tables.create((Table("thing", (("id", "integer"),), ("id",)),))
        with pytest.raises(StorageBroken, match="thing"):
            tables.create((Table("thing", (("id", "integer"), ("name", "text")), ("id",)),))


def test_scrubbed_rows_are_gone_and_the_others_stay(pool: Pool, database: Database) -> None:
    with closing(PostgresTables(pool.url, database.state)) as tables:
        tables.create((ANYTHING,))
        tables.upsert(ANYTHING, [(key, key, None, "kept", b"b" * 5_000) for key in range(200)])
        before = tables.select("select pg_table_size('anything')")[0][0]
        tables.delete(ANYTHING, range(150))
        tables.scrub()
        assert tables.select("select pg_table_size('anything')")[0][0] < before / 2
        assert tables.select("select count(*), min(id) from anything") == [(50, 150)]
