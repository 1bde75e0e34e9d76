"""`cauce loyalty` and `cauce value`: what is applied, given, shown, and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cauce.cli.main import main
from tests.commerce.loyalty.club import CLUB


def call(data: Path, *words: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["--data", str(data), *words])
    assert result.exit_code == status, f"{result.output}{result.exception!r}"
    return result


def answer(data: Path, *words: str) -> Any:
    return json.loads(call(data, *words, "--json").stdout)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "club.yaml").write_text(CLUB, encoding="utf-8")
    folder = tmp_path / "data"
    assert "version 1" in call(folder, "loyalty", "apply", str(tmp_path / "club.yaml")).stdout
    return folder


def test_points_are_given_shown_and_add_up(data: Path) -> None:
    call(data, "loyalty", "adjust", "loyalty:9001", "120", "--programme", "club", "--why", "a welcome")
    call(data, "loyalty", "adjust", "--programme", "club", "--why", "a mistake", "loyalty:9001", "--", "-20")
    (found,) = answer(data, "loyalty", "member", "loyalty:9001")
    assert (found["points"], found["available"]) == (100, 100)
    (told,) = answer(data, "loyalty", "statement", "loyalty:9001")
    assert (told["adjusted"], told["closing"]) == (100, 100)
    assert "closing" in call(data, "loyalty", "statement", "loyalty:9001", "--from", "2026-01-01").stdout
    assert "100 points can be spent" in call(data, "loyalty", "member", "loyalty:9001").stdout
    (row,) = answer(data, "loyalty", "programmes")
    assert (row["members"], row["outstanding"]) == (1, 100)
    assert answer(data, "loyalty", "sweep") == {"lots": 0, "points": 0}


def test_a_programme_is_shown_checked_and_retired(data: Path, tmp_path: Path) -> None:
    assert answer(data, "loyalty", "programme", "club")["name"] == "Club Ribera"
    (tmp_path / "bad.yaml").write_text(CLUB.replace("points: 1,", "points: many,"), encoding="utf-8")
    failed = call(data, "loyalty", "apply", str(tmp_path / "bad.yaml"), status=1)
    assert "earn[0].points: expected a number" in failed.stderr
    assert "Did you mean 'club'" in call(data, "loyalty", "programme", "clob", status=1).stderr
    assert call(data, "loyalty", "apply", "--dry-run", str(tmp_path / "club.yaml")).stdout.startswith("club: can be")
    call(data, "loyalty", "retire", "club")
    assert answer(data, "loyalty", "programmes")[0]["open"] is False


def test_a_card_is_issued_found_topped_up_and_blocked(data: Path) -> None:
    made = answer(data, "value", "issue", "50", "--currency", "EUR")
    number, card = made["number"], str(made["card"]["id"])
    assert len(number) == 16
    assert len(made["pin"]) == 6
    call(data, "value", "top-up", number, "12.50")
    shown = answer(data, "value", "show", card)
    assert shown["card"]["balance"] == 6_250
    assert [move["balance"] for move in shown["movements"]] == [5_000, 6_250]
    assert number not in json.dumps(shown)
    assert "blocked" in call(data, "value", "block", card, "--why", "lost").stdout
    assert "is blocked" in call(data, "value", "top-up", card, "1", status=1).stderr
    assert "at most 2 decimals" in call(data, "value", "issue", "1.234", "--currency", "EUR", status=1).stderr
    assert len(answer(data, "value", "list", "--last", number[-4:])) == 1
