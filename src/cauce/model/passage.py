"""The passage of one item through the stages: what upstream found out, for downstream to read."""

from __future__ import annotations

import enum

from cauce.model.event import Event, Received


class Fate(enum.StrEnum):
    """What became of a received item; exactly one each: received = stored + quarantined + duplicate + suppressed."""

    STORED = "stored"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    SUPPRESSED = "suppressed"


class Passage:
    """Mutable on purpose: one instance per item, filled stage by stage, gone after the batch.

    `subject` is the id of the event's most personal identifier (0: the event belongs to nobody);
    `identifier_ids` are the ids of all its usable identifiers, the subject's first.
    """

    __slots__ = ("event", "fate", "identifier_ids", "item", "subject")

    def __init__(self, item: Received) -> None:
        self.item = item
        self.event: Event | None = item.event
        self.fate: Fate | None = None
        self.subject: int = 0
        self.identifier_ids: tuple[int, ...] = ()
