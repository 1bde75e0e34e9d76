"""Identifiers and links as a reader sees them, by neighbourhood: what every question about people is answered from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cauce.engines.api import Reader
from cauce.identity import store
from cauce.identity.partition import Known, Link
from cauce.identity.rulings import Decision


class Graph:
    """The graph that is stored. A subclass may answer otherwise: see `cauce.identity.supposed`."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def identifiers(self, ids: Iterable[int]) -> list[Known]:
        """Identifiers by id, those that exist."""
        return store.identifiers(self.reader, ids)

    def members(self, component: int, person: int) -> list[Known]:
        """Identifiers of one person, found through its component."""
        return store.members(self.reader, component, person)

    def components(self, ids: Iterable[int]) -> list[Known]:
        """All identifiers of some components."""
        return store.components(self.reader, ids)

    def decisions(self) -> dict[int, Decision]:
        """Stewards' decisions about pairs, by key, whether they hold or were taken back."""
        return store.decisions(self.reader)

    def links_of(self, ids: Iterable[int]) -> list[Link]:
        """Links that touch any of the identifiers, each once."""
        return store.links_of(self.reader, ids)

    def group(self, id: int) -> list[Known]:
        """The identifiers of the person that an identifier belongs to, oldest first; [] when it was never seen."""
        found = self.identifiers([id])
        if not found:
            return []
        members = self.members(found[0].component, found[0].person)
        return sorted(members, key=lambda known: (known.first_occurred, known.id))

    def around(self, group: Sequence[Known]) -> tuple[dict[int, Known], list[Link]]:
        """Everybody in the components of a group and next to them, and their links."""
        nodes = {known.id: known for known in group}
        components = {known.component for known in group} - {0}
        nodes.update((known.id, known) for known in self.components(components))
        links = self.links_of(nodes)
        ends = {id for link in links for id in (link.low, link.high)}
        nodes.update((known.id, known) for known in self.identifiers(ends - nodes.keys()))
        return nodes, links
