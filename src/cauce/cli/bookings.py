"""`cauce bookings`: what can be booked, what is free, who has what."""

from __future__ import annotations

from datetime import date

import click
import msgspec
from rich.table import Table

from cauce.app import Platform
from cauce.cli.main import Suggesting, actor, json_option, output, pass_platform, table
from cauce.commerce.bookings import api
from cauce.commerce.bookings.booking import (
    Attend,
    Book,
    CancelBooking,
    ConfirmBooking,
    MoveBooking,
    StopWaiting,
    Wait,
)
from cauce.commerce.bookings.nouns import Booking, Resource, Slot, Waiting
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.transact.carrier import Command
from cauce.errors import Unreadable
from cauce.http.api.bookings import zone_of
from cauce.http.api.owners import all_normalised, identifiers_of
from cauce.model import DAY, from_iso, to_iso


@click.group(cls=Suggesting)
def bookings() -> None:
    """What can be booked, what is free, and who has what."""


@bookings.command()
@click.option("--place", default="", help="Only those of a place.")
@click.option("--retired", is_flag=True, help="Retired ones too.")
@json_option
@pass_platform
def resources(platform: Platform, place: str, retired: bool, as_json: bool) -> None:
    """List what can be booked."""
    found = api.resources_of(platform.commerce.reader, place=place, retired=retired)
    output(as_json, [_whole(each) for each in found], lambda _: _resources(found))


@bookings.command()
@click.argument("resource")
@click.option("--from", "since", default="", help="First day or moment (ISO); default: now.")
@click.option("--days", default=7, type=click.IntRange(1, api.DAYS_MAX), show_default=True, help="How many days.")
@json_option
@pass_platform
def slots(platform: Platform, resource: str, since: str, days: int, as_json: bool) -> None:
    """List the slots of RESOURCE with their free places."""
    commerce = platform.commerce
    found = api.resource(commerce.reader, resource)
    first = _moment(since, "--from") if since else commerce.now
    free = api.free_slots(commerce.reader, found, first, first + days * DAY, commerce.now)
    rows = [{"start": to_iso(each.start), "end": to_iso(each.end), "capacity": each.capacity, "free": each.free}
            for each in free]  # fmt: skip
    output(as_json, rows, lambda _: _slots(found, free))


