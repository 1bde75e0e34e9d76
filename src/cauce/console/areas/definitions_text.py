"""Definitions as people write them: read from text, with the line of every fault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema_rs
import msgspec
import yaml

from cauce.errors import CauceError, DefinitionInvalid
from cauce.profiles.definitions import Definition, SurvivorshipRules, read_definitions, read_survivorship
from cauce.quality.api import contract_request, read
from cauce.quality.contract import Contract, parse

TEXT_CHARACTERS_MAX = 200_000
_KEY = re.compile(r"expected (?:the )?([a-z_]+)(?: of| to|,)|there is no '([^']+)'|has no field '([^']+)'")
_PLACE = re.compile(r"\$((?:\.[A-Za-z_]+|\[\d+\])+)")
_PART = re.compile(r"(properties|traits) of contract")
_CONDITION = re.compile(r"\.where\[(\d+)\]")


class Fault(msgspec.Struct, frozen=True):
    """What is wrong in a text, and in which line (from 1)."""

    line: int
    message: str


class Read(msgspec.Struct, frozen=True):
    """A text as it was understood; with `faults` nothing else counts. `request` is the body of the decision."""

    faults: tuple[Fault, ...] = ()
    request: dict[str, Any] = {}
    contracts: tuple[Contract, ...] = ()
    traits: tuple[Definition, ...] = ()
    survivorship: SurvivorshipRules | None = None
    unknown: Any = None

    @property
    def names(self) -> list[str]:
        """Names of what is defined."""
        return [*(contract.key for contract in self.contracts), *(trait.name for trait in self.traits)]


def read_text(sort: str, text: str) -> Read:
    """What a text defines: a contract or a set of them, computed traits, or survivorship."""
    if len(text) > TEXT_CHARACTERS_MAX:
        return _wrong(1, f"expected at most {TEXT_CHARACTERS_MAX} characters, got {len(text)}")
    try:
        node = _composed(text)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        return _wrong(mark.line + 1 if mark else 1, fault.problem or str(fault))
    except (yaml.YAMLError, RecursionError, ValueError) as fault:  # a date that is none is a ValueError
        return _wrong(1, str(fault).splitlines()[0])
    except DefinitionInvalid as fault:
        return _wrong(int(fault.hint or 1), fault.message)
    if node is None:
        return _wrong(1, "expected a definition, got nothing")
    readers = {"contract": _contracts, "trait": _traits, "survivorship": _survivorship}
    return readers[sort](text, node)


def _composed(text: str) -> Any:
    """The nodes of a YAML text whose values can be read.

    Anchors are refused, because a small text with many can mean a huge document.
    """
    for token in yaml.scan(text, yaml.SafeLoader):
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            raise DefinitionInvalid("anchors and aliases cannot be used here", hint=str(token.start_mark.line + 1))
    yaml.safe_load(text)
    return yaml.compose(text, yaml.SafeLoader)


def _contracts(text: str, node: Any) -> Read:
    try:
        document = read(text)
    except CauceError as fault:
        return _wrong(_line(node), fault.message)
    is_set = "contracts" in document or "unknown" in document
    definitions = document.get("contracts", []) if is_set else [document]
    nodes = (_child(node, "contracts").value if _child(node, "contracts") else []) if is_set else [node]
    faults: list[Fault] = []
    contracts: list[Contract] = []
    for definition, place in zip(definitions, nodes, strict=False):
        try:
            contracts.append(parse(definition))
        except DefinitionInvalid as fault:
            faults.append(Fault(_line_of(fault, place), fault.message))
    keys = [contract.key for contract in contracts]
    faults += [
        Fault(_line(place), f"two contracts are named {key!r}")
        for at, (key, place) in enumerate(zip(keys, nodes, strict=False))
        if key in keys[:at]
    ]
    whole = {"contracts": definitions, **({"unknown": document["unknown"]} if "unknown" in document else {})}
    if not faults:
        try:
            request = contract_request(whole)
            return Read((), request, tuple(contracts), unknown=whole.get("unknown"))
        except DefinitionInvalid as fault:
            faults.append(Fault(_line(_child(node, "unknown") or node), fault.message))
    return Read(_sorted(faults))


def _traits(text: str, node: Any) -> Read:
    entries = _child(node, "traits") if isinstance(node, yaml.MappingNode) and len(node.value) == 1 else None
    places = (entries or node).value if isinstance(entries or node, yaml.SequenceNode) else [node]
    try:
        document = yaml.safe_load(text)
        definitions = read_definitions(document)
        return Read((), {"definitions": document}, traits=definitions)
    except (DefinitionInvalid, ValueError) as fault:
        message = fault.message if isinstance(fault, DefinitionInvalid) else str(fault)
    given = document.get("traits") if isinstance(document, Mapping) and set(document) == {"traits"} else document
    listed = [given] if isinstance(given, Mapping) else given
    faults: list[Fault] = []
    names: set[str] = set()
    for entry, place in zip(listed if isinstance(listed, list) else (), places, strict=False):
        name = str(entry.get("name", "")) if isinstance(entry, Mapping) else ""
        if name and name in names:
            faults.append(Fault(_line(place), f"two computed traits are named {name!r}"))
        names.add(name)
        try:
            read_definitions([entry])
        except DefinitionInvalid as fault:
            faults += [Fault(_line_in(part, place), part) for part in _parts(fault.message)]
    return Read(_sorted(faults) or (Fault(_line(node), message),))


def _survivorship(text: str, node: Any) -> Read:
    document = yaml.safe_load(text)
    try:
        rules = read_survivorship(document)
    except DefinitionInvalid as fault:
        return Read(_sorted(Fault(_line_of_rule(part, node), part) for part in _parts(fault.message)))
    return Read((), {"survivorship": document}, survivorship=rules)


# -- lines ------------------------------------------------------------------------------------------------------


def _line_of(fault: DefinitionInvalid, node: Any) -> int:
    """The line of a contract's fault: the place in its schema where there is one, else the field it names."""
    part = _PART.search(fault.message)
    if part is not None:
        cause = fault.__cause__
        steps = list(cause.instance_path) if isinstance(cause, jsonschema_rs.ValidationError) else []
        return _deepest(_child(node, part[1]) or node, steps)
    place = _PLACE.search(fault.message)
    if place is not None:
        return _deepest(node, re.findall(r"[A-Za-z_]+|\d+", place[1]))
    return _line_in(fault.message, node)


