"""Which parts of an event show no person, as far as contracts say: what somebody sees who may not see personal data.

What no contract describes is personal. A contract shows or hides a value with `x-personal: false` or `true`; without
that word the name of the property decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from cauce.quality.contract import Contract

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str"
"""Names of properties to what is below: an object, a list of one kind of element, or the SQL type of a value."""

PROPERTIES_MAX = 1_000
DEPTH_MAX = 10
_SCALARS = {"string": "VARCHAR", "number": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN"}
_SAYS_MUCH = re.compile(
    r"(^|_)(comment|notes?|text|body|message|subject|recipient|phone|mobile|e?mail|address|street|birth\w*|ip|iban"
    r"|loyalty_number|card_id|passw\w*|token|(first|last|full|family|given|sur|customer|user|contact)_?name)$",
    re.I,
)
"""Names under which a packaged contract takes free text, or what leads to a person."""
_MAY_NAME_SOMEBODY = re.compile(
    r"name|mail|phone|mobile|address|street|birth|passw|user|customer|client|contact|account|card|iban|token|ip$", re.I
)
"""Names under which other contracts do; more of them, because nobody looked at those."""

CONTEXT: dict[str, Tree] = {
    "app": {"name": "VARCHAR", "version": "VARCHAR", "build": "VARCHAR"},
    "campaign": dict.fromkeys(("name", "source", "medium", "term", "content", "id"), "VARCHAR"),
    "device": {"type": "VARCHAR", "manufacturer": "VARCHAR", "model": "VARCHAR"},
    "library": {"name": "VARCHAR", "version": "VARCHAR"},
    "locale": "VARCHAR",
    "network": {"wifi": "BOOLEAN", "cellular": "BOOLEAN", "bluetooth": "BOOLEAN"},
    "os": {"name": "VARCHAR", "version": "VARCHAR"},
    "page": {"path": "VARCHAR"},
    "screen": {"width": "BIGINT", "height": "BIGINT", "density": "DOUBLE"},
    "store_id": "VARCHAR",
    "timezone": "VARCHAR",
}
"""What of a context is shown: addresses of networks and pages are not, nor identifiers of devices and advertising."""


class Shows(msgspec.Struct, frozen=True):
    """What one contract shows of the events that it describes; `event` and `source` are empty for all of them."""

    type: str
    event: str
    source: str
    properties: dict[str, Tree]
    traits: dict[str, Tree]


def impersonal(contracts: Iterable[tuple[Contract, bool]]) -> list[Shows]:
    """What each contract shows, the most specific first; contracts come with whether they are packaged ones."""
    found = []
    for contract, is_packaged in contracts:
        hidden = _SAYS_MUCH if is_packaged else _MAY_NAME_SOMEBODY
        properties = _bounded(_object(contract.properties, hidden, 0))
        traits = _bounded(_object(contract.traits, _MAY_NAME_SOMEBODY, 0))
        found.append(Shows(contract.type, contract.event, contract.source, properties, traits))
    return sorted(found, key=lambda shows: (not shows.event, not shows.source, shows.type, shows.event, shows.source))


def _object(schema: Any, hidden: re.Pattern[str], depth: int) -> dict[str, Tree]:
    """What the properties of a schema show; of alternatives, all that any of them describes."""
    found: dict[str, Tree] = {}
    if not isinstance(schema, Mapping) or depth > DEPTH_MAX:
        return found
    properties = schema.get("properties")
    for name, member in properties.items() if isinstance(properties, Mapping) else ():
        below = _shown(name, member, hidden, depth + 1)
        if below is not None:
            _add(found, {name: below})
    for keyword in ("allOf", "anyOf", "oneOf"):
        for member in schema.get(keyword) or ():
            _add(found, _object(member, hidden, depth + 1))
    return found


def _shown(name: str, schema: Any, hidden: re.Pattern[str], depth: int) -> Tree | None:
    """What is shown of one property, None for nothing."""
    if not isinstance(schema, Mapping) or depth > DEPTH_MAX or schema.get("x-personal") is True:
        return None
    tells = hidden.search(name) or schema.get("format") in ("email", "idn-email")
    if tells and schema.get("x-personal") is not False:
        return None
    types = schema.get("type")
    types = [types] if isinstance(types, str) else [each for each in types or () if each != "null"]
    if types == ["object"] or (not types and "properties" in schema):
        return _object(schema, hidden, depth) or None
    if types == ["array"]:
        element = _shown("", schema.get("items"), hidden, depth + 1)
        return None if element is None else [element]
    kinds = {_SCALARS.get(str(each), "") for each in types}
    if not kinds and ("enum" in schema or "const" in schema):
        return "VARCHAR"
    if not kinds or "" in kinds:
        return None
    return kinds.pop() if len(kinds) == 1 else "DOUBLE" if kinds == {"DOUBLE", "BIGINT"} else "VARCHAR"


def _add(tree: dict[str, Tree], more: Mapping[str, Tree]) -> None:
    """Joins what an alternative shows; names that differ in capitals alone are one, because SQL takes them for one."""
    known = {name.casefold(): name for name in tree}
    for name, below in more.items():
        if not name:
            continue
        own = known.setdefault(name.casefold(), name)
        tree[own] = below if own not in tree else _joined(tree[own], below)


def _joined(one: Tree, other: Tree) -> Tree:
    if isinstance(one, dict) and isinstance(other, dict):
        both = dict(one)
        _add(both, other)
        return both
    if isinstance(one, list) and isinstance(other, list):
        return [_joined(one[0], other[0])]
    if isinstance(one, str) and isinstance(other, str):
        return one if one == other else "DOUBLE" if {one, other} == {"DOUBLE", "BIGINT"} else "VARCHAR"
    return next(each for kind in (dict, list) for each in (one, other) if isinstance(each, kind))


def _bounded(tree: dict[str, Tree]) -> dict[str, Tree]:
    """The first properties by name: a row is not made wider than that."""
    return {name: tree[name] for name in sorted(tree)[:PROPERTIES_MAX]}
