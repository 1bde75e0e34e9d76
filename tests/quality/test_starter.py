from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cauce.errors import DefinitionInvalid
from cauce.quality.contract import Compiled
from cauce.quality.reference import events_page
from cauce.quality.starter import read, starter_contracts, starter_sets
from tests.quality.river import River, event, item
from tests.reference import shared

CONTRACTS = starter_contracts()
SHOP_FLOOR = """
Receipt Issued, Product Returned, Loyalty Card Scanned, Store Visited, Product Tried, Order Picked Up, Call Received,
Call Ended, Lead Created, Lead Qualified, Lead Won, Lead Lost, Case Opened, Case Closed, Survey Answered
"""


def leaves(schema: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    """Every property with its schema, by its path."""
    found: dict[str, dict[str, Any]] = {}
    for name, member in schema.get("properties", {}).items():
        found[prefix + name] = member
        found |= leaves(member.get("items", {}), f"{prefix}{name}.$.")
    return found


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.event)
def test_each_has_a_description_types_and_an_example_that_passes(contract: Any) -> None:
    assert contract.description
    for path, schema in leaves(contract.properties).items():
        assert schema.get("type"), path
        assert schema.get("description"), path
    assert contract.example
    assert set(contract.example) <= set(contract.properties["properties"])
    river = River()
    assert river.send(item(event(name=contract.event, properties=contract.example))) == [None]
    assert river.quality.breaches() == []


def test_required_properties_are_required() -> None:
    for contract in CONTRACTS:
        needs = contract.properties.get("required") or contract.properties.get("anyOf")
        assert Compiled(contract).properties.is_valid({}) is (not needs), contract.event


def test_the_shop_floor_is_there_and_no_name_comes_twice() -> None:
    names = [contract.event for contract in CONTRACTS]
    assert len(set(names)) == len(names)
    assert {name.strip() for name in SHOP_FLOOR.replace("\n", " ").split(",")} <= set(names)
    assert [len(contracts) for _, _, contracts in starter_sets()] == [8, 28, 8, 53, 3, 3]


def test_anonymous_receipts_may_enter_and_anonymous_orders_may_not() -> None:
    river = River()
    receipt = event(1, name="Receipt Issued", identifiers=(), properties={"receipt_id": "t1"})
    order = event(2, name="Order Completed", identifiers=(), properties={"order_id": "o1"})
    assert river.send(item(receipt), item(order)) == [None, "quarantined"]


def test_the_page_of_events_is_current() -> None:
    page = Path(__file__).parents[2] / "docs/reference/events.md"
    assert page.read_text(encoding="utf-8") == events_page(), "`make docs` writes it anew"


@pytest.mark.reference
def test_every_property_of_the_vocabulary_has_its_type() -> None:
    vocabulary = json.loads(shared("captures/ecommerce_v2_properties.json").read_text(encoding="utf-8"))
    words = {"String": "string", "Number": "number", "Array": "array"}
    by_name = {contract.event: leaves(contract.properties) for contract in CONTRACTS}
    missing = []
    for name, properties in vocabulary.items():
        for path, kind in properties.items():
            known = by_name[name].get(path, {}).get("type", "")
            if words[kind] not in known:
                missing.append((name, path, kind, known))
    assert not missing


def test_a_contract_set_is_read_as_it_stands() -> None:
    assert read("contracts: [{event: A, example: {day: 2026-01-02}}]") == {
        "contracts": [{"event": "A", "example": {"day": "2026-01-02"}}]
    }
    for text in ("{", "- 1", "contracts: 3"):
        with pytest.raises(DefinitionInvalid):
            read(text)
