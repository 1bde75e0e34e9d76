"""Bookings: resources with their slots, bookings in every channel, who waits, itineraries and calendars."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from cauce.client.types import bookings as types
from cauce.client.types.basics import Nothing, Page
from cauce.commerce.bookings import api, nouns
from cauce.commerce.bookings.booking import Attend, Book, CancelBooking, ConfirmBooking, MoveBooking, StopWaiting, Wait
from cauce.commerce.bookings.calendar import MEDIA, Calendars, Feed, written
from cauce.commerce.bookings.resources import PutResource, RetireResource
from cauce.commerce.catalogue import api as catalogue
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Shortage, Unreadable
from cauce.http.api import moments
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.owners import all_normalised, identifiers_of
from cauce.http.api.paging import page_after
from cauce.http.api.sight import Sight, sight_of
from cauce.model import DAY
from cauce.model.time import from_datetime

if TYPE_CHECKING:
    from cauce.app import Platform

SERVE = "commerce.serve"
SLOT_DAYS = 7
ITINERARY_DAYS = 366
FEED_DAYS_BACK, FEED_DAYS = 31, 366
"""Days of a calendar feed: before now, and after."""
CALENDAR = "/calendar"
"""Where the links of persons' calendars lead."""

# -- as answers tell them ---------------------------------------------------------------------------------------------


def resource_of(resource: nouns.Resource) -> types.BookingResource:
    fields = {name: getattr(resource, name) for name in resource.__struct_fields__}
    return msgspec.convert(fields, types.BookingResource, from_attributes=True)


def booking_of(booking: nouns.Booking, sight: Sight) -> types.Booking:
    return types.Booking(
        id=booking.id,
        resource=booking.resource,
        start=told(booking.start),
        end=told(booking.end),
        party=booking.party,
        state=booking.state,
        due=told_if_any(booking.due),
        owners=[sight.key(owner) for owner in booking.owners],
        channel=booking.channel,
        note=sight.why(booking.note, free=True) if booking.note else "",
        document=booking.document,
        at=told(booking.at),
        changed=told(booking.changed),
    )


def waiting_of(waiting: nouns.Waiting, sight: Sight) -> types.Waiting:
    return types.Waiting(
        id=waiting.id,
        resource=waiting.resource,
        start=told(waiting.start),
        party=waiting.party,
        state=waiting.state,
        owners=[sight.key(owner) for owner in waiting.owners],
        at=told(waiting.at),
        booking=waiting.booking,
    )


# -- resources --------------------------------------------------------------------------------------------------------


def list_resources(call: Call[types.ResourceQuery, None]) -> Page[types.BookingResource]:
    query, reader = call.query, call.platform.commerce.reader
    found = api.resources_of(reader, place=query.place, kind=query.kind, retired=query.retired)
    return page_after(call, found, lambda resource: resource.id, resource_of)


def get_resource(call: AnyCall) -> types.BookingResource:
    return resource_of(api.resource(call.platform.commerce.reader, call.path["resource"]))


def put_resource(call: Call[Nothing, types.BookingResourceFields]) -> types.BookingResource:
    id_, reader = call.path["resource"], call.platform.commerce.reader
    before = next(iter(resources_named(call.platform, [id_]).values()), None)
    wanted = msgspec.convert({**msgspec.to_builtins(call.body), "id": id_}, nouns.Resource)
    if wanted.place and catalogue.place(reader, wanted.place) is None:
        raise DefinitionInvalid(f"expected place to be one that there is, got {wanted.place!r}")
    # The version that the ETag was compared with, whichever process changes it now.
    command = PutResource(key=call.key, resource=wanted, expected=before.version if before else 0)
    return resource_of(call.platform.commerce.do(command))


def retire_resource(call: AnyCall) -> None:
    call.platform.commerce.do(RetireResource(key=call.key, id=call.path["resource"]))


