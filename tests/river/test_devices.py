"""Shared devices under the policy *last authenticated*: each anonymous event has one owner at most, in any order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.events import decisions
from cauce.identity.api import text_of
from cauce.model import DECISION, DECISIONS, MINUTE, to_iso
from cauce.profiles import devices
from cauce.testing.simulate import START, Entry, River, shuffled, traffic
from tests.river.test_promises import NOW, SEEDS, examples, known

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Gives a fresh folder at each call, also inside Hypothesis."""
    counter = iter(range(1_000_000))
    base = tmp_path_factory.mktemp("devices")
    return lambda: base / str(next(counter))


def policy(minutes: int = 30) -> Entry:
    rules = {"shared_device": {"policy": "last_authenticated", "window_minutes": minutes}}
    return (DECISIONS, DECISIONS, START, decisions.encode("identity.rules_applied", {"rules": rules}, "s", START))


def view(minute: int, user: str = "", device: str = "kiosk") -> Entry:
    event = {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"{minute}",
        "timestamp": to_iso(START + minute * MINUTE),
        "anonymousId": device,
        "properties": {"product_id": f"p{minute}"},
    } | ({"userId": user} if user else {})
    return ("web", "tracking", NOW - 1, msgspec.json.encode({"batch": [event]}))


KIOSK = [view(0, "ana"), view(5), view(40), view(60, "luis"), view(70), view(71), view(99)]


def timeline(river: River, name: str, limit: int = 2) -> list[tuple[str, str]]:
    """(event id, device that lent it) of somebody, newest first, read in small pages."""
    views = river.views()
    person = views.people.locate(name).id
    found: list[tuple[str, str]] = []
    cursor = ""
    while True:
        page = views.profiles.timeline(person, cursor=cursor, limit=limit)
        found += [(entry.event.id, entry.device) for entry in page.events]
        cursor = page.cursor
        if not cursor:
            return found


def seen(river: River, name: str) -> tuple[int, Any]:
    views = river.views()
    person = views.people.locate(name).id
    profile = views.profiles.profile(person, now=NOW)
    assert views.profiles.values_of(person, now=NOW) == profile.computed
    return profile.events, profile.last_seen


def test_nobody_is_the_default_and_asks_nothing(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.Devices, "around", None)
    river = River(KIOSK, history=folder()).drain()
    assert timeline(river, "user_id:ana") == [("0", "")]
    assert [id for id, _ in timeline(river, "anonymous_id:kiosk")] == ["99", "71", "70", "40", "5"]


def test_events_go_to_who_authenticated_last_and_say_so(folder: Any) -> None:
    river = River([policy(), *KIOSK], history=folder()).drain()
    assert timeline(river, "user_id:ana") == [("5", "anonymous_id:kiosk"), ("0", "")]
    lent = [("71", "anonymous_id:kiosk"), ("70", "anonymous_id:kiosk"), ("60", "")]
    assert timeline(river, "user_id:luis") == lent
    assert timeline(river, "anonymous_id:kiosk") == [("99", ""), ("40", "")]
    assert seen(river, "user_id:ana") == (2, START + 5 * MINUTE)
    assert seen(river, "user_id:luis") == (3, START + 71 * MINUTE)
    assert seen(river, "anonymous_id:kiosk") == (2, START + 99 * MINUTE)


def test_a_device_of_one_person_is_no_shared_device(folder: Any) -> None:
    river = River([policy(), view(0, "ana", "laptop"), view(50, "", "laptop")], history=folder()).drain()
    assert timeline(river, "user_id:ana") == [("50", ""), ("0", "")]


def test_a_device_with_too_much_on_it_keeps_its_events(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "NEIGHBOURS_MAX", 1)
    river = River([policy(), *KIOSK], history=folder()).drain()
    assert timeline(river, "user_id:ana") == [("0", "")]
    assert len(timeline(river, "anonymous_id:kiosk")) == 5


@examples(8)
@given(seed=SEEDS, order=SEEDS, minutes=st.sampled_from([20, 600, 100_000]))
def test_any_order_gives_the_same_owners_and_every_event_has_one(
    folder: Any, seed: int, order: int, minutes: int
) -> None:
    entries = traffic(seed, 70, with_decisions=False)
    one = River([policy(minutes), *entries], history=folder()).drain()
    other = River([policy(minutes), *shuffled(entries, order)], history=folder()).drain(batch_records=4)
    people = known(one)
    assert people == known(other)
    stored = [found for chunk in one.views().archive.scan() for found in chunk if found.event.type != DECISION]
    assert sum(person["events"] for person in people.values()) == sum(1 for found in stored if found.subject)
    listed = [id for person in people.values() for id, _ in timeline(one, person["identifiers"][0], limit=50)]
    assert sorted(listed) == sorted(found.event.id for found in stored if found.subject)
    assert [text for text in people if text != text_of(one.views().people.locate(text).id)] == []


def test_traffic_lends_something(folder: Any) -> None:
    """So that the generated test above is about something."""
    river = River([policy(100_000), *traffic(4, 150, with_decisions=False)], history=folder()).drain()
    names = [person["identifiers"][0] for person in known(river).values()]
    assert sum(1 for name in names for _, device in timeline(river, name, limit=50) if device) > 5
