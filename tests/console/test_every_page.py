"""What holds for every page of the registry: it answers, in every language, to whom may see it and to nobody else."""

from __future__ import annotations

import re
import time
from collections import Counter

import pytest

from cauce.access.api import PERMISSIONS, ROLES
from cauce.console.areas.audit_words import action_said
from cauce.console.catalogues import catalogues
from cauce.console.frame import ANYBODY
from cauce.console.routes import areas, places
from cauce.console.static_files import files
from cauce.console.words import words_of
from tests.console.examples import WITHOUT, address_of

pytestmark = pytest.mark.soak

LOOKED_AT = [place for place in places() if place.page.method == "GET" and place.page.path not in WITHOUT]
CHANGING = [place for place in places() if place.page.method == "POST"]
SCRIPT_BYTES_MAX = 200_000


def named(place):
    return place.page.path


@pytest.fixture(scope="module")
def clients(seat):
    """(role, language) → a signed-in client, made once."""
    made = {}

    def client(role, language="en"):
        if (role, language) not in made:
            made[role, language] = seat.client(role, language=language)
        return made[role, language]

    return client


def may(role, place):
    return not place.permission or place.permission == ANYBODY or place.permission in ROLES[role][1]


@pytest.mark.parametrize("place", LOOKED_AT, ids=named)
@pytest.mark.parametrize("language", sorted(catalogues()))
def test_it_answers(seat, clients, place, language):
    answer = clients("owner", language).get(address_of(seat.platform, place.page.path))
    assert answer.status_code == 200, answer.text[-1_000:]
    if "<html" in answer.text:
        assert f'<html lang="{language}"' in answer.text
        assert answer.text.count("<h1") == 1
        assert not re.search(r"<script>|<style|\sstyle=|\son\w+=|javascript:", answer.text)
        repeated = [id for id, times in Counter(re.findall(r'\sid="([^"]+)"', answer.text)).items() if times > 1]
        assert not repeated
        scripts = re.findall(r'<script src="/static/\w+/([^"]+)"', answer.text)
        assert sum(len(files()[name].body) for name in scripts) <= SCRIPT_BYTES_MAX
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("place", LOOKED_AT, ids=named)
def test_it_is_refused_to_roles_that_may_not_see_it(seat, clients, place):
    for role in ROLES:
        if not may(role, place):
            answer = clients(role).get(address_of(seat.platform, place.page.path))
            assert answer.status_code == 403, (role, answer.status_code)


@pytest.mark.parametrize("place", [place for place in LOOKED_AT if place.permission != ANYBODY], ids=named)
def test_nobody_is_led_to_the_door(seat, clients, place):
    answer = clients("").get(address_of(seat.platform, place.page.path), follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("place", CHANGING, ids=lambda place: f"POST {place.page.path}")
def test_nothing_is_done_without_the_token_of_the_session(clients, place):
    path = re.sub(r"\{\w+(:int)?\}", "1", re.sub(r"\{\w+(:path)?\}", "x", place.page.path))
    assert clients("owner").post(path, data={"csrf": "guessed"}).status_code == 403
    assert clients("owner").post(path, data={}).status_code == 403
    token = clients("owner").token("/account")
    assert clients("engineer").post(path, data={"csrf": token}).status_code == 403


def test_every_permission_is_known_and_every_icon_is_there():
    symbols = set(re.findall(r'<symbol id="(\w+)"', files()["icons.svg"].body.decode()))
    for place in places():
        assert place.permission in {*PERMISSIONS, "", ANYBODY}
    for area in areas().values():
        assert area.icon in symbols


def test_an_area_changes_something_only_with_a_permission_to_write():
    reading = [
        place.page.path
        for place in CHANGING
        if place.permission.endswith(".read") or (not place.permission and place.name != "account")
    ]
    assert not reading


@pytest.mark.parametrize(
    ("address", "action"),
    [
        ("/people", "person.listed"),
        ("/people/search?q=ana", "person.searched"),
        ("/identity/clusters", "person.listed"),
        ("/identity/changes", "person.listed"),
        ("/orders/list", "person.listed"),
        ("/orders/1", "order.seen"),
        ("/bookings/waiting", "person.listed"),
        ("/pickups/orders/{order}", "order.seen"),
        ("/people/{key:path}", "person.seen"),
        ("/people/{key}/explain", "person.seen"),
        ("/orders/of/{key:path}", "person.seen"),
        ("/loyalty/panel/{person}", "loyalty.member_seen"),
        ("/bookings/at/{id}", "booking.seen"),
        ("/quarantine/{position:int}", "quarantine.seen"),
        ("/sources/web", "source.events_seen"),
    ],
)
def test_a_look_at_people_leaves_an_entry(own_seat, address, action):
    client = own_seat.client("owner")
    found = address_of(own_seat.platform, address) if "{" in address else address
    client.page(found)
    if address.startswith("/identity"):  # what looks at everybody comes by and by
        while "aria-busy" in client.page(found):
            time.sleep(0.01)
    own_seat.platform.audit.flush()
    entries = own_seat.platform.audit.entries().entries
    assert ("the-owner", action) in [(entry.actor, entry.action) for entry in entries]
    shown = client.page("/audit")
    assert action_said(words_of("en"), action) in shown
    for entry in entries:
        assert (f'href="/people/{entry.subject}"' in shown) == bool(re.fullmatch(r"p_\w{13}", entry.subject))
