"""Bookings as an iCalendar feed (RFC 5545), and the signed links under which a person's own is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from cauce.commerce.bookings import rules
from cauce.commerce.bookings.nouns import Booking, Resource
from cauce.commerce.catalogue.rules.codes import zone_info
from cauce.commerce.links import Links
from cauce.errors import NotFound
from cauce.model.time import DAY, SECOND, to_datetime

if TYPE_CHECKING:
    import icalendar

MEDIA = "text/calendar"
LINK_DAYS = 400
"""How long a link works after the booking that it was made for."""
STATUS = {
    rules.HELD: "TENTATIVE",
    rules.OFFERED: "TENTATIVE",
    rules.CONFIRMED: "CONFIRMED",
    rules.ATTENDED: "CONFIRMED",
    rules.NO_SHOW: "CONFIRMED",
    rules.CANCELLED: "CANCELLED",
    rules.EXPIRED: "CANCELLED",
}
"""State of a booking → STATUS of its event."""


class Feed(NamedTuple):
    """What is told of a calendar besides its bookings: its `name`, whose it is (`domain`, for ids that nobody else
    has), and whether its entries say how many come (`is_staff`), not what a person wants to read of their own."""

    name: str
    domain: str
    is_staff: bool = False


def written(feed: Feed, bookings: Iterable[Booking], resources: Mapping[str, Resource]) -> bytes:
    """The feed with every booking as an event in the time zone of its resource. No personal value stands in it.

    What was cancelled stays with its STATUS, so that calendars take it away; SEQUENCE grows with every change.
    """
    import icalendar  # noqa: PLC0415 a tenth of the time that every command takes to start, for a feed that few ask for

    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Cauce//Bookings//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", feed.name)
    calendar.add("x-wr-calname", feed.name)
    for booking in bookings:
        event = icalendar.Event()
        _tell(event, feed, booking, resources[booking.resource])
        calendar.add_component(event)
    calendar.add_missing_timezones()
    content: bytes = calendar.to_ical()
    return content


def _tell(event: icalendar.Event, feed: Feed, booking: Booking, resource: Resource) -> None:
    zone = zone_info(resource.zone)
    event.add("uid", f"booking-{booking.id}@{feed.domain}")
    event.add("dtstamp", to_datetime(booking.changed))
    event.add("last-modified", to_datetime(booking.changed))
    event.add("created", to_datetime(booking.at))
    event.add("dtstart", to_datetime(booking.start).astimezone(zone))
    event.add("dtend", to_datetime(booking.end).astimezone(zone))
    event.add("sequence", (booking.changed - booking.at) // SECOND)
    event.add("status", STATUS[booking.state])
    told = f"{resource.name} · {booking.party} · #{booking.id}" if feed.is_staff else resource.name
    event.add("summary", told)
    if resource.place:
        event.add("location", resource.place)


class Calendars:
    """Makes and opens the links of persons' calendars.

    A link names a booking, and so the person whose it is: no identifier stands in it, and merging moves nothing.
    """

    def __init__(self, secret: bytes) -> None:
        self._links = Links(secret, b"calendar link", _missing)
        self.domain = blake2b(secret, digest_size=8, person=b"calendar name").hexdigest() + ".cauce"

    def link(self, booking: Booking) -> str:
        """The last step of an address that nobody can make up; the same for the same booking."""
        return self._links.link(booking.id, booking.at + LINK_DAYS * DAY)

    def opened(self, link: str, now: int) -> int:
        """The booking that a link was made for; NotFound for one that was not made here or whose time is over."""
        return self._links.opened(link, now).id


def _missing() -> NotFound:
    return NotFound("there is no calendar behind this link", hint="Copy it as it was given, whole")
