"""Bookings in the console: a day is looked at, a slot booked, moved, given up; who waits; what can be booked."""

from __future__ import annotations

import re

import pytest

from cauce.commerce.bookings import api
from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.bookings.resources import PutResource
from cauce.commerce.catalogue.nouns import Opening
from cauce.model.time import DAY

WEEK = tuple(Opening(weekday=day, opens="09:00", closes="13:00") for day in range(1, 8))
HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def shop(own_seat):
    """A seat with a room for one, and the beginning of its slots tomorrow."""
    room = Resource(id="room", name="Probador", place="S01", zone="Europe/Madrid", minutes=60, hours=WEEK)
    own_seat.platform.commerce.do(PutResource(resource=room))
    now = own_seat.platform.commerce.now
    slots = api.free_slots(own_seat.platform.commerce.reader, room, now + DAY, now + 3 * DAY, now)
    return own_seat, [slot.start for slot in slots]


def book(client, start, **fields):
    page = f"/bookings/slot?resource=room&start={start}"
    return client.send("/bookings/book", page=page, resource="room", start=str(start), **fields)


def test_a_slot_is_booked_moved_and_attended(shop):
    seat, starts = shop
    client, reader = seat.client("agent", language="es"), seat.platform.commerce.reader
    answer = book(client, starts[0], owner="ANA@tienda.es", note=HOSTILE, key="k1")
    assert answer.status_code == 303, answer.text
    where = answer.headers["location"]
    assert book(client, starts[0], owner="ANA@tienda.es", note=HOSTILE, key="k1").headers["location"] == where
    text = client.page(where)
    assert "ana@tienda.es" in text
    assert HOSTILE not in text
    id_ = where.rpartition("/")[2]
    assert client.send("/bookings/move", page=where, id=id_, start=str(starts[1])).status_code == 303
    assert api.find(reader, int(id_)).start == starts[1]
    early = client.send("/bookings/attend", page=where, id=id_, came="no")
    assert early.status_code == 422
    assert client.send("/bookings/attend", page=where, id=id_, came="yes").status_code == 303
    assert api.find(reader, int(id_)).state == "attended"
    day = api.day_of("Europe/Madrid", starts[1]).isoformat()
    shown = client.page(f"/bookings?place=S01&day={day}")
    for told in ("Probador", "completo", "1 de 1 libres", "vino", "○", "●"):
        assert told in shown


def test_who_finds_a_slot_full_waits(shop):
    seat, starts = shop
    client = seat.client("owner")
    where = book(client, starts[0], owner="email:ana@tienda.es").headers["location"]
    full = book(client, starts[0], owner="email:marta@tienda.es")
    assert (full.status_code, "has 0 places" in full.text) == (422, True)
    waits = book(client, starts[0], owner="email:marta@tienda.es", what="wait")
    assert waits.headers["location"] == "/bookings/waiting"
    assert "marta@tienda.es" in client.page("/bookings/waiting")
    assert client.send("/bookings/cancel", page=where, id=where.rpartition("/")[2]).status_code == 303
    assert "marta@tienda.es" not in client.page("/bookings/waiting")
    assert "offered" in client.page(f"/bookings/slot?resource=room&start={starts[0]}")


def test_a_person_gets_a_link_to_their_calendar(shop):
    seat, starts = shop
    client = seat.client("owner")
    where = book(client, starts[0], owner="email:ana@tienda.es").headers["location"]
    text = client.send("/bookings/link", page=where, id=where.rpartition("/")[2]).text
    link = re.search(r"/calendar/[\w-]+", text)
    assert link
    answer = seat.client("").get(link[0])
    assert answer.headers["content-type"].startswith("text/calendar")
    assert "BEGIN:VEVENT" in answer.text
    seat.client("").page(f"{link[0]}x", 404)


def test_a_resource_is_added_changed_and_retired(own_seat):
    client, reader = own_seat.client("engineer"), own_seat.platform.commerce.reader
    form = {
        "id": "class", "name": "Clase", "kind": "class", "place": "", "zone": "Europe/Madrid", "minutes": "45",
        "capacity": "8", "most": "2", "notice_minutes": "0", "horizon_days": "30", "hold_minutes": "15",
        "offer_minutes": "60", "confirms": "yes", "hours_Mo": "10:00-14:00, 17:00-20:00", "special_days": "12-25 off",
    }  # fmt: skip
    first = client.send("/bookings/resources/edit", page="/bookings/resources/new", is_new="yes", **form)
    assert first.status_code == 303, first.text
    assert len(api.resource(reader, "class").hours) == 2
    edit = "/bookings/resources/edit?id=class"
    assert "10:00-14:00, 17:00-20:00" in client.page(edit)
    again = {**form, "version": "1", "capacity": "0"}
    assert client.send("/bookings/resources/edit", page=edit, **again).status_code == 422
    assert client.send("/bookings/resources/edit", page=edit, **{**again, "capacity": "9"}).status_code == 303
    assert client.send("/bookings/resources/edit", page=edit, **{**again, "capacity": "7"}).status_code == 422
    assert api.resource(reader, "class").capacity == 9
    client.send("/bookings/resources/retire", page="/bookings/resources", id="class", retired="yes")
    assert api.resource(reader, "class").retired


def test_who_may_only_read_changes_nothing_and_sees_no_identifier(shop):
    seat, starts = shop
    book(seat.client("owner"), starts[0], owner="email:ana@tienda.es")
    text = seat.client("analyst").page(f"/bookings/slot?resource=room&start={starts[0]}")
    assert "ana@tienda.es" not in text
    assert 'action="/bookings/book"' not in text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/bookings/at/x", 404),
        ("/bookings/at/99", 404),
        ("/bookings/slot?resource=no&start=1", 404),
        ("/bookings?day=x", 200),
    ],
)
def test_what_is_not_there_is_told(seat, address, status):
    seat.client("owner").page(address, status)
