from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from cauce.quality.seen import BLOCK_KEYS, SeenSet, keys_of, name_of

KEY = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 30))
STEPS = st.lists(st.tuples(st.sampled_from(["commit", "roll back", "reload"]), st.lists(KEY, max_size=40)), max_size=12)


def commit(seen: SeenSet, blocks: dict[int, bytes]) -> None:
    blocks.update(seen.changed_blocks())
    seen.committed()


@given(STEPS)
def test_it_is_a_set_whatever_happens(steps: list[tuple[str, list[int]]]) -> None:
    seen, blocks, expected = SeenSet(), dict[int, bytes](), set[int]()
    for what, keys in steps:
        assert seen.known(keys) == expected & set(keys)
        new = [key for key in dict.fromkeys(keys) if key not in expected]
        seen.add(new)
        if what == "roll back":
            seen.rolled_back()
            continue
        commit(seen, blocks)
        expected.update(new)
        if what == "reload":
            seen = SeenSet(blocks[number] for number in sorted(blocks))
        assert len(seen) == len(expected)
    assert seen.known(sorted(expected)) == expected


@given(st.lists(st.integers(1, BLOCK_KEYS), max_size=12))
def test_blocks_do_not_depend_on_where_batches_are_cut(sizes: list[int]) -> None:
    keys = list(range(sum(sizes)))
    whole, cut = dict[int, bytes](), dict[int, bytes]()
    one, many = SeenSet(), SeenSet()
    one.add(keys)
    commit(one, whole)
    start = 0
    for size in sizes:
        many.add(keys[start : start + size])
        commit(many, cut)
        start += size
    assert cut == whole


def test_runs_stay_few_and_the_filter_grows_with_the_keys() -> None:
    dice = random.Random(7)
    seen, expected = SeenSet(), set[int]()
    for _ in range(300):
        keys = {dice.randrange(-(2**63), 2**63) for _ in range(200)}
        seen.add(sorted(keys - expected))
        seen.changed_blocks()
        seen.committed()
        expected |= keys
    assert len(seen._runs) <= 17
    strangers = [dice.randrange(-(2**63), 2**63) for _ in range(10_000)]
    assert seen.known([*strangers, *expected]) == expected


def test_keys_tell_sources_and_ids_apart() -> None:
    names = [name_of("web", "1"), name_of("app", "1"), name_of("web", "2"), name_of("web", "1")]
    first, second, third, again = keys_of(names)
    assert first == again
    assert len({first, second, third}) == 3
    assert keys_of([]) == []
    assert keys_of(["\ud800"]) == keys_of(["\ud800"])