@bookings.command()
@click.argument("resource")
@click.argument("start")
@click.option("--for", "owners", multiple=True, help="Identifier of the person (kind:value); may be repeated.")
@click.option("--party", default=1, type=click.IntRange(1), show_default=True, help="How many people.")
@click.option("--slots", default=1, type=click.IntRange(1, 100), show_default=True, help="Slots one after the other.")
@click.option("--note", default="", help="A note for who receives them.")
@click.option("--key", default="", help="Of the command: repeated with it, it books once.")
@json_option
@pass_platform
def book(
    platform: Platform, resource: str, start: str, owners: tuple[str, ...], party: int, slots: int, note: str, key: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Book RESOURCE at START (an ISO moment, such as 2026-11-23T10:00:00+01:00)."""
    command = Book(
        key=key, resource=resource, start=_moment(start, "START"), party=party, slots=slots,
        owners=all_normalised(platform, owners), channel="store", note=note,
    )  # fmt: skip
    found = platform.commerce.do(command)
    platform.audit.note(actor(), "booking.booked", str(found.id))
    output(as_json, _told(found), lambda _: f"booking {found.id} is {found.state}")


@bookings.command("list")
@click.option("--day", default="", help="ISO date, as the place has it; default: today.")
@click.option("--place", default="", help="Only those of a place.")
@click.option("--resource", default="", help="Only those of a resource.")
@json_option
@pass_platform
def list_(platform: Platform, day: str, place: str, resource: str, as_json: bool) -> None:
    """List the bookings of a day."""
    commerce = platform.commerce
    zone = zone_of(platform, resource, place)
    try:
        chosen = date.fromisoformat(day) if day else api.day_of(zone, commerce.now)
    except ValueError:
        raise Unreadable(f"expected --day to be an ISO date such as 2026-11-23, got {day!r}") from None
    first, last = api.bounds_of(zone, chosen)
    found = api.bookings(commerce.reader, first, last, resource_id=resource, place=place)
    output(as_json, [_told(each) for each in found], lambda _: _bookings(found))


@bookings.command()
@click.argument("booking", type=int)
@click.option("--why", default="", help="The reason.")
@json_option
@pass_platform
def cancel(platform: Platform, booking: int, why: str, as_json: bool) -> None:
    """Cancel BOOKING (its number): its places are free, and who waits is asked."""
    found = platform.commerce.do(CancelBooking(booking=booking, why=why))
    platform.audit.note(actor(), "booking.cancelled", str(found.id))
    output(as_json, _told(found), lambda _: f"booking {found.id} is {found.state}")


@bookings.command()
@click.argument("booking", type=int)
@json_option
@pass_platform
def confirm(platform: Platform, booking: int, as_json: bool) -> None:
    """Keep BOOKING (its number), which is held or was offered to who waited."""
    _done(platform, ConfirmBooking(booking=booking), "booking.confirmed", as_json)


@bookings.command()
@click.argument("booking", type=int)
@click.argument("start")
@json_option
@pass_platform
def move(platform: Platform, booking: int, start: str, as_json: bool) -> None:
    """Give BOOKING another time, or leave it where it is when that is full."""
    _done(platform, MoveBooking(booking=booking, start=_moment(start, "START")), "booking.moved", as_json)


@bookings.command()
@click.argument("booking", type=int)
@click.option("--missed", is_flag=True, help="They did not come.")
@json_option
@pass_platform
def attend(platform: Platform, booking: int, missed: bool, as_json: bool) -> None:
    """Say that they came to BOOKING, or with --missed that they did not."""
    _done(platform, Attend(booking=booking, came=not missed), "booking.attended", as_json)


@bookings.command()
@click.argument("resource")
@click.argument("start")
@click.option("--for", "owners", multiple=True, required=True, help="Identifier (kind:value); may be repeated.")
@click.option("--party", default=1, type=click.IntRange(1), show_default=True, help="How many people.")
@json_option
@pass_platform
def wait(platform: Platform, resource: str, start: str, owners: tuple[str, ...], party: int, as_json: bool) -> None:
    """Put somebody on the waiting list of a full slot; when a place is free they are offered it."""
    known = all_normalised(platform, owners)
    command = Wait(resource=resource, start=_moment(start, "START"), party=party, owners=known, channel="store")
    found = platform.commerce.do(command)
    platform.audit.note(actor(), "booking.waiting_joined", str(found.id))
    output(as_json, _waiter(found), lambda _: f"number {found.id} waits")


@bookings.command()
@click.option("--resource", default="", help="Only those of a resource.")
@json_option
@pass_platform
def waiting(platform: Platform, resource: str, as_json: bool) -> None:
    """List who waits, the longest first."""
    found = api.waiting(platform.commerce.reader, resource_id=resource)
    output(as_json, [_waiter(each) for each in found], lambda _: _waiters(found))


@bookings.command()
@click.argument("number", type=int)
@json_option
@pass_platform
def leave(platform: Platform, number: int, as_json: bool) -> None:
    """Take NUMBER from the waiting list."""
    found = platform.commerce.do(StopWaiting(waiting=number))
    platform.audit.note(actor(), "booking.waiting_left", str(found.id))
    output(as_json, _waiter(found), lambda _: f"number {found.id} waits no more")


@bookings.command()
@click.argument("person")
@click.option("--from", "since", default="", help="First day or moment (ISO); default: today.")
@click.option("--days", default=90, type=click.IntRange(1, 3_650), show_default=True, help="How many days.")
@json_option
@pass_platform
def itinerary(platform: Platform, person: str, since: str, days: int, as_json: bool) -> None:
    """List all that PERSON (kind:value, or an id) has booked, across resources and days."""
    commerce = platform.commerce
    first = _moment(since, "--from") if since else commerce.now // DAY * DAY
    found = api.itinerary(commerce.reader, identifiers_of(platform, person), first, first + days * DAY)
    output(as_json, [_told(each) for each in found], lambda _: _bookings(found))


def _done(platform: Platform, command: Command, action: str, as_json: bool) -> None:
    found: Booking = platform.commerce.do(command)
    platform.audit.note(actor(), action, str(found.id))
    output(as_json, _told(found), lambda _: f"booking {found.id} is {found.state}, from {to_iso(found.start)}")


def _waiter(waiter: Waiting) -> dict[str, object]:
    return {**msgspec.to_builtins(waiter), "start": to_iso(waiter.start), "at": to_iso(waiter.at)}


def _waiters(found: list[Waiting]) -> Table:
    shown = table("number", "resource", "start", "people", "for")
    for each in found:
        shown.add_row(str(each.id), each.resource, to_iso(each.start), str(each.party), ", ".join(each.owners))
    return shown


def _whole(resource: Resource) -> dict[str, object]:
    """A resource with all its fields, those as they are by default too."""
    return {name: msgspec.to_builtins(getattr(resource, name)) for name in resource.__struct_fields__}


def _told(booking: Booking) -> dict[str, object]:
    moments = {name: to_iso(getattr(booking, name)) for name in ("start", "end", "at", "changed")}
    return {**msgspec.to_builtins(booking), **moments, "due": to_iso(booking.due) if booking.due else None}


def _moment(text: str, name: str) -> int:
    try:
        return from_iso(text if "T" in text else f"{text}T00:00:00")
    except (ValueError, OverflowError):
        raise Unreadable(f"expected {name} to be an ISO date or moment, got {text[:40]!r}") from None


def _resources(found: list[Resource]) -> Table:
    shown = table("id", "name", "kind", "place", "minutes", "at a time")
    for each in found:
        shown.add_row(each.id, each.name, each.kind, each.place, str(each.minutes), str(each.capacity))
    return shown


def _slots(resource: Resource, free: list[Slot]) -> Table:
    shown = table("day", "from", "until", "free", "of", title=f"{resource.name} ({resource.zone})")
    for each in free:
        shown.add_row(
            api.day_of(resource.zone, each.start).isoformat(), catalogue.clock_at(resource, each.start),
            catalogue.clock_at(resource, each.end), str(each.free), str(each.capacity),
        )  # fmt: skip
    return shown


def _bookings(found: list[Booking]) -> Table:
    shown = table("booking", "resource", "start", "end", "people", "state", "for")
    for each in found:
        shown.add_row(
            str(each.id), each.resource, to_iso(each.start), to_iso(each.end), str(each.party), each.state,
            ", ".join(each.owners),
        )  # fmt: skip
    return shown
