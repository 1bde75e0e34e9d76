"""A promise never lies in closed hours, and never before its lead time is over."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cauce.commerce.catalogue.api import Opening, Place, open_at
from cauce.commerce.fulfilment.rules import promise
from cauce.commerce.fulfilment.rules.definition import Promise
from cauce.model.time import DAY, HOUR, MINUTE
from tests.commerce.fulfilment.stores import WEEK, moment

START, END = moment("2026-03-20T00:00"), moment("2027-04-05T00:00")
CLOCKS = st.integers(0, 47).map(lambda half: f"{half // 2:02d}:{half % 2 * 30:02d}")


@st.composite
def places(draw, id_="P"):
    hours = []
    for day in draw(st.sets(st.integers(1, 7), min_size=1)):
        opens, closes = sorted(draw(st.sets(CLOCKS, min_size=2, max_size=2)))
        hours.append(Opening(weekday=day, opens=opens, closes=closes))
    zone = draw(st.sampled_from(("Europe/Madrid", "Atlantic/Canary", "America/Mexico_City", "UTC")))
    return Place(id=id_, zone=zone, hours=tuple(hours))


PROMISES = st.builds(
    Promise,
    lead_minutes=st.integers(0, 3_000),
    cut_off=st.just("") | CLOCKS,
    transfer_hours=st.integers(0, 72),
)


def is_within_reach(place, told):
    """Whether a place is open long enough within 400 days; by 56 weeks, less what clocks that change take of them."""
    weekly = sum(_minutes(span.closes) - _minutes(span.opens) for span in place.hours)
    return weekly * 56 - 180 > told.lead_minutes


def _minutes(clock):
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


@settings(max_examples=50)
@given(places(), places("D"), st.integers(START, END), PROMISES, st.booleans())
def test_a_promise_lies_in_open_hours_after_its_lead_time(place, desk, now, told, is_sent):
    assume(is_within_reach(place, told))
    found = promise.ready_at(place, desk if is_sent else place, now, told)
    assert found is not None
    assert open_at(desk if is_sent else place, found)
    assert found >= now + told.lead_minutes * MINUTE + (told.transfer_hours * HOUR if is_sent else 0)


@settings(max_examples=50)
@given(places(), st.integers(START, END), PROMISES)
def test_what_comes_after_the_cut_off_is_begun_on_a_later_day(place, now, told):
    begins = promise.begins(place, now, told.cut_off_minutes)
    zone = ZoneInfo(place.zone)
    ordered, begun = (datetime.fromtimestamp(at // 1_000_000, zone) for at in (now, begins))
    is_late = bool(told.cut_off) and f"{ordered:%H:%M}" > told.cut_off
    assert (begun.date() > ordered.date()) == is_late
    assert begins >= now


@settings(max_examples=50)
@given(places(), st.integers(START, END), PROMISES, st.integers(0, 10**11))
def test_who_orders_later_is_never_promised_earlier(place, now, told, later):
    assume(is_within_reach(place, told))
    first, second = (promise.packed_at(place, at, told) for at in (now, now + later))
    assert first is not None
    assert second is not None
    assert first <= second


def test_nothing_is_promised_that_takes_longer_than_400_days():
    place = Place(id="P", hours=(Opening(weekday=1, opens="00:00", closes="00:30"),))
    now = 1_773_961_200_000_000
    assert promise.packed_at(place, now, Promise(lead_minutes=1_710)) is None
    found = promise.packed_at(place, now, Promise(lead_minutes=1_650))
    assert found is not None
    assert now + 380 * DAY < found < now + 400 * DAY


def test_a_place_that_never_opens_promises_nothing():
    assert promise.ready_at(Place(id="P"), None, START, Promise()) is None
    assert promise.ready_at(Place(id="P", hours=WEEK), Place(id="D"), START, Promise()) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-23T11:00", "2026-11-23T13:00"),
        ("2026-11-23T17:01", "2026-11-24T12:00"),  # after the cut-off
        ("2026-11-23T17:00", "2026-11-23T19:00"),
        ("2026-11-23T08:00", "2026-11-23T12:00"),
        ("2026-11-28T18:30", "2026-11-30T12:00"),  # Saturday evening: Sunday is closed
    ],
)
def test_as_clocks_in_the_store_show_it(now, expected):
    place = Place(id="MAD", zone="Europe/Madrid", hours=WEEK)
    told = Promise(lead_minutes=120, cut_off="17:00")
    assert promise.ready_at(place, place, moment(now), told) == moment(expected)
