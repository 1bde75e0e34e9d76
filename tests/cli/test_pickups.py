"""`cauce pickups` and `cauce fulfilment` at the command line: from the pick list to the person."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.cli.main import main
from tests.console import desk


@pytest.fixture
def store(tmp_path):
    """The data folder of a store with one order, and its number."""
    folder = tmp_path / "data"
    with Platform.open(folder) as platform:
        desk.furnish(platform)
        number = desk.ordered(platform, "Ana Ruiz", "ABR-1", "ACC-1")
    return folder, number


def cauce(folder, *words, code=0):
    answer = CliRunner().invoke(main, ["--data", str(folder), *words])
    assert answer.exit_code == code, answer.output
    return answer.output


def test_from_the_pick_list_to_the_person(store):
    folder, number = store
    assert "Wool coat" in cauce(folder, "pickups", "pick-list", "MAD", "--language", "en")
    assert "1 picked, 1 still to pick" in cauce(folder, "pickups", "pick", number, "MAD", "1=1")
    assert "2 picked, 0 still to pick" in cauce(folder, "pickups", "pick", number, "MAD")
    assert "waits in MAD" in cauce(folder, "pickups", "ready", number)
    assert "/collect/" in cauce(folder, "pickups", "link", number)
    (listed,) = json.loads(cauce(folder, "pickups", "list", "--state", "ready", "--json"))
    assert (listed["order"], listed["person"]) == (number, "Ana Ruiz")
    with Platform.open(folder) as platform:
        code = desk.code_of(platform, number)
    wrong = code[:-1] + ("3" if code[-1] == "2" else "2")
    assert "typing error" in cauce(folder, "pickups", "hand-over", "MAD", wrong, code=1)
    assert "handed over" in cauce(folder, "pickups", "hand-over", "MAD", code.lower())
    assert "a code works once" in cauce(folder, "pickups", "hand-over", "MAD", code, code=1)
    assert json.loads(cauce(folder, "pickups", "show", number, "--json"))["hand_overs"][0]["proof"] == "code"
    assert "0 orders went back" in cauce(folder, "pickups", "put-back")


def test_what_is_short_comes_from_elsewhere(store):
    folder, number = store
    said = cauce(folder, "pickups", "pick", number, "MAD", "1=0/1", "2=1")
    assert "1 come from" in said
    assert "expected LINE=AMOUNT" in cauce(folder, "pickups", "pick", number, "MAD", "one", code=1)


def test_rules_are_shown_checked_applied_and_tried(store, tmp_path):
    folder, _ = store
    rules = tmp_path / "rules.yaml"
    rules.write_text(cauce(folder, "fulfilment", "rules"), encoding="utf-8")
    assert "nothing is wrong" in cauce(folder, "fulfilment", "apply", str(rules), "--dry-run")
    assert "Version 1" in cauce(folder, "fulfilment", "apply", str(rules), "--why", "a try")
    assert "a try" in cauce(folder, "fulfilment", "rules", "--versions")
    rules.write_text("rules:\n- name: x\n  form: {}\n", encoding="utf-8")
    assert "line 3" in cauce(folder, "fulfilment", "apply", str(rules), code=1)
    said = cauce(folder, "fulfilment", "try", "ABR-1=2", "--delivery", "ship", "--near", "39.86,-4.02")
    assert "TOL" in said
    assert "is chosen" in said
    short = cauce(folder, "fulfilment", "try", "ABR-1=999", "--delivery", "pick_up", "--place", "MAD")
    assert "cannot be had" in short
    assert "expected SKU=AMOUNT" in cauce(folder, "fulfilment", "try", "ABR-1=x", code=1)
