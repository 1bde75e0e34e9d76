"""History files: complete with the tail, visible by their commit only, compacted without loss, readable by others."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.engines.sqlite import SqliteTables
from cauce.events import history, store
from cauce.events.history import SCHEMA, SCHEMA_VERSION, columns_of, compaction_of
from cauce.events.store import HistoryFile
from cauce.model import DAY, SECOND
from tests.events.river import NOON, River, body, calls, item


def test_a_file_holds_the_events_as_columns(tmp_path: Path) -> None:
    river = River(tmp_path, history_rows=1)
    river.send(body([item(1, "ana@example.com luis@example.com", traits={"city": "Jaén"}, properties={"price": 9.5})]))
    river.drain()
    (row,) = river.file_rows()
    (stored,) = river.archive.bodies([row["position"]]).values()
    event = stored.event
    assert list(row) == SCHEMA.names
    assert (row["id"], row["source"], row["channel"], row["type"], row["name"]) == (
        "m-1",
        "shop",
        "web",
        "track",
        "Event 1",
    )
    assert row["occurred"].timestamp() * SECOND == event.occurred
    assert row["received"].timestamp() * SECOND == event.received
    assert (row["subject"], tuple(row["identifier_ids"])) == (stored.subject, stored.identifier_ids)
    assert row["identifiers"] == [
        {"kind": "email", "value": "ana@example.com"},
        {"kind": "email", "value": "luis@example.com"},
    ]
    assert row["traits"] == '{"city":"Jaén"}'
    assert json.loads(row["properties"]) == event.properties
    assert json.loads(row["context"]) == event.context
    metadata = pq.ParquetFile(river.files()[0]).schema_arrow.metadata
    assert metadata[b"cauce.history.version"] == str(SCHEMA_VERSION).encode()


@given(
    count=st.integers(1, 120),
    batch_records=st.integers(1, 20),
    limits=st.tuples(st.integers(1, 50), st.integers(2, 4)),
    days=st.integers(1, 3),
)
@settings(max_examples=25, deadline=None)
def test_files_and_tail_are_all_events_each_once(
    count: int, batch_records: int, limits: tuple[int, int], days: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows, files_max = limits
    folder = tmp_path_factory.mktemp("river")
    river = River(folder, batch_records=batch_records, history_rows=rows, history_files_max=files_max)
    for day in range(days):
        river.send(*calls(count, first=day * count), received=NOON + day * DAY)
        river.drain()
    written = [row["position"] for row in river.file_rows()]
    until = store.written_until(river.tables)
    assert written == [position for position in river.positions() if position <= until]
    assert len(river.positions()) - len(written) < rows
    for file in store.history_files(river.tables):
        read = pq.ParquetFile(river.history / file.path).read()
        moments = [moment.timestamp() * SECOND for moment in read["occurred"].to_pylist()]
        assert (file.rows, file.occurred_min, file.occurred_max) == (len(moments), min(moments), max(moments))
        assert {moment.timestamp() * SECOND // DAY for moment in read["received"].to_pylist()} == {file.day}
        assert (river.history / file.path).stat().st_size == file.bytes
    per_day = [file.day for file in store.history_files(river.tables)]
    assert all(per_day.count(day) <= files_max for day in per_day)


def test_an_old_event_does_not_wait_for_company(tmp_path: Path) -> None:
    now = [0.0]
    river = River(tmp_path, history_seconds=60, clock=lambda: now[0])
    river.send(*calls(3))
    river.drain()
    assert river.files() == []
    now[0] = 59.0
    river.settle()
    assert river.files() == []
    now[0] = 60.0
    river.settle()
    assert len(river.file_rows()) == 3


def test_compaction_keeps_every_row(tmp_path: Path) -> None:
    loose = River(tmp_path / "a", history_rows=5, history_files_max=1_000)
    tight = River(tmp_path / "b", history_rows=5, history_files_max=2)
    for river in (loose, tight):
        for start in range(0, 60, 6):
            river.send(*calls(6, first=start))
            river.drain()
    assert loose.file_rows() == tight.file_rows()
    assert len(loose.files()) == 10
    assert len(tight.files()) <= 2


def test_only_neighbours_that_are_not_full_are_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "FULL_ROWS", 100)
    files = [
        HistoryFile(number, number, f"f{number}", day=1, rows=rows, bytes=1, occurred_min=0, occurred_max=0)
        for number, rows in enumerate([10, 100, 20, 30, 40])
    ]
    assert compaction_of(files, 3) == []
    assert compaction_of(files, 2) == files[2:]
    elsewhere = HistoryFile(9, 9, "f9", day=2, rows=1, bytes=1, occurred_min=0, occurred_max=0)
    assert compaction_of([*files[3:], elsewhere], 2) == []


def unpublished(folder: Path, **options: int) -> River:
    """A river that died right after a commit: the table lists new files, and nothing was renamed."""
    river = River(folder, tables=SqliteTables(folder / "state.db"), **options)
    river.send(*calls(12))
    river.drain()
    river.send(*calls(12, first=12))
    river.runner.drain()
    assert river.stage.due()
    with river.tables.transaction():
        river.stage.flush()
    return river


def reopened(river: River, **options: int) -> River:
    river.tables.close()
    again = River(river.folder, log=river.log, tables=SqliteTables(river.folder / "state.db"), **options)
    again.stage.recover()
    return again


def check_whole(river: River) -> None:
    assert [row["position"] for row in river.file_rows()] == river.positions()
    assert sorted(str(file.relative_to(river.history)) for file in river.files()) == sorted(
        file["path"] for file in river.manifest()["files"]
    )
    assert list((river.history / ".pending").rglob("*.parquet")) == []
    river.tables.close()


def test_a_committed_file_is_published_after_a_crash(tmp_path: Path) -> None:
    river = unpublished(tmp_path, history_rows=12)
    assert len(river.files()) == 1
    check_whole(reopened(river, history_rows=12))


def test_a_file_whose_commit_failed_never_shows(tmp_path: Path) -> None:
    river = River(tmp_path, tables=SqliteTables(tmp_path / "state.db"), history_rows=12)
    river.send(*calls(12))
    river.runner.drain()
    assert river.stage.due()
    with contextlib.suppress(ZeroDivisionError), river.tables.transaction():
        river.stage.flush()
        raise ZeroDivisionError
    assert list((river.history / ".pending").rglob("*.parquet"))
    assert river.files() == []
    again = reopened(river, history_rows=10**6)
    assert again.files() == []
    assert not (river.history / ".pending").exists()
    assert len(again.positions()) == 12
    again.tables.close()


def test_a_failed_commit_is_made_good_by_the_next(tmp_path: Path) -> None:
    river = River(tmp_path, history_rows=12)
    river.send(*calls(12))
    river.runner.drain()
    with contextlib.suppress(ZeroDivisionError), river.tables.transaction():
        river.stage.flush()
        raise ZeroDivisionError
    river.stage.rolled_back()
    river.settle()
    assert [row["position"] for row in river.file_rows()] == river.positions()


def test_a_compaction_is_finished_after_a_crash(tmp_path: Path) -> None:
    river = unpublished(tmp_path, history_rows=3, history_files_max=1)
    check_whole(reopened(river, history_rows=3, history_files_max=1))


def test_replaced_files_that_a_crash_left_are_deleted(tmp_path: Path) -> None:
    river = River(tmp_path, tables=SqliteTables(tmp_path / "state.db"), history_rows=6, history_files_max=1_000)
    for start in (0, 6, 12):
        river.send(*calls(6, first=start))
        river.drain()
    old = tmp_path / "old"
    shutil.copytree(river.history, old)
    compact = reopened(river, history_files_max=2)
    compact.drain()
    assert len(compact.files()) == 1
    shutil.copytree(old, compact.history, dirs_exist_ok=True)
    assert len(compact.files()) == 4
    check_whole(reopened(compact))


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_file_that_a_power_loss_took_is_made_again(damage: str, tmp_path: Path) -> None:
    river = River(tmp_path, tables=SqliteTables(tmp_path / "state.db"), history_rows=6)
    for start in (0, 6, 12):
        river.send(*calls(6, first=start), received=NOON + (start // 6 % 2) * DAY)
        river.drain()
    before = river.file_rows()
    victim = river.files()[0]
    if damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:-9])
    again = reopened(river)
    assert again.file_rows() == before
    check_whole(again)


def test_a_tail_left_by_an_earlier_runner_is_written(tmp_path: Path) -> None:
    river = River(tmp_path, tables=SqliteTables(tmp_path / "state.db"), history_rows=100)
    river.send(*calls(70))
    river.drain()
    assert river.files() == []
    again = reopened(river, history_rows=100)
    again.send(*calls(50, first=70))
    again.drain()
    rows = [row["position"] for row in again.file_rows()]
    assert rows == again.positions()[: len(rows)]
    assert len(rows) >= 100
    again.tables.close()


def test_files_made_beside_the_river_are_the_same(tmp_path: Path) -> None:
    river = River(tmp_path, history_rows=10, history_files_max=2, background=True)
    for start in range(0, 200, 10):
        river.send(*calls(10, first=start))
        river.runner.drain()
        river.stage.wait()
        river.settle()
    river.stage.close()
    rows = [row["position"] for row in river.file_rows()]
    assert rows == river.positions()[: len(rows)]
    assert len(rows) > 100


READER = """
import json, sys, duckdb
from pathlib import Path
folder = Path(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    while True:
        files = [str(folder / file["path"]) for file in json.loads((folder / "manifest.json").read_bytes())["files"]]
        try:
            (found,) = duckdb.read_parquet(files).aggregate("count(*), count(distinct position)").fetchall()
            break
        except duckdb.IOException:
            continue  # compacted away in between: the manifest names its successor
    print(json.dumps(found), flush=True)
"""


def test_another_program_reads_the_files_meanwhile(tmp_path: Path) -> None:
    river = River(tmp_path, history_rows=10, history_files_max=2)
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(river.history)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        asked = 0
        for start in range(0, 300, 10):
            river.send(*calls(10, first=start))
            river.drain()
            if start % 50 == 0:
                reader.stdin.write("count\n")  # it reads while the next batches are written and compacted
                reader.stdin.flush()
                asked += 1
        reader.stdin.close()
        answers = [json.loads(line) for line in reader.stdout]
    assert len(answers) == asked
    for rows, distinct in answers:
        assert rows == distinct
        assert rows % 10 == 0
        assert rows > 0


@pytest.mark.parametrize("is_shuffled", [True, False])
def test_row_groups_do_not_overlap_in_time(is_shuffled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ROW_GROUP_ROWS", 10)
    river = River(tmp_path, history_rows=50)
    order = [number * 7 % 50 for number in range(50)] if is_shuffled else list(range(50))
    river.send(body([item(number, occurred=NOON + number * SECOND) for number in order]))
    river.drain()
    groups = pq.ParquetFile(river.files()[0]).metadata
    found = [groups.row_group(number).column(SCHEMA.names.index("occurred")).statistics for number in range(5)]
    assert groups.num_row_groups == 5
    assert all(early.max < late.min for early, late in itertools.pairwise(found))
    rows = pq.ParquetFile(river.files()[0]).read()["id"].to_pylist()
    assert rows == [f"m-{number}" for number in range(50)]


def test_readers_can_skip_by_time(tmp_path: Path) -> None:
    river = River(tmp_path, history_rows=5)
    for day in range(3):
        river.send(*calls(5, first=day * 5), received=NOON + day * DAY)
        river.drain()
    pattern = str(river.history / "day=*" / "*.parquet")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        days = connection.execute(
            "select day::varchar, count(*) from read_parquet(?, hive_partitioning = true) group by 1 order by 1",
            [pattern],
        ).fetchall()
    assert days == [("2024-10-04", 5), ("2024-10-05", 5), ("2024-10-06", 5)]


def test_no_rows_are_an_empty_table() -> None:
    assert columns_of([]).num_rows == 0
