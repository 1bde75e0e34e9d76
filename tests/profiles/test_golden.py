"""The golden record: which value survives, why, and what lost."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cauce.profiles import strand
from cauce.profiles.definitions import SurvivorshipRules, read_survivorship
from cauce.profiles.golden import golden_traits
from tests.profiles.world import event

LATEST = SurvivorshipRules()


def told(number: int, source: str, **traits: Any) -> Any:
    return event(number, source=source, traits=traits)


def golden(events: Any, rules: SurvivorshipRules = LATEST, words: Any = ()) -> Any:
    """The golden record, after checking that it does not depend on the order or on who said what."""
    found = None
    for ordered in itertools.islice(itertools.permutations(events), 24):
        ledger = None
        for each in ordered:
            said = strand.told_by(each)
            assert said is not None
            ledger = strand.fold_ledger(ledger, said)
        record = golden_traits([(1, ledger[0])] if ledger else [], words, rules)
        assert found is None or record == found
        found = record
    return found


def rule(**city: Any) -> SurvivorshipRules:
    return read_survivorship({"traits": {"city": city}})


CITIES = [
    told(1, "crm", city="Pontevedra"),
    told(2, "pos", city="Vigo"),
    told(3, "crm", city="Lugo"),
    told(4, "web", city="Vigo"),
    told(5, "web", city="Ourense"),
]


@pytest.mark.parametrize(
    ("rules", "value", "source", "why"),
    [
        (LATEST, "Ourense", "web", "latest of 3 sources"),
        (rule(rule="source_order", sources=["erp", "crm", "pos"]), "Lugo", "crm", "first source with a value"),
        (rule(rule="source_order", sources=["erp"]), "Ourense", "web", "none of erp has a value"),
        (rule(rule="most_frequent"), "Vigo", "web", "told 2 of 5 times"),
        (rule(rule="longest"), "Pontevedra", "crm", "longest of 5 values"),
    ],
)
def test_rules(rules, value, source, why) -> None:
    city = golden(CITIES, rules)["city"]
    assert (city.value, city.source) == (value, source)
    assert why in city.why
    lost = [(claim.value, claim.source) for claim in city.others]
    assert len(lost) == 4
    assert (value, source) not in lost
    assert [claim.occurred for claim in city.others] == sorted((claim.occurred for claim in city.others), reverse=True)


def test_equally_late_values_are_decided_by_source() -> None:
    same = [event(1, id=f"e-{source}", source=source, traits={"city": source}) for source in ("b", "c", "a")]
    assert golden(same)["city"].value == "c"


def test_null_deletes_and_an_empty_text_does_not() -> None:
    deleted = golden([told(1, "web", city="Vigo"), told(2, "web", city=None)])["city"]
    assert deleted.value is None
    assert not deleted.others
    assert golden([told(1, "web", city="Vigo"), told(2, "web", city="")])["city"].value == ""
    assert golden([told(2, "web", city="Vigo"), told(1, "web", city=None)])["city"].value == "Vigo"


def test_a_deletion_takes_away_only_what_its_own_source_said() -> None:
    events = [told(1, "crm", city="Vigo"), told(2, "web", city="Lugo"), told(3, "web", city=None)]
    assert golden(events)["city"].value is None
    assert [claim.value for claim in golden(events)["city"].others] == ["Vigo"]
    assert golden(events, rule(rule="source_order", sources=["web", "crm"]))["city"].value == "Vigo"
    assert golden(events, rule(rule="longest"))["city"].value == "Vigo"


def test_values_may_be_any_json() -> None:
    address = {"street": "Rúa do Príncipe", "number": 2**70, "lines": [None, True]}
    assert golden([told(1, "web", address=address)])["address"].value == address


def word(at: int, value: Any, why: str = "") -> list[Any]:
    text = None if value is None else strand.canonical(value)
    return [event(at).occurred, f"decision-{at}", text, why, "ana", event(at).received]


def test_a_stewards_word_wins_until_it_is_taken_back() -> None:
    city = golden(CITIES, words=[(1, {"city": [word(0, "Madrid", "she called")]})])["city"]
    assert (city.value, city.rule, city.source, city.why) == (
        "Madrid",
        "steward",
        "steward",
        "ana decided it: she called",
    )
    assert len(city.others) == 5
    taken_back = [(1, {"city": [word(0, "Madrid")]}), (2, {"city": [word(9, None)]})]
    assert golden(CITIES, words=taken_back)["city"].value == "Ourense"
    assert golden([], words=[(1, {"city": [word(0, "Madrid")]})]) is not None


def test_a_word_alone_makes_a_trait() -> None:
    assert golden_traits([], [(1, {"city": [word(0, "Madrid")]})], LATEST)["city"].value == "Madrid"
    assert golden_traits([], [(1, {"city": [word(0, None)]})], LATEST) == {}


def test_the_identifier_that_brought_the_value_is_named() -> None:
    one = strand.fold_ledger(None, strand.told_by(told(1, "web", city="Vigo")))
    other = strand.fold_ledger(None, strand.told_by(told(2, "web", city="Lugo")))
    city = golden_traits([(11, one[0]), (22, other[0])], [], LATEST)["city"]
    assert (city.value, city.identifier) == ("Lugo", 22)
    assert [(claim.value, claim.identifier) for claim in city.others] == [("Vigo", 11)]
