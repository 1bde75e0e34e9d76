"""Bookings: resources with their slots, bookings, who waits, and the itinerary of a person."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from cauce.client.types.basics import Answer, Moment, Request
from cauce.client.types.catalogue import Opening, SpecialDay, Zone

Name = Annotated[str, Meta(min_length=1, max_length=200)]
ResourceId = Annotated[str, Meta(min_length=1, max_length=200, description="Id of a resource.")]
AnyId = Annotated[str, Meta(max_length=200, description='"" for any.')]
Minutes = Annotated[int, Meta(ge=0, le=525_600)]
People = Annotated[int, Meta(ge=1, le=100_000, description="How many people, or things.")]
Owner = Annotated[str, Meta(min_length=3, max_length=600, description="`kind:value`")]
Owners = Annotated[list[Owner], Meta(max_length=20, description="Identifiers of one person.")]
Word = Annotated[str, Meta(max_length=200)]
Day = Annotated[str, Meta(max_length=64, description="ISO date or moment.")]


class BookingResourceFields(Request, frozen=True, kw_only=True):
    """A resource as it shall be: a slot lies wholly within one span of its hours.

    A request is held for `hold_minutes` until it is confirmed; with `confirms` it is confirmed at once. Who waits is
    offered a free place for `offer_minutes`.
    """

    name: Name
    kind: Annotated[str, Meta(min_length=1, max_length=200, description="A word of your own.")] = "appointment"
    place: Annotated[str, Meta(max_length=80, description="Id of the place where it is.")] = ""
    zone: Zone = "UTC"
    minutes: Annotated[int, Meta(ge=1, le=1_440, description="How long a slot is.")] = 30
    capacity: People = 1
    most: Annotated[int, Meta(ge=1, le=100_000, description="The largest party.")] = 1
    hours: Annotated[list[Opening], Meta(max_length=70)] = field(default_factory=list)
    special_days: Annotated[list[SpecialDay], Meta(max_length=1_000)] = field(default_factory=list)
    notice_minutes: Annotated[Minutes, Meta(description="How long before its beginning it can still be booked.")] = 0
    horizon_days: Annotated[int, Meta(ge=1, le=730, description="How far ahead it can be booked.")] = 90
    hold_minutes: Annotated[int, Meta(ge=1, le=10_080)] = 15
    offer_minutes: Annotated[int, Meta(ge=1, le=10_080)] = 60
    confirms: bool = True
    retired: bool = False


class BookingResource(Answer, frozen=True, kw_only=True):
    """Something that is booked by slots of `minutes`, for at most `capacity` people at a time."""

    id: str
    name: str
    kind: str
    place: str
    zone: str
    minutes: int
    capacity: int
    most: int
    hours: list[Opening]
    special_days: list[SpecialDay]
    notice_minutes: int
    horizon_days: int
    hold_minutes: int
    offer_minutes: int
    confirms: bool
    retired: bool
    version: int


class ResourceQuery(Request, frozen=True, kw_only=True):
    """Which resources."""

    place: AnyId = ""
    kind: AnyId = ""
    retired: Annotated[bool, Meta(description="Retired ones too.")] = False
    limit: Annotated[int, Meta(ge=1, le=1_000, description="Most items of the page.")] = 50
    cursor: Annotated[str, Meta(max_length=2_000, description="`cursor` of the page before.")] = ""


class SlotQuery(Request, frozen=True, kw_only=True):
    """Slots that begin in [since, until): now and 7 days when left out, 62 days at most."""

    since: Day = ""
    until: Day = ""


class BookingSlot(Answer, frozen=True, kw_only=True):
    """A slot of a resource; `free` of its `capacity` can be booked."""

    resource: str
    start: Moment
    end: Moment
    capacity: int
    free: int


class BookingSlots(Answer, frozen=True, kw_only=True):
    """In order of their beginning, full ones too."""

    items: list[BookingSlot]


class NewBooking(Request, frozen=True, kw_only=True):
    """`slots` slots one after the other from `start`: all of them, or none."""

    resource: ResourceId
    start: Moment
    party: People = 1
    slots: Annotated[int, Meta(ge=1, le=100)] = 1
    owners: Owners = field(default_factory=list)
    channel: Annotated[str, Meta(max_length=80)] = ""
    note: Annotated[str, Meta(max_length=500)] = ""
    document: Annotated[str, Meta(max_length=200, description="What it belongs to: an order, say.")] = ""
    confirmed: Annotated[bool | None, Meta(description="Confirmed at once; null: as the resource says.")] = None


class Booking(Answer, frozen=True, kw_only=True):
    """A booking as it stands: *held, offered, confirmed, attended, cancelled, expired* or *no_show*.

    The first two last until `due`. Identifiers and the note are masked for those who may not see personal data.
    """

    id: int
    resource: str
    start: Moment
    end: Moment
    party: int
    state: str
    due: Moment | None
    owners: list[str]
    channel: str
    note: str
    document: str
    at: Moment
    changed: Moment


class BookingQuery(Request, frozen=True, kw_only=True):
    """Bookings that begin on a `day` as the resource or place has it (today when left out), of one or of all."""

    day: Annotated[str, Meta(max_length=10, description="ISO date.")] = ""
    resource: AnyId = ""
    place: AnyId = ""
    limit: Annotated[int, Meta(ge=1, le=1_000, description="Most items of the page.")] = 50
    cursor: Annotated[str, Meta(max_length=2_000, description="`cursor` of the page before.")] = ""


class BookingCancellation(Request, frozen=True, kw_only=True):
    """Why it is given up."""

    why: Word = ""


class BookingMove(Request, frozen=True, kw_only=True):
    """The new beginning."""

    start: Moment


class BookingAttendance(Request, frozen=True, kw_only=True):
    """Whether they came."""

    came: bool = True


class NewWaiting(Request, frozen=True, kw_only=True):
    """Somebody who waits for a place in a slot that is full; they must be known, so that they can be told."""

    resource: ResourceId
    start: Moment
    owners: Annotated[list[Owner], Meta(min_length=1, max_length=20, description="Identifiers of one person.")]
    party: People = 1
    channel: Annotated[str, Meta(max_length=80)] = ""


class Waiting(Answer, frozen=True, kw_only=True):
    """Who waits; `booking` is what they were offered, 0 until then."""

    id: int
    resource: str
    start: Moment
    party: int
    state: str
    owners: list[str]
    at: Moment
    booking: int


class WaitingQuery(Request, frozen=True, kw_only=True):
    """Who waits for what."""

    resource: AnyId = ""
    limit: Annotated[int, Meta(ge=1, le=1_000, description="Most items of the page.")] = 50
    cursor: Annotated[str, Meta(max_length=2_000, description="`cursor` of the page before.")] = ""


class ItineraryQuery(Request, frozen=True, kw_only=True):
    """Bookings that begin in [since, until): from today on for a year when left out."""

    since: Day = ""
    until: Day = ""


class Itinerary(Answer, frozen=True, kw_only=True):
    """What a person has booked under all their identifiers, in order; `id` is "" for somebody yet unknown."""

    id: str
    items: list[Booking]


class CalendarLink(Answer, frozen=True, kw_only=True):
    """The address of a person's calendar: who has it can read it, and nobody can make it up."""

    link: str


class CalendarQuery(Request, frozen=True, kw_only=True):
    """The calendar of a resource, or of all resources of a place."""

    resource: AnyId = ""
    place: AnyId = ""


class CalendarFeed(Answer, frozen=True, kw_only=True):
    """An iCalendar document, as text."""
