"""Several runners on one state: whoever comes, goes or dies, the state is that of one runner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cauce.engines.memory import MemoryTurns
from cauce.events import decisions
from cauce.model import DECISIONS
from cauce.runner import progress, rests, settled
from cauce.testing.simulate import River, TakenLanes, differing, traffic

pytestmark = pytest.mark.soak

NOW = 1_790_000_000_000_000
SEEDS = st.integers(0, 10_000)


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


def assert_equal(river: River, expected: dict[str, list[Any]]) -> None:
    assert differing(river.contents(), expected) == {}


@examples(8)
@given(seed=SEEDS, runners=st.integers(1, 4), batch=st.integers(1, 9))
def test_several_runners_come_to_the_state_of_one(folder: Any, seed: int, runners: int, batch: int) -> None:
    entries = traffic(seed, 80, with_garbage=True)
    expected = River(entries, history=folder()).drain().contents()
    river = River(entries, history=folder())
    river.drain_side_by_side(seed, runners, batch_records=batch)
    assert_equal(river, expected)


@examples(30)
@given(seed=SEEDS, runners=st.integers(2, 4), batch=st.integers(1, 5), faulty=st.booleans())
def test_whoever_comes_in_the_middle_of_another(folder: Any, seed: int, runners: int, batch: int, faulty: bool) -> None:
    """Others commit between any two questions that a runner asks outside its turn, also while it is being made."""
    entries = traffic(seed, 50, with_garbage=True)
    expected = River(entries, history=folder()).drain().contents()
    river = River(entries, history=folder())
    river.drain_side_by_side(seed, runners, interrupted=True, faulty=faulty, batch_records=batch)
    assert_equal(river, expected)


@examples(5)
@given(seed=SEEDS, batch=st.integers(1, 9))
def test_crashes_of_some_leave_no_trace(folder: Any, seed: int, batch: int) -> None:
    entries = traffic(seed, 80)
    expected = River(entries, history=folder()).drain().contents()
    deaths = 0
    while not deaths:  # a lucky crew comes through; another one does not
        river = River(entries, history=folder())
        deaths = river.drain_side_by_side(seed, 3, faulty=True, batch_records=batch)
        assert_equal(river, expected)
        seed += 1


@examples(5)
@given(seed=SEEDS, interrupted=st.booleans())
def test_history_files_of_several_runners_hold_every_event_once(folder: Any, seed: int, interrupted: bool) -> None:
    history = folder()
    river = River(traffic(seed, 120), history=history)
    river.drain_side_by_side(seed, 3, interrupted=interrupted, batch_records=4, history_rows=10, history_files_max=3)
    last = river.runner(history_rows=10, history_files_max=3)
    last.idle()
    last.stages[-1].wait()  # type: ignore[attr-defined]
    last.idle()  # lists the file that was being made
    last.close()
    stored = [event.event.position for chunk in river.views().archive.scan() for event in chunk]
    manifest = json.loads((history / "manifest.json").read_bytes())
    listed = [
        position
        for file in manifest["files"]
        for position in pq.read_table(history / file["path"])["position"].to_pylist()
    ]
    assert listed
    assert sorted(listed) == stored[: len(listed)]


@examples(5)
@given(seed=SEEDS)
def test_what_was_prepared_before_a_decision_is_read_as_the_decision_wants_it(folder: Any, seed: int) -> None:
    """Two runners hold stretches; the first of them changes how a source's numbers are read."""
    entries = [entry for entry in traffic(seed, 120, with_decisions=False) if entry[0] == "web"]
    told = decisions.encode("source.applied", {"source": {"name": "web", "channel": "app", "region": "FR"}}, "ana", NOW)
    entries.insert(2, (DECISIONS, DECISIONS, NOW, told))
    expected = River(entries, history=folder()).drain().contents()
    river = River(entries, history=folder())
    taken: dict[int, object] = {}
    crew = [river.runner(turns=MemoryTurns(taken), batch_records=3) for _ in range(3)]
    assert all(runner.prepare() for runner in crew[:2])
    while settled(river.tables) < river.log.end():
        for runner in reversed(crew):
            runner.run_once()
    for runner in crew:
        runner.close()
    assert_equal(river, expected)


TRAITS = (
    {"name": "orders", "compute": "count", "events": ["Order Completed"]},
    {"name": "spent", "compute": "sum", "property": "total", "window_days": 30},
    {"name": "shops", "compute": "most_frequent", "property": "event.channel"},
)


@examples(8)
@given(seed=SEEDS, runners=st.integers(1, 4), faulty=st.booleans(), changes=st.lists(st.integers(0, 60), max_size=4))
def test_parcels_are_read_under_the_traits_they_were_left_under(
    folder: Any, seed: int, runners: int, faulty: bool, changes: list[int]
) -> None:
    """Computed traits come, change places and go, while parcels of earlier batches wait and runners die."""
    entries = traffic(seed, 80)
    for number, place in enumerate(changes):
        keep = [TRAITS[(number + more) % len(TRAITS)] for more in range(2)]
        told = [
            ("trait.removed", {"names": [trait["name"] for trait in TRAITS]}),
            ("trait.applied", {"definitions": {"traits": keep}}),
        ]
        entries[place:place] = [(DECISIONS, DECISIONS, NOW, decisions.encode(*each, "ana", NOW)) for each in told]
    expected = River(entries, history=folder()).drain().contents()
    river = River(entries, history=folder())
    river.drain_side_by_side(seed, runners, faulty=faulty, batch_records=3)
    assert_equal(river, expected)


def test_who_folds_knows_the_traits_that_others_have_decided(tmp_path: Path) -> None:
    entries = traffic(3, 60, with_decisions=False)
    told = decisions.encode("trait.applied", {"definitions": {"traits": list(TRAITS)}}, "ana", NOW)
    entries.insert(8, (DECISIONS, DECISIONS, NOW, told))
    river = River(entries, history=tmp_path)
    taken: dict[int, object] = {}
    behind = river.runner(turns=MemoryTurns(taken), batch_records=4)
    assert behind.run_once() == 4
    other = river.runner(turns=TakenLanes(taken), batch_records=4)
    while other.run_once():
        pass
    assert not rests(river.tables)
    assert behind.run_once() == 0
    assert rests(river.tables)
    assert_equal(river, River(entries, history=tmp_path / "one").drain().contents())


def test_what_the_gate_let_pass_and_nobody_folded_is_not_yet_there_and_not_lost(tmp_path: Path) -> None:
    river = River(traffic(3, 60, with_decisions=False), history=tmp_path)
    turns = TakenLanes({})
    first = river.runner(turns=turns, batch_records=4)
    while first.run_once():
        pass
    first.close()
    assert (progress(river.tables), settled(river.tables)) == (river.log.end(), 0)
    assert not rests(river.tables)
    assert not river.tables.select("select 1 from pulse limit 1")
    turns.are_taken = False
    other = river.runner(turns=turns)
    assert other.run_once() == 0, "the log has no more"
    assert rests(river.tables)
    assert_equal(river, River(traffic(3, 60, with_decisions=False), history=tmp_path / "one").drain().contents())
