"""Every engine of a role is judged by the same suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.engines import sqlite
from cauce.engines.api import Table
from cauce.engines.memory import Broken, Faults, MemoryLog, MemoryTables
from cauce.engines.postgres import PostgresLog, PostgresTables
from cauce.engines.sqlite import SqliteLog, SqliteReader, SqliteTables
from cauce.errors import StorageBroken
from cauce.testing.engines import LEAF, VISIT, LogSuite, TablesSuite, checks
from tests.postgres.engines import Pool

Make = Callable[[], Any]


@pytest.fixture(scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    found = Pool(request.getfixturevalue("postgres_server"))
    yield found
    found.close()


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def engines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Make, Make]]:
    """What opens a log, and what opens tables, both on the same place at every call; closed at the end."""
    opened: list[Any] = []

    def closed(make: Make) -> Make:
        def made() -> Any:
            opened.append(make())
            return opened[-1]

        return made

    if request.param == "sqlite":
        yield closed(lambda: SqliteLog(tmp_path / "log.db")), closed(lambda: SqliteTables(tmp_path / "state.db"))
    elif request.param == "memory":
        yield MemoryLog, MemoryTables
    else:
        pool: Pool = request.getfixturevalue("pool")
        database = pool.database()
        yield (
            closed(lambda: PostgresLog(pool.url, database.home)),
            closed(lambda: PostgresTables(pool.url, database.state)),
        )
    for each in opened:
        each.close()


@pytest.mark.parametrize("check", checks(TablesSuite), ids=lambda check: check.__name__)
def test_tables(engines: tuple[Make, Make], check: Callable[[Any], None]) -> None:
    check(engines[1])


@pytest.mark.parametrize("check", checks(LogSuite), ids=lambda check: check.__name__)
def test_log(engines: tuple[Make, Make], check: Callable[[Any], None]) -> None:
    check(engines[0])


@given(batches=st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=6), max_size=40))
def test_runs_hold_what_was_added_whatever_the_merges(batches: list[list[tuple[int, int]]]) -> None:
    reference, engine = MemoryTables(), SqliteTables(":memory:")
    position = 0
    for each in (reference, engine):
        each.create((VISIT,))
    for batch in batches:
        rows = []
        for who, at in batch:
            position += 1
            rows.append((who, at, position, ""))
        for each in (reference, engine):
            with each.transaction():
                each.upsert(VISIT, rows)
    for who in range(5):
        assert engine.scan(VISIT, who, after=(2,)) == reference.scan(VISIT, who, after=(2,))
        assert engine.scan(VISIT, who, before=(7, 9), descending=True, limit=3) == (
            reference.scan(VISIT, who, before=(7, 9), descending=True, limit=3)
        )
    assert list(engine.scan_all(VISIT)) == list(reference.scan_all(VISIT))
    engine.close()
    reference.close()


def test_merges_stop_at_the_largest_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "RUN_ROWS_MAX", 100)
    tables = SqliteTables(":memory:")
    tables.create((VISIT,))
    for start in range(0, 900, 10):
        with tables.transaction():
            tables.upsert(VISIT, [(1, at, at, "") for at in range(start, start + 10)])
    sizes = [rows for (rows,) in tables.select("select rows from run")]
    assert max(sizes) <= 100
    assert sum(sizes) == 900
    assert len(tables.scan(VISIT, 1)) == 900
    tables.close()


def test_another_shape_is_refused(tmp_path: Path) -> None:
    tables = SqliteTables(tmp_path / "state.db")
    tables.create((Table("thing", (("id", "integer"),), ("id",)),))
    with pytest.raises(StorageBroken, match="thing"):
        tables.create((Table("thing", (("id", "integer"), ("name", "text")), ("id",)),))
    tables.close()


def test_rows_that_an_older_release_kept_by_key_go_on_as_a_heap(tmp_path: Path) -> None:
    tables = SqliteTables(tmp_path / "state.db")
    older = msgspec.structs.replace(LEAF, layout="rows")
    tables.create((older,))
    with tables.transaction():
        tables.upsert(older, [(number, "oak", b"old") for number in range(-30, 30)])
    tables.close()
    tables = SqliteTables(tmp_path / "state.db")
    tables.create((LEAF,))
    with tables.transaction():
        tables.upsert(LEAF, [(number, "elm", b"new") for number in range(60, 20, -1)])
        tables.delete(LEAF, range(-30, 0))
    found = [row for rows in tables.scan_all(LEAF) for row in rows]
    assert found == [(n, "oak", b"old") for n in range(21)] + [(n, "elm", b"new") for n in range(21, 61)]
    assert tables.select("select count(*) from leaf where tree = 'elm'") == [(40,)]
    tables.close()


def test_new_rows_of_a_heap_lie_together(tmp_path: Path) -> None:
    """What the layout is for: pages that one batch writes among many rows whose keys are hashes."""
    chance = Random(3)
    written = {}
    for layout in ("rows", "heap"):
        table = msgspec.structs.replace(LEAF, name=layout, layout=layout, indexes=())
        tables = SqliteTables(tmp_path / f"{layout}.db")
        tables.create((table,))
        with tables.transaction():
            tables.upsert(table, [(chance.getrandbits(62), "oak", bytes(200)) for _ in range(20_000)])
        tables.select("pragma wal_checkpoint(truncate)")
        with tables.transaction():
            tables.upsert(table, [(chance.getrandbits(62), "elm", bytes(200)) for _ in range(400)])
        written[layout] = (tmp_path / f"{layout}.db-wal").stat().st_size
        tables.close()
    assert written["heap"] < written["rows"] * 0.7


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageBroken, match="cannot open"):
        SqliteReader(tmp_path / "no" / "state.db")


def test_faults_break_the_chosen_operation() -> None:
    faults = Faults(2)
    log = faults.wrap(MemoryLog())
    log.append([("s", "c", 1, b"")])
    with pytest.raises(Broken):
        log.append([("s", "c", 1, b"")])
    assert log.end() == 1
