"""Questions about bookings, of what is committed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import msgspec

from cauce.commerce.bookings import ahead, booking, erasing, resources, rules
from cauce.commerce.bookings.nouns import Booking, Resource, Slot, Waiting
from cauce.commerce.bookings.store import (
    BOOKINGS,
    OPEN,
    OWNER,
    RESOURCES,
    TABLES,
    WAITINGS,
    place_of,
)
from cauce.commerce.catalogue.rules.codes import zone_info
from cauce.commerce.ledger import api as ledger
from cauce.engines.api import Reader
from cauce.errors import DefinitionInvalid, NotFound
from cauce.model.time import DAY, MINUTE, SECOND, to_datetime

ACTIONS = (*resources.ACTIONS, *booking.ACTIONS, *ahead.ACTIONS, *erasing.ACTIONS)
DAYS_MAX = 62
LIMIT_MAX = 1_000

__all__ = [
    "ACTIONS",
    "OWNER",
    "TABLES",
    "bookings",
    "bounds_of",
    "day_of",
    "expired",
    "find",
    "followed",
    "free_slots",
    "itinerary",
    "of_order",
    "resource",
    "resources_of",
    "slots",
    "waiting",
]

expired = booking.expired
followed = ahead.followed


def resource(reader: Reader, id_: str) -> Resource:
    """NotFound when there is none."""
    rows = reader.select(f"select {RESOURCES.columns} from booking_resource where id = ?", (id_,))
    if not rows:
        raise NotFound(f"there is no resource {id_[:80]!r}")
    return msgspec.json.decode(RESOURCES.of(rows[0]).body, type=Resource)


def resources_of(reader: Reader, *, place: str = "", kind: str = "", retired: bool = False) -> list[Resource]:
    """Resources by id: of a place, of a kind; retired ones too."""
    rows = reader.select(
        f"select {RESOURCES.columns} from booking_resource where (? = '' or place = ?) and (? = '' or kind = ?) "
        "and retired <= ? order by id",
        (place, place, kind, kind, int(retired)),
    )
    return [msgspec.json.decode(row.body, type=Resource) for row in map(RESOURCES.of, rows)]


def free_slots(reader: Reader, found: Resource, first: int, last: int, now: int) -> list[Slot]:
    """The slots that begin in [first, last) and can be booked, with their free places; full ones have 0."""
    if not 0 < last - first <= DAYS_MAX * DAY:
        raise DefinitionInvalid(f"expected at most {DAYS_MAX} days")
    earliest = max(first, now + found.notice_minutes * MINUTE)
    latest = min(last, now + found.horizon_days * DAY + 1)
    return slots(reader, found, earliest, latest) if earliest < latest else []


def slots(reader: Reader, found: Resource, first: int, last: int) -> list[Slot]:
    """All slots that begin in [first, last) with their free places, also those that are over; at most 62 days."""
    if last - first > DAYS_MAX * DAY:
        raise DefinitionInvalid(f"expected at most {DAYS_MAX} days")
    times = list(rules.slots_between(found, first, last))
    ids = {start: ledger.id_of(place_of(found.id, start, OPEN)) for start, _ in times}
    rows = reader.select_keys(f"select {ledger.ACCOUNTS.columns} from account where id in {{keys}}", ids.values())
    accounts = {row[0]: ledger.ACCOUNTS.of(row) for row in rows}
    held: dict[int, int] = dict(
        reader.select(
            "select start, capacity from booking_slot where resource = ? and start >= ? and start < ?",
            (found.id, first, last),
        )
    )
    shown = []
    for start, end in times:
        account = accounts.get(ids[start])
        # What the resource has now, less what is taken; a slot that nobody touched yet has it all.
        taken = held[start] - account.available if account is not None and start in held else 0
        shown.append(Slot(found.id, start, end, found.capacity, max(0, found.capacity - taken)))
    return shown


def find(reader: Reader, id_: int) -> Booking:
    """NotFound when there is none."""
    rows = reader.select(f"select {BOOKINGS.columns} from booking where id = ?", (id_,))
    if not rows:
        raise NotFound(f"there is no booking {id_}")
    return booking.shown(BOOKINGS.of(rows[0]))


def of_order(reader: Reader, order_id: int) -> Booking | None:
    """The slot of an order ahead, None for any other order."""
    columns = ", ".join(f"b.{name}" for name in BOOKINGS.table.names)
    rows = reader.select(
        f"select {columns} from booking_of_order o join booking b on b.id = o.booking where o.order_id = ?", (order_id,)
    )
    return booking.shown(BOOKINGS.of(rows[0])) if rows else None


def bookings(
    reader: Reader, first: int, last: int, *, resource_id: str = "", place: str = "", limit: int = LIMIT_MAX
) -> list[Booking]:
    """Bookings that begin in [first, last), in order of their beginning: of a resource, or of all of a place."""
    columns = ", ".join(f"b.{name}" for name in BOOKINGS.table.names)
    rows = reader.select(
        f"select {columns} from booking b join booking_resource r on r.id = b.resource "
        "where b.start >= ? and b.start < ? and (? = '' or b.resource = ?) and (? = '' or r.place = ?) "
        "order by b.start, b.id limit ?",
        (first, last, resource_id, resource_id, place, place, min(limit, LIMIT_MAX)),
    )
    return [booking.shown(row) for row in map(BOOKINGS.of, rows)]


def itinerary(reader: Reader, owners: Iterable[str], first: int, last: int) -> list[Booking]:
    """Everything that a person has booked in [first, last), across resources and days; of all their identifiers."""
    found: dict[int, Booking] = {}
    columns = ", ".join(f"b.{name}" for name in BOOKINGS.table.names)
    for owner in dict.fromkeys(owners):
        rows = reader.select(
            f"select {columns} from booking_owner o join booking b on b.id = o.booking "
            "where o.owner = ? and o.start >= ? and o.start < ? order by o.start, b.id limit ?",
            (owner, first, last, LIMIT_MAX),
        )
        found.update((row[0], booking.shown(BOOKINGS.of(row))) for row in rows)
    return sorted(found.values(), key=lambda each: (each.start, each.id))


def waiting(reader: Reader, *, resource_id: str = "", limit: int = LIMIT_MAX) -> list[Waiting]:
    """Who waits, the longest first."""
    rows = reader.select(
        f"select {WAITINGS.columns} from booking_waiting where state = 'waiting' and (? = '' or resource = ?) "
        "order by id limit ?",
        (resource_id, resource_id, min(limit, LIMIT_MAX)),
    )
    return [booking.waiting_shown(row) for row in map(WAITINGS.of, rows)]


def day_of(zone: str, moment: int) -> date:
    """The day that a calendar in a time zone shows at a moment (microseconds)."""
    return to_datetime(moment).astimezone(zone_info(zone)).date()


def bounds_of(zone: str, day: date) -> tuple[int, int]:
    """When a day begins and ends in a time zone, in microseconds; 23 to 25 hours apart."""
    first, last = (
        int(datetime(each.year, each.month, each.day, tzinfo=zone_info(zone)).timestamp()) * SECOND
        for each in (day, day + timedelta(days=1))
    )
    return first, last
