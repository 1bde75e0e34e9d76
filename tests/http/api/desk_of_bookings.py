"""What can be booked in the world of the API's tests, and bookings as each operation needs them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from cauce.app import Platform
from cauce.commerce.bookings.booking import Book, Wait
from cauce.commerce.bookings.nouns import Booking, Resource
from cauce.commerce.bookings.resources import PutResource
from cauce.commerce.catalogue.nouns import Opening
from cauce.model import to_iso
from cauce.model.time import DAY, HOUR

WEEK = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
ANA = "email:ana@tienda.es"
TIMED = ("bookings.book", "bookings.move", "waiting.join")
_hours = count()


def furnish(platform: Platform) -> None:
    """What many can have, what only one can, and a bench that comes and goes; Ana has booked."""
    for id_, capacity in (("fitting", 100_000), ("narrow", 1), ("bench", 2)):
        resource = Resource(id=id_, name=id_, place="S01", minutes=60, capacity=capacity, hours=WEEK)
        platform.commerce.do(PutResource(resource=resource))
    booked(platform)


def next_start(platform: Platform) -> int:
    """The beginning of a slot that nobody was given before."""
    return (platform.commerce.now // DAY + 1) * DAY + (1 + next(_hours) % 900) * HOUR


def booked(platform: Platform, *, resource: str = "fitting", confirmed: bool = False, start: int = 0) -> Booking:
    start = start or next_start(platform)
    found: Booking = platform.commerce.do(
        Book(resource=resource, start=start, owners=(ANA,), confirmed=confirmed, note="la talla M")
    )
    return found


def waiting(platform: Platform) -> str:
    start = full(platform)
    return str(platform.commerce.do(Wait(resource="narrow", start=start, owners=(ANA,))).id)


def full(platform: Platform) -> int:
    """The beginning of a slot that is full."""
    start = next_start(platform)
    booked(platform, resource="narrow", confirmed=True, start=start)
    return start


def chosen(platform: Platform, name: str, values: dict[str, str]) -> dict[str, str]:
    """The values with a booking that is as far as the operation needs it, and a time that it can have."""
    if name == "bookings.attend":
        values["booking"] = str(booked(platform, confirmed=True).id)
    if name in TIMED:
        values["start"] = to_iso(full(platform) if name == "waiting.join" else next_start(platform))
        values["resource_to_book"] = "narrow" if name == "waiting.join" else "fitting"
    return values


FRESH: dict[str, Callable[[Platform], str]] = {
    "booking": lambda platform: str(booked(platform).id),
    "waiting": waiting,
}


def said(example: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """What an example names: a time that it can have."""
    if "start" not in values:
        return example
    more = {"resource": values["resource_to_book"]} if "resource" in example else {}
    return {**example, "start": values["start"], **more}
