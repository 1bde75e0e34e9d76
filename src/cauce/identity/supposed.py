"""People as they would be after one more decision: the same questions, the same pure functions, nothing written.

`supposing` places the neighbourhood of the decision anew, as the stage would; the people that it gives answer from
that. So what a preview says is what the decision does, as long as nothing else happens between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

import msgspec

from cauce.errors import DefinitionInvalid
from cauce.identity.api import Member, People, Person
from cauce.identity.graph import Graph
from cauce.identity.partition import DECLARED, SHARED, Frame, Known, Pair, Rulings, solve
from cauce.identity.rulings import PAIR_DECISIONS, Decision, key_of, settle
from cauce.registry import nearest

LATEST = 2**63 - 1
"""Position of a decision that was not taken yet: later than all others."""


class Preview(msgspec.Struct, frozen=True):
    """Who is concerned by a decision: `before` it and `after` it, each with all identifiers; the same people twice when
    it changes nothing. Larger people first."""

    name: str
    a: str
    b: str
    before: tuple[Person, ...]
    after: tuple[Person, ...]

    @property
    def changes(self) -> bool:
        """Whether anybody consists of other identifiers, or an identifier becomes shared or somebody's."""
        return set(self.before) != set(self.after)


class Supposed(Graph):
    """The graph under one more decision: its neighbourhood placed anew, everything else as it is stored."""

    def __init__(self, people: People, decision: Decision) -> None:
        super().__init__(people.graph.reader)
        self._base = people.graph
        self._rules = people.rules
        self._decisions = {**self._base.decisions(), decision.id: decision}
        self.placed = self._solved((decision.low, decision.high), people.component_identifiers_max)

    def identifiers(self, ids: Iterable[int]) -> list[Known]:
        return [self.placed.get(known.id, known) for known in self._base.identifiers(ids)]

    def members(self, component: int, person: int) -> list[Known]:
        kept = [known for known in self._base.members(component, person) if known.id not in self.placed]
        come = [each for each in self.placed.values() if (each.component, each.person) == (component, person)]
        return kept + come

    def components(self, ids: Iterable[int]) -> list[Known]:
        wanted = set(ids)
        kept = [known for known in self._base.components(wanted) if known.id not in self.placed]
        return kept + [each for each in self.placed.values() if each.component in wanted]

    def decisions(self) -> dict[int, Decision]:
        return self._decisions

    def before(self) -> dict[int, Known]:
        """The placed identifiers where they are without the decision."""
        return {known.id: known for known in self._base.identifiers(self.placed)}

    def _solved(self, pair: Pair, component_identifiers_max: int) -> dict[int, Known]:
        """The identifiers around the decision where they would be; what is not in it stays where it is."""
        rulings = settle(self._decisions.values())
        components, fresh = self._neighbourhood(pair, rulings)
        nodes = {known.id: known for known in self._base.components(components)}
        sticky = {id for id, known in nodes.items() if known.flags & SHARED and id not in fresh}
        links = self.links_of(nodes.keys() - sticky)
        frame = Frame(self._rules, rulings, component_identifiers_max)
        return {
            id: msgspec.structs.replace(
                nodes[id], component=placement.component, person=placement.person, flags=placement.flags
            )
            for id, placement in solve(nodes, links, frame, sticky=sticky).items()
        }

    def _neighbourhood(self, pair: Pair, rulings: Rulings) -> tuple[set[int], set[int]]:
        """(components, identifiers to judge afresh): a decision can make a shared identifier somebody's again."""
        together = rulings.together
        heads = {together[id] for id in pair if id in together}
        fresh = {*pair, *(id for id, head in together.items() if head in heads)}
        for link in self.links_of(fresh):
            fresh.update((link.low, link.high))
        around = {known.id: known for known in self._base.identifiers(fresh)}
        shared = [id for id, known in around.items() if known.flags & SHARED and not self._declared(known)]
        further = {id for link in self.links_of(shared) for id in (link.low, link.high)}
        around.update((known.id, known) for known in self._base.identifiers(further - fresh))
        return {known.component for known in around.values()}, fresh

    def _declared(self, known: Known) -> bool:
        return bool(known.flags & DECLARED) and self._rules.kind(known.kind).device


def supposing(people: People, name: str, properties: Mapping[str, Any], by: str = "") -> People:
    """People as they would be after the decision `name` about the pair `a` and `b` of the properties.

    They read through the graph of `people` and belong to their thread. DefinitionInvalid when it is no decision about a
    pair or names no two identifiers, NotFound when one of them was never seen.
    """
    if name not in PAIR_DECISIONS:
        raise DefinitionInvalid(
            f"expected a decision about two identifiers, got {name!r}", hint=nearest(name, list(PAIR_DECISIONS))
        )
    people.validate(name, properties)
    one, other = (people.identifier(properties[side]) for side in ("a", "b"))
    what, active = PAIR_DECISIONS[name]
    why = str(properties.get("why", ""))
    low, high = sorted((one.id, other.id))
    decision = Decision(
        key_of(what, low, high), low, high, what, int(active), str(one), str(other), LATEST, LATEST, by, why
    )
    later = copy(people)
    later.graph = Supposed(people, decision)
    return later


def preview(people: People, later: People, name: str, properties: Mapping[str, Any]) -> Preview:
    """Who goes where: everybody whose identifiers change, and the people of the two that are named.

    `later` are the people that `supposing` made of `people` and the same decision.
    """
    graph = later.graph
    assert isinstance(graph, Supposed), "these people are supposed by no decision"
    concerned = _concerned(graph.before(), graph.placed)
    for side in ("a", "b"):
        concerned |= {member.id for member in people.locate(properties[side]).identifiers}
        concerned |= {member.id for member in later.locate(properties[side]).identifiers}
    return Preview(
        name, str(properties["a"]), str(properties["b"]), _everybody(people, concerned), _everybody(later, concerned)
    )


def _concerned(before: Mapping[int, Known], after: Mapping[int, Known]) -> set[int]:
    """Identifiers of the people, before and after, of whom at least one identifier changes its place."""
    concerned = {
        id
        for id, known in after.items()
        if known.person != before[id].person or (known.flags ^ before[id].flags) & SHARED
    }
    size = -1
    while size != len(concerned):
        size = len(concerned)
        old = {before[id].person for id in concerned}
        new = {after[id].person for id in concerned}
        concerned |= {id for id in after if before[id].person in old or after[id].person in new}
    return concerned


def _everybody(people: People, ids: Iterable[int]) -> tuple[Person, ...]:
    found: dict[int, Person] = {}
    seen: set[int] = set()
    for id in sorted(ids):
        if id not in seen:
            person = people.person(id)
            if person is not None:
                found[person.id] = person
                seen.update(member.id for member in person.identifiers)
    return tuple(sorted(found.values(), key=_size))


def _size(person: Person) -> tuple[int, int, int]:
    oldest: Member = person.identifiers[0]
    return -len(person.identifiers), oldest.first_occurred, person.id
