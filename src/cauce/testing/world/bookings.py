"""What can be booked in the world's stores, and who has booked it: fitting rooms, a repair bench, a class."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from cauce.commerce.bookings import api
from cauce.commerce.bookings.booking import Book, Wait
from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.bookings.resources import PutResource
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.catalogue.nouns import Opening, Place
from cauce.errors import Conflict, Ended, Shortage
from cauce.model.time import DAY
from cauce.testing.world.chance import Dice, key
from cauce.testing.world.stores import STORES

if TYPE_CHECKING:
    from cauce.app import Platform

STORES_MAX = 3
DAYS = 4
CHANNELS = ("app", "web", "store")


def furnish(
    platform: Platform, owners: Sequence[str], *, stores: int = STORES_MAX, days: int = DAYS, seed: int = 7
) -> None:
    """Puts resources into a few stores and lets these people (`kind:value`) book and wait, today and on days to come.

    Done twice on a day it changes nothing: what is there stays, and every booking has its key.
    """
    commerce = platform.commerce
    known = {resource.id for resource in api.resources_of(commerce.reader, retired=True)}
    places = [place for store in STORES[:stores] if (place := catalogue.place(commerce.reader, store.id))]
    for place in places:
        for resource in resources(place):
            if resource.id not in known:
                commerce.do(PutResource(key=f"world:resource:{resource.id}", resource=resource))
            if owners:
                _booked(platform, resource, owners, days, seed)


def resources(place: Place) -> tuple[Resource, ...]:
    """What can be booked in a store, within its hours."""
    evenings = tuple(Opening(weekday=day, opens="18:00", closes="20:00") for day in (2, 4))
    fitting = Resource(
        id=f"{place.id}-fitting", name="Probadores", kind="fitting", place=place.id, zone=place.zone, minutes=30,
        capacity=3, most=1, hours=place.hours, special_days=place.special_days,
    )  # fmt: skip
    repair = Resource(
        id=f"{place.id}-repair", name="Taller de arreglos", kind="repair", place=place.id, zone=place.zone, minutes=60,
        hours=place.hours, special_days=place.special_days, notice_minutes=60, confirms=False, hold_minutes=24 * 60,
    )  # fmt: skip
    lesson = Resource(
        id=f"{place.id}-class", name="Clase de costura", kind="class", place=place.id, zone=place.zone, minutes=120,
        capacity=8, most=2, hours=evenings, horizon_days=60,
    )  # fmt: skip
    return fitting, repair, lesson


def _booked(platform: Platform, resource: Resource, owners: Sequence[str], days: int, seed: int) -> None:
    commerce = platform.commerce
    today = api.day_of(resource.zone, commerce.now)
    for step in range(days):
        day = today + timedelta(days=step)
        first, last = api.bounds_of(resource.zone, day)
        for slot in api.free_slots(commerce.reader, resource, first, min(last, first + DAY), commerce.now):
            dice = Dice(key(seed, f"booking {resource.id} {slot.start}"))
            if dice.below(3):
                continue
            owner, name = owners[dice.below(len(owners))], f"world:booking:{resource.id}:{slot.start}"
            channel = CHANNELS[dice.below(len(CHANNELS))]
            try:
                for turn in range(1 + dice.below(slot.capacity)):
                    whose = owners[(owners.index(owner) + turn) % len(owners)]
                    book = Book(
                        key=f"{name}:{turn}", resource=resource.id, start=slot.start, owners=(whose,), channel=channel
                    )
                    commerce.do(book)
                if slot.capacity == 1 and not dice.below(3):
                    commerce.do(Wait(key=f"{name}:wait", resource=resource.id, start=slot.start, owners=(owner,)))
            except (Shortage, Conflict, Ended):
                continue  # somebody else was there first: as in life
