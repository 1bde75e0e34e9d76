"""Twelve stores with their tills and tablets. Two till systems number their customers each in its own way."""

from __future__ import annotations

from typing import NamedTuple

from cauce.testing.world.names import CITIES

_PLACES = (
    ("Madrid Gran Vía", "Madrid", 4),
    ("Madrid Salamanca", "Madrid", 3),
    ("Barcelona Gràcia", "Barcelona", 4),
    ("Barcelona Diagonal", "Barcelona", 3),
    ("Valencia Colón", "Valencia", 3),
    ("Sevilla Tetuán", "Sevilla", 2),
    ("Zaragoza Independencia", "Zaragoza", 2),
    ("Málaga Larios", "Málaga", 2),
    ("Murcia Gran Vía", "Murcia", 2),
    ("Palma Jaume III", "Palma", 1),
    ("Bilbao Gran Vía", "Bilbao", 2),
    ("A Coruña Real", "A Coruña", 1),
)


class Store(NamedTuple):
    """`system` is the till system (A or B); `tablet` is the anonymous id that everybody leaves on the shared tablet."""

    id: str
    name: str
    city: str
    system: str
    tills: tuple[str, ...]
    tablet: str


STORES: tuple[Store, ...] = tuple(
    Store(
        f"S{number:02d}",
        name,
        city,
        "A" if number <= 7 else "B",
        tuple(f"S{number:02d}-T{till}" for till in range(1, tills + 1)),
        f"tablet-s{number:02d}",
    )
    for number, (name, city, tills) in enumerate(_PLACES, start=1)
)

NEAREST: dict[str, tuple[int, ...]] = {
    city.name: tuple(index for index, store in enumerate(STORES) if store.city == city.name)
    or tuple(range(len(STORES)))
    for city in CITIES
}
"""Indexes of the stores of a city; of all stores where a city has none (a visitor from abroad)."""
