"""Whose the anonymous events of shared devices are, when the rules say *last authenticated*; worked out when asked.

A device's own events and the signs of persons on it decide, never who asks: so an event belongs to one person at most,
whatever order everything arrived in. A device on which too much happened keeps its events to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

from cauce.engines.api import Reader
from cauce.errors import NotFound
from cauce.identity.api import Evidence, Member, Person, Rules, attribute
from cauce.identity.evidence import Resolver, SourceOf
from cauce.model import MINUTE
from cauce.profiles import store

NEIGHBOURS_MAX = 200
"""Identifiers that a device was seen with; one with more is a till or a kiosk, whose events stay its own."""
EVENTS_MAX = 10_000
"""Timeline rows that are looked through for one device."""

Row = tuple[int, int, int, int]
"""(occurred, position, identifier, label): one entry of a timeline."""


class Neighbours(Protocol):
    """What is asked of identity."""

    def links(self, person_id: int, limit: int = ...) -> list[Evidence]: ...
    def locate(self, text: str) -> Person: ...


class Memory(Protocol):
    """What is asked of the archive."""

    def bodies(self, positions: Iterable[int]) -> dict[int, Any]: ...


class Shared(msgspec.Struct, frozen=True):
    """One shared device: its own events, and those of them that are somebody's: row → who authenticated."""

    device: Member
    rows: tuple[Row, ...]
    owners: dict[int, int]

    def of(self, ids: frozenset[int]) -> list[Row]:
        """Rows that belong to one of the identifiers of a person."""
        return [row for row in self.rows if self.owners.get(row[1]) in ids]

    def nobodys(self) -> list[Row]:
        """Rows that stay the device's own."""
        return [row for row in self.rows if row[1] not in self.owners]


class Devices:
    """Shared devices around a person, under the rules in force."""

    def __init__(self, reader: Reader, people: Neighbours, archive: Memory, rules: Rules) -> None:
        self._reader = reader
        self._people = people
        self._archive = archive
        self._rules = rules

    def around(
        self, person_id: int, members: Sequence[Member], secret: bytes, source_of: SourceOf | None
    ) -> list[Shared]:
        """The shared devices that evidence links to one of the members; itself when a device is who is asked for."""
        resolver = Resolver(self._rules, secret, source_of)
        if len(members) == 1 and self._is_device(members[0]):
            return [self._shared(members[0], resolver)]
        devices: dict[int, Member] = {}
        own = {str(member) for member in members}
        for link in self._people.links(person_id):
            for one, other in ((link.a, link.b), (link.b, link.a)):
                if one in own and other not in own:
                    devices.update((found.id, found) for found in self._located(other) if self._is_device(found))
        return [self._shared(devices[id], resolver) for id in sorted(devices)]

    def _is_device(self, member: Member) -> bool:
        return member.shared and self._rules.kind(member.kind).device

    def _located(self, text: str) -> tuple[Member, ...]:
        try:
            person = self._people.locate(text)
        except NotFound:
            return ()
        return tuple(member for member in person.identifiers if str(member) == text)

    def _shared(self, device: Member, resolver: Resolver) -> Shared:
        rows = tuple(
            (occurred, position, subject, label)
            for subject, occurred, position, label in self._timeline(device.id, EVENTS_MAX)
        )
        found = self._authentications(device, resolver, EVENTS_MAX - len(rows)) if len(rows) < EVENTS_MAX else None
        if found is None:
            return Shared(device, rows, {})
        window = self._rules.shared_device.window_minutes * MINUTE
        return Shared(device, rows, attribute(((row[0], row[1]) for row in rows), found, window))

    def _authentications(
        self, device: Member, resolver: Resolver, events_left: int
    ) -> list[tuple[int, int, int]] | None:
        """(occurred, position, identifier) of everybody who gave a sign on the device; None when it is too much."""
        links = self._people.links(device.id, NEIGHBOURS_MAX + 1)
        if len(links) > NEIGHBOURS_MAX:
            return None
        positions: list[int] = []
        for text in sorted({link.b if link.a == str(device) else link.a for link in links}):
            for member in self._located(text):
                if self._rules.kind(member.kind).device:
                    continue
                rows = self._timeline(member.id, events_left - len(positions))
                positions += [row[2] for row in rows]
                if len(positions) >= events_left:
                    return None
        found = []
        for stored in self._archive.bodies(positions).values():
            event = stored.event
            resolved = resolver.resolve(event.identifiers, event.source)
            if device.id in resolved.ids[1:]:
                found.append((event.occurred, event.position, resolved.subject))
        return found

    def _timeline(self, id: int, limit: int) -> list[Any]:
        return self._reader.scan(store.TIMELINE, id, limit=max(1, limit))
