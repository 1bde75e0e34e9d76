"""The settings of sources as the log tells them, so that a replay reads each record as it was read when it came.

A source lives in the control database, where the door asks for its keys. What the river needs of it (channel, region,
kind of its user ids, mode, bounds) is told to the log as a decision, and holds for the records that come after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cauce.engines.api import Reader, Table, Tables
from cauce.model import DECISION, DECISIONS, Passage, Source

SOURCE_APPLIED = "source.applied"
SOURCE_VERSION = Table(
    "source_version", (("position", "integer"), ("name", "text"), ("author", "text"), ("body", "text")), ("position",)
)
"""Every version of every source's settings, in the order of the log; the last one of a name holds."""

SourceOf = Callable[[str], Source | None]


def told(source: Source) -> dict[str, Any]:
    """Properties of the decision that tells the log a source's settings; whether it is enabled is the door's affair."""
    settings: dict[str, Any] = msgspec.to_builtins(source)
    del settings["enabled"]
    return {"source": settings}


def in_force(reader: Reader) -> dict[str, Source]:
    """The sources that the log has told of, by name."""
    rows = reader.select("select body from source_version order by position")
    return {source.name: source for source in (msgspec.json.decode(body, type=Source) for (body,) in rows)}


class SourcesStage:
    """First in the river: keeps what `source.applied` decides. `otherwise` answers for sources no record tells of."""

    name = "sources"
    tables: tuple[Table, ...] = (SOURCE_VERSION,)

    def __init__(self, tables: Tables, otherwise: SourceOf) -> None:
        tables.create(self.tables)
        self._tables = tables
        self._otherwise = otherwise
        self.rolled_back()

    def source_of(self, name: str) -> Source | None:
        """The settings that hold for the record that is being read."""
        found = self._book.get(name)
        return self._otherwise(name) if found is None else found

    def refresh(self, *, decided: bool) -> None:
        """Takes over what another runner decided."""
        if decided:
            self.rolled_back()

    def prefetch(self, passages: Sequence[Passage]) -> None:
        """Nothing: all sources are in memory."""

    def apply(self, passage: Passage) -> bool:
        """Takes over a decision about a source; every item goes on."""
        event = passage.event
        if event is not None and event.type == DECISION and event.source == DECISIONS and event.name == SOURCE_APPLIED:
            try:
                source = msgspec.convert(event.properties.get("source"), Source)
            except msgspec.ValidationError as fault:
                # A door refuses bad settings; a decision that is in the log all the same is set aside like a bad event.
                raise ValueError(str(fault)) from fault
            self._book[source.name] = source
            author = str(event.context.get("by", ""))
            self._versions.append((event.position, source.name, author, msgspec.json.encode(source).decode()))
        return True

    def flush(self) -> None:
        """Writes the new versions."""
        if self._versions:
            self._tables.upsert(SOURCE_VERSION, self._versions)

    def committed(self) -> None:
        """Forgets the batch."""
        self._versions: list[tuple[int, str, str, str]] = []

    def rolled_back(self) -> None:
        """Forgets everything that is not in the tables."""
        self._book = in_force(self._tables)
        self.committed()