def _line_in(message: str, node: Any) -> int:
    """The line of the field that a message names inside a definition."""
    condition = _CONDITION.search(message)
    if condition is not None:
        listed = _child(node, "where")
        if isinstance(listed, yaml.SequenceNode) and int(condition[1]) < len(listed.value):
            node = listed.value[int(condition[1])]
    for key in filter(None, (group for found in _KEY.finditer(message) for group in found.groups())):
        line = _line_of_key(node, str(key))
        if line:
            return line
    return _line(node)


def _line_of_rule(message: str, node: Any) -> int:
    """The line of survivorship's fault: messages begin with the trait that they are about."""
    label = message.partition(":")[0]
    for place in (_child(node, "traits"), node):
        line = _line_of_key(place, label) if place is not None else 0
        if line:
            return line
    return _line_in(message, node)


def _deepest(node: Any, steps: Sequence[Any]) -> int:
    """The line of the last step that is in the text; steps that Cauce added to a schema are passed over."""
    line = _line(node)
    for step in steps:
        if isinstance(node, yaml.SequenceNode) and str(step).isdigit() and int(step) < len(node.value):
            node = node.value[int(step)]
            line = _line(node)
        elif (key := _line_of_key(node, str(step))) and (child := _child(node, str(step))) is not None:
            node, line = child, key
    return line


def _pairs(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, yaml.MappingNode):
        yield from node.value


def _child(node: Any, key: str) -> Any:
    return next((value for name, value in _pairs(node) if name.value == key), None)


def _line_of_key(node: Any, key: str) -> int:
    return next((_line(name) for name, _ in _pairs(node) if name.value == key), 0)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _parts(message: str) -> list[str]:
    """The single faults of a message that lists several."""
    return [part for part in message.split("; ") if part]


def _sorted(faults: Any) -> tuple[Fault, ...]:
    return tuple(sorted(set(faults), key=lambda fault: (fault.line, fault.message)))


def _wrong(line: int, message: str) -> Read:
    return Read((Fault(line, message),))