def get_slots(call: Call[types.SlotQuery, None]) -> types.BookingSlots:
    commerce, query = call.platform.commerce, call.query
    found = api.resource(commerce.reader, call.path["resource"])
    since = moments.read(query.since, "since") if query.since else commerce.now
    until = moments.read(query.until, "until") if query.until else since + SLOT_DAYS * DAY
    slots = api.free_slots(commerce.reader, found, since, until, commerce.now)
    return types.BookingSlots(
        items=[
            types.BookingSlot(
                resource=slot.resource,
                start=told(slot.start),
                end=told(slot.end),
                capacity=slot.capacity,
                free=slot.free,
            )
            for slot in slots
        ]
    )


def resources_named(platform: Platform, ids: Iterable[str]) -> dict[str, nouns.Resource]:
    """The resources of some ids, as far as there are any."""
    wanted = frozenset(ids)
    found = {}
    for id_ in wanted:
        try:
            found[id_] = api.resource(platform.commerce.reader, id_)
        except NotFound:
            continue
    return found


# -- bookings ---------------------------------------------------------------------------------------------------------


def list_bookings(call: Call[types.BookingQuery, None]) -> Page[types.Booking]:
    query, commerce, sight = call.query, call.platform.commerce, sight_of(call.actor)
    zone = zone_of(call.platform, query.resource, query.place)
    try:
        day = date.fromisoformat(query.day) if query.day else api.day_of(zone, commerce.now)
    except ValueError:
        raise Unreadable(f"expected day to be an ISO date such as 2026-11-23, got {query.day!r}") from None
    first, last = api.bounds_of(zone, day)
    found = api.bookings(commerce.reader, first, last, resource_id=query.resource, place=query.place)
    return page_after(
        call, found, lambda booking: f"{booking.start:020}-{booking.id:020}", lambda booking: booking_of(booking, sight)
    )


def zone_of(platform: Platform, resource: str, place: str) -> str:
    """The time zone in which days are meant: of a resource, of a place, else UTC. NotFound for unknown ones."""
    if resource:
        return api.resource(platform.commerce.reader, resource).zone
    return catalogue.need_place(platform.commerce, place).zone if place else "UTC"


def book(call: Call[Nothing, types.NewBooking]) -> types.Booking:
    body = call.body
    command = Book(
        key=call.key,
        resource=body.resource,
        start=from_datetime(body.start),
        party=body.party,
        slots=body.slots,
        owners=all_normalised(call.platform, body.owners),
        channel=body.channel,
        note=body.note,
        document=body.document,
        confirmed=body.confirmed,
    )
    return booking_of(call.platform.commerce.do(command), sight_of(call.actor))


def get_booking(call: AnyCall) -> types.Booking:
    return booking_of(api.find(call.platform.commerce.reader, call.whole("booking")), sight_of(call.actor))


def confirm(call: AnyCall) -> types.Booking:
    command = ConfirmBooking(key=call.key, booking=call.whole("booking"))
    return booking_of(call.platform.commerce.do(command), sight_of(call.actor))


def cancel(call: Call[Nothing, types.BookingCancellation]) -> types.Booking:
    command = CancelBooking(key=call.key, booking=call.whole("booking"), why=call.body.why)
    return booking_of(call.platform.commerce.do(command), sight_of(call.actor))


def move(call: Call[Nothing, types.BookingMove]) -> types.Booking:
    command = MoveBooking(key=call.key, booking=call.whole("booking"), start=from_datetime(call.body.start))
    return booking_of(call.platform.commerce.do(command), sight_of(call.actor))


def attend(call: Call[Nothing, types.BookingAttendance]) -> types.Booking:
    command = Attend(key=call.key, booking=call.whole("booking"), came=call.body.came)
    return booking_of(call.platform.commerce.do(command), sight_of(call.actor))


# -- who waits --------------------------------------------------------------------------------------------------------


def list_waiting(call: Call[types.WaitingQuery, None]) -> Page[types.Waiting]:
    sight = sight_of(call.actor)
    found = api.waiting(call.platform.commerce.reader, resource_id=call.query.resource)
    return page_after(call, found, lambda waiting: f"{waiting.id:020}", lambda waiting: waiting_of(waiting, sight))


