"""Changes of quarantined items: small steps on a document, and how numbers in texts are read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.errors import DefinitionInvalid
from cauce.model import Reason
from cauce.quality.codes import REASONS
from cauce.quality.mending import Mend, Step, number_of, read_mend, suggestion

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)
ORDER = {"event": "Order", "properties": {"total": "27,50", "cur": "eur", "products": [{"q": "2"}, {"q": 3}]}}


def changed(document: Any, *steps: dict[str, Any], patch: Any = None) -> Any:
    return read_mend(steps, patch).applied(document)


@pytest.mark.parametrize(
    ("step", "properties"),
    [
        ({"do": "set", "at": "/properties/cur", "value": "EUR"}, {"cur": "EUR"}),
        ({"do": "rename", "at": "/properties/cur", "value": "currency"}, {"cur": ..., "currency": "eur"}),
        ({"do": "number", "at": "/properties/total"}, {"total": 27.5}),
        ({"do": "number", "at": "/properties/products/*/q"}, {"products": [{"q": 2}, {"q": 3}]}),
        ({"do": "text", "at": "/properties/products/1/q"}, {"products": [{"q": "2"}, {"q": "3"}]}),
        ({"do": "remove", "at": "/properties/cur"}, {"cur": ...}),
        ({"do": "remove", "at": "/properties/products/0"}, {"products": [{"q": 3}]}),
        ({"do": "set", "at": "/properties/ship/city", "value": "Jaén"}, {"ship": {"city": "Jaén"}}),
        ({"do": "set", "at": "/properties/none/*/city", "value": "Jaén"}, {}),
        ({"do": "number", "at": "/properties/nothing"}, {}),
        ({"do": "rename", "at": "/properties/nothing", "value": "x"}, {}),
        ({"do": "remove", "at": "/properties/total/deeper"}, {}),
    ],
)
def test_a_step_changes_its_place_and_nothing_else(step: dict[str, Any], properties: dict[str, Any]) -> None:
    wanted = {**ORDER["properties"], **properties}  # type: ignore[dict-item]
    wanted = {name: value for name, value in wanted.items() if value is not ...}
    assert changed(ORDER, step) == {"event": "Order", "properties": wanted}


def test_a_rename_keeps_the_order_of_the_fields() -> None:
    assert list(changed({"a": 1, "b": 2, "c": 3}, {"do": "rename", "at": "/b", "value": "z"})) == ["a", "z", "c"]


def test_the_patch_comes_before_the_steps() -> None:
    found = changed({"a": "1"}, {"do": "number", "at": "/b"}, patch={"a": None, "b": "2"})
    assert found == {"b": 2}


@settings(deadline=None)
@given(
    document=JSON, do=st.sampled_from(("set", "number", "text", "remove", "rename")), at=st.text("/ab*01", max_size=6)
)
def test_a_document_is_never_changed_in_place(document: Any, do: str, at: str) -> None:
    before = repr(document)
    Mend((Step(do, f"/{at}", "x"),)).applied(document)
    assert repr(document) == before


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("27.5", 27.5),
        ("27,50", 27.5),
        (" 1.234,50 € ", 1234.5),
        ("1,234.50", 1234.5),
        ("-3", -3),
        ("12.345.678,9", 12345678.9),
        ("1,234", None),
        ("", None),
        ("abc", None),
        ("1e400", None),
        ("1" * 31, None),
        ("12-03", None),
    ],
)
def test_a_number_is_read_when_it_is_certain(text: str, number: float | None) -> None:
    assert number_of(text) == number


@settings(deadline=None)
@given(value=st.integers(-(10**9), 10**9), cents=st.integers(0, 99))
def test_both_decimal_signs_mean_the_same(value: int, cents: int) -> None:
    assert number_of(f"{value}.{cents:02}") == number_of(f"{value},{cents:02}")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"do": "sett", "at": "/a"}], "one of set, rename"),
        ([{"do": "set", "at": "a"}], "JSON pointer"),
        ([{"do": "set", "at": "/a" * 30}], "at most 20 steps"),
        ([{"do": "rename", "at": "/a"}], "new name"),
        ([{"do": "rename", "at": "/a/*", "value": "b"}], "no name"),
        ([{"do": "set", "to": "/a"}], "no 'to'"),
        (["set"], "expected do, at and value"),
        ([{"do": "remove", "at": "/a"}] * 51, "at most 50"),
    ],
)
def test_a_senseless_step_is_refused(steps: list[Any], message: str) -> None:
    with pytest.raises(DefinitionInvalid, match=message):
        read_mend(steps)


def test_a_patch_must_be_an_object() -> None:
    with pytest.raises(DefinitionInvalid, match="JSON object"):
        read_mend((), ["a"])


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        (Reason("type_wrong", "/properties/total", "number", '"27,50"'), Step("number", "/properties/total")),
        (
            Reason("type_wrong", "/properties/products/3/q", "number", '"2,0"'),
            Step("number", "/properties/products/*/q"),
        ),
        (Reason("type_wrong", "/properties/total", "number", "list of 2"), Step("set", "/properties/total", "")),
        (Reason("property_unexpected", "/properties/x", "", ""), Step("remove", "/properties/x")),
        (Reason("value_not_allowed", "/properties/x", "one of track", ""), Step("set", "/properties/x", "track")),
        (Reason("currency_unknown", "/properties/currency", "", ""), Step("set", "/properties/currency", "")),
        (Reason("event_too_large"), None),
        (Reason("internal_error", "/x"), None),
    ],
)
def test_a_reason_suggests_what_mends_it(reason: Reason, step: Step | None) -> None:
    assert suggestion(reason) == step


@settings(deadline=None)
@given(code=st.sampled_from(sorted(REASONS)), path=st.sampled_from(("", "/properties/a/0/b", "/event")), text=st.text())
def test_every_suggestion_is_a_step_that_can_be_read(code: str, path: str, text: str) -> None:
    step = suggestion(Reason(code, path, text, text))
    if step is not None:
        assert read_mend([{"do": step.do, "at": step.at, "value": step.value}]).steps == (step,)
