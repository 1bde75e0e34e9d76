"""What a runner has in memory may be behind what others committed: then nothing is decided by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cauce.engines.memory import MemoryTurns
from cauce.events.history import MANIFEST
from cauce.runner import Runner, settled
from cauce.testing.simulate import Interrupted, River, traffic
from tests.river.test_erasure_river import erased

READS_MAX = 40
"""More than a runner needs to begin: the test says so when it is not."""


class Once:
    """Does something before the `n`-th operation, and then never again."""

    def __init__(self, n: int, act: Callable[[], object]) -> None:
        self.left = n
        self._act = act

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            self._act()


def listed(history: Path) -> list[int]:
    """Positions of all events in the files that the manifest names."""
    manifest = json.loads((history / MANIFEST).read_bytes())
    paths = [history / file["path"] for file in manifest["files"]]
    return sorted(position for path in paths for position in pq.read_table(path)["position"].to_pylist())


def making(runner: Runner) -> bool:
    """Whether a file is in the making."""
    return runner.stages[-1]._history._job is not None  # type: ignore[attr-defined]


def list_files(runner: Runner) -> None:
    """Begins, waits for and lists the history files that are due, as a runner does when nothing comes."""
    runner.idle()
    while making(runner):
        runner.stages[-1].wait()  # type: ignore[attr-defined]
        runner.idle()


def test_another_commits_while_a_runner_is_being_made(tmp_path: Path) -> None:
    """Before whichever of its first questions: what it has read until then must not pass for the present state."""
    entries = traffic(2, 12)
    expected = River(entries, history=tmp_path).drain().contents()
    for before in range(2, READS_MAX, 2):  # every other question will do: the gap to find is wider
        taken: dict[int, object] = {}
        river = River(entries, history=tmp_path)
        first = river.runner(turns=MemoryTurns(taken), batch_records=1)
        for _ in range(len(entries) // 2):
            first.run_once()
        other = Once(before, first.run_once)
        begun = river.runner(turns=MemoryTurns(taken), tables=Interrupted(river.tables, other), batch_records=1)
        if other.left > 0:
            assert before > 5, "a runner asks when it is made"
            return
        while settled(river.tables) < river.log.end():
            begun.run_once()
        found = river.contents()
        assert [name for name, rows in expected.items() if found[name] != rows] == [], f"before question {before}"
    pytest.fail("a runner asks more than expected when it is made")


def one_lists_what_the_other_remembers(river: River) -> Runner:
    """The other of two runners: it committed last, and since then the first has listed files up to there."""
    taken: dict[int, object] = {}
    one, other = (river.runner(turns=MemoryTurns(taken), history_rows=5, batch_records=4) for _ in range(2))
    while one.run_once() and not making(one):
        pass
    assert other.run_once(), "it has enough for a file, and the first is making one"
    assert not making(other)
    list_files(one)
    return other


def test_no_event_is_in_two_files_when_another_has_just_written_it(tmp_path: Path) -> None:
    river = River(traffic(5, 60, with_decisions=False), history=tmp_path)
    other = one_lists_what_the_other_remembers(river)
    written = listed(tmp_path)
    list_files(other)
    assert written == listed(tmp_path) == sorted(set(written))


def test_an_erasure_reaches_a_file_that_another_has_just_listed(tmp_path: Path) -> None:
    river = River(traffic(5, 60, with_decisions=False), history=tmp_path)
    other = one_lists_what_the_other_remembers(river)
    before = set(listed(tmp_path))
    river.log.append([erased(who) for who in range(5)])
    while other.run_once():
        pass
    stored = {found.event.position for chunk in river.views().archive.scan() for found in chunk}
    assert before - stored, "somebody of the file was erased"
    assert set(listed(tmp_path)) <= stored
