"""A contract: what an event of one name must look like. Definitions in, compiled checks out.

A definition is a mapping (YAML or JSON):

    event: Receipt Issued        # absent: all events of the type that have no contract of their own
    type: track                  # the default
    source: till-12              # absent: all sources; a contract with a source wins over one without
    mode: quarantine             # or observe: stored, counted as breach
    identifiers: none            # any (the default), none, or a list of kinds of which one is needed
    description: …
    properties: {JSON Schema 2020-12 of the event's properties}
    traits: {JSON Schema 2020-12 of its traits}
    example: {properties that pass}

Beyond JSON Schema: `x-currency: true` (ISO 4217 code), `x-unit: true` (unit code), `x-format: gtin | time`.
On a number, `x-currency: <property>` and `x-unit: <unit>` say what it counts.
`null` in an optional property counts as absent; in a required one as missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema_rs
import msgspec

from cauce.errors import DefinitionInvalid
from cauce.quality.codes import FORMATS, is_unit
from cauce.registry import nearest

TYPES = ("identify", "track", "page", "screen", "group", "alias")
MODES = ("observe", "quarantine")
UNKNOWN = ("accept", "quarantine")
_FIELDS = ("event", "type", "source", "mode", "identifiers", "description", "properties", "traits", "example")
_NOT_NULL = ["array", "boolean", "number", "object", "string"]
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("not", "if", "then", "else", "items", "contains", "additionalProperties", "unevaluatedProperties")
_MAPS_OF_SCHEMAS = ("patternProperties", "$defs", "definitions", "dependentSchemas")
_CACHE_MAX = 50_000

Schema = dict[str, Any]


class Contract(msgspec.Struct, frozen=True, omit_defaults=True):
    """A definition, checked. `identifiers`: kinds of which one is needed; `*` is any kind; empty: none is needed."""

    event: str = ""
    type: str = "track"
    source: str = ""
    mode: str = "quarantine"
    identifiers: tuple[str, ...] = ("*",)
    description: str = ""
    properties: Schema | None = None
    traits: Schema | None = None
    example: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """The contract's name: `track:Order Completed`, or `track:Order Completed@web` for one source."""
        return f"{self.type}:{self.event}" + (f"@{self.source}" if self.source else "")


class Compiled:
    """A contract with its validators; made once, used for every event."""

    __slots__ = (
        "any_identifier",
        "contract",
        "key",
        "kinds",
        "properties",
        "properties_valid",
        "quarantines",
        "traits",
        "traits_valid",
    )

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.key = contract.key
        self.quarantines = contract.mode == "quarantine"
        self.any_identifier = bool(contract.identifiers)
        self.kinds = frozenset(contract.identifiers) - {"*"}
        self.properties = _validator(contract.properties, f"properties of contract {self.key!r}")
        self.properties_valid = self.properties.is_valid if self.properties else None
        self.traits = _validator(contract.traits, f"traits of contract {self.key!r}")
        self.traits_valid = self.traits.is_valid if self.traits else None


class Book:
    """All contracts in force. Immutable but for its cache: `changed` gives another book.

    `unknown` says what happens to a `track` event without contract, by source; the source "" is the default.
    """

    def __init__(self, contracts: Iterable[Compiled] = (), unknown: Mapping[str, str] | None = None) -> None:
        self._by_key = {compiled.key: compiled for compiled in contracts}
        self._unknown = dict(unknown or {})
        self._found: dict[tuple[str, str, str], Compiled | None] = {}

    @property
    def contracts(self) -> list[Compiled]:
        return list(self._by_key.values())

    @property
    def unknown(self) -> dict[str, str]:
        return dict(self._unknown)

    def find(self, source: str, kind: str, name: str) -> Compiled | None:
        """The most specific contract for an event: name at its source, name, type at its source, type."""
        wanted = (source, kind, name)
        try:
            return self._found[wanted]
        except KeyError:
            pass
        by_key = self._by_key
        named = (f"{kind}:{name}@{source}", f"{kind}:{name}") if name else ()
        keys = (*named, f"{kind}:@{source}", f"{kind}:")
        found = next((by_key[key] for key in keys if key in by_key), None)
        if len(self._found) >= _CACHE_MAX:
            self._found.clear()
        self._found[wanted] = found
        return found

    def accepts_unknown(self, source: str) -> bool:
        """Whether a `track` event that no contract knows may enter."""
        return self._unknown.get(source, self._unknown.get("", "accept")) == "accept"

    def changed(
        self,
        put: Iterable[Compiled] = (),
        removed: Iterable[str] = (),
        unknown: Mapping[str, str] | None = None,
    ) -> Book:
        """A book with some contracts put in or taken out."""
        contracts = {**self._by_key, **{compiled.key: compiled for compiled in put}}
        for key in removed:
            contracts.pop(key, None)
        return Book(contracts.values(), {**self._unknown, **(unknown or {})})


