"""Keeps the index what the state says: follows the stored events, and sweeps over all identifiers when it must.

An entry is made of the identifier and of the names it was told, both as the state has them. So an event says only *who*
is to be looked at again: those never seen, and those that were told something. A step is one transaction that also
notes how far it came; after a crash the next one goes on there.

A sweep goes through all identifiers in order of id and mends what differs. It is how an index is built, how it gets
over new identity rules, and how an erasure is made sure of: what the erased events had said of others is gone too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from cauce.engines.api import Reader
from cauce.events.api import Archive, Trace
from cauce.identity.api import Member, People
from cauce.model import DECISION, position_of
from cauce.profiles.api import Profiles
from cauce.runner import settled
from cauce.search.rules import NAME_TRAITS, Entry, names_from
from cauce.search.store import LAST_ID, Index, Place

EVENTS_PER_STEP = 5_000
IDENTIFIERS_PER_STEP = 5_000
SEEN_MAX = 100_000
"""Identifiers remembered as indexed, so that what they do next costs nothing."""
WAIT_SECONDS = 0.2

ERASED = "person.erased"
SWEEPING = frozenset({ERASED, "identity.rules_applied"})
"""Decisions that change what many identifiers are or were told."""
TELLING = frozenset({"trait.set"})
"""Decisions that tell an identifier something."""

_NOBODY: Mapping[int, Entry] = MappingProxyType({})


class Sight(NamedTuple):
    """The state as one thread reads it."""

    reader: Reader
    people: People
    profiles: Profiles
    archive: Archive


def entries_of(sight: Sight, members: Sequence[Member]) -> dict[int, Entry]:
    """What the index should know of identifiers; a device that was told no name is not known at all."""
    rules = sight.people.rules
    told = sight.profiles.told((member.id for member in members), NAME_TRAITS)
    entries = {}
    for member in members:
        kind = rules.kind(member.kind)
        value = "" if kind.device or not kind.merges else member.value
        names = names_from(told[member.id]) if member.id in told else ()
        if value or names:
            entries[member.id] = Entry(member.id, member.kind, value, names)
    return entries


class Follower:
    """Brings one index up to date, step by step; owns its writing side."""

    def __init__(self, index: Index, sight: Sight) -> None:
        self._index = index
        self._sight = sight
        self._seen: set[int] = set()
        self._place: Place | None = None
        self._sweeps_next = False

    def step(self) -> bool:
        """Does a bounded piece of what is to be done; False when there was nothing."""
        with self._sight.reader.snapshot():
            place = self._index.place()
            last = self._last()
            if place != self._place:
                self._seen.clear()  # somebody else wrote in between
            if (place.position == place.swept == 0 and last) or place.position > last:
                # A new index begins at today's end; and a state that went back is another one.
                self._write(place._replace(position=last, swept=0))
                return True
            # By turns, so that neither a river in spate nor a long sweep keeps the other waiting.
            self._sweeps_next = not place.is_swept and (place.position == last or not self._sweeps_next)
            if self._sweeps_next:
                return self._sweep(place)
            if place.position < last:
                return self._follow(place, last)
        if place.scrub and self._index.scrub():
            self._write(place._replace(scrub=False))
            return True
        return False

    def run(self, stopping: Callable[[], bool]) -> None:
        """Follows until `stopping()` says so, resting whenever there is nothing to do."""
        while not stopping():
            if not self.step():
                time.sleep(WAIT_SECONDS)

    def _last(self) -> int:
        """Position of the last event that has told everybody what it tells; later ones are archived at most."""
        return min(self._sight.archive.last_position(), position_of(settled(self._sight.reader) + 1, 0) - 1)

    def _follow(self, place: Place, last: int) -> bool:
        traces = next(self._sight.archive.traces(place.position, last, batch=EVENTS_PER_STEP), [])
        position = traces[-1].position if traces else last
        named = {trace.name for trace in traces if trace.type == DECISION}
        if not named.isdisjoint(SWEEPING):
            self._seen.clear()
            place = place._replace(swept=0, scrub=place.scrub or ERASED in named)
        touched = self._touched(traces)
        members = self._sight.people.identifiers_of(touched)
        self._write(place._replace(position=position), self._index.entries(touched), members)
        if len(self._seen) > SEEN_MAX:
            self._seen.clear()
        self._seen |= touched
        return True

    def _sweep(self, place: Place) -> bool:
        members = self._sight.people.identifiers_after(place.swept, IDENTIFIERS_PER_STEP)
        until = members[-1].id if len(members) == IDENTIFIERS_PER_STEP else LAST_ID
        present = self._index.between(place.swept, until)
        self._write(place._replace(swept=until), present, members)
        return True

    def _touched(self, traces: Iterable[Trace]) -> set[int]:
        """The identifiers to look at again."""
        touched: set[int] = set()
        deciding = []
        for trace in traces:
            if trace.has_traits and trace.identifier_ids:
                touched.add(trace.identifier_ids[0])
            if trace.type == DECISION and trace.name in TELLING | {ERASED}:
                deciding.append(trace.position)
            touched.update(id for id in trace.identifier_ids if id not in self._seen)
        for stored in self._sight.archive.bodies(deciding).values():
            touched.update(self._sight.people.named_in(stored.event))
        return touched

    def _write(self, place: Place, present: Mapping[int, Entry] = _NOBODY, members: Sequence[Member] = ()) -> None:
        """One transaction: entries that were `present` become those of `members`, and the index stands at `place`."""
        wanted = entries_of(self._sight, members)
        with self._index.transaction():
            self._index.put(present, wanted)
            self._index.remember_kinds({member.kind for member in members})
            self._index.move(place)
        self._place = place
