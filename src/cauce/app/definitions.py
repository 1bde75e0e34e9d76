"""Definitions over time: every version of a contract, a computed trait or survivorship, and what a trait would say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from cauce.errors import DefinitionInvalid, NotFound
from cauce.model import Event
from cauce.profiles import strand
from cauce.profiles.api import clock, values_in
from cauce.profiles.computed import Traits, reads
from cauce.profiles.definitions import (
    Definition,
    Survivorship,
    SurvivorshipRules,
    read_definitions,
    read_survivorship,
)
from cauce.quality.contract import Contract, parse
from cauce.quality.starter import starter_contracts

if TYPE_CHECKING:
    from cauce.app.platform import Platform

SORTS = ("contract", "trait", "survivorship", "identity")
UNKNOWN = "unknown"
"""Name of the setting of contract sets that says what happens to events without contract."""
AUDIT_PAGE = 200
PREVIEW_PEOPLE = 5
PREVIEW_EVENTS = 2_000
LOOKED_THROUGH_MAX = 5_000
_APPLIED = {
    "contract": "contract.applied",
    "trait": "trait.applied",
    "survivorship": "survivorship.applied",
    "identity": "identity.rules_applied",
}
_REMOVED = {"contract": "contract.removed", "trait": "trait.removed"}


class Version(msgspec.Struct, frozen=True):
    """A definition as it was decided: the n-th decision about it; 0 came with Cauce and nobody decided it.

    `document` is the definition as it can be applied again, None when this version removed it.
    """

    sort: str
    name: str
    number: int
    moment: int
    by: str
    document: Any

    @property
    def text(self) -> str:
        """The definition as YAML; empty when it was removed."""
        return "" if self.document is None else as_yaml(self.document)


class Sampled(msgspec.Struct, frozen=True):
    """A person and what a trait would say of them, from their latest `events`; `is_cut` when there are more."""

    person: int
    value: Any
    events: int
    is_cut: bool


def as_yaml(document: Any) -> str:
    """A definition as text to read and to edit."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """Lines of two texts as (sign, line): `-`, `+`, a space for what stayed, `@` where some are left out."""
    lines = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return [
        ("@" if line.startswith("@@") else line[0], "" if line.startswith("@@") else line[1:])
        for line in list(lines)[2:]
    ]


class Definitions:
    """Every version of every definition, from the decisions in the archive; belongs to the calling thread."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def versions(self, sort: str) -> dict[str, list[Version]]:
        """Versions of a sort by name, oldest first."""
        if sort not in SORTS:
            raise NotFound(f"there are no definitions of sort {sort!r}", hint=f"Known: {', '.join(SORTS)}")
        found: dict[str, list[Version]] = {}
        if sort == "contract":
            for contract in starter_contracts():
                found[contract.key] = [Version(sort, contract.key, 0, 0, "", contract_document(contract))]
        for event in self._decisions(sort):
            for name, document in _changes(sort, event):
                known = found.setdefault(name, [])
                number = known[-1].number + 1 if known else 1
                by = str(event.context.get("by", ""))
                known.append(Version(sort, name, number, event.occurred, by, document))
        return found

    def of(self, sort: str, name: str) -> list[Version]:
        """The versions of one definition, oldest first; NotFound when there never was one."""
        found = self.versions(sort).get(name)
        if not found:
            raise NotFound(f"there is no {sort} named {name!r}", hint="See the definitions")
        return found

    def sample(self, definition: Definition, people: int = PREVIEW_PEOPLE) -> list[Sampled]:
        """What a trait would say of some people of whom it reads the latest events; nothing is changed."""
        now = clock()
        return [self._sampled(definition, person, now) for person in self._people(definition, people)]

    def _sampled(self, definition: Definition, person: int, now: int) -> Sampled:
        traits = Traits([(0, definition)])
        pulse: strand.Pulse | None = None
        count, cursor = 0, ""
        while count < PREVIEW_EVENTS:
            page = self._platform.profiles.timeline(
                person, cursor=cursor, limit=500, channels=definition.channels, events=definition.events
            )
            for entry in page.events:
                event = entry.event
                pulse = strand.fold_pulse(pulse, event.occurred, event.channel, traits.observe(event), traits.slots)
            count += len(page.events)
            cursor = page.cursor
            if not cursor:
                break
        return Sampled(person, values_in(pulse, traits, now)[definition.name], count, bool(cursor))

    def _people(self, definition: Definition, most: int) -> list[int]:
        """People of the latest stored events that the definition reads."""
        found: dict[int, None] = {}
        for looked_through, stored in enumerate(self._platform.archive.newest()):
            if looked_through >= LOOKED_THROUGH_MAX or len(found) >= most:
                break
            event = stored.event
            if stored.subject and reads(definition, event.type, event.name, event.channel):
                person = self._platform.people.person(stored.subject)
                if person is not None:
                    found.setdefault(person.id)
        return list(found)

    def _decisions(self, sort: str) -> Iterator[Event]:
        """All decisions about a sort, oldest first."""
        names = [_APPLIED[sort], *([_REMOVED[sort]] if sort in _REMOVED else [])]
        found: list[Event] = []
        for name in names:
            after = 0
            while page := self._platform.archive.audit(after=after, limit=AUDIT_PAGE, name=name, descending=False):
                found += page
                after = page[-1].position
        yield from sorted(found, key=lambda event: event.position)


