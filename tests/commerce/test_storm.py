"""The storm over the engines, and the storm of the real process that is killed with SIGKILL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cauce.cli.main import main
from cauce.commerce.proof import CHECKS, broken
from cauce.engines.api import Tables
from cauce.testing.storm.machine import faults
from cauce.testing.storm.run import Storm
from tests.postgres.engines import Pool


def test_nothing_is_found_on_any_engine(fresh: Callable[[], Callable[[], Tables]]) -> None:
    tables = fresh()()
    assert faults(tables, 11, 400) == []
    tables.close()


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path, seed: int) -> None:
    found = Storm(str(tmp_path), seed).rage(kills=10)
    assert found.holds, found
    assert found.kills == 10
    assert found.answers > 500
    assert {"Reserve", "PlaceOrder", "BeginRedemption", "Authorise", "RecordPayment"} <= set(found.done)


@pytest.mark.postgres
def test_nothing_acknowledged_is_lost_on_postgresql(pool: Pool) -> None:
    database = pool.database()
    found = Storm(f"{pool.url}#{database.commerce}", 3).rage(kills=4)
    assert found.holds, found
    assert found.answers > 100


def test_an_empty_store_is_sound_and_the_command_says_so(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["--data", str(tmp_path), "commerce", "verify", "--json"])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.output)["broken"] == []
    assert set(CHECKS) < set(json.loads(answer.output)["checks"])


@pytest.mark.soak
def test_the_command_proves_it(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["commerce", "prove", "--minutes", "0.05", "--clients", "8", "--json"])
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    assert found["kills"] >= 1
    assert found["lost"] == found["doubled"] == found["broken"] == found["failed"] == []


def test_a_changed_balance_is_found(memory: Tables) -> None:
    assert faults(memory, 5, 200) == []
    with memory.transaction():
        memory.execute("update account set posted = posted + 1 where floor = 0 and book = 'stock'")
    assert {one.invariant for one in broken(memory, 0)} == {
        "a balance is the sum of its entries",
        "nothing is made or lost",
    }


@pytest.mark.parametrize(
    ("changed", "invariant"),
    [
        ("update booking set party = party + 1 where state in ('confirmed', 'attended')", "a slot holds no more"),
        ("update booking_slot set capacity = capacity + 1", "a slot holds no more than it can"),
        ("insert into receipt_told_back values ('S1', '7', 'A', 2000)", "no more comes back of a receipt"),
        (
            "insert into pickup_handed values (999, 1, 1, 'S1', 'eva', 'code', '', '', '[[1, 99000000]]')",
            "what was handed over was collected",
        ),
    ],
)
def test_what_is_changed_behind_the_commands_is_found(memory: Tables, changed: str, invariant: str) -> None:
    assert faults(memory, 4, 1_500) == []
    with memory.transaction():
        memory.execute("insert into receipt_back values ('S1', '7', 'A', 1000, 0, 1)")
    assert broken(memory, 0) == []
    with memory.transaction():
        assert memory.execute(changed)
    assert {one.invariant[: len(invariant)] for one in broken(memory, 0)} == {invariant}
