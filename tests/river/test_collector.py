"""The runner keeps the garbage collector away from what a batch makes, and lets it look after what stays."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence

import pytest

from cauce import runner as module
from cauce.engines.api import Table
from cauce.engines.memory import MemoryLog, MemoryTables
from cauce.model import Passage
from cauce.runner import Runner


class Knot:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


class Tangled:
    """A stage that leaves a knot behind at every commit."""

    name = "tangled"
    tables: tuple[Table, ...] = ()

    def __init__(self) -> None:
        self.left: list[weakref.ref[Knot]] = []
        self.saw_collector: list[bool] = []

    def refresh(self, *, decided: bool) -> None:
        raise AssertionError("nobody else is there")

    def prefetch(self, passages: Sequence[Passage]) -> None:
        self.saw_collector.append(gc.isenabled())

    def apply(self, passage: Passage) -> bool:
        return True

    def flush(self) -> None:
        self.left.append(weakref.ref(Knot()))

    def committed(self) -> None: ...

    def rolled_back(self) -> None: ...

    @property
    def alive(self) -> int:
        return sum(each() is not None for each in self.left)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Tangled, Runner]]:
    monkeypatch.setattr(module, "RECORDS_PER_COLLECTION", 6)
    log, stage = MemoryLog(), Tangled()
    log.append([("shop", "nothing", 1, b"{}")] * 20)
    runner = Runner(log, MemoryTables(), lambda _record: [], [stage], batch_records=2)
    assert gc.isenabled()
    yield stage, runner
    runner.close()
    gc.collect()


def test_what_is_left_is_looked_through_after_so_many_records_and_not_before(stage: tuple[Tangled, Runner]) -> None:
    tangled, runner = stage
    alive = []
    for _ in range(7):
        assert runner.run_once() == 2
        gc.collect()  # what a batch left is out of the collector's sight
        alive.append(tangled.alive)
    assert alive == [1, 2, 0, 1, 2, 0, 1]
    assert tangled.saw_collector == [False] * 7
    assert gc.isenabled()


def test_a_runner_that_ends_gives_everything_back_to_the_collector(stage: tuple[Tangled, Runner]) -> None:
    tangled, runner = stage
    runner.run_once()
    assert tangled.alive == 1
    runner.close()
    gc.collect()
    assert tangled.alive == 0


def test_a_batch_that_fails_leaves_the_collector_as_it_was(
    stage: tuple[Tangled, Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    tangled, runner = stage

    def full() -> None:
        raise MemoryError

    monkeypatch.setattr(tangled, "flush", full)
    with pytest.raises(MemoryError):
        runner.run_once()
    assert gc.isenabled()
    gc.disable()
    try:
        with pytest.raises(MemoryError):
            runner.run_once()
        assert not gc.isenabled()
    finally:
        gc.enable()
