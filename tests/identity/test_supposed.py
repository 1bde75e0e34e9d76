"""What a preview says is what the decision does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.errors import DefinitionInvalid, NotFound
from cauce.identity import store
from cauce.identity.api import People
from cauce.identity.rulings import PAIR_DECISIONS
from cauce.identity.supposed import preview, supposing
from tests.identity.drive import (
    DECISIONS,
    EVENTS,
    LOOSE,
    SECRET,
    TIGHT,
    River,
    event,
    groups_of,
    id_of,
    pair,
    quick,
    source_of,
)


def people_of(river: River, rules=TIGHT, cap: int = 2_000) -> People:
    return People(river.tables, SECRET, rules, source_of=source_of, component_identifiers_max=cap)


@quick
@given(
    events=EVENTS,
    earlier=DECISIONS,
    name=st.sampled_from(sorted(PAIR_DECISIONS)),
    picks=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    rules=st.sampled_from([TIGHT, LOOSE]),
    cap=st.sampled_from([3, 6, 2_000]),
)
def test_a_preview_is_the_state_after_the_decision(events, earlier, name, picks, rules, cap):
    river = River(rules, cap=cap)
    river.feed([*events, *earlier])
    names = sorted(f"{known.kind}:{known.value}" for known in store.all_identifiers(river.tables))
    if len(names) < 2:
        return
    a, b = names[picks[0] % len(names)], names[picks[1] % len(names)]
    if a == b:
        return
    before = people_of(river, rules, cap)
    everybody = {known.id for known in store.all_identifiers(river.tables)}
    persons = {id: before.person(id) for id in everybody}
    supposed = supposing(before, name, {"a": a, "b": b})
    foreseen = {id: supposed.person(id) for id in everybody}
    links = {id: supposed.links(id) for id in everybody}
    told = preview(before, supposed, name, {"a": a, "b": b})
    assert {known.id: known.person for known in store.all_identifiers(river.tables)} == {
        id: person.id for id, person in persons.items()
    }, "a preview changes nothing"

    river.feed([pair(5_000, name, a, b)])
    after = people_of(river, rules, cap)
    assert foreseen == {id: after.person(id) for id in everybody}
    assert links == {id: after.links(id) for id in everybody}

    changed = {id for id in everybody if persons[id] != foreseen[id]}
    assert changed <= {member.id for person in told.after for member in person.identifiers}
    assert set(told.before) == {persons[member.id] for person in told.before for member in person.identifiers}
    assert set(told.after) == {foreseen[member.id] for person in told.after for member in person.identifiers}
    assert told.changes == bool(changed)


def test_a_split_shows_both_sides():
    river = River()
    river.feed([event(1, "user_id:u1", "email:e1"), event(2, "email:e1", "anonymous_id:a1")])
    people = people_of(river)
    asked = {"a": "user_id:u1", "b": "email:e1"}
    told = preview(people, supposing(people, "identity.refused", asked), "identity.refused", asked)
    assert [len(person.identifiers) for person in told.before] == [3]
    assert [sorted(map(str, person.identifiers)) for person in told.after] == [
        ["anonymous_id:a1", "email:e1"],
        ["user_id:u1"],
    ]
    assert told.changes


def test_what_changes_nothing_says_so():
    river = River()
    river.feed([event(1, "user_id:u1"), event(2, "email:e1")])
    people = people_of(river)
    asked = {"a": "user_id:u1", "b": "email:e1"}
    told = preview(people, supposing(people, "identity.refused", asked), "identity.refused", asked)
    assert not told.changes
    assert len(told.before) == len(told.after) == 2
    assert len(groups_of(river)) == 2


def test_only_decisions_about_known_pairs_are_supposed():
    river = River()
    river.feed([event(1, "user_id:u1", "email:e1")])
    people = people_of(river)
    with pytest.raises(DefinitionInvalid, match="about two identifiers"):
        supposing(people, "person.erased", {"a": "user_id:u1", "b": "email:e1"})
    with pytest.raises(DefinitionInvalid, match="expected two identifiers"):
        supposing(people, "identity.joined", {"a": "user_id:u1", "b": "user_id:u1"})
    with pytest.raises(NotFound, match="ever seen"):
        supposing(people, "identity.joined", {"a": "user_id:u1", "b": "email:unseen"})
    assert id_of("user_id:u1") in {member.id for member in people.members(id_of("email:e1"))}
