"""Definitions in plain words: what a contract asks for, what a trait computes, which value survives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cauce.console.catalogues import marked
from cauce.console.words import Words
from cauce.profiles.definitions import Definition, SurvivorshipRules
from cauce.quality.contract import Contract

DEPTH_MAX = 6

SORTS = {
    "contract": marked("Contract"),
    "trait": marked("Computed trait"),
    "survivorship": marked("Survivorship"),
    "identity": marked("Identity rules"),
}
_TYPES = {
    "string": marked("text"),
    "number": marked("number"),
    "integer": marked("whole number"),
    "boolean": marked("yes or no"),
    "array": marked("list"),
    "object": marked("object"),
    "null": marked("nothing"),
}
_BOUNDS = {
    "minimum": marked("at least %(bound)s"),
    "maximum": marked("at most %(bound)s"),
    "exclusiveMinimum": marked("more than %(bound)s"),
    "exclusiveMaximum": marked("less than %(bound)s"),
    "multipleOf": marked("a multiple of %(bound)s"),
    "minLength": marked("at least %(bound)s characters"),
    "maxLength": marked("at most %(bound)s characters"),
    "minItems": marked("at least %(bound)s elements"),
    "maxItems": marked("at most %(bound)s elements"),
}
_FORMATS = {
    "gtin": marked("a GTIN with its check digit"),
    "time": marked("an ISO 8601 date or time"),
    "currency": marked("an ISO 4217 code"),
    "unit": marked("a UCUM unit or UN/CEFACT code"),
}
_COMPUTES = {
    "count": marked("How many events there are"),
    "sum": marked("The sum of `%(property)s`"),
    "average": marked("The mean of `%(property)s`"),
    "min": marked("The smallest `%(property)s`"),
    "max": marked("The largest `%(property)s`"),
    "first": marked("The first `%(property)s`"),
    "last": marked("The latest `%(property)s`"),
    "most_frequent": marked("The most frequent `%(property)s`"),
    "unique_count": marked("How many different values of `%(property)s` there are"),
    "list": marked("The latest %(limit)s values of `%(property)s`"),
    "days_since": marked("Days since the latest event"),
}
_COUNTED = {
    "count": marked("How many events have `%(property)s`"),
    "days_since": marked("Days since the latest event that has `%(property)s`"),
}
_OPERATORS = {
    "eq": marked("`%(property)s` is %(value)s"),
    "ne": marked("`%(property)s` is not %(value)s"),
    "gt": marked("`%(property)s` is more than %(value)s"),
    "gte": marked("`%(property)s` is at least %(value)s"),
    "lt": marked("`%(property)s` is less than %(value)s"),
    "lte": marked("`%(property)s` is at most %(value)s"),
    "in": marked("`%(property)s` is one of %(value)s"),
    "not_in": marked("`%(property)s` is none of %(value)s"),
    "contains": marked("`%(property)s` contains %(value)s"),
}
_RULES = {
    "latest": marked("The latest value wins."),
    "source_order": marked("The most trusted source wins: %(sources)s."),
    "most_frequent": marked("The most frequent value wins."),
    "longest": marked("The longest value wins."),
}


class Field(msgspec.Struct, frozen=True):
    """A property of a contract in words; `depth` is how far it lies inside others."""

    name: str
    depth: int
    type: str
    required: bool
    conditions: tuple[str, ...]
    description: str


def contract_told(contract: Contract, words: Words) -> dict[str, Any]:
    """What a contract asks of an event."""
    subject = (
        words.say(marked("Events “%(name)s”"), name=contract.event)
        if contract.event
        else words.say(marked("All %(type)s calls without a contract of their own"), type=contract.type)
    )
    if contract.source:
        subject = words.say(marked("%(events)s of source %(source)s"), events=subject, source=contract.source)
    kinds = tuple(kind for kind in contract.identifiers if kind != "*")
    if kinds:
        who = words.say(
            marked("It must name somebody by one of: %(kinds)s."),
            kinds=words.list([words.kind(kind) for kind in kinds]),
        )
    elif contract.identifiers:
        who = words.say(marked("It must name somebody, by any identifier."))
    else:
        who = words.say(marked("It need not name anybody."))
    breaks = marked("An event that breaks it waits in quarantine.")
    if contract.mode == "observe":
        breaks = marked("An event that breaks it is stored all the same, and counted.")
    return {
        "subject": subject,
        "description": words.said(contract.description),
        "rules": [who, words.say(breaks)],
        "properties": list(_fields(contract.properties, words, 0)),
        "traits": list(_fields(contract.traits, words, 0)),
        "alternatives": _alternatives(contract.properties, words),
        "example": msgspec.json.format(msgspec.json.encode(contract.example), indent=2).decode()
        if contract.example
        else "",
    }


def trait_told(definition: Definition, words: Words) -> dict[str, Any]:
    """What a computed trait computes, over what."""
    table = _COUNTED if definition.property and definition.compute in _COUNTED else _COMPUTES
    return {
        "description": words.said(definition.description),
        "computes": words.say(table[definition.compute], property=definition.property, limit=definition.limit),
        "events": list(definition.events),
        "types": list(definition.types),
        "channels": [words.channel(channel) for channel in definition.channels],
        "where": [_condition(condition, words) for condition in definition.where],
        "window": words.count("the last %(num)s day", "the last %(num)s days", definition.window_days)
        if definition.window_days
        else words.say(marked("all time")),
    }


def survivorship_told(rules: SurvivorshipRules, words: Words) -> dict[str, Any]:
    """Which value of a trait survives."""
    return {
        "default": _rule(rules.default, words),
        "traits": [(trait, _rule(rule, words)) for trait, rule in sorted(rules.traits.items())],
    }


def _rule(rule: Any, words: Words) -> str:
    return words.say(_RULES[rule.rule], sources=" › ".join(rule.sources))


def _condition(condition: Any, words: Words) -> str:
    if condition.op == "exists":
        said = marked("`%(property)s` is there") if condition.value else marked("`%(property)s` is not there")
        return words.say(said, property=condition.property)
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    shown = ", ".join(words.value(value) if not isinstance(value, str) else f"“{value}”" for value in values)
    return words.say(_OPERATORS[condition.op], property=condition.property, value=shown)


def _fields(schema: Any, words: Words, depth: int) -> Iterator[Field]:
    if not isinstance(schema, Mapping) or depth > DEPTH_MAX:
        return
    required = schema.get("required") or ()
    properties = schema.get("properties")
    for name, member in properties.items() if isinstance(properties, Mapping) else ():
        if not isinstance(member, Mapping):
            continue
        yield Field(
            str(name), depth, _type(member, words), name in required, tuple(_conditions(member, words)),
            words.said(str(member.get("description", ""))),
        )  # fmt: skip
        yield from _fields(member, words, depth + 1)
        yield from _fields(member.get("items"), words, depth + 1)
    for name in required:
        if not isinstance(properties, Mapping) or name not in properties:
            yield Field(str(name), depth, words.say(marked("anything")), True, (), "")


def _type(schema: Mapping[str, Any], words: Words) -> str:
    types = schema.get("type", ())
    named = [types] if isinstance(types, str) else list(types)
    said = [words.say(_TYPES[each]) for each in named if each in _TYPES]
    return words.say(marked(" or ")).join(said) or words.say(marked("anything"))


def _conditions(schema: Mapping[str, Any], words: Words) -> Iterator[str]:
    if "enum" in schema and isinstance(schema["enum"], list):
        yield words.say(marked("one of %(values)s"), values=", ".join(words.value(each) for each in schema["enum"]))
    if "const" in schema:
        yield words.say(marked("always %(value)s"), value=words.value(schema["const"]))
    for keyword, said in _BOUNDS.items():
        if isinstance(schema.get(keyword), int | float) and not (keyword == "minLength" and schema[keyword] == 1):
            yield words.say(said, bound=words.number(schema[keyword]))
    if isinstance(schema.get("pattern"), str):
        yield words.say(marked("like %(pattern)s"), pattern=schema["pattern"])
    for keyword in ("x-format", "format"):
        if isinstance(schema.get(keyword), str):
            name = schema[keyword]
            yield words.say(_FORMATS[name]) if name in _FORMATS else name
    yield from _units(schema, words)
    if schema.get("x-personal") is True:
        yield words.say(marked("personal"))


def _units(schema: Mapping[str, Any], words: Words) -> Iterator[str]:
    """What a number counts, or which code a text is."""
    currency, unit = _FORMATS["currency"], _FORMATS["unit"]
    if schema.get("x-currency") is True:
        yield words.say(currency)
    elif isinstance(schema.get("x-currency"), str):
        yield words.say(marked("money in %(property)s"), property=schema["x-currency"])
    if schema.get("x-unit") is True:
        yield words.say(unit)


def _alternatives(schema: Any, words: Words) -> list[str]:
    """Choices between required properties, as sentences."""
    found = []
    for keyword in ("anyOf", "oneOf"):
        members = (schema or {}).get(keyword)
        names = [member.get("required") or [] for member in members or () if isinstance(member, Mapping)]
        if names and all(isinstance(each, list) and each for each in names):
            shown = words.list(["+".join(map(str, each)) for each in names])
            said = marked("At least one of them is needed: %(names)s.")
            if keyword == "oneOf":
                said = marked("Exactly one of them is needed: %(names)s.")
            found.append(words.say(said, names=shown))
    return found
