"""The promises of the river, over the real stages: generated traffic, seeds, faults; nothing hand-picked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cauce.engines.sqlite import SqliteTables
from cauce.errors import CauceError
from cauce.events import decisions
from cauce.identity.api import text_of
from cauce.model import DECISION, DECISIONS
from cauce.testing.simulate import Entry, River, differing, shuffled, traffic

pytestmark = pytest.mark.soak

NOW = 1_790_000_000_000_000
SEEDS = st.integers(0, 10_000)


def examples(count: int) -> settings:
    """Whole rivers are slow and a seed is small already: no shrinking."""
    return settings(max_examples=count, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


def known(river: River) -> dict[str, Any]:
    """Who is who and what is known of them, without anything that the order of arrival may change."""
    views = river.views()
    people: dict[str, Any] = {}
    seen: set[int] = set()
    for chunk in views.archive.scan():
        for stored in chunk:
            if not stored.subject or stored.event.type == DECISION:
                continue
            person = views.people.person(stored.subject)
            assert person is not None
            if person.id in seen:
                continue
            seen.add(person.id)
            profile = views.profiles.profile(person.id, now=NOW)
            people[text_of(person.id)] = {
                "identifiers": sorted(map(str, person.identifiers)),
                "traits": {name: trait.value for name, trait in profile.traits.items()},
                "computed": profile.computed,
                "channels": profile.channels,
                "events": profile.events,
                "span": (profile.first_seen, profile.last_seen),
                "consents": [(one.purpose, one.channel, one.granted) for one in profile.consents],
            }
    return people


@examples(12)
@given(seed=SEEDS, sizes=st.tuples(st.integers(1, 7), st.integers(8, 400)))
def test_any_batch_size_gives_the_same_state(folder: Any, seed: int, sizes: tuple[int, int]) -> None:
    entries = traffic(seed, 90)
    whole = River(entries, history=folder()).drain(batch_records=10_000).contents()
    for size in sizes:
        state = River(entries, history=folder()).drain(batch_records=size).contents()
        assert differing(state, whole) == {}, f"in batches of {size}, and in one"


@examples(10)
@given(seed=SEEDS)
def test_a_crash_anywhere_leaves_no_trace(folder: Any, seed: int) -> None:
    entries = traffic(seed, 60)
    expected = River(entries, history=folder()).drain().contents()
    river = River(entries, history=folder())
    falls = river.drain_with_faults(seed, batch_records=2)
    assert falls > 0
    assert river.contents() == expected


@examples(6)
@given(seed=SEEDS)
def test_files_give_the_same_state_as_memory(folder: Any, seed: int) -> None:
    entries = traffic(seed, 60)
    path = folder()
    on_disk = River(entries, history=path / "history", tables=lambda: SqliteTables(path / "state.db"))
    on_disk.drain(batch_records=3)
    assert on_disk.contents() == River(entries, history=folder()).drain().contents()
    on_disk.tables.close()


@examples(12)
@given(seed=SEEDS, order=SEEDS)
def test_any_order_gives_the_same_people_and_values(folder: Any, seed: int, order: int) -> None:
    entries = traffic(seed, 80, with_decisions=False)
    one = River(entries, history=folder()).drain()
    other = River(list(shuffled(entries, order)), history=folder()).drain(batch_records=4)
    assert known(one) == known(other)


@examples(8)
@given(seed=SEEDS)
def test_everything_twice_changes_nothing(folder: Any, seed: int) -> None:
    entries = [entry for entry in traffic(seed, 60) if entry[1] != DECISIONS]
    once = River(entries, history=folder()).drain()
    twice = River([*entries, *entries], history=folder()).drain(batch_records=7)
    assert known(once) == known(twice)
    for row in twice.views().quality.balance():
        assert row.adds_up
    stored = {row.source: row.stored for row in once.views().quality.balance()}
    assert {row.source: row.stored for row in twice.views().quality.balance()} == stored


@examples(8)
@given(seed=SEEDS, batch=st.integers(1, 50))
def test_counts_add_up_at_every_moment(folder: Any, seed: int, batch: int) -> None:
    river = River(traffic(seed, 80), history=folder())
    runner = river.runner(batch_records=batch)
    while runner.run_once():
        views = river.views()
        balance = views.quality.balance()
        assert all(row.adds_up for row in balance)
        decisions = sum(1 for chunk in views.archive.scan() for one in chunk if one.event.type == DECISION)
        assert sum(row.stored for row in balance) == views.archive.count() - decisions


@examples(10)
@given(seed=SEEDS, pick=st.integers(0, 1_000))
def test_merge_then_split_restores_every_number(folder: Any, seed: int, pick: int) -> None:
    entries = traffic(seed, 70, with_decisions=False)
    before = River(entries, history=folder()).drain()
    names = sorted(one for person in known(before).values() for one in person["identifiers"])
    a, b = names[pick % len(names)], names[(pick * 7 + 1) % len(names)]
    if a == b:
        return
    joined = River([*entries, said("identity.joined", a, b)], history=folder()).drain()
    assert joined.views().people.locate(a).id == joined.views().people.locate(b).id
    both = River([*entries, said("identity.joined", a, b), said("identity.unjoined", a, b)], history=folder())
    assert known(both.drain()) == known(before)


@examples(8)
@given(seed=SEEDS, pick=st.integers(0, 1_000))
def test_a_split_is_kept_whatever_comes_later(folder: Any, seed: int, pick: int) -> None:
    entries = traffic(seed, 60, with_decisions=False)
    people = known(River(entries, history=folder()).drain())
    pairs = [person["identifiers"] for person in people.values() if len(person["identifiers"]) > 1]
    if not pairs:
        return
    group = pairs[pick % len(pairs)]
    a, b = group[0], group[-1]
    river = River(
        [*entries, said("identity.refused", a, b), *traffic(seed + 1, 60, with_decisions=False)], history=folder()
    )
    runner = river.runner(batch_records=3)
    split_seen = False
    while runner.run_once():
        views = river.views()
        split_seen = split_seen or bool(views.people.refusals())
        if split_seen:
            assert views.people.locate(a).id != views.people.locate(b).id
    assert split_seen


@examples(8)
@given(seed=SEEDS)
def test_every_pair_of_a_person_is_explained_by_active_evidence(folder: Any, seed: int) -> None:
    river = River(traffic(seed, 80), history=folder()).drain()
    views = river.views()
    for person in known(river).values():
        for a in person["identifiers"]:
            for b in person["identifiers"]:
                found = views.people.explain(a, b)
                assert found.same
                assert all(hop.evidence.joined for hop in found.hops)
                assert (len(found.hops) == 0) == (a == b)


@examples(8)
@given(seed=SEEDS, batch=st.integers(1, 30))
def test_conservation_every_event_belongs_to_exactly_one_person(folder: Any, seed: int, batch: int) -> None:
    river = River(traffic(seed, 80), history=folder()).drain(batch_records=batch)
    views = river.views()
    owned = sum(person["events"] for person in known(river).values())
    stored = [one for chunk in views.archive.scan() for one in chunk if one.event.type != DECISION]
    assert owned == sum(1 for one in stored if one.subject)


@examples(5)
@given(seed=SEEDS)
def test_as_of_is_what_was_known_then(folder: Any, seed: int) -> None:
    entries = traffic(seed, 50)
    whole = River(entries, history=folder()).drain()
    cut = len(entries) // 2
    moment = entries[cut - 1][2]
    then = River(entries[:cut], history=folder()).drain()
    for person in known(then).values():
        first = person["identifiers"][0]
        past = then.views().profiles.profile(then.views().people.locate(first).id, now=moment)
        try:
            today = whole.views().people.locate(first)
        except CauceError:
            continue
        found = whole.views().profiles.profile(today.id, as_of=moment)
        if first not in {f"{one.kind}:{one.value}" for one in found.identifiers}:
            continue  # it belongs to another person today: asked by that one's oldest identifier
        assert {name: trait.value for name, trait in found.traits.items()} == {
            name: trait.value for name, trait in past.traits.items()
        }
        assert found.computed == past.computed
        assert found.events == past.events


def said(name: str, a: str, b: str) -> Entry:
    """A steward's decision as a log entry."""
    body = decisions.encode(name, {"a": a, "b": b, "why": "test"}, "steward", NOW)
    return (DECISIONS, DECISIONS, NOW, body)
