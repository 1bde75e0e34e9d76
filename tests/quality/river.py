"""A trivial runner loop around the real stage, and events to send through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from cauce.engines.api import Tables
from cauce.model import DECISION, DECISIONS, HOUR, SECOND, Event, Fate, Identifier, Passage, Reason, Received, Source
from cauce.quality.api import Quality
from cauce.quality.stage import QualityStage
from tests.furnished import FurnishedTables

NOW = 1_790_000_000 * SECOND
ANA = (Identifier("user_id", "u1"), Identifier("email", "ana@example.com"))


def event(number: int = 1, **values: Any) -> Event:
    """A good event of source *web*, with some fields changed."""
    defaults: dict[str, Any] = {
        "id": f"m{number}",
        "source": "web",
        "channel": "web",
        "type": "track",
        "name": "Something Unknown",
        "occurred": NOW - SECOND,
        "received": NOW,
        "position": number,
        "identifiers": ANA,
    }
    return Event(**{**defaults, **values})


def item(event: Event, **values: Any) -> Received:
    """The event as it comes from a decoder."""
    raw = {"messageId": event.id, "event": event.name, "properties": event.properties, "email": "ana@example.com"}
    received = Received(event.position, event.source, event.channel, event.received, raw, event)
    return msgspec.structs.replace(received, **values)


def broken(number: int, *, message_id: str = "", source: str = "web") -> Received:
    """An item that its decoder could not read."""
    raw = {"messageId": message_id} if message_id else "not even JSON"
    reason = Reason("type_unknown", "/type", "a type", "nothing")
    return Received(number, source, source, NOW, raw, None, (reason,))


def replayed(position: int, of: int, event: Event) -> Received:
    """A quarantined item that comes again under another position, with the id and the times that the event has."""
    mended = msgspec.structs.replace(event, position=position, replay_of=of)
    return item(mended, replay_of=of)


def decision(number: int, name: str, **properties: Any) -> Received:
    """A decision of *sara*."""
    decided = Event(
        f"decision-{number}",
        DECISIONS,
        DECISIONS,
        DECISION,
        name,
        NOW + HOUR,
        NOW + HOUR,
        number,
        properties=properties,
        context={"by": "sara"},
    )
    return Received(number, DECISIONS, DECISIONS, NOW + HOUR, {}, decided)


class River:
    """Batches through the stage. `later` plays the stages downstream: it may give a passage another fate."""

    def __init__(self, tables: Tables | None = None, later: Callable[[Passage], None] | None = None, **options: Any):
        self.tables = tables or FurnishedTables()
        self.options = options
        self.stage = QualityStage(self.tables, **options)
        self.later = later
        self.passed: list[Event] = []

    def send(self, *items: Received, cuts: Sequence[int] = ()) -> list[Fate | None]:
        """Sends the items in batches cut at some indexes; their fates."""
        fates: list[Fate | None] = []
        edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(items)}), len(items)]
        for start, end in pairwise(edges):
            passages = self.pass_through(items[start:end])
            with self.tables.transaction():
                self.stage.flush()
            self.stage.committed()
            fates += [passage.fate for passage in passages]
        return fates

    def pass_through(self, items: Sequence[Received]) -> list[Passage]:
        passages = [Passage(received) for received in items]
        self.stage.prefetch(passages)
        for passage in passages:
            if self.stage.apply(passage):
                if self.later:
                    self.later(passage)
                if passage.fate is None and passage.event is not None:
                    self.passed.append(passage.event)
        return passages

    def reopen(self) -> None:
        """The process starts again."""
        self.stage = QualityStage(self.tables, **self.options)

    @property
    def quality(self) -> Quality:
        return Quality(self.tables)

    def contents(self) -> dict[str, list[Any]]:
        """All rows of all tables."""
        return {
            table.name: [row for rows in self.tables.scan_all(table) for row in rows] for table in self.stage.tables
        }


def observing(name: str) -> Source:
    return Source(name, name, mode="observe")
