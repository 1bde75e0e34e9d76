"""A page of a timeline: filtered by text and dates, and as it was known at a past moment."""

from __future__ import annotations

import pytest

from cauce.model import DAY
from cauce.profiles.api import Filter
from tests.profiles.test_past import BROWSER, USER, Installation, visit
from tests.profiles.world import START, event


def shop() -> Installation:
    found = Installation()
    for number in range(1, 13):
        found.send(
            visit(
                number,
                USER,
                occurred=START + number * DAY,
                received=START + number * DAY,
                channel="web" if number % 2 else "store",
                traits={"city": "Mérida"} if number == 5 else {},
            )
        )
    return found


def positions(installation: Installation, limit: int = 3, **changes) -> list[int]:
    """Numbers of all events that pages show, from the first cursor to the last."""
    person = installation.people.find(*USER)
    found: list[int] = []
    cursor = ""
    while True:
        page = installation.profiles.timeline(person.id, cursor=cursor, limit=limit, **changes)
        assert len(page.events) <= limit
        found += [each.event.position >> 20 for each in page.events]
        if not page.cursor:
            return found
        cursor = page.cursor


def test_without_a_filter_everything_is_shown_newest_first():
    assert positions(shop()) == list(range(12, 0, -1))


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
def test_a_span_of_dates(limit):
    only = Filter(since=START + 4 * DAY, until=START + 9 * DAY)
    assert positions(shop(), limit, only=only) == [8, 7, 6, 5, 4]


def test_a_span_of_dates_and_a_channel():
    only = Filter(since=START + 4 * DAY, until=START + 9 * DAY, channels=frozenset({"web"}))
    assert positions(shop(), only=only) == [7, 5]


@pytest.mark.parametrize("text", ["mérida", "MÉRI", "city"])
def test_a_text_is_found_in_traits_whatever_its_case(text):
    assert positions(shop(), only=Filter(text=text)) == [5]


def test_a_text_that_nobody_said():
    assert positions(shop(), only=Filter(text="Oviedo")) == []


def test_the_past_shows_what_was_known_then():
    installation = shop()
    late = event(2).occurred
    installation.send(visit(20, USER, occurred=late, received=START + 20 * DAY))
    assert 20 in positions(installation)
    assert positions(installation, as_of=START + 6 * DAY) == [6, 5, 4, 3, 2, 1]
    assert positions(installation, 2, as_of=START + 6 * DAY, only=Filter(text="mérida")) == [5]


def test_the_past_shows_only_what_was_theirs_then():
    installation = Installation()
    installation.send(visit(1, USER), visit(2, BROWSER))
    installation.send(visit(3, USER, BROWSER))
    assert positions(installation) == [3, 2, 1]
    assert positions(installation, as_of=event(2).received) == [1]
