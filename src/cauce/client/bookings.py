"""Resources that are booked by slots, bookings, and who waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from cauce.client.resource import PAGE_ITEMS, Resource, part
from cauce.client.types import bookings as types
from cauce.client.types.basics import Page


class Resources(Resource):
    """What can be booked. What is changed must have been read with this client, or be overwritten."""

    def list(self, *, place: str = "", kind: str = "", retired: bool = False) -> Iterator[types.BookingResource]:
        query = {"place": place, "kind": kind, "retired": str(retired).lower(), "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/resources", Page[types.BookingResource], query)

    def get(self, id: str) -> types.BookingResource:
        return self._transport.ask("GET", _resource(id), types.BookingResource)

    def put(self, id: str, *, overwrite: bool = False, **fields: Any) -> types.BookingResource:
        """A resource as it is from now on; `fields` as in `BookingResourceFields`."""
        return self._transport.change("PUT", _resource(id), types.BookingResource, body=fields, overwrite=overwrite)

    def retire(self, id: str, *, overwrite: bool = False) -> None:
        """It cannot be booked any more; what was booked stays."""
        self._transport.remove(_resource(id), overwrite=overwrite)

    def slots(self, id: str, *, since: str = "", until: str = "") -> Sequence[types.BookingSlot]:
        """Its slots with their free places (ISO days or moments; now and 7 days when left out)."""
        query = {"since": since, "until": until}
        return self._transport.ask("GET", f"{_resource(id)}/slots", types.BookingSlots, query=query).items


class Bookings(Resource):
    """Bookings in every channel."""

    def list(self, *, day: str = "", resource: str = "", place: str = "") -> Iterator[types.Booking]:
        """Those that begin on a day (ISO; today when left out)."""
        query = {"day": day, "resource": resource, "place": place, "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/bookings", Page[types.Booking], query)

    def book(self, resource: str, start: datetime, **more: Any) -> types.Booking:
        """Books a slot; `more` as in `NewBooking`. Shortage when too few places are free."""
        body = types.NewBooking(resource=resource, start=start, **more)
        return self._transport.ask("POST", "/v1/bookings", types.Booking, body=body)

    def get(self, id: int) -> types.Booking:
        return self._transport.ask("GET", f"/v1/bookings/{id}", types.Booking)

    def confirm(self, id: int) -> types.Booking:
        """What was held or offered is kept."""
        return self._transport.ask("POST", f"/v1/bookings/{id}/confirm", types.Booking)

    def cancel(self, id: int, why: str = "") -> types.Booking:
        """Given up; who waits is asked."""
        body = types.BookingCancellation(why=why)
        return self._transport.ask("POST", f"/v1/bookings/{id}/cancel", types.Booking, body=body)

    def move(self, id: int, start: datetime) -> types.Booking:
        """The same booking at another time, or it stays where it is."""
        return self._transport.ask(
            "POST", f"/v1/bookings/{id}/move", types.Booking, body=types.BookingMove(start=start)
        )

    def attend(self, id: int, *, came: bool = True) -> types.Booking:
        """They came, or did not."""
        body = types.BookingAttendance(came=came)
        return self._transport.ask("POST", f"/v1/bookings/{id}/attend", types.Booking, body=body)

    def itinerary(self, key: str, *, since: str = "", until: str = "") -> types.Itinerary:
        """What a person (`kind:value` or an id) has booked, under all their identifiers."""
        query = {"since": since, "until": until}
        return self._transport.ask("GET", f"/v1/people/{part(key)}/itinerary", types.Itinerary, query=query)

    def calendar_link(self, key: str) -> str:
        """The address of a person's iCalendar feed, for the person alone."""
        return self._transport.ask("POST", f"/v1/people/{part(key)}/calendar", types.CalendarLink).link

    def calendar(self, *, resource: str = "", place: str = "") -> bytes:
        """The iCalendar feed of a resource, or of a place."""
        return self._transport.whole("/v1/calendar", {"resource": resource, "place": place})


class WaitingList(Resource):
    """Who waits for a place in a slot that is full."""

    def list(self, *, resource: str = "") -> Iterator[types.Waiting]:
        """The longest first."""
        return self._transport.pages("/v1/waiting", Page[types.Waiting], {"resource": resource, "limit": PAGE_ITEMS})

    def join(self, resource: str, start: datetime, owners: Sequence[str], **more: Any) -> types.Waiting:
        """Waits; `more` as in `NewWaiting`."""
        body = types.NewWaiting(resource=resource, start=start, owners=[*owners], **more)
        return self._transport.ask("POST", "/v1/waiting", types.Waiting, body=body)

    def leave(self, id: int) -> None:
        """Waits no longer."""
        self._transport.remove(f"/v1/waiting/{id}")


def _resource(id: str) -> str:
    return f"/v1/resources/{part(id)}"