def join(call: Call[Nothing, types.NewWaiting]) -> types.Waiting:
    body = call.body
    command = Wait(
        key=call.key,
        resource=body.resource,
        start=from_datetime(body.start),
        party=body.party,
        owners=all_normalised(call.platform, body.owners),
        channel=body.channel,
    )
    return waiting_of(call.platform.commerce.do(command), sight_of(call.actor))


def leave(call: AnyCall) -> None:
    call.platform.commerce.do(StopWaiting(key=call.key, waiting=call.whole("waiting")))


# -- the person -------------------------------------------------------------------------------------------------------


def itinerary(call: Call[types.ItineraryQuery, None]) -> types.Itinerary:
    commerce, query, sight = call.platform.commerce, call.query, sight_of(call.actor)
    owners = identifiers_of(call.platform, call.path["key"])
    since = moments.read(query.since, "since") if query.since else commerce.now // DAY * DAY
    until = moments.read(query.until, "until") if query.until else since + ITINERARY_DAYS * DAY
    found = api.itinerary(commerce.reader, owners, since, until)
    person = person_of(call.platform, owners[0])
    if not found and not person:
        raise NotFound(f"nobody is known by {call.path['key'][:200]!r}", hint="The first booking makes them known")
    return types.Itinerary(id=person, items=[booking_of(booking, sight) for booking in found])


def person_of(platform: Platform, owner: str) -> str:
    """The person's id, for the audit trail; "" when the river knows nobody by it."""
    try:
        return platform.people.locate(owner).text
    except NotFound:
        return ""


def calendar_link(call: AnyCall) -> types.CalendarLink:
    owners = identifiers_of(call.platform, call.path["key"])
    return types.CalendarLink(link=link_of(call.platform, owners))


def link_of(platform: Platform, owners: Iterable[str]) -> str:
    """The address of the calendar of whom identifiers name; NotFound when nothing is booked for them."""
    now = platform.commerce.now
    found = api.itinerary(platform.commerce.reader, owners, now - FEED_DAYS_BACK * DAY, now + FEED_DAYS * DAY)
    if not found:
        raise NotFound("nothing is booked for them", hint="Their calendar begins with their first booking")
    latest = max(found, key=lambda booking: booking.id)
    return f"{str(platform.settings.public_url).rstrip('/')}{CALENDAR}/{Calendars(platform.secret).link(latest)}"


def opened_calendar(platform: Platform, link: str) -> bytes:
    """The calendar of the person behind a link: of all identifiers that are theirs now. NotFound."""
    links, commerce = Calendars(platform.secret), platform.commerce
    booking = api.find(commerce.reader, links.opened(link.removesuffix(".ics"), commerce.now))
    owners = [each for owner in booking.owners for each in identifiers_of(platform, owner)]
    found = api.itinerary(commerce.reader, owners, commerce.now - FEED_DAYS_BACK * DAY, commerce.now + FEED_DAYS * DAY)
    resources = resources_named(platform, (each.resource for each in found))
    return written(Feed("Cauce", links.domain), found, resources)


async def calendar(call: Call[types.CalendarQuery, None]) -> Response:
    body = await asyncio.to_thread(staff_calendar, call.platform, call.query.resource, call.query.place)
    return Response(body, media_type=f"{MEDIA}; charset=utf-8", headers={"cache-control": "no-store"})


def staff_calendar(platform: Platform, resource: str, place: str) -> bytes:
    """The calendar of a resource or of a place, without personal values. Unreadable when neither is named."""
    if bool(resource) == bool(place):
        raise Unreadable("expected either resource or place")
    commerce = platform.commerce
    name = (
        api.resource(commerce.reader, resource).name
        if resource
        else catalogue.need_place(commerce, place).name or place
    )
    first, last = commerce.now - FEED_DAYS_BACK * DAY, commerce.now + FEED_DAYS * DAY
    found = api.bookings(commerce.reader, first, last, resource_id=resource, place=place)
    resources = resources_named(platform, (each.resource for each in found))
    return written(Feed(name, Calendars(platform.secret).domain, is_staff=True), found, resources)


