"""Tables of bookings, and the accounts that a slot has in the ledger."""

from __future__ import annotations

from typing import NamedTuple

from cauce.commerce.ledger.api import Place
from cauce.commerce.transact.records import records
from cauce.engines.api import Table

BOOK = "slots"
SCHEDULE, OPEN, BOOKED = "schedule", "open", "booked"
OWNER = "booking"
SEPARATOR = "\x1f"


class ResourceRow(NamedTuple):
    """A resource; `body` is JSON of it."""

    id: str
    kind: str
    place: str
    retired: int
    version: int
    body: str


class SlotRow(NamedTuple):
    """A slot that somebody booked or waited for. `capacity` is what its accounts hold in all."""

    resource: str
    start: int
    finish: int
    capacity: int


class BookingRow(NamedTuple):
    """A booking. `holds` is JSON: the holds of the ledger, one for each slot; `owners` JSON of identifiers."""

    id: int
    resource: str
    start: int
    finish: int
    party: int
    state: str
    due: int
    owners: str
    channel: str
    note: str
    document: str
    holds: str
    at: int
    changed: int


class BookingOwner(NamedTuple):
    """Whose booking it is: one row for each identifier."""

    owner: str
    start: int
    booking: int


class WaitingRow(NamedTuple):
    """Somebody who waits for a slot, in order of `id`; `booking` 0 until they were offered one."""

    id: int
    resource: str
    start: int
    party: int
    state: str
    owners: str
    channel: str
    at: int
    booking: int


class BookingOfOrder(NamedTuple):
    """The booking of the time at which an order is collected."""

    order_id: int
    booking: int


RESOURCES = records("booking_resource", ResourceRow)
SLOTS = records("booking_slot", SlotRow, key_columns=2, checks=("capacity >= 0", "finish > start"))
BOOKINGS = records("booking", BookingRow, indexes=(("resource", "start"),), checks=("party > 0", "finish > start"))
OWNERS = records("booking_owner", BookingOwner, key_columns=3)
WAITINGS = records("booking_waiting", WaitingRow, indexes=(("resource", "start"),), checks=("party > 0",))
OF_ORDERS = records("booking_of_order", BookingOfOrder)
TABLES: tuple[Table, ...] = tuple(of.table for of in (RESOURCES, SLOTS, BOOKINGS, OWNERS, WAITINGS, OF_ORDERS))


def place_of(resource: str, start: int, name: str) -> Place:
    """An account of a slot: `schedule` (without a floor: where capacity comes from), `open`, `booked`."""
    return Place(BOOK, f"{resource}{SEPARATOR}{start}", name, name != SCHEDULE)
