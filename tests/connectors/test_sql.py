from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml

from cauce.connectors import files, sql
from cauce.errors import DefinitionInvalid, MissingExtra, Unreadable
from tests.connectors.bed import Bed

MAPPING = files.parse_mapping(
    yaml.safe_load("""
source: erp
channel: store
event: Order Completed
id: id
identifiers: {email: mail}
occurred: {column: at, timezone: Europe/Madrid}
properties: {total: {column: amount, type: money}}
""")
)
ASK = "select id, mail, at, amount from orders where at <> '10:00' -- times with colons"


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute("create table orders (id integer, mail text, at text, amount numeric)")
        add(
            path,
            [
                (1, "a@b.es", "2024-01-01 10:00:00", 1.5),
                (2, None, "2024-07-01 10:00:00", "much"),
                (3, "c@d.es", "2024-01-03", 2),
            ],
        )
    database.close()
    return f"sqlite:///{path}"


def add(path: Path, rows: list[tuple[int, str | None, str, object]]) -> None:
    database = sqlite3.connect(path)
    with database:
        database.executemany("insert into orders values (?, ?, ?, ?)", rows)
    database.close()


def test_rows_of_a_query_become_events_and_bad_rows_are_kept(tmp_path: Path, shop: str) -> None:
    bed = Bed(tmp_path)
    report = sql.import_query(bed, sql.Query(shop, ASK + "\n"), MAPPING)
    assert (report.rows, report.events, report.bad) == (3, 2, 1)
    assert [(event.properties["total"], str(event.identifiers[0])) for event in bed.events] == [
        (1.5, "email:a@b.es"),
        (2, "email:c@d.es"),
    ]
    assert bed.bad[0].raw["row"]["amount"] == "much"
    assert {connector for _, connector, _ in bed.bodies} == {"sql"}


def test_the_same_query_again_changes_nothing_and_brings_what_is_new(tmp_path: Path, shop: str) -> None:
    bed = Bed(tmp_path)
    query = sql.Query(shop, "select * from orders")
    sql.import_query(bed, query, MAPPING)
    before = bed.essence()
    sql.import_query(bed, query, MAPPING)
    assert bed.essence() == before
    add(tmp_path / "shop.db", [(4, "e@f.es", "2024-01-04", 3)])
    sql.import_query(bed, query, MAPPING)
    assert len(bed.events) == 3


def test_an_incremental_column_reads_only_from_its_highest_value_on(tmp_path: Path, shop: str) -> None:
    bed = Bed(tmp_path)
    query = sql.Query(shop, "select * from orders;", "id")
    assert sql.import_query(bed, query, MAPPING).rows == 3
    add(
        tmp_path / "shop.db",
        [(3, "late@b.es", "2024-01-03", 9), (5, "x@y.es", "2024-01-05", 4), (4, "e@f.es", "2024-01-04", 3)],
    )
    assert sql.import_query(bed, query, MAPPING).rows == 4
    assert sql.import_query(bed, query, MAPPING).rows == 1
    assert [event.properties["total"] for event in bed.events] == [1.5, 2, 3, 4]


def test_wrong_questions_are_refused_without_the_password(tmp_path: Path, shop: str) -> None:
    bed = Bed(tmp_path)
    with pytest.raises(DefinitionInvalid, match="no column 'idd'"):
        sql.import_query(bed, sql.Query(shop, "select * from orders", "idd"), MAPPING)
    with pytest.raises(Unreadable, match="refused the query: no such table"):
        sql.import_query(bed, sql.Query(shop, "select * from orderz"), MAPPING)
    for url in ("postgresql://me:secret@nowhere/shop", "nonsense://me:secret@host/shop?x=secret", "me:secret"):
        with pytest.raises(Unreadable) as fault:
            sql.import_query(bed, sql.Query(url, "select 1"), MAPPING)
        assert "secret" not in str(fault.value)


def test_a_missing_package_is_named(tmp_path: Path, shop: str) -> None:
    with (
        patch.dict(sys.modules, {"sqlalchemy": None}),
        pytest.raises(MissingExtra, match=r"pip install 'cauce\[sql\]'"),
    ):
        sql.import_query(Bed(tmp_path), sql.Query(shop, "select 1"), MAPPING)
