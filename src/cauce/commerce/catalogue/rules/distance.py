"""How far places are from one another."""

from __future__ import annotations

from collections.abc import Iterable
from math import asin, cos, radians, sin, sqrt

from cauce.commerce.catalogue.nouns import Place, Position

EARTH_METRES = 6_371_009
"""Mean radius of the Earth (IUGG)."""


def distance(a: Position, b: Position) -> int:
    """Metres along the great circle (haversine formula); off by 0.5 % at most, for the Earth is no ball."""
    latitude_a, latitude_b = radians(a.latitude), radians(b.latitude)
    across = sin(radians(b.longitude - a.longitude) / 2) ** 2
    along = sin((latitude_b - latitude_a) / 2) ** 2
    share = along + cos(latitude_a) * cos(latitude_b) * across
    return round(2 * EARTH_METRES * asin(min(1.0, sqrt(share))))


def nearest_first(places: Iterable[Place], position: Position) -> list[tuple[int, Place]]:
    """(metres, place) of all that have a position, the nearest first, ties by id."""
    known = ((distance(position, place.position), place) for place in places if place.position is not None)
    return sorted(known, key=lambda one: (one[0], one[1].id))
