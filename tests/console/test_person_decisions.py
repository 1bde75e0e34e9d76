"""What a preview promises is what a decision does; decisions are written down and can be taken back."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.access.api import Filter
from cauce.console.areas.person_decisions import foreseen
from cauce.errors import DefinitionInvalid, NotFound
from cauce.identity.rulings import PAIR_DECISIONS
from cauce.model import DAY
from tests.console.persons import ANA, BROWSER, EVA, home, id_of, told
from tests.profiles.test_past import NAMES, PHASES, Installation, event_at, steps
from tests.profiles.world import START, decision

NOW = START + 40 * DAY
KEYS = [":".join(name) for name in NAMES]


@settings(max_examples=25, deadline=None, phases=PHASES)
@given(
    steps=steps(),
    name=st.sampled_from(sorted(PAIR_DECISIONS)),
    pair=st.lists(st.sampled_from(KEYS), min_size=2, max_size=2, unique=True),
)
def test_a_preview_is_the_state_after_the_decision(steps, name, pair):
    bed = Installation()
    for each in steps:
        bed.send(each)
    properties = dict(zip(("a", "b"), pair, strict=True))
    platform = SimpleNamespace(reader=bed.tables, people=bed.people, profiles=bed.profiles)
    try:
        found = foreseen(platform, name, properties, NOW)
    except NotFound:
        return
    assert found.before == tuple(bed.profiles.profile(each.person, now=NOW) for each in found.before), "nothing moved"
    bed.send(event_at(decision(name, 99, **properties), START + 30 * DAY, START + 30 * DAY))
    assert found.after == tuple(bed.profiles.profile(each.person, now=NOW) for each in found.after)
    assert found.preview.after == tuple(bed.people.person(person.id) for person in found.preview.after)
    everybody = {member.id for person in found.preview.before for member in person.identifiers}
    assert everybody == {member.id for person in found.preview.after for member in person.identifiers}
    assert sum(profile.events for profile in found.before) == sum(profile.events for profile in found.after)


def test_only_what_splits_and_joins_is_foreseen():
    bed = Installation()
    platform = SimpleNamespace(reader=bed.tables, people=bed.people, profiles=bed.profiles)
    with pytest.raises(DefinitionInvalid):
        foreseen(platform, "person.erased", {"a": KEYS[0], "b": KEYS[1]}, NOW)


def split_address(seat, verb="split", b=BROWSER):
    return f"{home(seat)}/preview?do={verb}&a={id_of(seat, ANA)}&b={id_of(seat, b)}"


def numbers(html: str) -> dict[str, list[str]]:
    """Rows of the table of numbers: name → cells."""
    table = re.search(r'<table class="numbers">.*?</table>', html, re.DOTALL)
    assert table
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table[0], re.DOTALL)
    return {
        told(name).strip(): [told(cell).strip() for cell in re.findall(r"<td.*?</td>", rest)] for name, rest in rows
    }


def test_a_split_is_previewed_decided_and_taken_back(own_shop):
    client = own_shop.client("steward")
    address = home(own_shop)
    html = client.page(split_address(own_shop))
    assert numbers(html)["spent in all"] == ["€199.90", "€99.90", "€100.00"]
    assert "€199.90" in told(client.page(address)), "a preview changes nothing"

    done = client.send(
        f"{address}/decide",
        page=split_address(own_shop),
        do="split",
        a=id_of(own_shop, ANA),
        b=id_of(own_shop, BROWSER),
        why="not her browser",
    )
    assert (done.status_code, done.headers["location"]) == (303, f"{address}#identifiers")
    text = told(client.page(address))
    assert "Decided: they are not the same person." in text
    assert "€99.90" in text
    assert "€199.90" not in text
    assert "€100.00" in told(client.page(home(own_shop, BROWSER)))
    (refusal,) = own_shop.platform.people.refusals()
    assert (refusal.a, refusal.b, refusal.author, refusal.why) == (ANA, BROWSER, "the-steward", "not her browser")
    identifiers = told(client.page(f"{address}/identifiers"))
    assert "are not the same person" in identifiers
    assert "not her browser" in identifiers

    form = re.search(
        r'<form method="post" action="[^"]*/decide">.*?</form>', client.page(f"{address}/identifiers"), re.S
    )
    assert form
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    assert client.post(f"{address}/decide", data=fields).status_code == 303
    assert not own_shop.platform.people.refusals()
    assert "€199.90" in told(client.page(address))


def test_decisions_are_in_the_audit_trail_without_personal_values(own_shop):
    client, address = own_shop.client("steward"), home(own_shop)
    client.send(
        f"{address}/decide", page=split_address(own_shop), do="split", a=id_of(own_shop, ANA), b=BROWSER, why="a reason"
    )
    (entry,) = own_shop.platform.audit.entries(Filter(action="person.split")).entries
    assert (entry.actor, entry.subject) == ("the-steward", address.removeprefix("/people/"))
    assert "ana@tienda.es" not in str(entry)


def test_two_people_are_joined_after_a_look_at_what_that_does(own_shop):
    client, address = own_shop.client("steward"), home(own_shop)
    html = client.page(split_address(own_shop, "join", EVA))
    assert "are the same person" in told(html)
    assert numbers(html)["events"] == ["55", "1", "56"]
    client.send(
        f"{address}/decide",
        page=split_address(own_shop, "join", EVA),
        do="join",
        a=id_of(own_shop, ANA),
        b=EVA,
        why="met her",
    )
    assert home(own_shop) == home(own_shop, EVA)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"do": "split", "why": ""}, "Expected a reason"),
        ({"do": "split", "why": "x" * 501}, "Expected a reason"),
        ({"do": "marry", "why": "x"}, "Expected do to be one of"),
        ({"do": "split", "why": "x", "b": ANA}, "two different"),
        ({"do": "split", "why": "x", "b": ""}, "Expected an identifier"),
        ({"do": "join", "why": "x", "b": "email:nobody@tienda.es"}, "Nobody is known"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(shop, fields, said):
    client, address = shop.client("steward"), home(shop)
    sent = {"a": id_of(shop, ANA), "b": id_of(shop, BROWSER), **fields}
    answer = client.send(f"{address}/decide", page=split_address(shop), **sent)
    assert answer.status_code in (400, 404, 422)
    assert said in answer.text
    assert not shop.platform.people.decisions()


def test_a_value_is_set_by_hand_and_taken_back(own_shop):
    client, address = own_shop.client("steward"), home(own_shop)
    sent = {"trait": "firstName", "value": "Anna", "why": "she said so", "do": "set"}
    assert client.send(f"{address}/traits", page=address, **sent).status_code == 303
    text = told(client.page(address))
    assert "Set: first name" in text
    assert "Anna Garcia" in text
    assert "decided by the-steward: she said so" in text
    assert client.send(f"{address}/traits", page=address, **{**sent, "do": "take_back"}).status_code == 303
    assert "Ana Maria Garcia" in told(client.page(address))
    trail = own_shop.platform.audit.entries(Filter(action="person.trait_set")).entries
    assert len(trail) == 2
    assert "Anna" not in str(trail)


@pytest.mark.parametrize(
    "fields", [{"trait": ""}, {"value": ""}, {"why": ""}, {"trait": "address", "value": "no object"}]
)
def test_a_value_that_does_not_fit_is_refused(shop, fields):
    client, address = shop.client("steward"), home(shop)
    sent = {"trait": "firstName", "value": "Anna", "why": "x", "do": "set", **fields}
    assert client.send(f"{address}/traits", page=address, **sent).status_code in (400, 422)
