"""What was known of a person at a past moment: the events received until then, put together by the rules of then.

Nothing is kept for it but the archive. The neighbourhood of the person is walked along links that were known then,
its events are read back, identifiers are partitioned anew with the rules and decisions of then, and the strands of
those who were one person are folded from the same events. What the answer costs is bounded, and refused beyond.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import msgspec

from cauce.engines.api import Reader
from cauce.errors import NotFound, TooLarge
from cauce.identity.api import Evidence, Member, Person, Rules
from cauce.identity.bulk import gather
from cauce.identity.evidence import Ledger, Resolver, SourceOf
from cauce.identity.partition import SHARED, Frame, solve
from cauce.identity.rulings import PAIR_DECISIONS, RULES_APPLIED, decision_of, settle
from cauce.identity.rulings import Decision as Ruling
from cauce.model import Event
from cauce.profiles import store, strand
from cauce.profiles.computed import Traits

IDENTIFIERS_MAX = 2_000
EVENTS_MAX = 20_000
AUDIT_EVENTS = 1_000


class Neighbours(Protocol):
    """What the past asks identity."""

    def person(self, person_id: int) -> Person | None: ...
    def links(self, person_id: int, limit: int = ...) -> list[Evidence]: ...
    def locate(self, text: str) -> Person: ...


class Memory(Protocol):
    """What the past asks the archive."""

    def bodies(self, positions: Iterable[int]) -> dict[int, Any]: ...
    def audit(self, *, after: int = ..., limit: int = ..., name: str = ..., descending: bool = ...) -> list[Event]: ...


class Grounds(msgspec.Struct, frozen=True):
    """What identity stands on: the secret of identifier ids, rules before any were applied, and sources by name."""

    secret: bytes = b""
    rules: Rules | None = None
    source_of: SourceOf | None = None
    component_identifiers_max: int = 2_000


class Known(msgspec.Struct, frozen=True):
    """The strands of a person's identifiers: the parts of a profile before they are added up."""

    pulses: dict[int, strand.Pulse]
    ledgers: dict[int, strand.Ledger]
    words: dict[int, Any]