NEW_RESOURCE = {
    "name": "Arreglos",
    "kind": "repair",
    "place": "S01",
    "zone": "Europe/Madrid",
    "minutes": 30,
    "capacity": 2,
    "most": 1,
    "hours": [{"weekday": 1, "opens": "10:00", "closes": "14:00"}],
    "confirms": True,
}
START = "2030-03-04T10:00:00Z"

RESOURCES = (
    Operation(
        name="resources.list",
        method="GET",
        path="/v1/resources",
        summary="List what can be booked",
        permission="commerce.read",
        handle=list_resources,
        query=types.ResourceQuery,
        answer=Page[types.BookingResource],
    ),
    Operation(
        name="resources.get",
        method="GET",
        path="/v1/resources/{resource}",
        summary="Get a resource",
        permission="commerce.read",
        handle=get_resource,
        guard=get_resource,
        answer=types.BookingResource,
        errors=(NotFound,),
    ),
    Operation(
        name="resources.put",
        method="PUT",
        path="/v1/resources/{resource}",
        summary="Put a resource in",
        description="What was booked stays as it was booked, also where the slots are other ones now.",
        permission="commerce.write",
        handle=put_resource,
        guard=get_resource,
        body=types.BookingResourceFields,
        answer=types.BookingResource,
        errors=(Conflict, DefinitionInvalid),
        lane="write",
        audit="booking.resource_put",
        example=NEW_RESOURCE,
    ),
    Operation(
        name="resources.retire",
        method="DELETE",
        path="/v1/resources/{resource}",
        summary="Retire a resource",
        description="It cannot be booked any more; what was booked stays.",
        permission="commerce.write",
        handle=retire_resource,
        guard=get_resource,
        status=204,
        errors=(NotFound, Conflict),
        lane="write",
        audit="booking.resource_retired",
    ),
    Operation(
        name="resources.slots",
        method="GET",
        path="/v1/resources/{resource}/slots",
        summary="List the slots of a resource with their free places",
        permission="commerce.read",
        handle=get_slots,
        query=types.SlotQuery,
        answer=types.BookingSlots,
        errors=(NotFound,),
    ),
)
BOOKINGS = (
    Operation(
        name="bookings.list",
        method="GET",
        path="/v1/bookings",
        summary="List the bookings of a day",
        permission="commerce.read",
        handle=list_bookings,
        query=types.BookingQuery,
        answer=Page[types.Booking],
        errors=(NotFound, Unreadable),
        parameters={"place": "S01"},
        audit="person.listed",
        is_look=True,
        subject=lambda _call, _answer: "bookings",
    ),
    Operation(
        name="bookings.book",
        method="POST",
        path="/v1/bookings",
        summary="Book a slot",
        description="All its slots or none; a slot never holds more than its capacity. 409 tells how many are free.",
        permission=SERVE,
        handle=book,
        body=types.NewBooking,
        answer=types.Booking,
        status=201,
        errors=(NotFound, Conflict, DefinitionInvalid, Shortage, Ended),
        lane="write",
        audit="booking.booked",
        subject=lambda _call, answer: str(answer.id),
        example={"resource": "fitting", "start": START, "owners": ["email:ana@tienda.es"], "channel": "app"},
    ),
    Operation(
        name="bookings.get",
        method="GET",
        path="/v1/bookings/{booking}",
        summary="Get a booking",
        permission="commerce.read",
        handle=get_booking,
        answer=types.Booking,
        errors=(NotFound,),
        audit="booking.seen",
        is_look=True,
    ),
    Operation(
        name="bookings.confirm",
        method="POST",
        path="/v1/bookings/{booking}/confirm",
        summary="Confirm a booking that was held or offered",
        permission=SERVE,
        handle=confirm,
        answer=types.Booking,
        errors=(NotFound, Ended),
        lane="write",
        audit="booking.confirmed",
        subject=lambda _call, answer: str(answer.id),
    ),
    Operation(
        name="bookings.cancel",
        method="POST",
        path="/v1/bookings/{booking}/cancel",
        summary="Cancel a booking",
        description="Its places are free again, and who waits longest is offered them.",
        permission=SERVE,
        handle=cancel,
        body=types.BookingCancellation,
        answer=types.Booking,
        errors=(NotFound, Ended),
        lane="write",
        audit="booking.cancelled",
        subject=lambda _call, answer: str(answer.id),
        example={"why": "another day"},
    ),
    Operation(
        name="bookings.move",
        method="POST",
        path="/v1/bookings/{booking}/move",
        summary="Move a booking to another time",
        description="It has its new places, or keeps the old ones.",
        permission=SERVE,
        handle=move,
        body=types.BookingMove,
        answer=types.Booking,
        errors=(NotFound, Conflict, Shortage, Ended),
        lane="write",
        audit="booking.moved",
        subject=lambda _call, answer: str(answer.id),
        example={"start": START},
    ),
    Operation(
        name="bookings.attend",
        method="POST",
        path="/v1/bookings/{booking}/attend",
        summary="Say that they came, or did not",
        permission=SERVE,
        handle=attend,
        body=types.BookingAttendance,
        answer=types.Booking,
        errors=(NotFound, Conflict, Ended),
        lane="write",
        audit="booking.attended",
        subject=lambda _call, answer: str(answer.id),
        example={"came": True},
    ),
    Operation(
        name="bookings.itinerary",
        method="GET",
        path="/v1/people/{key}/itinerary",
        summary="List what a person has booked",
        description="Across resources and days, under all their identifiers.",
        permission="commerce.read",
        handle=itinerary,
        query=types.ItineraryQuery,
        answer=types.Itinerary,
        errors=(NotFound, DefinitionInvalid),
        audit="booking.person_seen",
        is_look=True,
        subject=lambda _call, answer: answer.id or "nobody",
    ),
    Operation(
        name="bookings.calendar_link",
        method="POST",
        path="/v1/people/{key}/calendar",
        summary="Make the link of a person's calendar",
        description="An iCalendar feed that any calendar program follows. Give it to the person alone: who has the "
        "link can read what they booked.",
        permission=SERVE,
        handle=calendar_link,
        answer=types.CalendarLink,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        audit="booking.calendar_linked",
        subject=lambda call, _answer: person_of(call.platform, call.path["key"]) or "nobody",
        kept="fact",
    ),
    Operation(
        name="bookings.calendar",
        method="GET",
        path="/v1/calendar",
        summary="Follow the calendar of a resource or a place",
        description="iCalendar (RFC 5545): a month back and a year ahead, without personal values.",
        permission="commerce.read",
        handle=calendar,
        query=types.CalendarQuery,
        answer=types.CalendarFeed,
        media=MEDIA,
        lane="now",
        errors=(NotFound, Unreadable),
        parameters={"resource": "fitting"},
    ),
)
WAITING = (
    Operation(
        name="waiting.list",
        method="GET",
        path="/v1/waiting",
        summary="List who waits for a place",
        permission="commerce.read",
        handle=list_waiting,
        query=types.WaitingQuery,
        answer=Page[types.Waiting],
        audit="person.listed",
        is_look=True,
        subject=lambda _call, _answer: "waiting",
    ),
    Operation(
        name="waiting.join",
        method="POST",
        path="/v1/waiting",
        summary="Wait for a place in a slot that is full",
        permission=SERVE,
        handle=join,
        body=types.NewWaiting,
        answer=types.Waiting,
        status=201,
        errors=(NotFound, Conflict, DefinitionInvalid, Ended),
        lane="write",
        audit="booking.waiting_joined",
        subject=lambda _call, answer: str(answer.id),
        example={"resource": "fitting", "start": START, "owners": ["email:ana@tienda.es"]},
    ),
    Operation(
        name="waiting.leave",
        method="DELETE",
        path="/v1/waiting/{waiting}",
        summary="Wait no longer",
        permission=SERVE,
        handle=leave,
        status=204,
        errors=(NotFound, Ended),
        lane="write",
        audit="booking.waiting_left",
    ),
)
OPERATIONS = (*RESOURCES, *BOOKINGS, *WAITING)