def parse(definition: Any) -> Contract:
    """The contract that a definition describes, compiled once to be sure; DefinitionInvalid says what is wrong."""
    if not isinstance(definition, Mapping):
        raise DefinitionInvalid(f"expected a contract to be a mapping, got {type(definition).__name__}")
    named = f"{definition.get('type', 'track')}:{definition.get('event', '')}"
    for field in definition:
        if field not in _FIELDS:
            hint = nearest(str(field), list(_FIELDS))
            raise DefinitionInvalid(f"contract {named!r} has no field {field!r}", hint=hint)
    try:
        contract = msgspec.convert({**definition, "identifiers": _kinds(definition, named)}, Contract)
    except msgspec.ValidationError as fault:
        raise DefinitionInvalid(f"contract {named!r}: {fault}") from fault
    if contract.type not in TYPES:
        raise DefinitionInvalid(f"expected the type of contract {named!r} to be one of {', '.join(TYPES)}")
    if contract.mode not in MODES:
        raise DefinitionInvalid(f"expected the mode of contract {named!r} to be one of {', '.join(MODES)}")
    Compiled(contract)
    return contract


def parse_unknown(setting: Any) -> str:
    """What happens to unknown events: *accept* or *quarantine*."""
    if setting not in UNKNOWN:
        raise DefinitionInvalid(f"expected unknown to be one of {', '.join(UNKNOWN)}, got {setting!r}")
    return str(setting)


def _kinds(definition: Mapping[str, Any], named: str) -> tuple[str, ...]:
    wanted = definition.get("identifiers", "any")
    if wanted == "any":
        return ("*",)
    if wanted == "none":
        return ()
    if isinstance(wanted, list | tuple) and all(isinstance(kind, str) and kind for kind in wanted):
        return tuple(wanted)
    raise DefinitionInvalid(
        f"expected identifiers of contract {named!r} to be any, none or a list of kinds, got {wanted!r}"
    )


def _validator(schema: Schema | None, what: str) -> jsonschema_rs.Draft202012Validator | None:
    """None when the schema asks for nothing, so that it costs nothing."""
    if not schema:
        return None
    try:
        return jsonschema_rs.Draft202012Validator(
            prepared(schema, what), formats=FORMATS, validate_formats=True, ignore_unknown_formats=False, offline=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as fault:
        raise DefinitionInvalid(f"{what}: not a JSON Schema: {str(fault).splitlines()[0]}") from fault


def prepared(schema: Any, what: str, *, optional: bool = False) -> Any:
    """The schema as the validator gets it: Cauce's keywords become formats, optional values may be null."""
    if not isinstance(schema, Mapping):
        return schema
    result = _with_formats(dict(schema), what)
    for keyword in _SCHEMAS:
        if keyword in result:
            result[keyword] = prepared(result[keyword], what)
    for keyword in _LISTS_OF_SCHEMAS:
        if isinstance(result.get(keyword), list):
            result[keyword] = [prepared(member, what) for member in result[keyword]]
    for keyword in _MAPS_OF_SCHEMAS:
        if isinstance(result.get(keyword), Mapping):
            result[keyword] = {name: prepared(member, what) for name, member in result[keyword].items()}
    _with_absence(result, what)
    return _or_null(result) if optional else result


def _with_formats(schema: Schema, what: str) -> Schema:
    wanted = [name for name in ("currency", "unit") if schema.get(f"x-{name}") is True]
    if "x-format" in schema:
        wanted.append(schema["x-format"])
    unit = schema.get("x-unit")
    if isinstance(unit, str) and not is_unit(unit):
        raise DefinitionInvalid(f"{what}: x-unit {unit!r} is no known unit", hint="Use UCUM or UN/CEFACT codes")
    if not wanted:
        return schema
    if wanted[0] not in FORMATS:
        raise DefinitionInvalid(f"{what}: x-format {wanted[0]!r} is not known", hint=nearest(wanted[0], list(FORMATS)))
    if len(wanted) > 1 or "format" in schema:
        raise DefinitionInvalid(f"{what}: expected one format of a value, got {[*wanted, schema.get('format')]}")
    schema["format"] = wanted[0]
    return schema


def _with_absence(schema: Schema, what: str) -> None:
    """A required property must not be null; an optional one may."""
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    if not isinstance(required, list | tuple) or not isinstance(properties, Mapping):
        return
    if not required and not properties:
        return
    inner = {name: prepared(member, what, optional=name not in required) for name, member in properties.items()}
    for name in required:
        inner.setdefault(name, {"type": _NOT_NULL})
    schema["properties"] = inner


def _or_null(schema: Schema) -> Any:
    if any(keyword in schema for keyword in ("$ref", "anyOf", "oneOf", "allOf", "not", "if", "const")):
        return {"anyOf": [{"type": "null"}, schema]}
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*types, "null"] if "null" not in types else types
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema
