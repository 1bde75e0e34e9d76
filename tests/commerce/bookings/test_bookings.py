"""Bookings: no slot holds more than it can, nobody has two at one time, and who waits is asked when a place is free."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cauce.commerce.bookings import api, booking, resources, rules
from cauce.commerce.bookings.nouns import Booking, Resource, Waiting
from cauce.commerce.catalogue.nouns import Opening, SpecialDay
from cauce.commerce.parts import ACTIONS, CHORES, SHAPES
from cauce.commerce.proof import broken
from cauce.commerce.transact.carrier import Carrier, Command
from cauce.engines.api import Tables
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Shortage
from cauce.model import from_iso
from cauce.model.time import HOUR, MINUTE
from tests.furnished import FurnishedTables

pytestmark = pytest.mark.soak

MONDAY = from_iso("2026-11-23T07:00:00+00:00")
TEN = from_iso("2026-11-23T09:00:00+00:00")
"""Ten o'clock in Madrid."""
WEEKDAYS = tuple(Opening(weekday=day, opens="10:00", closes="14:00") for day in range(1, 6))
ROOM = Resource(id="room", name="Fitting room", zone="Europe/Madrid", hours=WEEKDAYS, minutes=60, capacity=2, most=2)
ANA, LUIS, EVA = "email:ana@tienda.es", "email:luis@tienda.es", "email:eva@tienda.es"


class Desk:
    """Commands one by one, on a clock of its own."""

    def __init__(self, tables: Tables, *shown: Resource) -> None:
        self.now = MONDAY
        self.tables = tables
        self.carrier = Carrier(tables, ACTIONS, SHAPES, lambda: self.now)
        for resource in shown:
            self.do(resources.PutResource(resource=resource))

    def do(self, command: Command) -> Any:
        (answer,) = self.carrier.carry_out([command])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def free(self, resource: Resource = ROOM, first: int = TEN) -> list[int]:
        return [slot.free for slot in api.free_slots(self.tables, resource, first, first + 4 * HOUR, self.now)]

    def names(self) -> list[str]:
        rows = self.tables.select("select body from outbox order by id")
        return [msgspec.json.decode(body)["name"] for (body,) in rows]


@pytest.fixture
def desk(memory: Tables) -> Desk:
    return Desk(memory, ROOM)


def test_a_slot_is_booked_until_it_is_full(desk: Desk) -> None:
    assert desk.free() == [2, 2, 2, 2]
    first = desk.do(booking.Book(resource="room", start=TEN, owners=(ANA,)))
    assert (first.state, first.end - first.start) == ("confirmed", HOUR)
    desk.do(booking.Book(resource="room", start=TEN))
    assert desk.free() == [0, 2, 2, 2]
    with pytest.raises(Shortage, match="Fitting room has 0 places") as full:
        desk.do(booking.Book(resource="room", start=TEN, owners=(LUIS,)))
    assert full.value.details == {"resource": "room", "start": TEN, "wanted": 1, "available": 0}
    desk.do(booking.CancelBooking(booking=first.id))
    assert desk.free() == [1, 2, 2, 2]
    assert desk.names() == ["Booking Confirmed", "Booking Confirmed", "Booking Cancelled"]


def test_all_slots_of_a_booking_or_none(desk: Desk) -> None:
    desk.do(booking.Book(resource="room", start=TEN + HOUR, party=2))
    with pytest.raises(Shortage):
        desk.do(booking.Book(resource="room", start=TEN, slots=3))
    assert desk.free() == [2, 0, 2, 2]
    long = desk.do(booking.Book(resource="room", start=TEN + 2 * HOUR, slots=2))
    assert desk.free() == [2, 0, 1, 1]
    with pytest.raises(Conflict, match="no 3 slots"):
        desk.do(booking.Book(resource="room", start=TEN + 2 * HOUR, slots=3))
    desk.do(booking.CancelBooking(booking=long.id))
    assert desk.free() == [2, 0, 2, 2]


def test_a_request_is_held_for_a_while(memory: Tables) -> None:
    asked = Resource(id="repair", name="Repair", zone="UTC", hours=WEEKDAYS, minutes=60, confirms=False)
    desk = Desk(memory, asked)
    ten = from_iso("2026-11-23T10:00:00+00:00")
    one = desk.do(booking.Book(resource="repair", start=ten, owners=(ANA,)))
    assert (one.state, one.due) == ("held", MONDAY + 15 * MINUTE)
    assert desk.do(booking.ConfirmBooking(booking=one.id)).state == "confirmed"
    other = desk.do(booking.Book(resource="repair", start=ten + HOUR))
    desk.now += 15 * MINUTE
    with pytest.raises(Ended, match="was held until"):
        desk.do(booking.ConfirmBooking(booking=other.id))
    desk.carrier.carry_out(CHORES)
    assert api.find(memory, other.id).state == "expired"
    assert desk.free(asked, ten) == [0, 1, 1, 1]


def test_who_waits_is_offered_what_becomes_free(desk: Desk) -> None:
    full = desk.do(booking.Book(resource="room", start=TEN, party=2, owners=(ANA,)))
    with pytest.raises(Conflict, match="there are places"):
        desk.do(booking.Wait(resource="room", start=TEN + HOUR, owners=(LUIS,)))
    first = desk.do(booking.Wait(resource="room", start=TEN, party=2, owners=(LUIS,)))
    second = desk.do(booking.Wait(resource="room", start=TEN, owners=(EVA,)))
    desk.do(booking.CancelBooking(booking=full.id))
    (offered,) = api.itinerary(desk.tables, [LUIS], MONDAY, TEN + HOUR)
    assert (offered.state, offered.due, offered.party) == ("offered", MONDAY + HOUR, 2)
    assert [each.id for each in api.waiting(desk.tables)] == [second.id]
    desk.now += HOUR
    desk.carrier.carry_out(CHORES)  # Luis did not answer, so Eva is asked
    assert api.find(desk.tables, offered.id).state == "expired"
    (hers,) = api.itinerary(desk.tables, [EVA], MONDAY, TEN + HOUR)
    assert desk.do(booking.ConfirmBooking(booking=hers.id)).state == "confirmed"
    assert desk.free() == [1, 2, 2, 2]
    with pytest.raises(Ended):
        desk.do(booking.StopWaiting(waiting=first.id))
    assert desk.names()[-3:] == ["Booking Expired", "Booking Offered", "Booking Confirmed"]


def test_a_booking_moves_with_its_places_or_stays(desk: Desk) -> None:
    one = desk.do(booking.Book(resource="room", start=TEN, party=2, owners=(ANA,)))
    desk.do(booking.Book(resource="room", start=TEN + HOUR))
    with pytest.raises(Shortage):
        desk.do(booking.MoveBooking(booking=one.id, start=TEN + HOUR))
    assert desk.free() == [0, 1, 2, 2]
    moved = desk.do(booking.MoveBooking(booking=one.id, start=TEN + 2 * HOUR))
    assert (moved.id, moved.state, moved.start) == (one.id, "confirmed", TEN + 2 * HOUR)
    assert desk.free() == [2, 1, 0, 2]
    assert [each.start for each in api.itinerary(desk.tables, [ANA], MONDAY, TEN + 9 * HOUR)] == [TEN + 2 * HOUR]


def test_people_come_or_do_not(desk: Desk) -> None:
    one = desk.do(booking.Book(resource="room", start=TEN))
    with pytest.raises(Conflict, match="nobody has missed it yet"):
        desk.do(booking.Attend(booking=one.id, came=False))
    desk.now = TEN + MINUTE
    assert desk.do(booking.Attend(booking=one.id, came=False)).state == "no_show"
    with pytest.raises(Ended, match="is no_show"):
        desk.do(booking.CancelBooking(booking=one.id))


def test_slots_that_a_resource_had_before_are_not_booked_over(desk: Desk) -> None:
    desk.do(booking.Book(resource="room", start=TEN))
    shorter = Resource(id="room", name="Fitting room", zone="Europe/Madrid", hours=WEEKDAYS, minutes=45, capacity=2)
    desk.do(resources.PutResource(resource=shorter))
    with pytest.raises(Conflict, match="by a slot that it had before"):
        desk.do(booking.Book(resource="room", start=TEN + 45 * MINUTE))
    assert desk.do(booking.Book(resource="room", start=TEN + 90 * MINUTE)).state == "confirmed"


def test_less_capacity_holds_what_was_booked(desk: Desk) -> None:
    desk.do(booking.Book(resource="room", start=TEN, party=2))
    narrow = Resource(id="room", name="Fitting room", zone="Europe/Madrid", hours=WEEKDAYS, minutes=60, capacity=1)
    desk.do(resources.PutResource(resource=narrow))
    assert desk.free(narrow) == [0, 1, 1, 1]
    with pytest.raises(Shortage):
        desk.do(booking.Book(resource="room", start=TEN))
    assert broken(desk.tables, desk.now) == []


def test_too_soon_too_far_and_retired(desk: Desk) -> None:
    with pytest.raises(Conflict, match="no slot that begins then"):
        desk.do(booking.Book(resource="room", start=TEN + MINUTE))
    with pytest.raises(Conflict, match="90 days ahead"):
        desk.do(booking.Book(resource="room", start=TEN + 91 * 24 * HOUR))
    desk.now = TEN + MINUTE
    with pytest.raises(Conflict, match="before it begins"):
        desk.do(booking.Book(resource="room", start=TEN))
    desk.do(resources.RetireResource(id="room"))
    with pytest.raises(Ended, match="cannot be booked any more"):
        desk.do(booking.Book(resource="room", start=TEN + HOUR))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"minutes": 0}, "minutes from 1"),
        ({"most": 3}, "at most the capacity 2"),
        ({"zone": "Mars/Base"}, "IANA time zone"),
        ({"name": ""}, "name of 1 to"),
        ({"hours": (Opening(weekday=1, opens="9", closes="10:00"),)}, "expected"),
    ],
)
def test_a_resource_that_makes_no_sense_is_refused(desk: Desk, change: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionInvalid, match=said):
        desk.do(resources.PutResource(resource=msgspec.structs.replace(ROOM, **change)))


def test_two_people_do_not_change_a_resource_over_each_other(desk: Desk) -> None:
    desk.do(resources.PutResource(resource=ROOM, expected=1))
    with pytest.raises(Conflict, match="was changed since"):
        desk.do(resources.PutResource(resource=ROOM, expected=1))


@given(
    minutes=st.integers(5, 240),
    opens=st.integers(0, 23),
    length=st.integers(1, 12),
    day=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
)
def test_slots_never_overlap_even_when_clocks_change(minutes: int, opens: int, length: int, day: date) -> None:
    closes = f"{(opens + length) % 24:02}:00"
    hours = tuple(Opening(weekday=number, opens=f"{opens:02}:00", closes=closes) for number in range(1, 8))
    found = Resource(id="r", name="r", zone="Europe/Madrid", hours=hours, minutes=minutes)
    rules.checked(found)
    first = from_iso(f"{day.isoformat()}T00:00:00+00:00")
    slots = list(rules.slots_between(found, first, first + 72 * HOUR))
    assert all(end - start == minutes * MINUTE for start, end in slots)
    assert all(one[1] <= other[0] for one, other in pairwise(slots))


def test_a_closed_day_has_no_slots() -> None:
    closed = Resource(
        id="r", name="r", zone="Europe/Madrid", hours=WEEKDAYS, special_days=(SpecialDay(date="2026-11-23"),)
    )
    assert list(rules.slots_on(closed, date(2026, 11, 23))) == []
    assert len(list(rules.slots_on(closed, date(2026, 11, 24)))) == 8


STARTS = st.sampled_from([TEN + hour * HOUR for hour in range(4)])
STEPS = st.one_of(
    st.builds(
        booking.Book, resource=st.just("room"), start=STARTS, party=st.integers(1, 2), slots=st.integers(1, 2),
        owners=st.sampled_from([(), (ANA,), (LUIS,)]), confirmed=st.booleans(),
    ),
    st.builds(booking.ConfirmBooking, booking=st.integers(1, 8)),
    st.builds(booking.CancelBooking, booking=st.integers(1, 8)),
    st.builds(booking.MoveBooking, booking=st.integers(1, 8), start=STARTS),
    st.builds(booking.Wait, resource=st.just("room"), start=STARTS, owners=st.just((EVA,)), party=st.integers(1, 2)),
    st.builds(
        lambda capacity: resources.PutResource(resource=Resource(
            id="room", name="Fitting room", zone="Europe/Madrid", hours=WEEKDAYS, minutes=60, capacity=capacity,
            most=2,
        )), st.integers(2, 3),
    ),
    st.integers(1, 20),
)  # fmt: skip


def judge(tables: Tables, steps: list[Any]) -> None:
    """Whatever is done: places taken in a slot are those of its bookings, at most the most it ever could hold."""
    desk = Desk(tables, ROOM)
    for step in steps:
        if isinstance(step, int):
            desk.now += step * MINUTE
            assert [answer for answer in desk.carrier.carry_out(CHORES) if isinstance(answer, Exception)] == []
            continue
        (answer,) = desk.carrier.carry_out([step])
        assert isinstance(answer, Booking | Waiting | Resource | Conflict | NotFound), (step, answer)
    found = api.bookings(tables, MONDAY, TEN + 24 * HOUR)
    now = {slot.start: slot for slot in api.free_slots(tables, api.resource(tables, "room"), TEN, TEN + 4 * HOUR, 0)}
    for start, slot in now.items():
        taken = sum(one.party for one in found if one.start <= start < one.end and one.state in rules.TAKING)
        assert taken <= 3
        assert slot.free == max(0, slot.capacity - taken), (slot, taken)
    assert broken(tables, 0) == []


@given(steps=st.lists(STEPS, max_size=25))
def test_a_slot_never_holds_more_than_it_can(steps: list[Any]) -> None:
    judge(FurnishedTables(), steps)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=5, max_size=15))
def test_on_every_engine(fresh: Callable[[], Callable[[], Tables]], steps: list[Any]) -> None:
    tables = fresh()()
    judge(tables, steps)
    tables.close()
