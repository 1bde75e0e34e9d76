"""Opening hours: after midnight, over changes of the clock, on special days, and what can be promised."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.catalogue.api import closing, next_opening, open_at, opens_on, promised
from cauce.commerce.catalogue.nouns import Opening, Place, Span, SpecialDay
from cauce.commerce.catalogue.rules import hours as rules
from cauce.errors import DefinitionInvalid
from cauce.model import DAY, HOUR, MINUTE, SECOND, from_iso, to_iso

ZONES = ("Europe/Madrid", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")


def store(hours: str, special: str = "", zone: str = "Europe/Madrid") -> Place:
    return Place(id="S01", zone=zone, hours=rules.read_hours(hours), special_days=rules.read_special_days(special))


def at(text: str) -> int:
    return from_iso(text)


@st.composite
def weeks(draw: st.DrawFn) -> tuple[Opening, ...]:
    """Up to three spans a day that do not overlap; the last may end after midnight."""
    found = []
    for weekday in draw(st.sets(st.integers(1, 7), min_size=1)):
        marks = sorted(draw(st.sets(st.integers(0, 96), min_size=2, max_size=6)))
        for opens, closes in zip(marks[::2], marks[1::2], strict=False):
            last = draw(st.booleans()) and closes == marks[-1] and marks[0] > 8
            until = draw(st.integers(1, 8)) + 96 if last else closes
            found.append(Opening(weekday=weekday, opens=rules.clock(opens * 15), closes=rules.clock(until * 15)))
    return tuple(found)


instants = st.integers(at("2026-01-01"), at("2027-12-31")).map(lambda moment: moment // SECOND * SECOND)


def by_the_clock(place: Place, instant: int) -> bool:
    """Whether a clock on the wall shows an hour of its own or of the evening before; the slow and plain way."""
    wall = datetime.fromtimestamp(instant // SECOND, ZoneInfo(place.zone)).replace(tzinfo=None)
    for back in (0, 1):
        day = wall.date() - timedelta(days=back)
        for opening in place.hours:
            if opening.weekday != day.isoweekday():
                continue
            opens, closes = (int(text[:2]) * 60 + int(text[3:]) for text in (opening.opens, opening.closes))
            midnight = datetime.fromisoformat(day.isoformat())
            end = closes if closes > opens else closes + 1_440
            if midnight + timedelta(minutes=opens) <= wall < midnight + timedelta(minutes=end):
                return True
    return False


def near_a_change_of_the_clock(zone: str, instant: int) -> bool:
    offsets = {
        datetime.fromtimestamp((instant + step) // SECOND, ZoneInfo(zone)).utcoffset()
        for step in range(-3 * HOUR, 4 * HOUR, HOUR)
    }
    return len(offsets) > 1


@given(weeks(), st.sampled_from(ZONES), instants)
def test_a_place_is_open_when_a_clock_on_its_wall_says_so(hours: tuple[Opening, ...], zone: str, instant: int) -> None:
    place = Place(id="S01", zone=zone, hours=hours)
    if not near_a_change_of_the_clock(zone, instant):
        assert open_at(place, instant) == by_the_clock(place, instant)


@settings(max_examples=50)
@given(weeks(), st.sampled_from(ZONES), instants, st.integers(0, 600))
def test_a_promise_falls_into_opening_hours_after_exactly_so_many_minutes_of_them(
    hours: tuple[Opening, ...], zone: str, instant: int, minutes: int
) -> None:
    place = Place(id="S01", zone=zone, hours=hours)
    promise = promised(place, instant, minutes)
    assert promise is not None
    assert promise >= instant + minutes * MINUTE
    assert open_at(place, promise)
    if promise - instant <= 7 * DAY:
        seconds = sum(_open_seconds(place, instant, promise))
        assert seconds == minutes * 60


def _open_seconds(place: Place, since: int, until: int) -> list[int]:
    """Seconds of each stretch of opening hours within a time, found by walking from change to change."""
    found, moment = [], since
    while moment < until:
        opens = next_opening(place, moment)
        if opens is None or opens >= until:
            break
        ends = closing(place, opens)
        moment = min(until, ends if ends is not None else until)
        found.append((moment - opens) // SECOND)
    return found


@given(weeks(), st.sampled_from(ZONES), instants, st.integers(0, 300), st.integers(0, 300))
def test_more_minutes_or_a_later_beginning_never_promise_sooner(
    hours: tuple[Opening, ...], zone: str, instant: int, minutes: int, more: int
) -> None:
    place = Place(id="S01", zone=zone, hours=hours)
    first = promised(place, instant, minutes)
    assert first is not None
    assert first <= (promised(place, instant, minutes + more) or 0)
    assert first <= (promised(place, instant + more * MINUTE, minutes) or 0)


@settings(max_examples=50)
@given(weeks(), st.sampled_from(ZONES), instants)
def test_it_closes_after_it_opens_and_is_open_in_between(hours: tuple[Opening, ...], zone: str, instant: int) -> None:
    place = Place(id="S01", zone=zone, hours=hours)
    opens = next_opening(place, instant)
    assert opens is not None
    assert opens == instant or not open_at(place, opens - SECOND) or not open_at(place, instant)
    ends = closing(place, opens)
    if ends is not None:
        assert open_at(place, ends - SECOND)
        assert not open_at(place, ends)
    assert (closing(place, instant) is not None) <= open_at(place, instant)


@settings(max_examples=50)
@given(weeks())
def test_hours_in_one_line_are_read_as_they_were_written(hours: tuple[Opening, ...]) -> None:
    week = rules.week_of(hours, ())
    assert rules.week_of(rules.read_hours(rules.written_hours(hours)), ()) == week


def test_after_midnight_a_place_is_open_by_the_hours_of_the_evening_before() -> None:
    bar = store("Fr-Sa 20:00-02:30")
    assert open_at(bar, at("2026-11-22T02:29:59+01:00"))
    assert not open_at(bar, at("2026-11-22T02:30:00+01:00"))
    assert not open_at(bar, at("2026-11-20T01:00:00+01:00"))
    assert opens_on(bar, date(2026, 11, 21)) == (("20:00", "02:30"),)


def test_a_whole_day_has_no_gap_at_midnight() -> None:
    always = store("24/7")
    assert open_at(always, at("2026-11-21T23:59:59+01:00"))
    assert open_at(always, at("2026-11-22T00:00:00+01:00"))
    assert closing(always, at("2026-11-21")) is None
    assert promised(always, at("2026-11-21"), 5_000) == at("2026-11-21") + 5_000 * MINUTE


def test_an_hour_that_is_skipped_in_spring_is_not_there() -> None:
    night = store("Su 02:00-03:00", zone="Europe/Madrid")
    assert next_opening(night, at("2026-03-28T12:00+01:00")) == at("2026-04-05T02:00+02:00")
    whole_night = store("Sa 22:00-06:00")
    opens = at("2026-03-28T22:00+01:00")
    assert closing(whole_night, opens) == opens + 7 * HOUR


def test_the_night_of_autumn_is_an_hour_longer() -> None:
    whole_night = store("Sa 22:00-06:00")
    opens = at("2026-10-24T22:00+02:00")
    assert closing(whole_night, opens) == opens + 9 * HOUR
    assert to_iso(promised(whole_night, opens, 8 * 60) or 0) == "2026-10-25T04:00:00Z"


def test_a_special_day_has_its_own_hours_and_one_of_a_year_comes_before_that_of_every_year() -> None:
    shop = store("Mo-Su 10:00-20:00", "12-25 off (Navidad); 12-24 10:00-14:00; 2027-12-24 off")
    assert not open_at(shop, at("2026-12-25T12:00+01:00"))
    assert not open_at(shop, at("2029-12-25T12:00+01:00"))
    assert next_opening(shop, at("2026-12-24T14:00+01:00")) == at("2026-12-26T10:00+01:00")
    assert open_at(shop, at("2026-12-24T12:00+01:00"))
    assert not open_at(shop, at("2027-12-24T12:00+01:00"))
    assert rules.written_special_days(shop.special_days).startswith("12-25 off (Navidad); 12-24 10:00-14:00")
    assert rules.read_special_days(rules.written_special_days(shop.special_days)) == shop.special_days


def test_what_would_be_ready_as_it_closes_is_ready_as_it_opens_next() -> None:
    shop = store("Mo-Fr 10:00-14:00,17:00-20:00")
    assert promised(shop, at("2026-11-20T13:00+01:00"), 60) == at("2026-11-20T17:00+01:00")
    assert promised(shop, at("2026-11-20T19:30+01:00"), 60) == at("2026-11-23T10:30+01:00")


@pytest.mark.parametrize("place", [Place(id="S01"), store("", "2026-12-25 off")])
def test_a_place_without_hours_is_never_open(place: Place) -> None:
    assert not open_at(place, at("2026-11-20"))
    assert next_opening(place, at("2026-11-20")) is None
    assert promised(place, at("2026-11-20"), 10) is None


def test_a_place_that_opens_once_a_year_is_found() -> None:
    fair = store("", "01-05 09:00-24:00")
    assert next_opening(fair, at("2026-01-06T12:00+01:00")) == at("2027-01-05T09:00+01:00")


def test_the_ends_of_the_calendar_are_no_fault() -> None:
    shop = store("Mo-Su 10:00-20:00")
    last = int(datetime(9999, 12, 31, 23, tzinfo=UTC).timestamp()) * SECOND
    assert promised(shop, last, 60) is None
    assert next_opening(shop, 0) is not None


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ((Opening(weekday=8, opens="10:00", closes="12:00"),), "weekday"),
        ((Opening(weekday=1, opens="10:00", closes="10:00"),), "00:00–24:00"),
        ((Opening(weekday=1, opens="9", closes="10:00"),), "time such as"),
        ((Opening(weekday=1, opens="24:00", closes="10:00"),), "before 24:00"),
        ((Opening(weekday=1, opens="24:30", closes="10:00"),), "time such as"),
        (
            (Opening(weekday=1, opens="10:00", closes="14:00"), Opening(weekday=1, opens="13:00", closes="15:00")),
            "overlap",
        ),
    ],
)
def test_hours_that_make_no_sense_are_refused(hours: tuple[Opening, ...], said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        rules.week_of(hours, ())
    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["Mo", "Xx 10:00-12:00", "Mo-Fr 10:00", "Mo 10:00-12:00,", "Dec 25 off"])
def test_a_line_of_hours_that_is_none_is_refused_with_the_part_that_is_meant(text: str) -> None:
    with pytest.raises(DefinitionInvalid):
        rules.read_hours(text)


@pytest.mark.parametrize("text", ["2026-02-30 off", "25-12 off", "2026-12-25", "12-25 from ten", "13-01 off"])
def test_a_special_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DefinitionInvalid):
        rules.read_special_days(text)


def test_a_day_cannot_be_special_twice() -> None:
    day = SpecialDay(date="12-25", spans=(Span(opens="10:00", closes="12:00"),))
    with pytest.raises(DefinitionInvalid, match="twice"):
        rules.week_of((), (day, day))
