"""People as they would be after one more decision: the same questions, the same pure functions, nothing written.

`supposing` places the neighbourhood of the decision anew, as the stage would; `Supposed` answers everything that
`People` answers from that. So what a preview says is what the decision does, as long as nothing else happens between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cauce.errors import DefinitionInvalid
from cauce.identity import store
from cauce.identity.api import Member, People, Person
from cauce.identity.partition import DECLARED, SHARED, Frame, Known, Pair, Rulings, solve
from cauce.identity.rulings import PAIR_DECISIONS, Decision, renewed, settle
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


class Supposed(People):
    """People under one more decision. Reads through the people that it was made from; belongs to their thread."""

    def __init__(self, people: People, decision: Decision) -> None:
        super().__init__(
            people._reader,
            people._secret,
            people._default_rules,
            source_of=people._source_of,
            component_identifiers_max=people._component_identifiers_max,
        )
        self._base = people
        self._decisions = {**people._said(), decision.id: decision}
        self._placed = self._solved((decision.low, decision.high))

    def _identifiers(self, ids: Iterable[int]) -> list[Known]:
        return [self._placed.get(known.id, known) for known in self._base._identifiers(ids)]

    def _members(self, component: int, person: int) -> list[Known]:
        kept = [known for known in self._base._members(component, person) if known.id not in self._placed]
        come = [each for each in self._placed.values() if (each.component, each.person) == (component, person)]
        return kept + come

    def _components(self, ids: Iterable[int]) -> list[Known]:
        wanted = set(ids)
        kept = [known for known in self._base._components(wanted) if known.id not in self._placed]
        return kept + [each for each in self._placed.values() if each.component in wanted]

    def _said(self) -> dict[int, Decision]:
        return self._decisions

    def _solved(self, pair: Pair) -> dict[int, Known]:
        """The identifiers around the decision where they would be; what is not in it stays where it is."""
        rulings = settle(self._decisions.values())
        components, fresh = self._neighbourhood(pair, rulings)
        nodes = {known.id: known for known in self._base._components(components)}
        sticky = {id for id, known in nodes.items() if known.flags & SHARED and id not in fresh}
        links = store.links_of(self._reader, nodes.keys() - sticky)
        frame = Frame(self.rules, rulings, self._component_identifiers_max)
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
        for link in store.links_of(self._reader, fresh):
            fresh.update((link.low, link.high))
        around = {known.id: known for known in self._base._identifiers(fresh)}
        shared = [id for id, known in around.items() if known.flags & SHARED and not self._declared(known)]
        further = {id for link in store.links_of(self._reader, shared) for id in (link.low, link.high)}
        around.update((known.id, known) for known in self._base._identifiers(further - fresh))
        return {known.component for known in around.values()}, fresh

    def _declared(self, known: Known) -> bool:
        return bool(known.flags & DECLARED) and self.rules.kind(known.kind).device

    def moved(self) -> tuple[Mapping[int, Known], Mapping[int, Known]]:
        """(before, after): the placed identifiers by id, of those people whom the decision concerns."""
        return {known.id: known for known in self._base._identifiers(self._placed)}, self._placed


def supposing(people: People, name: str, properties: Mapping[str, Any], by: str = "") -> Supposed:
    """People as they would be after the decision `name` about the pair `a` and `b` of the properties.

    DefinitionInvalid when it is no decision about a pair or names no two identifiers, NotFound when one of them was
    never seen.
    """
    if name not in PAIR_DECISIONS:
        raise DefinitionInvalid(
            f"expected a decision about two identifiers, got {name!r}", hint=nearest(name, list(PAIR_DECISIONS))
        )
    people.validate(name, properties)
    for side in ("a", "b"):
        people.locate(properties[side])
    what, active = PAIR_DECISIONS[name]
    why = str(properties.get("why", ""))
    draft = Decision(0, 0, 0, what, int(active), str(properties["a"]), str(properties["b"]), LATEST, LATEST, by, why)
    decision = renewed(draft, people.rules, people._secret)
    assert decision is not None  # validate saw two usable identifiers
    return Supposed(people, decision)


def preview(people: People, supposed: Supposed, name: str, properties: Mapping[str, Any]) -> Preview:
    """Who goes where: everybody whose identifiers change, and the people of the two that are named."""
    before, after = supposed.moved()
    concerned = _concerned(before, after)
    for side in ("a", "b"):
        concerned |= {member.id for member in people.locate(properties[side]).identifiers}
        concerned |= {member.id for member in supposed.locate(properties[side]).identifiers}
    return Preview(
        name, str(properties["a"]), str(properties["b"]), _everybody(people, concerned), _everybody(supposed, concerned)
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
