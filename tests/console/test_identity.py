"""The identity pages: the steward's queue, changes that can be taken back, rules tried and applied."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html import unescape

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.console.areas.identity_rules import written
from cauce.identity.api import Rules, text_of
from cauce.model import Source
from tests.console import stewarding
from tests.console.seat import Client, Seat
from tests.console.stewarding import tell

pytestmark = pytest.mark.soak

PATIENCE_SECONDS = 60


@pytest.fixture
def contested(empty_seat: Seat) -> Seat:
    """Two accounts that one e-mail names: a steward must say whether they are one person."""
    stewarding.fill(empty_seat.platform)
    return empty_seat


def eventually(client: Client, address: str, there: Callable[[str], bool]) -> str:
    """The page's text once it shows what is computed beside it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        text = unescape(client.page(address))
        if there(text):
            return text
        assert time.monotonic() < deadline, text[-3_000:]
        time.sleep(0.05)


def pair_in(text: str) -> dict[str, str]:
    """The ids in the first form of the queue."""
    return dict(re.findall(r'name="([ab])" value="(p_[0-9a-z]+)"', text)[:2])


def test_a_case_is_joined_and_taken_back(contested: Seat) -> None:
    client, people = contested.client("steward"), contested.platform.people
    text = eventually(client, "/identity", lambda text: "Keep apart" in text)
    assert "Una Prima" in text
    answer = client.send("/identity/decide", page="/identity", **pair_in(text), do="join", why="the same passport")
    assert answer.headers["location"].startswith("/identity")
    assert people.locate("user_id:u-one") == people.locate("user_id:u-two")
    assert "Keep apart" not in client.page("/identity"), "what was decided leaves the queue at once"
    changes = client.page("/identity/changes")
    assert "the same passport" in changes
    assert "the-steward" in changes
    client.send("/identity/decide", page="/identity/changes", **pair_in(changes), do="unjoin", why="no", back="changes")
    assert people.locate("user_id:u-one") != people.locate("user_id:u-two")
    entries = contested.platform.audit.entries().entries
    assert {"person.joined", "person.unjoined"} <= {entry.action for entry in entries}
    assert "both@" not in str(entries)


def test_a_case_is_kept_apart(contested: Seat) -> None:
    client = contested.client("steward")
    text = eventually(client, "/identity", lambda text: "Keep apart" in text)
    client.send("/identity/decide", page="/identity", **pair_in(text), do="split", why="mother and daughter")
    (refusal,) = contested.platform.people.refusals()
    assert (refusal.why, refusal.author) == ("mother and daughter", "the-steward")
    assert {refusal.a, refusal.b} == {"user_id:u-one", "user_id:u-two"}, "the people, not what merely links them"
    assert ":" in refusal.a, "kept as kind:value, which holds under other rules too"


@pytest.mark.parametrize(
    "fields", [{"do": "erase"}, {"do": "join", "why": ""}, {"do": "join", "why": "x", "a": "p_0000000000001", "b": "q"}]
)
def test_a_decision_that_makes_no_sense_is_refused(contested: Seat, fields: dict[str, str]) -> None:
    eventually(contested.client("steward"), "/identity", lambda text: "Keep apart" in text)
    answer = contested.client("steward").send("/identity/decide", page="/identity", **fields)
    assert 400 <= answer.status_code < 500
    assert contested.platform.people.decisions() == []


def test_the_largest_lead_to_their_pages(seat: Seat) -> None:
    text = eventually(seat.client("steward"), "/identity/clusters", lambda text: "People with most" in text)
    largest, count = seat.platform.people.clusters(1)[0]
    assert f'href="/people/{text_of(largest)}#identifiers"' in text
    assert f">{count}<" in text


def test_who_is_at_a_limit_is_listed(empty_seat: Seat) -> None:
    empty_seat.platform.sources.add(Source("crm", "crm"))
    for number in range(5):
        tell(empty_seat.platform, number, userId="u-1", traits={"email": f"mail{number}@correo.example"})
    empty_seat.platform.drain()
    (crowd,) = empty_seat.platform.people.crowded()
    assert (crowd.kind, crowd.count, crowd.limit) == ("email", 5, 5)
    text = eventually(empty_seat.client("steward"), "/identity/clusters", lambda text: "At a limit" in text)
    assert "Nobody is at a limit" not in text


def test_who_became_one_is_listed_and_only_they(empty_seat: Seat) -> None:
    empty_seat.platform.sources.add(Source("crm", "crm"))
    calls = [
        {"userId": "u-old", "traits": {"firstName": "Vera"}},
        {"userId": "u-fresh", "traits": {"email": "fresh@correo.example"}},  # met nobody: both came together
        {"userId": "u-old", "traits": {"phone": "+34612345678"}},  # nobody new was known before
        {"anonymousId": "late", "traits": {"email": "vera@correo.example"}},
        {"anonymousId": "late", "userId": "u-old"},  # here two became one
        {"userId": "u-old", "traits": {"email": "vera@correo.example"}},  # they were one already
    ]
    for number, call in enumerate(calls):
        tell(empty_seat.platform, number, **call)
        empty_seat.platform.drain()
    (meeting,) = empty_seat.platform.people.meetings()
    assert {meeting.evidence.a, meeting.evidence.b} == {"anonymous_id:late", "user_id:u-old"}
    text = eventually(empty_seat.client("steward"), "/identity/changes", lambda text: "Vera" in text)
    assert " late" in text


def test_rules_are_readable_and_have_versions(seat: Seat) -> None:
    text = seat.client("steward").page("/identity/rules")
    assert all(
        f'<code class="small">{name}</code>' in text or name in text for name in seat.platform.people.rules.kinds
    )
    (version,) = seat.platform.people.versions()
    assert f"/identity/rules/{version.position}" in text
    assert "The first rules" in seat.client("steward").page(f"/identity/rules/{version.position}")
    seat.client("steward").page("/identity/rules/77", 404)