def contract_document(contract: Contract) -> dict[str, Any]:
    """A contract as people write it."""
    document: dict[str, Any] = msgspec.to_builtins(contract)
    kinds = list(document.pop("identifiers", ["*"]))
    if kinds != ["*"]:
        document["identifiers"] = kinds or "none"
    return document


def trait_document(definition: Definition) -> dict[str, Any]:
    """A computed trait as people write it."""
    document: dict[str, Any] = msgspec.to_builtins(definition)
    return document


def survivorship_document(rules: SurvivorshipRules) -> dict[str, Any]:
    """Survivorship rules as people write them."""
    traits = {trait: _rule(rule) for trait, rule in sorted(rules.traits.items())}
    return {"default": _rule(rules.default), **({"traits": traits} if traits else {})}


def _rule(rule: Survivorship) -> Any:
    return {"rule": rule.rule, "sources": list(rule.sources)} if rule.sources else rule.rule


def _changes(sort: str, event: Event) -> Iterator[tuple[str, Any]]:
    """(name, definition or None) that a decision changed; what made no sense changed nothing."""
    properties = event.properties
    if event.name == _REMOVED.get(sort):
        names = properties.get("contracts" if sort == "contract" else "names", properties.get("name", ()))
        for name in (names,) if isinstance(names, str) else names:
            yield str(name), None
    elif sort == "contract":
        yield from _contract_changes(properties)
    elif sort == "trait":
        try:
            definitions = read_definitions(properties.get("definitions", properties.get("definition", properties)))
        except DefinitionInvalid:
            return
        for definition in definitions:
            yield definition.name, trait_document(definition)
    elif sort == "survivorship":
        try:
            rules = read_survivorship(properties.get("survivorship", properties))
        except DefinitionInvalid:
            return
        yield sort, survivorship_document(rules)
    else:
        yield sort, properties.get("rules", properties)


def _contract_changes(properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    definitions = properties.get("contracts", ())
    for definition in definitions if isinstance(definitions, list) else ():
        try:
            contract = parse(definition)
        except DefinitionInvalid:
            continue
        yield contract.key, contract_document(contract)
    unknown = properties.get("unknown")
    if unknown is not None:
        for source, setting in unknown.items() if isinstance(unknown, dict) else [("", unknown)]:
            name = f"{UNKNOWN}@{source}" if source else UNKNOWN
            yield name, {"unknown": {source: setting} if source else setting}
