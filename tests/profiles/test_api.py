"""Profiles as doors see them: the sum of a person's identifiers, and the timeline page by page."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.errors import DefinitionInvalid, NotFound
from cauce.model import DAY, Event
from cauce.profiles import api, consent
from cauce.profiles.definitions import default_definitions, read_definitions
from tests.profiles import world
from tests.profiles.world import START, River, event

TRAITS = read_definitions(
    [
        {"name": "orders", "compute": "count", "events": ["Order Completed"]},
        {"name": "revenue", "compute": "sum", "events": ["Order Completed"], "property": "total"},
        {"name": "last_sku", "compute": "last", "property": "sku"},
    ]
)


def everything(profile: api.Profile) -> tuple[Any, ...]:
    return (
        *(profile.traits, profile.computed, profile.consents, profile.channels),
        *(profile.first_seen, profile.last_seen, profile.events),
    )


def test_a_profile_is_the_sum_of_its_identifiers() -> None:
    river = River(TRAITS)
    river.send(
        [
            (1, event(1, properties={"total": 10.5, "sku": "a"}, traits={"city": "Vigo"})),
            (2, event(2, channel="store", properties={"total": 4.25, "sku": "b"})),
            (2, event(3, consent.GIVEN, properties={"purpose": "marketing", "channel": "sms"})),
            (9, event(4, properties={"total": 100})),
        ]
    )
    profile = river.profiles({1: [1, 2]}).profile(1, now=START + DAY)
    assert profile.computed == {"last_sku": "b", "orders": 2, "revenue": 14.75}
    assert profile.channels == {"store": 1, "web": 2}
    assert (profile.first_seen, profile.last_seen, profile.events) == (event(1).occurred, event(3).occurred, 3)
    assert profile.traits["city"].value == "Vigo"
    assert profile.consents[0].granted
    assert [member.id for member in profile.identifiers] == [1, 2]
    assert profile.as_of == START + DAY


@settings(max_examples=10, deadline=None)
@given(definitions=world.definitions(), owned=world.events(most=20))
def test_merge_then_split_restores_every_number(definitions, owned) -> None:
    river = River(definitions)
    river.send(owned)
    apart = river.profiles({id: [id] for id in (1, 2, 3, 4)})
    before = [everything(apart.profile(id)) for id in (1, 2, 3, 4)]
    state = river.state()
    together = everything(river.profiles({1: [1, 2, 3, 4]}).profile(1))
    assert river.state() == state
    assert [everything(apart.profile(id)) for id in (1, 2, 3, 4)] == before
    alone = River(definitions)
    alone.send([(1, each) for _, each in owned])
    of_one = everything(alone.profiles({1: [1]}).profile(1))
    assert together[1] == of_one[1]
    assert together[3:] == of_one[3:]
    assert {name: trait.value for name, trait in together[0].items()} == {
        name: trait.value for name, trait in of_one[0].items()
    }


def test_nobody_is_not_found() -> None:
    profiles = River().profiles({})
    for ask in (profiles.profile, profiles.traits, profiles.consents, profiles.values_of, profiles.timeline):
        with pytest.raises(NotFound):
            ask(7)


def test_somebody_without_events_has_an_empty_profile() -> None:
    profile = River(TRAITS).profiles({1: [1]}).profile(1)
    assert (profile.first_seen, profile.last_seen, profile.events) == (None, None, 0)
    assert profile.computed == {"last_sku": None, "orders": 0, "revenue": 0}


def test_values_of_some_traits() -> None:
    river = River(TRAITS)
    river.send([(1, event(1, properties={"total": 3}))])
    profiles = river.profiles({1: [1]})
    assert profiles.values_of(1, ["revenue"]) == {"revenue": 3}
    assert set(profiles.values_of(1)) == {"last_sku", "orders", "revenue"}
    with pytest.raises(NotFound, match="Did you mean 'revenue'"):
        profiles.values_of(1, ["revenues"])


def test_changed_definitions_are_seen_at_once() -> None:
    river = River(TRAITS)
    river.send([(1, event(1))])
    profiles = river.profiles({1: [1]})
    assert set(profiles.values_of(1)) == {"last_sku", "orders", "revenue"}
    river.decide("trait.removed", names=["orders"])
    assert set(profiles.values_of(1)) == {"last_sku", "revenue"}


def test_parts_of_a_profile_are_what_the_profile_says() -> None:
    river = River(default_definitions())
    river.send([(1, event(1, consent.GIVEN, traits={"city": "Vigo"}, properties={"purpose": "a", "channel": "sms"}))])
    river.decide("trait.set", (1,), trait="city", value="Lugo", why="she called")
    river.decide("survivorship.applied", default="longest")
    profiles = river.profiles({1: [1]})
    profile = profiles.profile(1)
    assert profiles.traits(1) == profile.traits
    assert profiles.traits(1)["city"].value == "Lugo"
    assert profiles.consents(1) == profile.consents
    assert profiles.values_of(1) == profile.computed
    assert profiles.survivorship().default.rule == "longest"
    assert len(profiles.definitions()) == len(default_definitions())


@settings(max_examples=10, deadline=None)
@given(
    definitions=world.definitions(),
    owned=world.events(most=20),
    person_of=st.lists(st.integers(1, 2), min_size=4, max_size=4),
)
def test_values_of_all_people_are_those_of_each(definitions, owned, person_of) -> None:
    river = River(definitions)
    river.send(owned)
    people = {id: person_of[id - 1] for id in (1, 2, 3, 4)}
    groups = {person: [id for id in people if people[id] == person] for person in set(person_of)}
    profiles = river.profiles(groups)
    for person, values in profiles.live_values(people, START):
        assert dict(sorted(values.items())) == profiles.values_of(person, now=START)


@pytest.mark.parametrize(
    ("name", "properties", "message"),
    [
        ("trait.applied", {"definition": {"name": "orders"}}, "expected compute"),
        ("trait.removed", {"name": "order"}, "Did you mean 'orders'?"),
        ("trait.removed", {"names": []}, "with names"),
        ("trait.set", {"trait": "city", "value": "Vigo"}, "expected identifier to be kind:value"),
        ("trait.set", {"identifier": "email:ana@tienda.es", "value": "Vigo"}, "and a trait"),
        ("survivorship.applied", {"default": "newest"}, "expected rule"),
    ],
)
def test_doors_refuse_decisions_that_would_do_nothing(name, properties, message) -> None:
    with pytest.raises(DefinitionInvalid, match=message.replace("?", r"\?")):
        River(TRAITS).profiles({}).validate(name, properties)


def test_doors_let_good_decisions_pass() -> None:
    profiles = River(TRAITS).profiles({})
    profiles.validate("trait.removed", {"name": "orders"})
    profiles.validate("trait.set", {"identifier": "email:ana@tienda.es", "trait": "city", "value": None})
    profiles.validate("identity.joined", {})


# ── Timeline ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def pages(profiles: api.Profiles, **filters: Any) -> list[list[Event]]:
    found, cursor = [], ""
    while True:
        page = profiles.timeline(1, cursor=cursor, **filters)
        found.append([each.event for each in page.events])
        cursor = page.cursor
        if not cursor:
            return found


@settings(max_examples=10, deadline=None)
@given(
    owned=world.events(most=30),
    limit=st.integers(1, 8),
    channels=st.sets(st.sampled_from(world.CHANNELS)),
    names=st.sets(st.sampled_from(world.NAMES)),
)
def test_pages_have_no_gaps_and_no_repeats(owned, limit, channels, names) -> None:
    river = River()
    river.send(owned)
    members = {1, 2, 3}
    expected = sorted(
        (
            each
            for subject, each in owned
            if subject in members and (not channels or each.channel in channels) and (not names or each.name in names)
        ),
        key=lambda each: (each.occurred, each.position),
        reverse=True,
    )
    found = pages(river.profiles({1: sorted(members)}), limit=limit, channels=channels, events=names)
    assert [each for page in found for each in page] == expected
    assert all(len(page) == limit for page in found[:-1])


def test_events_that_come_between_two_pages_neither_shift_nor_repeat() -> None:
    river = River()
    river.send([(1, event(number)) for number in range(10)])
    profiles = river.profiles({1: [1]})
    first = profiles.timeline(1, limit=4)
    river.send([(1, event(20)), (1, event(21, occurred=event(2).occurred))])
    rest = profiles.timeline(1, limit=20, cursor=first.cursor)
    assert [each.event.id for each in first.events] == ["e9", "e8", "e7", "e6"]
    assert [each.event.id for each in rest.events] == ["e5", "e4", "e3", "e21", "e2", "e1", "e0"]
    assert not rest.cursor


def test_a_page_of_rare_events_ends_early_and_goes_on(monkeypatch) -> None:
    monkeypatch.setattr(api, "FILTERED_ROWS", 3)
    monkeypatch.setattr(api, "FILTERED_ROWS_MAX", 6)
    river = River()
    river.send([(1, event(number, "Order Completed" if number == 0 else "Product Viewed")) for number in range(20)])
    found = pages(river.profiles({1: [1]}), events=["Order Completed"])
    assert [len(page) for page in found] == [0, 0, 0, 1]


def test_events_that_were_erased_meanwhile_are_left_out() -> None:
    river = River()
    river.send([(1, event(number)) for number in range(3)])
    river.archived = [owned for owned in river.archived if owned.event.id != "e1"]
    assert [each.id for page in pages(river.profiles({1: [1]}), limit=1) for each in page] == ["e2", "e0"]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "MQ", "ñ"])
def test_a_wrong_cursor_is_refused(cursor) -> None:
    with pytest.raises(DefinitionInvalid, match="expected a cursor"):
        River().profiles({1: [1]}).timeline(1, cursor=cursor)


@pytest.mark.parametrize("limit", [0, 1_001])
def test_a_page_is_bounded(limit) -> None:
    with pytest.raises(DefinitionInvalid, match="expected limit to be 1–1000 events"):
        River().profiles({1: [1]}).timeline(1, limit=limit)
