"""`cauce quarantine` and `cauce contracts`, on a real installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.cli.main import main
from cauce.model import Source
from cauce.settings import Settings

BROKEN = 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An installation with one good event and three broken ones of two kinds."""
    folder = tmp_path / "data"
    calls: list[dict[str, Any]] = [
        {"order_id": "o1", "total": 1},
        {"total": 2},
        {"total": 3},
        {"order_id": "o4", "currency": "EURO"},
    ]
    batch = [
        {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": f"m{number}", "properties": call}
        for number, call in enumerate(calls, 1)
    ]
    with Platform.open(Settings({"data": str(folder)})) as platform:
        platform.sources.add(Source("web", "web"))
        platform.append("web", "tracking", [json.dumps({"batch": batch}).encode()])
        platform.drain()
    return folder


def run(data: Path, *words: str, status: int = 0, text: str | None = None) -> str:
    result = CliRunner().invoke(main, ["--data", str(data), *words], input=text)
    assert result.exit_code == status, result.output
    return result.output


def answer(data: Path, *words: str, text: str | None = None) -> Any:
    return json.loads(run(data, *words, "--json", text=text))


def positions(data: Path, *words: str) -> list[int]:
    return [entry["position"] for entry in answer(data, "quarantine", "list", *words)]


def test_list_and_show(data: Path) -> None:
    entries = answer(data, "quarantine", "list")
    assert len(entries) == BROKEN
    assert entries[0]["reasons"][0]["code"] == "property_missing"
    groups = answer(data, "quarantine", "list", "--groups")
    assert [(group["code"], group["count"]) for group in groups] == [("property_missing", 2), ("currency_unknown", 1)]
    shown = answer(data, "quarantine", "show", str(entries[2]["position"]))
    assert shown["raw"]["properties"] == {"order_id": "o4", "currency": "EURO"}
    assert "currency_unknown" in run(data, "quarantine", "show", str(entries[2]["position"]))
    assert "property_missing" in run(data, "quarantine", "list")
    assert "property_missing" in run(data, "quarantine", "list", "--groups")
    assert "not_found" in run(data, "quarantine", "show", "7", status=1)
    assert "narrowed" in run(data, "quarantine", "list", "--groups", "--name", "x", status=2)


def test_patch_many(data: Path) -> None:
    words = ("quarantine", "patch", "--reason", "property_missing", "--patch", '{"properties": {"order_id": "known"}}')
    expected = positions(data, "--reason", "property_missing")
    assert answer(data, *words, "--by", "sara") == {"replayed": expected, "still_open": []}
    assert positions(data, "--state", "replayed") == expected
    assert answer(data, "quarantine", "show", str(expected[0]))["decided_by"] == "sara"
    assert len(positions(data)) == 1
    with Platform.open(Settings({"data": str(data)})) as platform:
        (balance,) = platform.quality.balance()
        assert (balance.received, balance.stored, balance.quarantined, balance.adds_up) == (4, 3, 1, True)


def test_edit_from_a_file_keeps_what_is_still_bad_open(data: Path, tmp_path: Path) -> None:
    (position,) = positions(data, "--reason", "currency_unknown")
    raw = answer(data, "quarantine", "show", str(position))["raw"]
    file = tmp_path / "mended.json"
    for currency, replayed in (("EURO2", []), ("EUR", [position])):
        raw["properties"]["currency"] = currency
        file.write_text(json.dumps(raw), encoding="utf-8")
        assert answer(data, "quarantine", "edit", str(position), "--raw", str(file))["replayed"] == replayed
    assert "already replayed" in run(data, "quarantine", "edit", str(position), "--raw", str(file), status=1)
    file.write_text("{", encoding="utf-8")
    other = str(positions(data)[0])
    assert "not JSON" in run(data, "quarantine", "edit", other, "--raw", str(file), status=1)


def test_edit_in_an_editor(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (position,) = positions(data, "--reason", "currency_unknown")
    monkeypatch.setenv("EDITOR", "sed -i s/EURO/EUR/")
    assert "1 replayed" in run(data, "quarantine", "edit", str(position))
    other = str(positions(data)[0])
    assert "Nothing was changed" in run(data, "quarantine", "edit", other, status=1)


def test_drop_says_why(data: Path) -> None:
    assert answer(data, "quarantine", "drop", "--all", "--why", "a test") == {
        "dropped": positions(data, "--state", "any")
    }
    assert {entry["why"] for entry in answer(data, "quarantine", "list", "--state", "dropped")} == {"a test"}
    assert positions(data) == []
    assert "Nothing is in quarantine" in run(data, "quarantine", "list")
    assert "no open entry" in run(data, "quarantine", "drop", "--all", "--why", "again", status=1)


def test_what_is_meant_must_be_said(data: Path) -> None:
    assert "give positions" in run(data, "quarantine", "replay", status=2)
    assert "not both" in run(data, "quarantine", "replay", "3", "--source", "web", status=2)


def test_another_contract_lets_them_in(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "contracts.json"
    shown = json.loads(run(data, "contracts", "show", "track:Order Completed"))
    assert shown["contracts"][0]["properties"].pop("required") == ["order_id"]
    file.write_text(json.dumps(shown), encoding="utf-8")
    assert "1 contracts applied" in run(data, "contracts", "apply", str(file), "--by", "sara")
    result = answer(data, "quarantine", "replay", "--all")
    assert len(result["replayed"]) == BROKEN - 1
    assert [entry["reasons"][0]["code"] for entry in result["still_open"]] == ["currency_unknown"]
    assert "still break" in run(data, "quarantine", "replay", "--all")
    listed = answer(data, "contracts", "list")
    (changed,) = [contract for contract in listed["contracts"] if contract["version"]]
    assert (changed["key"], changed["decided_by"]) == ("track:Order Completed", "sara")
    assert listed["unknown"] == {"": "accept"}
    assert "1 by sara" in run(data, "contracts", "list")


def test_contracts_can_be_removed(data: Path, tmp_path: Path) -> None:
    run(data, "contracts", "remove", "track:Order Completed")
    assert len(answer(data, "quarantine", "replay", "--all")["replayed"]) == BROKEN
    assert "Did you mean" in run(data, "contracts", "remove", "track:Order Completd", status=1)
    assert "not_found" in run(data, "contracts", "show", "track:Order Completed", status=1)
    file = tmp_path / "bad.yaml"
    file.write_text("contracts: [{evnt: x}]", encoding="utf-8")
    assert "Did you mean 'event'" in run(data, "contracts", "apply", str(file), status=1)


def test_breaches_are_listed(data: Path) -> None:
    assert answer(data, "contracts", "breaches") == []
    assert "No contract is broken" in run(data, "contracts", "breaches")
    call = {"type": "track", "event": "Order Completed", "userId": "u", "messageId": "x"}
    with Platform.open(Settings({"data": str(data)})) as platform:
        body = {"batch": [{**call, "properties": {"order_id": "o", "total": "1.5"}}]}
        platform.append("web", "tracking", [json.dumps(body).encode()])
        platform.drain()
    assert [breach["code"] for breach in answer(data, "contracts", "breaches")] == ["number_as_text"]
    assert "number_as_text" in run(data, "contracts", "breaches")
