"""Exports: whole files in open formats, and everything about one person."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cauce.errors import NotFound, StorageBroken
from cauce.events import export
from cauce.events.sql import Sql
from cauce.model import Identifier
from tests.events.river import River, body, calls, id_of, item


@pytest.fixture(scope="module")
def river(tmp_path_factory: pytest.TempPathFactory) -> River:
    found = River(tmp_path_factory.mktemp("river"), history_rows=20)
    found.send(
        body([item(500, "ana@example.com luis@example.com", properties={"note": 'a "quoted", text'})]), *calls(29)
    )
    found.drain()
    return found


@pytest.fixture
def sql(river: River) -> Sql:
    return Sql(river.history, lambda: river.tables)


def test_parquet_holds_every_event(river: River, sql: Sql, tmp_path: Path) -> None:
    seen: list[float] = []
    found = export.export_view(sql, "events", tmp_path / "e.parquet", "parquet", seen.append)
    assert sorted(pq.ParquetFile(tmp_path / "e.parquet").read()["position"].to_pylist()) == river.positions()
    assert (found.rows, found.bytes) == (30, (tmp_path / "e.parquet").stat().st_size)
    assert seen[-1] == 1.0
    assert all(0.0 <= fraction <= 1.0 for fraction in seen)


def test_csv_holds_lists_as_json(sql: Sql, tmp_path: Path) -> None:
    export.export_view(sql, "events", tmp_path / "e.csv", "csv")
    with (tmp_path / "e.csv").open(newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["id"] == "m-500"]
    assert json.loads(row["identifiers"])[1] == {"kind": "email", "value": "luis@example.com"}
    assert json.loads(row["properties"]) == {"note": 'a "quoted", text'}


def test_json_lines_hold_documents(sql: Sql, tmp_path: Path) -> None:
    export.export_view(sql, "events", tmp_path / "e.jsonl", "jsonl")
    rows = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert len(rows) == 30
    assert {"note": 'a "quoted", text'} in [row["properties"] for row in rows]


def test_an_export_that_fails_leaves_nothing(sql: Sql, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="events"):
        export.export_view(sql, "event", tmp_path / "e.csv", "csv")
    with pytest.raises(StorageBroken, match="cannot write"):
        export.export_view(sql, "events", tmp_path / "none" / "e.csv", "csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.parquet", "parquet"), ("a.JSONL", "jsonl"), ("a.ndjson", "jsonl"), ("a.csv", "csv"), ("a", "csv")],
)
def test_the_ending_says_the_format(name: str, format: str) -> None:
    assert export.format_of(Path(name)) == format


def test_a_person_gets_every_event_that_names_them(sql: Sql) -> None:
    luis = id_of(Identifier("email", "luis@example.com"))
    events = export.events_of(sql, [luis])
    assert [event["id"] for event in events] == ["m-500"]  # its subject is somebody else
    document = export.person_document("p_x", {"traits": {"city": "Jaén"}}, events)
    assert document["sources"] == {"shop": 1}
    assert document["traits"] == {"city": "Jaén"}
    assert document["events"][0]["properties"] == {"note": 'a "quoted", text'}
    assert export.events_of(sql, []) == []
