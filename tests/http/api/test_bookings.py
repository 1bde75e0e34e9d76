"""Bookings over HTTP: from the slot to the calendar, with the client."""

from __future__ import annotations

import icalendar
import pytest

from cauce.client import Client
from cauce.errors import NotFound, Shortage, Unreadable
from cauce.http.api.bookings import opened_calendar
from cauce.model import to_iso
from tests.http.api import desk_of_bookings
from tests.http.api.world import token

ANA = "email:ana@tienda.es"


@pytest.fixture(scope="module")
def shop(client, platform):
    with Client(str(client.base_url), token(platform, "owner")) as opened:
        yield opened


def test_a_slot_is_booked_moved_and_given_up(shop):
    week = [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(1, 8)]
    shop.resources.put("table", name="Mesa", minutes=60, hours=week, overwrite=True)
    first, second, *_ = shop.resources.slots("table")
    booked = shop.bookings.book("table", first.start, owners=["email:ANA@tienda.es"], channel="app")
    assert (booked.state, booked.owners) == ("confirmed", [ANA])
    assert shop.resources.slots("table")[0].free == 0
    with pytest.raises(Shortage) as full:
        shop.bookings.book("table", first.start)
    assert full.value.details["available"] == 0
    waits = shop.waiting.join("table", first.start, ["loyalty:9001"])
    assert [each.id for each in shop.waiting.list(resource="table")] == [waits.id]
    assert shop.bookings.move(booked.id, second.start).start == second.start
    offered = shop.bookings.itinerary("loyalty:9001")
    assert [each.state for each in offered.items if each.resource == "table"] == ["offered", "confirmed"]
    assert {each.id for each in shop.bookings.itinerary(ANA).items} == {each.id for each in offered.items}
    day = second.start.date().isoformat()
    assert booked.id in {each.id for each in shop.bookings.list(day=day, resource="table")}
    assert shop.bookings.cancel(booked.id, "another day").state == "cancelled"


def test_a_person_follows_their_calendar_under_all_identifiers(shop, platform):
    desk_of_bookings.booked(platform, confirmed=True)
    link = shop.bookings.calendar_link("loyalty:9001")
    assert "ana" not in link
    body = opened_calendar(platform, link.rpartition("/")[2])
    found = {str(each["uid"]).partition("@")[0] for each in icalendar.Calendar.from_ical(body).walk("VEVENT")}
    assert found >= {f"booking-{each.id}" for each in shop.bookings.itinerary(ANA).items}
    with pytest.raises(NotFound):
        shop.bookings.calendar_link("email:nobody@tienda.es")


def test_staff_follow_a_place_by_token(shop, client):
    body = shop.bookings.calendar(place="S01")
    assert b"BEGIN:VEVENT" in body
    assert b"ana@" not in body
    answer = client.get("/v1/calendar", params={"resource": "fitting"})
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    with pytest.raises(Unreadable):
        shop.bookings.calendar()


def test_who_may_not_see_personal_data_sees_none(client, platform):
    booking = desk_of_bookings.booked(platform)
    headers = {"authorization": f"Bearer {token(platform, 'commerce.read')}"}
    answer = client.get(f"/v1/bookings/{booking.id}", headers=headers)
    assert answer.json()["start"] == to_iso(booking.start)
    assert "ana@" not in answer.text
    assert "talla" not in answer.text
