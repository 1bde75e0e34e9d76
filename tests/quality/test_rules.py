from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.errors import DefinitionInvalid
from cauce.model import DAY, Identifier, Reason
from cauce.quality.codes import REASONS, is_currency, is_gtin, is_unit
from cauce.quality.contract import Book, Compiled, parse
from cauce.quality.rules import Limits, judged, mentions, merged, place, raw_text, shown
from tests.quality.river import NOW, event

LIMITS = Limits.of(1_000, 3_600, 365)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def book(**definition: Any) -> Book:
    return Book([Compiled(parse({"event": "Sold", **definition}))])


def reasons(properties: Any = None, size_bytes: int = 10, schema: Any = None, **values: Any) -> list[Reason]:
    """Reasons against a contract with a schema, or against none."""
    contracts = Book() if schema is None else book(properties=schema)
    name = values.pop("name", "Sold")
    verdict = judged(event(properties=properties or {}, name=name, **values), size_bytes, contracts, LIMITS)
    return [*verdict.hard, *verdict.contract]


TEXT = {"type": "string"}


def of(schema: Any, required: bool = False) -> dict[str, Any]:
    return {"type": "object", "properties": {"p": schema}, **({"required": ["p"]} if required else {})}


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("type_unknown", "/type", {"type": "shout"}),
    ("event_name_missing", "/event", {"name": ""}),
    ("id_missing", "/messageId", {"id": ""}),
    ("id_too_long", "/messageId", {"id": "x" * 101}),
    ("identifier_missing", "", {"identifiers": ()}),
    ("time_in_future", "/timestamp", {"occurred": NOW + DAY}),
    ("time_too_old", "/timestamp", {"occurred": NOW - 366 * DAY}),
    ("event_too_large", "", {"size_bytes": 1_001}),
    ("property_missing", "/properties/p", {"schema": of(TEXT, required=True)}),
    ("property_missing", "/properties/p", {"schema": of(TEXT, required=True), "properties": {"p": None}}),
    ("property_missing", "/properties/q", {"schema": {"dependentRequired": {"p": ["q"]}}, "properties": {"p": 1}}),
    ("property_unexpected", "/properties", {"schema": {"unevaluatedProperties": False}, "properties": {"p": 1}}),
    ("property_unexpected", "/properties/p", {"schema": of(False), "properties": {"p": 1}}),
    ("type_wrong", "/properties/p", {"schema": of(TEXT), "properties": {"p": []}}),
    ("type_wrong", "/properties/p", {"schema": of({"type": "number"}), "properties": {"p": "12,5"}}),
    ("number_as_text", "/properties/p", {"schema": of({"type": "number"}), "properties": {"p": "12.5"}}),
    ("text_as_number", "/properties/p", {"schema": of(TEXT), "properties": {"p": 4711}}),
    ("value_not_allowed", "/properties/p", {"schema": of({"enum": ["a", "b"]}), "properties": {"p": "c"}}),
    ("number_out_of_range", "/properties/p", {"schema": of({"minimum": 0}), "properties": {"p": -1}}),
    ("text_wrong_length", "/properties/p", {"schema": of({"maxLength": 2}), "properties": {"p": "abc"}}),
    ("pattern_mismatch", "/properties/p", {"schema": of({"pattern": "^a"}), "properties": {"p": "b"}}),
    ("format_wrong", "/properties/p", {"schema": of({"format": "email"}), "properties": {"p": "b"}}),
    ("time_unreadable", "/properties/p", {"schema": of({"x-format": "time"}), "properties": {"p": "soon"}}),
    ("gtin_wrong", "/properties/p", {"schema": of({"x-format": "gtin"}), "properties": {"p": "4006381333932"}}),
    ("currency_unknown", "/properties/p", {"schema": of({"x-currency": True}), "properties": {"p": "EURO"}}),
    ("unit_unknown", "/properties/p", {"schema": of({"x-unit": True}), "properties": {"p": "bunch"}}),
    ("list_wrong", "/properties/p", {"schema": of({"minItems": 1}), "properties": {"p": []}}),
    ("object_wrong", "/properties", {"schema": {"maxProperties": 1}, "properties": {"p": 1, "q": 1}}),
    (
        "alternatives_unmet",
        "/properties",
        {"schema": {"anyOf": [{"required": ["p"]}, {"required": ["q"]}]}, "properties": {"p": None}},
    ),
]


