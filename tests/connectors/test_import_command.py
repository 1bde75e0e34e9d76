"""`cauce import` over a real installation."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from cauce.app import Platform
from cauce.cli.imports import import_
from cauce.connectors.tabular import loading

MAPPING = """
source: crm
channel: crm
type: identify
identifiers: {email: mail}
occurred: {column: at}
traits: {firstName: name, points: {column: points, type: integer}}
"""
ROWS = (
    "mail,name,points,at\nana@tienda.es,Ana,1,2024-01-01\n"
    + "bea@tienda.es,Bea,many,2024-01-01\nana@tienda.es,Ana María,2,2024-02-01\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.yaml").write_text(MAPPING)
    (tmp_path / "t.csv").write_text(ROWS)
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    with patch.dict("os.environ", {"CAUCE_DATA": str(folder / "data")}):
        return CliRunner().invoke(import_, arguments, catch_exceptions=False)


def run_json(folder: Path, *arguments: str) -> dict[str, Any]:
    result = run(folder, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_rows_become_a_person_and_bad_rows_are_quarantined(folder: Path) -> None:
    arguments = (str(folder / "*.csv"), "--mapping", str(folder / "m.yaml"))
    first = run_json(folder, *arguments)
    assert (first["imports"][0]["events"], first["imports"][0]["bad"]) == (2, 1)
    assert (first["quarantined"], first["duplicates"]) == (1, 0)
    assert first["key"]
    assert run_json(folder, *arguments)["imports"][0]["already"]
    again = run_json(folder, *arguments, "--again")
    assert (again["quarantined"], again["duplicates"], again["key"]) == (1, 3, "")
    with Platform.open(folder / "data") as platform:
        counts = platform.quality.counts()
        person = platform.people.locate("email:Ana@Tienda.es")
        assert platform.profiles.profile(person.id).traits["firstName"].value == "Ana María"
    assert counts == [{"source": "crm", "received": 6, "stored": 2, "quarantined": 1, "duplicate": 3, "suppressed": 0}]


def test_no_wait_leaves_the_processing_to_the_runner(folder: Path) -> None:
    found = run_json(folder, str(folder / "t.csv"), "--mapping", str(folder / "m.yaml"), "--no-wait")
    assert (found["quarantined"], found["duplicates"]) == (None, None)
    with Platform.open(folder / "data") as platform:
        assert platform.health()["lag_records"] == 2, "the settings of its source, and what the file said"


def test_an_interrupted_command_goes_on(folder: Path) -> None:
    (folder / "t.csv").write_text(
        "mail,name,points,at\n" + "".join(f"a{n}@tienda.es,A,{n},2024-01-01\n" for n in range(9))
    )
    arguments = (str(folder / "t.csv"), "--mapping", str(folder / "m.yaml"))
    real, calls = Platform.append, []

    def append(platform: Platform, *given: Any) -> int:
        calls.extend(given[1:2] if given[1] == "files" else ())
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(platform, *given)

    with patch.object(loading, "BODY_ITEMS_MAX", 1), patch.object(loading, "BODIES_PER_APPEND", 2):
        with patch.object(Platform, "append", append):
            stopped = run(folder, *arguments)
        assert (stopped.exit_code, "goes on where it stopped" in stopped.stderr) == (130, True)
        found = run_json(folder, *arguments)
    assert (found["imports"][0]["resumed"], found["imports"][0]["events"], found["duplicates"]) == (4, 9, 0)


def test_suggest_and_dry_run_write_nothing(folder: Path) -> None:
    suggested = run(folder, str(folder / "t.csv"), "--suggest")
    assert "email: mail" in suggested.stdout
    dry = run(folder, str(folder / "t.csv"), "--mapping", str(folder / "m.yaml"), "--dry-run")
    assert "3 rows read" in dry.stdout
    assert '"found": "many"' in dry.stdout
    assert not (folder / "data").exists()


def test_a_database_is_read_by_query(folder: Path) -> None:
    database = sqlite3.connect(folder / "shop.db")
    with database:
        database.execute("create table customers (mail text, name text, points integer, at text)")
        database.execute("insert into customers values ('c@tienda.es', 'Cleo', 3, '2024-01-01')")
    database.close()
    query = ("--database", f"sqlite:///{folder / 'shop.db'}", "--query", "select * from customers")
    found = run_json(folder, *query, "--mapping", str(folder / "m.yaml"))
    assert (found["imports"][0]["events"], found["quarantined"]) == (1, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give FILEs"),
        (("t.csv", "--database", "sqlite://"), "Give FILEs"),
        (("t.csv",), "--mapping is missing"),
        (("--database", "sqlite://", "--suggest"), "--suggest reads a FILE"),
        (("--database", "sqlite://", "--mapping", "m.yaml"), "--database needs --query"),
    ],
)
def test_what_is_missing_is_said(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    given = [str(folder / one) if one.endswith((".csv", ".yaml")) else one for one in arguments]
    result = run(folder, *given)
    assert (result.exit_code, said in result.stderr) == (2, True)
