"""What is folded by lanes, by whoever is free and in whatever order, is what one runner folds at once."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.engines.api import LANES
from cauce.profiles.parcels import Batch, lane_of, packed
from tests.profiles import world
from tests.profiles.world import River, event, passage


@settings(max_examples=30, deadline=None)
@given(
    definitions=world.definitions(),
    owned=world.events(most=20),
    cuts=st.lists(st.integers(0, 20), max_size=3),
    seed=st.integers(0, 2**32),
)
def test_parcels_folded_in_any_order_and_company_say_what_one_batch_says(definitions, owned, cuts, seed) -> None:
    chance = random.Random(seed)
    expected, river = River(definitions), River(definitions)
    expected.send(owned)
    waiting: list[bytes] = []
    edges = [0, *sorted(cuts), len(owned)]
    for start, end in pairwise(edges):
        for subject, happened in owned[start:end]:
            assert river.stage.apply(passage(subject, happened))
        waiting += river.stage.parcels().values()
        river.stage.committed()
    chance.shuffle(waiting)
    while waiting:
        together = [waiting.pop() for _ in range(chance.randint(1, len(waiting)))]
        with river.tables.transaction():
            river.stage.fold(together)
    assert river.state() == expected.state()


@given(subjects=st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=40))
def test_a_subject_is_in_one_lane_only(subjects) -> None:
    river = River()
    for number, subject in enumerate(subjects):
        river.stage.apply(passage(subject, event(number)))
    assert set(river.stage.parcels()) == {lane_of(subject) for subject in subjects} <= set(range(LANES))


def test_a_batch_that_says_nothing_leaves_no_parcel() -> None:
    assert packed(Batch()) == {}