@pytest.mark.parametrize(("code", "path", "given_values"), CASES)
def test_each_breach_gives_its_reason(code: str, path: str, given_values: dict[str, Any]) -> None:
    found = reasons(**given_values)
    assert [(reason.code, reason.path) for reason in found] == [(code, path)]
    assert found[0].expected


def test_every_code_of_the_rules_is_reached() -> None:
    elsewhere = {"event_unknown", "contract_broken", "undecoded", "internal_error"}
    assert {code for code, _, _ in CASES} | elsewhere == {*REASONS, "event_name_missing"}


def test_a_good_event_gives_no_reason() -> None:
    schema = of({"type": "string", "x-currency": True}, required=True)
    assert reasons(schema=schema, properties={"p": "EUR"}) == []
    assert reasons(type="identify", name="", traits={"email": None}) == []


def test_an_optional_null_is_absent() -> None:
    kinds: list[Any] = [TEXT, {"enum": [1]}, {"const": 1}, {"anyOf": [TEXT, {"type": "number"}]}, {"type": ["number"]}]
    for schema in kinds:
        assert reasons(schema=of(schema), properties={"p": None}) == []
    nested = of({"type": "array", "items": of(TEXT)})
    assert reasons(schema=nested, properties={"p": [{"p": None}]}) == []
    assert [reason.code for reason in reasons(schema=nested, properties={"p": [None]})] == ["type_wrong"]


def test_needed_kinds_of_identifiers() -> None:
    phone = (Identifier("phone", "1"),)
    loyal = book(identifiers=["loyalty", "email"])
    (reason,) = judged(event(name="Sold", identifiers=phone), 10, loyal, LIMITS).contract
    assert (reason.code, reason.expected, reason.found) == (
        "identifier_missing",
        "an identifier of kind email, loyalty",
        '"phone"',
    )
    assert judged(event(name="Sold", identifiers=(*phone, Identifier("email", "e"))), 10, loyal, LIMITS).key == ""
    assert judged(event(name="Sold", identifiers=()), 10, book(identifiers="none"), LIMITS).hard == ()


def test_unknown_events_are_accepted_unless_the_setting_says_otherwise() -> None:
    strict = Book([], {"": "quarantine", "web": "accept"})
    assert judged(event(source="web"), 10, strict, LIMITS).hard == ()
    (reason,) = judged(event(source="app"), 10, strict, LIMITS).hard
    assert reason.code == "event_unknown"
    assert judged(event(source="app", type="page"), 10, strict, LIMITS).hard == ()


def test_the_most_specific_contract_holds() -> None:
    keys = [("Sold", "web"), ("Sold", ""), ("", "web"), ("", "")]
    contracts = Book(Compiled(parse({"event": name, "source": source})) for name, source in keys)
    found = [contracts.find(source, "track", name) for source, name in [("web", "Sold"), ("app", "Sold"), ("web", "x")]]
    assert [compiled.key if compiled else "" for compiled in found] == ["track:Sold@web", "track:Sold", "track:@web"]
    without = contracts.changed(removed=["track:Sold", "track:"])
    assert without.find("app", "track", "Sold") is None


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("text", "expected a contract to be a mapping"),
        ({"evnt": "x"}, "has no field 'evnt'. Did you mean 'event'"),
        ({"type": "shout"}, "to be one of identify"),
        ({"mode": "loud"}, "to be one of observe"),
        ({"identifiers": "some"}, "to be any, none or a list of kinds"),
        ({"event": 3}, "Expected `str`"),
        ({"properties": {"type": "text"}}, "not a JSON Schema"),
        ({"properties": {"$ref": "https://example.com/schema"}}, "not a JSON Schema"),
        ({"properties": {"format": "gtn"}}, "not a JSON Schema"),
        ({"properties": of({"x-unit": "bunch"})}, "x-unit 'bunch' is no known unit"),
        ({"properties": of({"x-format": "gti"})}, "Did you mean 'gtin'"),
        ({"properties": of({"x-format": "gtin", "x-currency": True})}, "one format"),
    ],
)
def test_a_senseless_definition_is_refused(definition: Any, message: str) -> None:
    with pytest.raises(DefinitionInvalid, match=message.replace("?", "[?]")):
        parse(definition)


