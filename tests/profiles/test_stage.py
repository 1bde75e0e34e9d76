"""The real stage on real tables: any order, any cut into batches, any time of a decision gives the same state."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.engines.memory import Broken
from cauce.model import Event, Identifier
from cauce.profiles.definitions import Definition, read_definitions
from cauce.profiles.stage import ProfilesStage
from tests.profiles import world
from tests.profiles.world import River, decision, event, passage

Owned = list[tuple[int, Event]]


def sent(definitions: tuple[Definition, ...], batches: list[Owned]) -> River:
    river = River(definitions)
    for batch in batches:
        river.send(batch)
    return river


@settings(max_examples=10, deadline=None)
@given(definitions=world.definitions(), owned=world.events(most=20), seed=st.integers(0, 2**32))
def test_order_and_batches_do_not_matter(definitions, owned, seed) -> None:
    chance = random.Random(seed)
    expected = sent(definitions, [owned]).state()
    shuffled = chance.sample(owned, len(owned))
    cut = chance.randint(0, len(owned))
    assert sent(definitions, [[each] for each in shuffled]).state() == expected
    assert sent(definitions, [shuffled[:cut], shuffled[cut:]]).state() == expected


@settings(max_examples=10, deadline=None)
@given(definitions=world.definitions(), owned=world.events(most=20), cut=st.integers(0, 20))
def test_a_new_trait_is_as_if_it_had_always_been_there(definitions, owned, cut) -> None:
    river = River(definitions[:1])
    river.send(owned[:cut])
    river.decide("trait.applied", definitions=msgspec.to_builtins(definitions))
    river.send(owned[cut:])
    assert river.state() == sent(definitions, [owned]).state()


@settings(max_examples=10, deadline=None)
@given(definitions=world.definitions(), owned=world.events(most=20))
def test_a_removed_trait_is_as_if_it_had_never_been_there(definitions, owned) -> None:
    river = sent(definitions, [owned])
    river.decide("trait.removed", names=[each.name for each in definitions])
    assert river.state() == sent((), [owned]).state()


@settings(max_examples=10, deadline=None)
@given(definitions=world.definitions(), owned=world.events(most=20))
def test_a_rebuild_changes_nothing(definitions, owned) -> None:
    river = sent(definitions, [owned])
    before = river.state()
    river.decide("identity.rules_applied")
    assert river.state() == before


def counting(**changes: Any) -> tuple[Definition, ...]:
    return read_definitions({"name": "orders", "compute": "count", **changes})


def test_a_changed_definition_counts_anew() -> None:
    river = sent(counting(events=["Order Completed"]), [[(1, event(1)), (1, event(2, "Store Visited"))]])
    river.decide("trait.applied", definition={"name": "orders", "compute": "count"})
    assert river.state() == sent(counting(), [[(1, each.event) for each in river.archived if each.subject]]).state()
    assert [each.name for each in river.stage.definitions] == ["orders"]


def test_the_same_definition_again_reads_no_history() -> None:
    river = sent(counting(), [[(1, event(1))]])
    river.archived.clear()
    before = river.state()
    river.decide("trait.applied", definition={"name": "orders", "compute": "count"})
    assert river.state() == before


def test_slots_of_removed_traits_are_used_again() -> None:
    river = River(read_definitions([{"name": name, "compute": "count"} for name in ("a", "b", "c")]))
    river.decide("trait.removed", name="b")
    river.decide("trait.applied", definition={"name": "d", "compute": "count"})
    assert [(slot, name) for slot, name, _ in river.state()["computed_trait"]] == [(0, "a"), (1, "d"), (2, "c")]


def test_events_of_nobody_leave_nothing() -> None:
    river = River()
    river.send([(0, event(1, traits={"city": "Vigo"}))])
    assert not any(river.state().values())


def crash(river: River) -> None:
    with river.tables.transaction():
        river.stage.flush()
        raise Broken


def test_a_rolled_back_batch_leaves_nothing() -> None:
    river = River()
    happened = passage(1, event(1))
    river.stage.apply(happened)
    river.stage.apply(passage(0, decision("trait.applied", definition={"name": "orders", "compute": "count"})))
    with pytest.raises(Broken):
        crash(river)
    river.stage.rolled_back()
    assert not any(river.state().values())
    assert not river.stage.definitions
    river.send([(1, event(1))])
    assert river.state() == sent((), [[(1, event(1))]]).state()


def test_erasure_takes_strands_timeline_and_words_and_what_others_learnt() -> None:
    river = River(counting())
    with_both = passage(1, event(1, traits={"city": "Vigo"}), (1, 2))
    river.pass_all([with_both, passage(1, event(2)), passage(2, event(3)), passage(3, event(4))])
    river.decide("trait.set", (2,), trait="city", value="Lugo")
    river.decide("person.erased", (2,))
    expected = River(counting())
    expected.pass_all([passage(1, event(2)), passage(3, event(4))])
    assert river.state() == expected.state()


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("trait.applied", {"definition": {"name": "orders", "compute": "cuont"}}),
        ("trait.removed", {}),
        ("trait.set", {"identifier": "email:a@b.es", "trait": "city", "value": "Vigo"}),
        ("survivorship.applied", {"default": {"rule": "newest"}}),
    ],
)
def test_a_bad_decision_is_told_apart_from_its_batch(name, properties) -> None:
    """ValueError, because the runner sets aside an item that fails so, and stops for errors of its own."""
    with pytest.raises(ValueError, match="expected"):
        River().stage.apply(passage(0, decision(name, **properties)))


def test_texts_that_are_no_unicode_do_not_stop_the_batch() -> None:
    river = River(read_definitions({"name": "sku", "compute": "last", "property": "sku"}))
    river.send([(1, event(1, properties={"sku": "\ud800"}))])
    assert river.profiles({1: [1]}).values_of(1) == {"sku": None}
    for traits in ({"\ud800": 1}, {"city": "\ud800"}):
        with pytest.raises(UnicodeEncodeError):
            river.stage.apply(passage(1, event(2, traits=traits)))


def test_a_steward_names_an_identifier_as_text() -> None:
    def identify(happened: Event) -> tuple[int, ...]:
        return (7,) if Identifier("email", "ana@tienda.es") in happened.identifiers else ()

    river = River()
    river.stage = ProfilesStage(river.tables, identify=identify)
    river.decide("trait.set", identifier="email:ana@tienda.es", trait="city", value="Vigo", why="she called")
    (row,) = river.state()["steward_word"]
    assert row[0] == 7
    river.decide("trait.set", identifier="p_0000000000007", trait="city", value="Lugo")
    assert len(river.state()["steward_word"]) == 1


def test_new_identity_rules_give_events_to_other_subjects() -> None:
    subjects = {"e1": 5, "e2": 6}
    river = sent(counting(), [[(1, event(1)), (1, event(2))]])
    history = river.archived
    river.stage = ProfilesStage(river.tables, lambda: iter([history]), lambda happened: (subjects[happened.id],))
    river.decide("identity.rules_applied")
    expected = sent(counting(), [[(5, event(1)), (6, event(2))]])
    assert river.state() == expected.state()


@settings(max_examples=10, deadline=None)
@given(definitions=world.definitions(), owned=world.events(most=10), cut=st.integers(0, 10))
def test_definitions_outlive_the_stage(definitions, owned, cut) -> None:
    river = sent(definitions, [owned[:cut]])
    river.stage = ProfilesStage(river.tables)
    assert river.stage.definitions == definitions
    river.send(owned[cut:])
    assert river.state() == sent(definitions, [owned]).state()


def test_lists_in_conditions_are_kept() -> None:
    definitions = counting(where=[{"property": "sku", "op": "in", "value": ["a", 1]}])
    river = River(definitions)
    river.stage = ProfilesStage(river.tables)
    river.send([(1, event(number, properties={"sku": sku})) for number, sku in enumerate(["a", "b", 1])])
    assert river.stage.definitions == definitions
    assert river.profiles({1: [1]}).values_of(1) == {"orders": 2}
