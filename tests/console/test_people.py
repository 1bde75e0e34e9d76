"""The people page: who is found and shown, to whom, and what is hidden from whom."""

from __future__ import annotations

from html import unescape

import pytest

from cauce.profiles.masking import masked
from tests.console.seat import Seat


def somebody(seat: Seat, kind: str = "email") -> tuple[str, str, str]:
    """(person id, a value of that kind, their name as the golden record has it) of somebody with a name."""
    for (value,) in seat.platform.reader.select("select value from identifier where kind = ? order by id", (kind,)):
        person = seat.platform.people.locate(f"{kind}:{value}")
        traits = seat.platform.profiles.traits(person.id)
        if "firstName" in traits and "lastName" in traits:
            return person.text, str(value), f"{traits['firstName'].value} {traits['lastName'].value}"
    raise AssertionError("the world has nobody with a name")


def test_who_was_here_last_is_shown(seat: Seat) -> None:
    text = seat.client("agent").page("/people")
    newest = next(stored for stored in seat.platform.archive.newest() if stored.subject)
    person = seat.platform.people.person(newest.subject)
    assert person is not None
    assert f'href="/people/{person.text}"' in text
    assert text.count('class="who"') == 20


def test_a_whole_identifier_leads_to_the_person(seat: Seat) -> None:
    person, email, _ = somebody(seat)
    answer = seat.client("agent").get("/people", params={"q": f" {email.upper()} "}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/people/{person}")


def test_a_name_with_an_error_is_found(seat: Seat) -> None:
    person, _, name = somebody(seat)
    first, _, last = name.partition(" ")
    typed = f"{first} {last[:2]}{last[3:]}"
    text = seat.client("agent").page(f"/people/search?q={typed}")
    assert f"/people/{person}" in text
    assert "<html" not in text, "results are a part of the page"


@pytest.mark.parametrize(("query", "kept"), [("kind=loyalty", "loyalty"), ("channel=web", "web"), ("since=1", "")])
def test_filters_keep_out_who_does_not_fit(seat: Seat, query: str, kept: str) -> None:
    text = unescape(seat.client("agent").page(f"/people?{query}"))
    ids = [part.partition('"')[0] for part in text.split('class="who" href="/people/')[1:]]
    profiles = [seat.platform.profiles.profile(seat.platform.people.locate(id).id) for id in ids]
    if query == "since=1":
        assert ids == [], "the world's last day is over"
        assert "Nobody lately" in text
    elif query == "channel=web":
        assert profiles
        assert all("web" in profile.channels for profile in profiles)
    else:
        assert profiles
        assert all(any(member.kind == kept for member in profile.identifiers) for profile in profiles)


def test_filters_hold_for_what_is_found(seat: Seat) -> None:
    person, _, name = somebody(seat, "loyalty")
    first = name.partition(" ")[0]
    assert f"/people/{person}" in seat.client("agent").page(f"/people/search?q={first}&kind=loyalty")
    assert f"/people/{person}" not in seat.client("agent").page(f"/people/search?q={first}&since=1")


@pytest.mark.parametrize("role", ["analyst", "marketer", "store_staff"])
def test_who_may_not_see_personal_data_sees_it_masked(seat: Seat, role: str) -> None:
    client = seat.client(role)
    person, email, name = somebody(seat)
    page = unescape(client.page("/people"))
    values = {value for (value,) in seat.platform.reader.select("select value from identifier where kind = 'email'")}
    assert [value for value in values if value in page] == []
    assert "•••" in page
    assert "only a whole identifier" in page
    assert f"/people/{person}" in client.page("/people/search", params={"q": email})
    assert masked(email) in unescape(client.page("/people/search", params={"q": email}))
    assert "Nobody was found" in client.page("/people/search", params={"q": email[:-3]})
    assert "Nobody was found" in client.page("/people/search", params={"q": name})


def test_a_search_is_in_the_audit_trail_without_its_text(own_seat: Seat) -> None:
    own_seat.client("agent").page("/people/search?q=lucia")
    own_seat.platform.audit.flush()
    entries = own_seat.platform.audit.entries().entries
    assert any(entry.action == "person.searched" for entry in entries)
    assert "lucia" not in str(entries)


@pytest.mark.parametrize(
    "query", ["q=%00", "q=" + "x" * 5_000, "since=never&kind=%3Cscript%3E", "cursor=abc&q=a", "q='\"><b>"]
)
def test_bad_questions_are_no_faults(seat: Seat, query: str) -> None:
    answer = seat.client("agent").get(f"/people?{query}")
    assert answer.status_code in (200, 422, 400)
    assert "<script>" not in answer.text
    assert "'\"><b>" not in answer.text


def test_an_empty_installation_says_what_to_do(empty_seat: Seat) -> None:
    assert "Nobody is known yet" in empty_seat.client("owner").page("/people")


def test_spanish(seat: Seat) -> None:
    assert "Personas" in seat.client("agent", language="es").page("/people")


@pytest.mark.parametrize("role", ["engineer", ""])
def test_who_may_not(seat: Seat, role: str) -> None:
    answer = seat.client(role).get("/people", follow_redirects=False)
    assert answer.status_code in ((303,) if not role else (200, 403))
