"""Calendars of bookings: what a calendar program reads of them, and links that nobody can make up."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cauce.commerce.bookings import api
from cauce.commerce.bookings.calendar import LINK_DAYS, STATUS, Calendars, Feed, written
from cauce.commerce.bookings.nouns import Booking, Resource
from cauce.errors import NotFound
from cauce.model import from_iso
from cauce.model.time import DAY, HOUR, MINUTE

TEN = from_iso("2026-11-23T09:00:00+00:00")
ROOM = Resource(id="room", name="Probador; 1, arriba", place="S01", zone="Europe/Madrid", minutes=60)
BOOKED = Booking(
    id=17, resource="room", start=TEN, end=TEN + HOUR, party=2, state="confirmed", due=0,
    owners=("email:ana@tienda.es",), note="talla M", at=TEN - DAY, changed=TEN - DAY,
)  # fmt: skip
LINKS = Calendars(b"s" * 32)


def events(*bookings: Booking, is_staff: bool = False) -> list[icalendar.Event]:
    body = written(Feed("Madrid", LINKS.domain, is_staff), bookings, {"room": ROOM})
    assert b"ana@" not in body
    assert b"talla" not in body
    calendar = icalendar.Calendar.from_ical(body)
    assert [str(zone["tzid"]) for zone in calendar.walk("VTIMEZONE")] == ["Europe/Madrid"]
    return list(calendar.walk("VEVENT"))


def test_a_booking_is_an_event_in_the_time_of_its_place():
    (event,) = events(BOOKED)
    assert event.start.isoformat() == "2026-11-23T10:00:00+01:00"
    assert event.end - event.start == timedelta(hours=1)
    assert (str(event["summary"]), str(event["location"])) == ("Probador; 1, arriba", "S01")
    assert (str(event["status"]), event["sequence"]) == ("CONFIRMED", 0)
    (told,) = events(BOOKED, is_staff=True)
    assert str(told["summary"]).endswith("· 2 · #17")


def test_a_change_keeps_the_id_and_counts_on():
    moved = replace(BOOKED, start=TEN + HOUR, end=TEN + 2 * HOUR, changed=BOOKED.changed + MINUTE)
    gone = replace(moved, state="cancelled", changed=moved.changed + MINUTE)
    first, second, third = events(BOOKED, moved, gone)
    assert first["uid"] == second["uid"] == third["uid"]
    assert first["sequence"] < second["sequence"] < third["sequence"]
    assert str(third["status"]) == "CANCELLED"


def test_every_state_has_a_status():
    assert set(STATUS) == {"held", "offered", "confirmed", "attended", "no_show", "cancelled", "expired"}
    assert set(STATUS.values()) == {"TENTATIVE", "CONFIRMED", "CANCELLED"}


@given(st.binary(max_size=80), st.integers(0, 10_000))
def test_a_link_opens_what_it_was_made_for_and_nothing_else(noise: bytes, place: int):
    link = LINKS.link(BOOKED)
    assert LINKS.opened(link, TEN) == 17
    place %= len(link)
    changed = link[:place] + ("A" if link[place] != "A" else "B") + link[place + 1 :]
    for wrong in (changed, link[:-1], noise.hex(), "ñ", "", Calendars(b"t" * 32).link(BOOKED)):
        with pytest.raises(NotFound):
            LINKS.opened(wrong, TEN)
    with pytest.raises(NotFound, match="run out"):
        LINKS.opened(link, BOOKED.at + LINK_DAYS * DAY)


@given(st.dates(date(2020, 1, 1), date(2035, 12, 31)), st.sampled_from(["UTC", "Europe/Madrid", "America/Santiago"]))
def test_days_follow_one_another_without_a_gap(day: date, zone: str):
    first, last = api.bounds_of(zone, day)
    assert 23 * HOUR <= last - first <= 25 * HOUR
    assert api.bounds_of(zone, day + timedelta(days=1))[0] == last
    assert api.day_of(zone, first) == api.day_of(zone, last - 1) == day
    assert ZoneInfo(zone)
