"""Definitions are read strictly, and every fault is named at once."""

from __future__ import annotations

import pytest

from cauce.errors import DefinitionInvalid
from cauce.model import Event
from cauce.profiles.computed import Traits
from cauce.profiles.definitions import default_definitions, read_definitions, read_survivorship
from tests.profiles.world import event


def test_the_packaged_traits_are_read_and_have_a_description() -> None:
    found = default_definitions()
    assert len(found) >= 20
    assert all(each.description for each in found)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "Orders", "compute": "count"}, "expected name of small letters"),
        ({"name": "orders", "compute": "cuont"}, "expected compute to be one of count, sum"),
        ({"name": "orders", "compute": "sum"}, "expected a property, because sum reads one"),
        ({"name": "orders", "compute": "count", "windowdays": 3}, "Did you mean 'window_days'?"),
        ({"name": "orders", "compute": "count", "window_days": 731}, "expected window_days to be 1–730, got 731"),
        ({"name": "orders", "compute": "count", "events": [3]}, "expected events to be a list of names"),
        ({"name": "orders", "compute": "count", "property": "products[0].sku"}, "expected property like total"),
        ({"name": "orders", "compute": "count", "property": "event.body"}, "expected event.{channel, name"),
        ({"name": "orders", "compute": "count", "property": "traits"}, "expected a property inside traits"),
        ({"name": "orders", "compute": "count", "where": [{"property": "a", "op": "is"}]}, "expected op to be one of"),
        ({"name": "orders", "compute": "count", "where": [{"property": "a", "op": "in", "value": 3}]}, "to be a list"),
        ({"name": "orders", "compute": "count", "where": [{"property": "a", "op": "gt", "value": True}]}, "a number"),
        ({"name": "orders", "compute": "count", "where": [{"op": "exists"}]}, "expected a property"),
        ({"name": "orders", "compute": "count", "where": "total"}, "expected where to be a list"),
        ("orders", "expected YAML|expected a list of computed traits"),
        ([3], "expected a mapping, got int"),
        ("a: [", "expected YAML or JSON"),
        ([{"name": "a", "compute": "count"}] * 2, "two computed traits are named 'a'"),
    ],
)
def test_faults(entry, message) -> None:
    with pytest.raises(DefinitionInvalid, match="|".join(part for part in message.split("|")).replace("[", r"\[")):
        read_definitions(entry)


def test_all_faults_at_once() -> None:
    with pytest.raises(DefinitionInvalid) as found:
        read_definitions([{"name": "A", "compute": "sum"}, {"name": "b", "compute": "x"}])
    assert str(found.value).count("expected") == 3


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"default": {"rule": "newest"}}, "expected rule to be one of"),
        ({"traits": {"email": {"rule": "source_order"}}}, "expected sources"),
        ({"trait": {}}, "Did you mean 'traits'?"),
        ({"traits": {"email": {"rule": "latest", "source": ["crm"]}}}, "Did you mean 'sources'?"),
        ([], "expected survivorship"),
        ({"traits": []}, None),
        ({"traits": [3]}, "to be a mapping"),
        ({"traits": {"email": 3}}, "expected a rule"),
    ],
)
def test_survivorship_faults(document, message) -> None:
    if message is None:
        assert read_survivorship(document).traits == {}
        return
    with pytest.raises(DefinitionInvalid, match=message.replace("?", r"\?")):
        read_survivorship(document)


def test_an_event_pays_only_for_the_traits_that_read_it() -> None:
    traits = Traits(
        enumerate(
            read_definitions(
                [
                    {"name": "orders", "compute": "count", "events": ["Order Completed"]},
                    {"name": "views", "compute": "count", "events": ["Product Viewed"]},
                    {"name": "pages", "compute": "count", "types": ["page"], "channels": ["app"]},
                ]
            )
        )
    )
    assert read_by(traits, event(1)) == ["orders"]
    assert read_by(traits, event(1, "Cart Viewed")) == []
    assert read_by(traits, event(1, "Home", type="page", channel="app")) == ["pages"]


def read_by(traits: Traits, happened: Event) -> list[str]:
    names = {trait.slot: trait.definition.name for trait in traits}
    return [names[slot] for group, _ in traits.observe(happened) for slot, _ in group]