class Past:
    """Answers about one moment (microseconds); what was received later is unknown."""

    def __init__(self, reader: Reader, people: Neighbours, archive: Memory, grounds: Grounds, moment: int) -> None:
        self._reader = reader
        self._people = people
        self._archive = archive
        self._moment = moment
        self._secret = grounds.secret
        rules, rulings = self._judgement(grounds)
        self._frame = Frame(rules, settle(rulings), grounds.component_identifiers_max)
        self._resolver = Resolver(rules, grounds.secret, grounds.source_of)

    def known(self, person_id: int, traits: Traits) -> tuple[int, tuple[Member, ...], Known]:
        """Person, identifiers and strands of whoever the identifiers of today's person were then.

        When they were several, the one that has the identifier `person_id`, else the oldest identifier known then.
        NotFound when none of them was known, TooLarge when too many identifiers or events hang together.
        """
        person, group, members, stored = self._gathered(person_id)
        return person, members, self._folded(stored, group, traits)

    def events(self, person_id: int) -> Iterator[tuple[int, Event]]:
        """(identifier through which it is theirs, event) of everything that was known of that person; like `known`."""
        _, group, _, stored = self._gathered(person_id)
        for each in stored:
            event = each.event
            subject = self._resolver.resolve(event.identifiers, event.source).subject
            if subject in group:
                yield subject, event

    def _gathered(self, person_id: int) -> tuple[int, frozenset[int], tuple[Member, ...], list[Any]]:
        """Person, ids of the identifiers, identifiers, and the events of everybody around."""
        around, shared = self._walk(person_id)
        stored = self._stored(around)
        ledger = gather([stored], self._resolver)
        places = solve(ledger.known, list(ledger.links.values()), self._frame, sticky=shared & ledger.known.keys())
        today = self._people.person(person_id)
        own = {person_id, *(member.id for member in today.identifiers)} if today else {person_id}
        candidates = sorted(
            (ledger.known[id] for id in own & places.keys()),
            key=lambda known: (known.id != person_id, known.first_occurred, known.id),
        )
        if not candidates:
            raise NotFound("of none of this person's identifiers anything was known at that moment")
        person = places[candidates[0].id].person
        group = sorted((id for id, place in places.items() if place.person == person), key=lambda id: _age(ledger, id))
        members = tuple(
            Member(id, each.kind, each.value, each.first_occurred, each.known_since, bool(places[id].flags & SHARED))
            for id in group
            for each in (ledger.known[id],)
        )
        return person, frozenset(group), members, stored

    def _judgement(self, grounds: Grounds) -> tuple[Rules, list[Ruling]]:
        """The rules and the decisions about pairs that were in force."""
        rules = grounds.rules or Rules.default()
        for event in self._audit(RULES_APPLIED):
            rules = Rules.from_dict(event.properties.get("rules"))
        latest: dict[int, Ruling] = {}
        events = [event for name in PAIR_DECISIONS for event in self._audit(name)]
        for event in sorted(events, key=lambda each: each.position):
            ruling = decision_of(event, rules, grounds.secret)
            if ruling is not None:
                latest[ruling.id] = ruling
        return rules, list(latest.values())

    def _audit(self, name: str) -> Iterator[Event]:
        """Decisions of one name that had been made, in order."""
        after = 0
        while True:
            page = self._archive.audit(after=after, limit=AUDIT_EVENTS, name=name, descending=False)
            yield from (event for event in page if event.received <= self._moment)
            if len(page) < AUDIT_EVENTS:
                return
            after = page[-1].position

    def _walk(self, person_id: int) -> tuple[set[int], set[int]]:
        """(identifiers that hang together with the person by links known then, those of them that were shared then)."""
        waiting: list[int] = [person_id]
        located: dict[str, int] = {}
        around: set[int] = set()
        shared: set[int] = set()
        while waiting:
            id = waiting.pop()
            person = self._people.person(id) if id not in around else None
            if person is None:
                continue
            around.update(member.id for member in person.identifiers)
            if len(around) > IDENTIFIERS_MAX:
                raise TooLarge(f"more than {IDENTIFIERS_MAX} identifiers hang together with this person")
            neighbours: dict[str, set[str]] = {str(member): set() for member in person.identifiers}
            for link in self._people.links(person.id):
                if link.known_since <= self._moment:
                    for one, other in ((link.a, link.b), (link.b, link.a)):
                        neighbours.get(one, set()).add(other)
            for member in person.identifiers:
                together = self._frame.rulings.together.get(member.id)
                if together is not None:
                    waiting += [each for each, head in self._frame.rulings.together.items() if head == together]
                # What is shared joins nobody, so what lies behind it matters only to itself.
                if member.id != person_id and self._was_shared(member, neighbours[str(member)]):
                    shared.add(member.id)
                    continue
                for name in neighbours[str(member)] - located.keys():
                    located[name] = self._people.locate(name).id
                    waiting.append(located[name])
        return around, shared

    def _was_shared(self, member: Member, neighbours: set[str]) -> bool:
        """Whether two values of a unique kind were linked to it; where stewards decided anything that is left open."""
        rules, rulings = self._frame.rules, self._frame.rulings
        if rulings.together or rulings.apart or rulings.retracted or rules.kind(member.kind).unique:
            return False
        kinds = [kind for kind, _, _ in (name.partition(":") for name in neighbours)]
        return any(kinds.count(kind) > 1 and rules.kind(kind).unique and rules.kind(kind).merges for kind in set(kinds))

    def _stored(self, around: Iterable[int]) -> list[Any]:
        """The events of these identifiers that had been received."""
        positions: list[int] = []
        for id in sorted(around):
            rows = self._reader.scan(store.TIMELINE, id, limit=EVENTS_MAX + 1)
            positions += [row[2] for row in rows]
            if len(positions) > EVENTS_MAX:
                raise TooLarge(
                    f"more than {EVENTS_MAX} events hang together with this person",
                    hint="Ask the history for it: `cauce sql` with received before that moment",
                )
        return [each for each in self._archive.bodies(positions).values() if each.event.received <= self._moment]

    def _folded(self, stored: Iterable[Any], group: frozenset[int], traits: Traits) -> Known:
        pulses: dict[int, strand.Pulse] = {}
        ledgers: dict[int, strand.Ledger] = {}
        for each in stored:
            event = each.event
            subject = self._resolver.resolve(event.identifiers, event.source).subject
            if subject not in group:
                continue
            observed = traits.observe(event)
            pulse = pulses.get(subject)
            pulses[subject] = strand.fold_pulse(pulse, event.occurred, event.channel, observed, traits.slots)
            told = strand.told_by(event)
            if told is not None:
                ledgers[subject] = strand.fold_ledger(ledgers.get(subject), told)
        return Known(pulses, ledgers, self._words(group))

    def _words(self, group: Iterable[int]) -> dict[int, Any]:
        """What stewards had said by then."""
        words = {}
        for id, traits in store.strands(self._reader, store.WORDS, group).items():
            told = {name: [word for word in history if word[5] <= self._moment] for name, history in traits.items()}
            words[id] = {name: history for name, history in told.items() if history}
        return words


def _age(ledger: Ledger, id: int) -> tuple[int, int]:
    return ledger.known[id].first_occurred, id