def test_reasons_show_no_personal_data() -> None:
    secret = "ana.garcia@example.com"
    values: list[Any] = [
        secret,
        "+34 600 111 222",
        600111222,
        "Ana García with a long text behind her name",
        {secret: 1},
    ]
    for value in values:
        schema = of({"enum": ["a"], "type": ["string", "number", "object"]})
        text = str(reasons(schema=schema, properties={"p": value}))
        assert "ana" not in text.lower()
        assert "600" not in text
    assert shown("Ana", personal=True) == "text of 3 characters"
    named = {"properties": {"first_name": {"enum": ["x"]}}}
    assert "Ana" not in str(reasons(schema=named, properties={"first_name": "Ana"}))
    keyed = {"additionalProperties": {"type": "object"}}
    assert secret not in str(reasons(schema=keyed, properties={secret: 1}))
    traits = judged(
        event(name="Sold", traits={"city": "Vigo"}), 10, book(traits={"properties": {"city": {"const": "x"}}}), LIMITS
    )
    assert "Vigo" not in str(traits.contract)
    assert [shown(value, personal=False) for value in (None, True, False, 12, "ok", [1], {})] == [
        *("nothing", "true", "false", "12", '"ok"', "list of 1", "object")
    ]


def test_reasons_are_bounded() -> None:
    schema = of({"type": "array", "items": {"type": "object"}})
    assert len(reasons(schema=schema, properties={"p": [True] * 500})) == 20


def test_code_lists() -> None:
    assert is_currency("EUR")
    assert not is_currency("eur")
    assert all(map(is_unit, ("kg", "KGM", "{points}")))
    assert not is_unit("{}")
    assert all(map(is_gtin, ("4006381333931", "73513537", "036000291452", "10012345678902")))
    assert not any(map(is_gtin, ("4006381333930", "400638133393", "", "４００６３８１３３３９３１")))


@given(st.text("0123456789", min_size=13, max_size=13), st.integers(0, 12), st.integers(1, 9))
def test_a_gtin_with_one_wrong_digit_is_found(digits: str, place_of_fault: int, change: int) -> None:
    right = next(text for text in (digits[:12] + str(check) for check in range(10)) if is_gtin(text))
    wrong = str((int(right[place_of_fault]) + change) % 10)
    assert not is_gtin(right[:place_of_fault] + wrong + right[place_of_fault + 1 :])


def test_merge_patch_of_the_standard() -> None:
    # Examples of RFC 7386, appendix A.
    for document, patch, result in [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ]:
        assert merged(document, patch) == result


@given(JSON, JSON)
def test_a_patch_applied_twice_is_applied_once(document: Any, patch: Any) -> None:
    before = json.dumps(document)
    once = merged(document, patch)
    assert merged(once, patch) == once
    assert json.dumps(document) == before


@given(JSON)
def test_raw_items_are_kept_as_they_came(value: Any) -> None:
    form, text = raw_text(value)
    assert (form, json.loads(text)) == ("json", value)
    assert raw_text(json.dumps(value).encode()) == ("json", json.dumps(value))


def test_raw_items_that_are_no_json_are_kept_too() -> None:
    assert raw_text(b"a;b;c") == ("text", "a;b;c")
    assert raw_text(b"\xff\x00") == ("base64", "/wA=")
    assert raw_text({"a": "\ud800"})[0] == "json"
    assert raw_text({1, 2})[0] == "json"
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert raw_text(deep)[0] == "text"


def test_mentions_finds_a_person_in_any_spelling() -> None:
    raw = json.dumps({"email": "Ana@Example.com", "phone": "600 11 12 22", "userId": 17, "text": "ask ana@example.com"})
    assert mentions("json", raw, ["email:ana@example.com"])
    assert mentions("json", raw, ["phone:+34600111222"])
    assert mentions("json", raw, ["user_id:17"])
    assert not mentions("json", raw, ["user_id:1", "phone:+34600111223", "email:"])
    assert not mentions("json", raw, ["loyalty:17", "email:na@example.com", "instagram:ana@example.co"])
    assert not mentions("json", '{"quantity": 7, "userId": "user-12"}', ["user_id:7", "user_id:user-1"])
    assert mentions("text", "a;ana@example.com;b", ["email:ana@example.com"])
    assert mentions("base64", "YW5hQGV4YW1wbGUuY29t", ["email:ana@example.com"])


def test_places_in_lists_count_together() -> None:
    assert place("/properties/products/12/price") == "/properties/products/*/price"
