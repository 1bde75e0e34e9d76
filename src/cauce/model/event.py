"""An event: a fact from a channel, in the one form that everything downstream reads."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

DECISION = "decision"
"""Type of the internal events that carry what people decided (a split, a definition, an erasure)."""


class Identifier(NamedTuple):
    """(kind, value): *user_id, email, phone, loyalty, device, anonymous_id* …; as sent, or normalised by `identity`."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an event was not accepted: machine-readable code, place (JSON pointer) and what was expected."""

    code: str
    path: str = ""
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        return f"{self.code}{where}: expected {self.expected}, found {self.found}"


class Event(msgspec.Struct, frozen=True, array_like=True):
    """One fact.

    Times are microseconds since 1970 in UTC. `occurred` is when it happened, corrected for the client's clock;
    `received` is when Cauce acknowledged it. `position` orders events by arrival (`cauce.model.log`).
    `identifiers` are as sent, most personal first or not: `identity` normalises and ranks them.
    A trait whose value is None is a deletion of that trait.
    """

    id: str
    source: str
    channel: str
    type: str
    name: str
    occurred: int
    received: int
    position: int
    identifiers: tuple[Identifier, ...] = ()
    traits: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    context: dict[str, Any] = {}
    replay_of: int = 0
    """Quarantine entry (its position) that this event mends, 0 when it came straight from a channel."""


class Received(msgspec.Struct, frozen=True):
    """One item of a record after decoding: either an `event`, or the `reasons` why there is none; `raw` as sent."""

    position: int
    source: str
    channel: str
    received: int
    raw: Any
    event: Event | None = None
    reasons: tuple[Reason, ...] = ()
    replay_of: int = 0
    erased: str = ""
    """Fate that the item had before a person's erasure blanked it; it counts still, and does nothing else."""
    bytes_max: int = 0
    """Upper bound of the item's size as sent, where the decoder knows one for nothing; 0 when it does not."""
