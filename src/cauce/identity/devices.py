"""Whose the anonymous events of a shared device are: a pure function, used when a timeline is read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

Moment = tuple[int, int]
"""(occurred, position)."""


def attribute(
    anonymous: Iterable[Moment], authentications: Iterable[tuple[int, int, int]], window: int
) -> dict[int, int]:
    """Position of an anonymous event → identifier of who last authenticated on the device before it.

    `authentications` are (occurred, position, identifier id); `window` is in microseconds and half-open. Events after
    which nobody authenticated in time are left out: they are nobody's. Order of the arguments' items does not matter.
    """
    ordered = sorted(authentications)
    keys = [(occurred, position) for occurred, position, _ in ordered]
    found: dict[int, int] = {}
    for occurred, position in anonymous:
        place = bisect_right(keys, (occurred, position)) - 1
        if place >= 0 and occurred - ordered[place][0] < window:
            found[position] = ordered[place][2]
    return found
