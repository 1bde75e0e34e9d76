"""What the tests of the river share: fresh folders, and the engines over which its promises are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cauce.testing.simulate import River
from tests.postgres.engines import Pool

ELSEWHERE = {
    "test_promises": None,
    "test_side_by_side": {
        "test_several_runners_come_to_the_state_of_one",
        "test_crashes_of_some_leave_no_trace",
        "test_what_was_prepared_before_a_decision_is_read_as_the_decision_wants_it",
    },
    "test_devices": {"test_any_order_gives_the_same_owners_and_every_event_has_one"},
    "test_faults": {
        "test_garbage_never_stops_the_river",
        "test_a_poisoned_event_is_quarantined_and_its_neighbours_are_stored",
        "test_deep_nesting_is_one_bad_item",
    },
    "test_erasure_river": {
        "test_neighbours_are_as_if_the_person_had_never_been",
        "test_later_events_are_suppressed_and_everybody_else_goes_on",
    },
}
"""Tests that run over PostgreSQL too, by module; None for all."""
FEW = 1
"""Examples of a generated test that the quick run tries elsewhere than over one memory; slower suites try all."""
RUNNERS = 4
"""Size of a crew: the same promises are kept by several runners side by side."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = ELSEWHERE.get(metafunc.module.__name__.rpartition(".")[2], set())
    if "folder" in metafunc.fixturenames and (names is None or metafunc.function.__name__ in names):
        crew = () if metafunc.module.__name__.endswith("test_side_by_side") else ("crew", "postgres_crew")
        slow = [pytest.param(name, marks=pytest.mark.postgres) for name in ("postgres_all", *crew[1:])]
        engines = ["memory", "postgres", *crew[:1], *slow]
        metafunc.parametrize("engine", engines, indirect=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Gives a fresh folder at each call, also inside Hypothesis."""
    numbers = count()
    base = tmp_path_factory.mktemp("river")

    def fresh() -> Path:
        path = base / str(next(numbers))
        path.mkdir()
        return path

    return fresh


@pytest.fixture(scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    found = Pool(request.getfixturevalue("postgres_server"))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets the rivers of a test flow over the engine of its parameter, by one runner or by a crew."""
    name = getattr(request, "param", "memory")
    if name == "memory":
        yield
        return
    pool: Pool | None = request.getfixturevalue("pool") if name.startswith("postgres") else None
    if pool is not None:
        monkeypatch.setattr(River, "engines", staticmethod(pool.engines))
    if name.endswith("crew"):
        monkeypatch.setattr(River, "drain", by_a_crew)
    generated = getattr(request.function, "hypothesis", None)
    if generated is not None:
        inner = generated.inner_test
        left = FEW if name in ("postgres", "crew") else 10**6

        def bounded(*arguments: Any, **options: Any) -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                try:
                    inner(*arguments, **options)
                finally:
                    if pool is not None:
                        pool.take_back()

        monkeypatch.setattr(generated, "inner_test", bounded)
    yield
    if pool is not None:
        pool.take_back()


def by_a_crew(river: River, **settings: Any) -> River:
    """Processes the whole log by runners that come, go and die."""
    river.drain_side_by_side(len(settings), RUNNERS, **settings)
    return river
