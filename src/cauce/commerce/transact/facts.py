"""What commerce tells the river: something that happened, to whom, and through which channel."""

from __future__ import annotations

from typing import Any

import msgspec


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be. `name` is of the vocabulary (docs/reference/events.md), `at` in microseconds, `channel` where it
    happened, `who` identifiers as `kind:value` (none for nobody's), `properties` as JSON has them.
    """

    name: str
    at: int
    channel: str
    who: tuple[str, ...] = ()
    properties: dict[str, Any] = {}