def changed(seat: Seat, **kinds: dict[str, object]) -> str:
    """The rules in force as text, with kinds changed."""
    document = seat.platform.people.rules.as_dict()
    for name, fields in kinds.items():
        document["kinds"][name].update(fields)
    return yaml.safe_dump(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kinds: [", "not YAML"),
        ("kinds: {email: {limit: -1}}", "kinds.email.limit to be 0–10000, got -1"),
        ("kinds: {email: {limmit: 3}}", "has no field 'limmit'"),
        ("blocked: ['(']", "regular expressions"),
        ("[]", "mapping"),
    ],
)
def test_text_is_checked_as_it_is_written(seat: Seat, text: str, said: str) -> None:
    client = seat.client("steward")
    answer = unescape(client.send("/identity/rules/check", page="/identity/rules/edit", text=text).text)
    assert "This cannot be used" in answer
    assert said in answer


@settings(deadline=None, max_examples=30)
@given(
    limit=st.integers(0, 20),
    unique=st.booleans(),
    merges=st.booleans(),
    window=st.integers(0, 9),
    blocked=st.lists(st.sampled_from(["a+", "x: y", "'", "[0-9]{3}"]), max_size=3),
    normaliser=st.sampled_from(["text", "email", "number"]),
)
def test_rules_as_text_are_the_same_rules(limit, unique, merges, window, blocked, normaliser) -> None:
    kind = {"limit": limit, "unique": unique, "merges": merges, "window_days": window, "normaliser": normaliser}
    rules = Rules.from_dict({"kinds": {"email": {**kind, "blocked": blocked}, "own": kind}, "blocked": blocked})
    assert Rules.from_yaml(written(rules)) == rules


def test_a_check_shows_what_would_change(seat: Seat) -> None:
    client = seat.client("steward")
    answer = client.send("/identity/rules/check", page="/identity/rules/edit", text=changed(seat, email={"limit": 3}))
    shown = " ".join(unescape(re.sub("<[^>]+>", " ", answer.text)).split())
    assert "kinds.email.limit 5 → becomes 3" in shown
    same = client.send("/identity/rules/check", page="/identity/rules/edit", text=changed(seat))
    assert "These are the rules in force" in same.text


def test_a_trial_says_what_rules_would_do_and_changes_nothing(own_seat: Seat) -> None:
    client = own_seat.client("steward")
    before = list(own_seat.platform.people.placements())
    text = changed(own_seat, email={"merges": False}, phone={"merges": False})
    answer = client.send("/identity/rules/try", page="/identity/rules/edit", text=text)
    assert answer.status_code == 303, answer.text
    trial = answer.headers["location"]
    page = eventually(client, f"{trial}/live", lambda text: "hx-get" not in text)
    report = own_seat.platform.people.dry_run(Rules.from_yaml(text), own_seat.platform.archive.scan())
    assert report.people_split
    assert f"{report.people_split} people would fall apart" in page or "1 person would fall apart" in page
    assert f">{report.people_after}<" in page
    assert 'href="/people/p_' in page
    assert list(own_seat.platform.people.placements()) == before
    assert client.page(trial).count("Apply") >= 2
    client.page("/identity/trials/unknown", 404)


def test_rules_are_applied_and_an_older_version_can_be_edited(own_seat: Seat) -> None:
    client, people = own_seat.client("steward"), own_seat.platform.people
    answer = client.send(
        "/identity/rules/apply", page="/identity/rules/edit", text=changed(own_seat, email={"limit": 3})
    )
    waiting = answer.headers["location"]
    assert "put together anew" in client.page(waiting)
    own_seat.platform.drain()
    assert "put together anew; the rules" not in client.page(waiting)
    assert people.rules.kind("email").limit == 3
    newest, oldest = people.versions()
    assert newest.author == "the-steward"
    page = unescape(client.page(f"/identity/rules/{newest.position}"))
    assert "<del>5</del>" in page
    assert re.search(r"email:\s+priority: 70\s+limit: 3", page)
    older = unescape(client.page(f"/identity/rules/edit?from={oldest.position}"))
    assert re.search(r"email:\s+priority: 70\s+limit: 5", older)
    again = client.send("/identity/rules/apply", page="/identity/rules/edit", text=changed(own_seat))
    assert again.headers["location"] == "/identity/rules"
    assert len(people.versions()) == 2


def test_rules_that_make_no_sense_are_shown_again_with_their_faults(own_seat: Seat) -> None:
    answer = own_seat.client("steward").send("/identity/rules/apply", page="/identity/rules/edit", text="kinds: 3")
    assert answer.status_code == 422
    assert "kinds: 3" in answer.text
    assert len(own_seat.platform.people.versions()) == 1


def test_who_sees_no_personal_data_sees_pairs_masked(contested: Seat) -> None:
    client = contested.client("analyst")
    if client.get("/identity").status_code == 403:
        pytest.skip("analysts may not look at identity")
    text = eventually(client, "/identity", lambda text: "•••" in text)
    assert "both@correo.example" not in text
    assert "Una Prima" not in text


@pytest.mark.parametrize("role", ["agent", "store_staff", ""])
def test_who_may_not_decide(contested: Seat, role: str) -> None:
    client = contested.client(role)
    for address in ("/identity/decide", "/identity/rules/apply", "/identity/rules/try"):
        answer = client.post(address, data={"do": "join", "text": "{}"})
        assert answer.status_code in (303, 401, 403)
    assert contested.platform.people.decisions() == []
    assert len(contested.platform.people.versions()) == 2
