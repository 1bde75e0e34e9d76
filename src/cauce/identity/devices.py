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

    `authentications` are (occurred, position, identifier id); `window` is in microseconds and half-open. Events before
    which nobody authenticated in time are left out: they are nobody's. Only what occurred when counts, never the order
    of arrival: an authentication counts for events of the same moment, and of two at one moment that of the larger id.
    """
    ordered = sorted((occurred, identifier) for occurred, _, identifier in authentications)
    moments = [occurred for occurred, _ in ordered]
    found: dict[int, int] = {}
    for occurred, position in anonymous:
        place = bisect_right(moments, occurred) - 1
        if place >= 0 and occurred - moments[place] < window:
            found[position] = ordered[place][1]
    return found
