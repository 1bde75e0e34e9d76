"""Slots of a resource, and what a resource must be: pure functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.catalogue.rules.codes import zone_info
from cauce.commerce.catalogue.rules.hours import day_at, week_of
from cauce.errors import Conflict, DefinitionInvalid
from cauce.model.time import DAY, MINUTE, SECOND

HELD, OFFERED, CONFIRMED, ATTENDED = "held", "offered", "confirmed", "attended"
CANCELLED, EXPIRED, NO_SHOW = "cancelled", "expired", "no_show"
TAKING = (HELD, OFFERED, CONFIRMED, ATTENDED)
"""States in which a booking has its places."""
WAITING, SERVED, LEFT = "waiting", "served", "left"

BOUNDS: dict[str, tuple[int, int]] = {
    "minutes": (1, 24 * 60),
    "capacity": (1, 100_000),
    "most": (1, 100_000),
    "notice_minutes": (0, 365 * 24 * 60),
    "horizon_days": (1, 730),
    "hold_minutes": (1, 7 * 24 * 60),
    "offer_minutes": (1, 7 * 24 * 60),
}
NAME_CHARACTERS_MAX = 200
SLOTS_MAX = 100
"""Most slots of one booking, one after the other."""


def checked(resource: Resource) -> Resource:
    """DefinitionInvalid for what makes no sense."""
    for name, text in (("id", resource.id), ("name", resource.name), ("kind", resource.kind)):
        if not 0 < len(text) <= NAME_CHARACTERS_MAX or not text.isprintable():
            raise DefinitionInvalid(f"expected {name} of 1 to {NAME_CHARACTERS_MAX} characters, got {text[:40]!r}")
    for name, (low, high) in BOUNDS.items():
        value = getattr(resource, name)
        if not low <= value <= high:
            raise DefinitionInvalid(f"expected {name} from {low} to {high}, got {value}")
    if resource.most > resource.capacity:
        raise DefinitionInvalid(f"expected most to be at most the capacity {resource.capacity}, got {resource.most}")
    try:
        zone_info(resource.zone)
    except (KeyError, ValueError, OSError):
        raise DefinitionInvalid(
            f"expected zone to be an IANA time zone such as Europe/Madrid, got {resource.zone[:40]!r}"
        ) from None
    week_of(resource.hours, resource.special_days)
    return resource


def slots_on(resource: Resource, day: date) -> Iterator[tuple[int, int]]:
    """(start, end) of the slots that begin on a day, as a calendar at the resource shows it; none overlap."""
    zone = zone_info(resource.zone)
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (as clocks there show it)
    last = 0
    for opens, closes in week_of(resource.hours, resource.special_days).on(day):
        for minute in range(opens, closes - resource.minutes + 1, resource.minutes):
            begins = (midnight + timedelta(minutes=minute)).replace(tzinfo=zone)
            start = int(begins.timestamp()) * SECOND
            end = start + resource.minutes * MINUTE
            # A clock that is put back or forward must not make two slots of one time.
            if start >= last:
                yield start, end
                last = end


def slots_between(resource: Resource, first: int, last: int) -> Iterator[tuple[int, int]]:
    """(start, end) of the slots that begin in [first, last), in order."""
    day = day_at(resource, first) - timedelta(days=1)
    until = 0
    while day <= day_at(resource, last):
        for start, end in slots_on(resource, day):
            if first <= start < last and start >= until:
                yield start, end
                until = end
        day += timedelta(days=1)


def slots_from(resource: Resource, start: int, count: int) -> list[tuple[int, int]]:
    """`count` slots that follow one another without a break from `start`; Conflict when there are no such slots."""
    found = [slot for slot in slots_between(resource, start, start + DAY * 2) if slot[0] >= start][:count]
    unbroken = all(one[1] == other[0] for one, other in itertools.pairwise(found))
    if len(found) < count or found[0][0] != start or not unbroken:
        raise Conflict(
            f"{resource.name} has no {count} slots from then on"
            if count > 1
            else f"{resource.name} has no slot that begins then",
            hint="Ask for its free slots first",
        )
    return found


def refuse_out_of_time(resource: Resource, start: int, now: int) -> None:
    """Conflict for a slot that begins too soon or too far ahead."""
    if start < now + resource.notice_minutes * MINUTE:
        raise Conflict(f"{resource.name} must be booked {resource.notice_minutes} minutes before it begins")
    if start > now + resource.horizon_days * DAY:
        raise Conflict(f"{resource.name} can be booked {resource.horizon_days} days ahead at most")
