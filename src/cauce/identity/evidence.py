"""What one event says about identifiers: which it names, which belong together, and since when.

Evidence is a commutative fold: earliest times, counts that saturate, flags that are only set. The stage keeps it in
tables, `bulk` in memory; both use `Ledger.observe`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from operator import itemgetter
from typing import Any

import msgspec

from cauce.identity.partition import DECLARED, SUPPORT_MAX, Known, Link
from cauce.identity.rules import ID_MASK, Rules, identifier_id
from cauce.model import Event, Identifier, Source

NEVER = 2**63 - 1
PAIRWISE_IDENTIFIERS_MAX = 4
"""Events with more identifiers link each to the subject only."""
NORMALISED_MAX = 200_000

Usable = tuple[int, str, str, bool, int]
"""(id, kind, normalised value, whether it is a device's, rank: the smaller, the more personal)."""
RANK = itemgetter(4)
UNSEEN: Any = object()

SourceOf = Callable[[str], Source | None]


class Resolved(msgspec.Struct, gc=False):
    """A set of identifiers as one source sends it, normalised, and the (key, low, high) of its links. Mutable:

    an event tells something new only before `settled_occurred`, or when it was received before `settled_received`.
    """

    identifiers: tuple[tuple[int, str, str, int], ...]
    ids: tuple[int, ...]
    subject: int
    pairs: tuple[tuple[int, int, int], ...]
    settled_occurred: int
    settled_received: int


NOBODY = Resolved((), (), 0, (), -NEVER, -NEVER)


def link_id(low: int, high: int) -> int:
    """Key of a link: 63 bits of two ids that are uniform already, a permutation in each of them."""
    return (low ^ high * 0x9E3779B97F4A7C15) & ID_MASK


def _pairs(ids: tuple[int, ...]) -> tuple[tuple[int, int, int], ...]:
    """(key, low, high) of the links of one event: all pairs when they are few, else each with the subject."""
    if len(ids) < 2:
        return ()
    couples = combinations(ids, 2) if len(ids) <= PAIRWISE_IDENTIFIERS_MAX else [(ids[0], id) for id in ids[1:]]
    ordered = [(a, b) if a < b else (b, a) for a, b in couples]
    return tuple([(link_id(low, high), low, high) for low, high in ordered])


class Resolver:
    """Normalises and ranks the identifiers of events under one set of rules; remembers what it normalised."""

    def __init__(self, rules: Rules, secret: bytes, source_of: SourceOf | None = None) -> None:
        self.rules = rules
        self.secret = secret
        self._source_of = source_of
        self._sources: dict[str, tuple[str, bool]] = {}
        self._normalised: dict[tuple[Identifier, str], Usable | None] = {}

    def resolve(self, identifiers: tuple[Identifier, ...], source_name: str) -> Resolved:
        """The usable identifiers, each once, most personal first; those of equal rank as sent."""
        region, shared_device = self._source(source_name)
        cache = self._normalised
        found: dict[int, Usable] = {}
        for identifier in identifiers:
            usable = cache.get((identifier, region), UNSEEN)
            if usable is UNSEEN:
                usable = self._normalise(identifier, region)
            if usable is not None and usable[0] not in found:
                found[usable[0]] = usable
        if not found:
            return NOBODY
        ranked = list(found.values()) if len(found) == 1 else sorted(found.values(), key=RANK)
        named = [
            (id, kind, value, DECLARED if shared_device and device else 0) for id, kind, value, device, _ in ranked
        ]
        ids = tuple([each[0] for each in named])
        return Resolved(tuple(named), ids, ids[0], _pairs(ids), NEVER, -NEVER)

    def identify(self, identifier: Identifier, source_name: str) -> int:
        """Id of one identifier as a source sends it; 0 when it is unusable."""
        found = self._normalise(identifier, self._source(source_name)[0])
        return 0 if found is None else found[0]

    def _normalise(self, identifier: Identifier, region: str) -> Usable | None:
        found: Usable | None = None
        value = self.rules.normalise(identifier, region)
        if value is not None:
            kind = self.rules.kind(identifier.kind)
            rank = -kind.priority if kind.merges else 1
            found = (identifier_id(kind.name, value, self.secret), kind.name, value, kind.device, rank)
        if len(self._normalised) >= NORMALISED_MAX:
            self._normalised.clear()
        self._normalised[identifier, region] = found
        return found

    def _source(self, name: str) -> tuple[str, bool]:
        """(region, shared device) of a source: the rules' word, else the source's own."""
        found = self._sources.get(name)
        if found is None:
            source = self._source_of(name) if self._source_of is not None else None
            region = source.region if source is not None else ""
            shared_device = source is not None and source.shared_device
            habits = self.rules.sources.get(name)
            if habits is not None:
                region = habits.region or region
                shared_device = shared_device if habits.shared_device is None else habits.shared_device
            found = self._sources[name] = (region, shared_device)
        return found

    def forget_sources(self) -> None:
        """Asks for the habits of sources anew from now on."""
        self._sources.clear()


class Ledger:
    """Identifiers and links by id, as far as they are loaded, and what changed since `clear_changes`."""

    def __init__(self) -> None:
        self.known: dict[int, Known] = {}
        self.links: dict[int, Link] = {}
        self.clear_changes()

    def clear_changes(self) -> None:
        self.new: set[int] = set()
        self.moved: set[int] = set()
        """Identifiers whose earliest event or flags changed."""
        self.changed: set[int] = set()
        """Identifiers whose row must be written."""
        self.new_links: set[int] = set()
        self.changed_links: set[int] = set()

    def observe(self, resolved: Resolved, event: Event) -> None:
        """Adds what one event says; the identifiers and links it names are loaded if they exist."""
        occurred, received = event.occurred, event.received
        settled_occurred, settled_received = -NEVER, -NEVER
        for id, kind, value, declared in resolved.identifiers:
            known = self.known.get(id)
            if known is None:
                known = self.known[id] = Known(id, kind, value, occurred, received, declared)
                self.new.add(id)
                self.changed.add(id)
            elif occurred < known.first_occurred or declared & ~known.flags:
                known.first_occurred = min(occurred, known.first_occurred)
                known.flags |= declared
                self.moved.add(id)
                self.changed.add(id)
            if received < known.known_since:
                known.known_since = received
                self.changed.add(id)
            settled_occurred = max(settled_occurred, known.first_occurred)
            settled_received = max(settled_received, known.known_since)
        for key, low, high in resolved.pairs:
            link = self.links.get(key)
            if link is None:
                link = self._first(key, low, high, event)
            else:
                self._again(link, event)
            settled_occurred = max(settled_occurred, link.occurred + 1) if link.support >= SUPPORT_MAX else NEVER
            settled_received = max(settled_received, link.known_since)
        resolved.settled_occurred = settled_occurred
        resolved.settled_received = settled_received

    def _first(self, key: int, low: int, high: int, event: Event) -> Link:
        link = Link(
            key, low, high, 1, event.occurred, event.source, event.id, event.position, event.type, event.received
        )
        self.links[key] = link
        self.new_links.add(key)
        return link

    def _again(self, link: Link, event: Event) -> None:
        changed = False
        if link.support < SUPPORT_MAX:
            link.support += 1
            changed = True
        if event.occurred <= link.occurred and (event.occurred, event.source, event.id) < (
            link.occurred,
            link.source,
            link.event,
        ):
            link.occurred, link.source, link.event = event.occurred, event.source, event.id
            link.position, link.rule = event.position, event.type
            changed = True
        if event.received < link.known_since:
            link.known_since = event.received
            changed = True
        if changed:
            self.changed_links.add(link.id)
