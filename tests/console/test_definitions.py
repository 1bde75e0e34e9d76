"""Definitions in the console: faults by line, plain words, versions, differences, and back to an older one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.app.definitions import Definitions, as_yaml, difference
from cauce.app.questions import showing_of, shows
from cauce.console.areas import definitions_words as told
from cauce.console.areas.definitions import STARTS
from cauce.console.areas.definitions_text import read_text
from cauce.console.words import words_of
from cauce.model import Source
from cauce.profiles.definitions import COMPUTES, OPERATORS, RULES, default_definitions, read_definitions
from cauce.quality.starter import starter_contracts
from tests.console.seat import Seat, seated

pytestmark = pytest.mark.soak

HOSTILE = "<script>alert(1)</script>"
TRAIT = "name: money_web\ncompute: sum\nproperty: total\nevents: [Order Completed]\nchannels: [web]\n"
CONTRACT = "event: Lead Written\nproperties:\n  required: [number]\n  properties:\n    number: {type: string}\n"


@pytest.fixture
def bare_seat(tmp_path: Path) -> Iterator[Seat]:
    """An installation in which somebody bought something."""
    with seated(tmp_path / "data") as found:
        found.platform.sources.add(Source("web", "web"))
        bought = {
            "type": "track",
            "event": "Order Completed",
            "userId": "u-1",
            "messageId": "m1",
            "timestamp": "2026-10-05T10:00:00Z",
            "properties": {"order_id": "o1", "total": 27.5},
        }
        found.platform.append("web", "tracking", [msgspec.json.encode({"batch": [bought]})])
        found.platform.drain()
        yield found


def apply(seat: Seat, sort: str, text: str, **more: str) -> str:
    answer = seat.client("engineer").send("/definitions/apply", page="/definitions/new", sort=sort, text=text, **more)
    assert answer.status_code == 303, answer.text[-3_000:]
    return str(answer.headers["location"])


# -- faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sort", "text", "faults"),
    [
        ("contract", "event: X\nmodee: observe\n", [(2, "no field 'modee'")]),
        ("contract", "event: X\n\nmode: obs\n", [(3, "the mode of")]),
        ("contract", "event: X\nidentifiers: 3\n", [(2, "identifiers")]),
        ("contract", "event: X\nproperties:\n  properties:\n    a: {type: text}\n    b: {}\n", [(4, "JSON Schema")]),
        ("contract", "event: X\nproperties:\n  properties:\n    a:\n      minimum: many\n", [(5, "JSON Schema")]),
        ("contract", "event: X\nproperties:\n  required: a\n", [(3, "JSON Schema")]),
        ("contract", "contracts:\n- event: A\n- event: 3\n- type: x\n", [(3, "Expected `str`"), (4, "the type of")]),
        ("contract", "contracts:\n- event: A\n- event: A\n", [(3, "two contracts")]),
        ("contract", "contracts: []\nunknown: maybe\n", [(2, "unknown")]),
        ("contract", "event: [\n", [(2, "expected")]),
        ("contract", "a: 1\nb: \tx\n", [(2, "")]),
        ("contract", "", [(1, "got nothing")]),
        ("contract", "- 1", [(1, "mapping")]),
        ("contract", "a: &x [1]\nb: [*x, *x]\n", [(1, "anchors")]),
        ("contract", "x" * 200_001, [(1, "at most")]),
        (
            "trait",
            "- {name: a, compute: sum}\n- name: B\n  compute: cunt\n",
            [(1, "a property"), (2, "name of"), (3, "compute to be")],
        ),
        (
            "trait",
            "name: a\ncompute: count\nwhere:\n- {property: x, op: eq, value: 1}\n- property: y\n  op: foo\n",
            [(6, "op to be")],
        ),
        ("trait", "name: a\ncompute: count\nwindow_days: 9999\n", [(3, "window_days")]),
        ("trait", "traits:\n- {name: a, compute: count}\n- {name: a, compute: count}\n", [(3, "two computed traits")]),
        ("trait", "3", [(1, "list of computed traits")]),
        ("survivorship", "default: latest\ntraits:\n  name: longest\n  email: lates\n", [(4, "rule to be")]),
        ("survivorship", "default: source_order\n", [(1, "sources")]),
        ("survivorship", "defaults: latest\n", [(1, "no 'defaults'")]),
        ("survivorship", "3", [(1, "survivorship")]),
    ],
)  # fmt: skip
def test_a_fault_has_its_line(sort: str, text: str, faults: list[tuple[int, str]]) -> None:
    found = [(fault.line, fault.message) for fault in read_text(sort, text).faults]
    assert [line for line, _ in found] == [line for line, _ in faults]
    for (_, message), (_, said) in zip(found, faults, strict=True):
        assert said in message


@settings(deadline=None)
@given(sort=st.sampled_from(("contract", "trait", "survivorship")), text=st.text(max_size=60))
def test_no_text_is_a_surprise(sort: str, text: str) -> None:
    found = read_text(sort, text)
    assert bool(found.faults) != bool(found.request)
    assert all(fault.line >= 1 for fault in found.faults)


@pytest.mark.parametrize("sort", sorted(STARTS))
def test_what_a_form_begins_with_is_right(sort: str) -> None:
    assert not read_text(sort, STARTS[sort]).faults


def test_a_definition_reads_as_it_was_written() -> None:
    for definition in default_definitions():
        (again,) = read_text("trait", as_yaml(msgspec.to_builtins(definition))).traits
        assert again == definition


# -- in words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "es"])
def test_everything_can_be_said_in_words(language: str) -> None:
    words = words_of(language)
    for contract in starter_contracts():
        assert told.contract_told(contract, words)["properties"] is not None
    for compute in COMPUTES:
        for prop in ("total", ""):
            if prop or compute in ("count", "days_since"):
                (definition,) = read_definitions(
                    {"name": "x", "compute": compute, **({"property": prop} if prop else {})}
                )
                assert told.trait_told(definition, words)["computes"]
    for operator in OPERATORS:
        value = [1, "a"] if operator in ("in", "not_in") else True if operator == "exists" else "a"
        where = [{"property": "p", "op": operator, "value": value}]
        (definition,) = read_definitions({"name": "x", "compute": "count", "where": where})
        assert "`p`" in told.trait_told(definition, words)["where"][0]
    for rule in RULES:
        found = read_text("survivorship", f"default: {{rule: {rule}, sources: [crm, web]}}\n").survivorship
        assert found is not None
        assert told.survivorship_told(found, words)["default"]


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_page_opens(seat: Seat, language: str) -> None:
    client = seat.client("engineer", language=language)
    page = client.page("/definitions")
    addresses = {unescape(found) for found in re.findall(r'href="(/definitions/[^"]+)"', page)}
    assert len(addresses) > 90
    for address in sorted(addresses)[::12]:
        client.page(address)
    client.page("/definitions/contract/nope", 404)
    client.page("/definitions/nope/nope", 404)
    client.page("/definitions/trait/revenue_total?version=9", 404)
    client.page("/definitions/trait/revenue_total?version=x", 422)


def test_what_packaged_contracts_say_of_their_fields_is_in_the_language_of_the_page(bare_seat: Seat) -> None:
    address = "/definitions/contract/track:Order%20Completed"
    assert ">Number of the order.<" in bare_seat.client("engineer").page(address)
    text = bare_seat.client("engineer", language="es").page(address)
    assert ">Número del pedido.<" in text
    assert ">Number of the order.<" not in text, "the text that can be applied stays as it was written"


# -- versions ---------------------------------------------------------------------------------------------------


def test_a_contract_has_versions_and_a_way_back(bare_seat: Seat) -> None:
    platform = bare_seat.platform
    apply(bare_seat, "contract", "event: Order Completed\nmode: observe\n")
    page = bare_seat.client("engineer").page("/definitions/contract/track:Order%20Completed")
    assert "Version 1" in page
    assert "by the-engineer" in page
    assert "came with Cauce" in page
    assert "<ins>+ mode: observe" in page
    answer = bare_seat.client("engineer").send(
        "/definitions/restore", page="/definitions/new", sort="contract", name="track:Order Completed", version="0"
    )
    assert answer.status_code == 303
    (starter,) = (each for each in starter_contracts() if each.key == "track:Order Completed")
    (present,) = (each for each in platform.quality.contracts() if each.key == "track:Order Completed")
    assert (present.version, present.contract) == (2, starter)
    versions = Definitions(platform).of("contract", "track:Order Completed")
    assert [(version.number, version.by) for version in versions] == [(0, ""), (1, "the-engineer"), (2, "the-engineer")]


def test_a_removed_definition_can_come_back(bare_seat: Seat) -> None:
    client = bare_seat.client("engineer")
    for sort, text, name in (("trait", TRAIT, "money_web"), ("contract", CONTRACT, "track:Lead Written")):
        apply(bare_seat, sort, text)
        assert client.send("/definitions/remove", page="/definitions/new", sort=sort, name=name).status_code == 303
        assert [version.document is None for version in Definitions(bare_seat.platform).of(sort, name)] == [False, True]
        assert "removed" in client.page(f"/definitions/{sort}/{name}")
        client.send("/definitions/restore", page="/definitions/new", sort=sort, name=name, version="1")
    assert "money_web" in {each.name for each in bare_seat.platform.profiles.definitions()}
    assert "track:Lead Written" in {each.key for each in bare_seat.platform.quality.contracts()}


def test_versions_are_those_of_the_state(bare_seat: Seat) -> None:
    apply(bare_seat, "contract", CONTRACT)
    apply(bare_seat, "contract", CONTRACT + "mode: observe\n")
    apply(bare_seat, "contract", "contracts: []\nunknown: {web: quarantine}\n")
    found = Definitions(bare_seat.platform).versions("contract")
    assert {name: versions[-1].number for name, versions in found.items() if versions[-1].number} == {
        "track:Lead Written": 2,
        "unknown@web": 1,
    }
    present = {each.key: each.version for each in bare_seat.platform.quality.contracts()}
    assert present["track:Lead Written"] == 2
    traits = Definitions(bare_seat.platform).versions("trait")
    assert traits.keys() == {each.name for each in bare_seat.platform.profiles.definitions()}
    assert Definitions(bare_seat.platform).of("identity", "identity")[0].by == "cauce"


def test_survivorship_is_applied_and_told(bare_seat: Seat) -> None:
    apply(bare_seat, "survivorship", "default: latest\ntraits:\n  email: {rule: source_order, sources: [crm, web]}\n")
    assert bare_seat.platform.profiles.survivorship().of("email").sources == ("crm", "web")
    page = bare_seat.client("engineer", language="es").page("/definitions/survivorship/survivorship")
    assert "Gana la fuente de más confianza: crm › web." in page


def test_two_who_change_the_same_do_not_run_each_other_over(bare_seat: Seat) -> None:
    apply(bare_seat, "trait", TRAIT, name="revenue_total", version="1")
    apply(bare_seat, "trait", TRAIT.replace("money_web", "revenue_total"), name="revenue_total", version="1")
    answer = bare_seat.client("engineer").send(
        "/definitions/apply", page="/definitions/new", sort="trait", text=TRAIT, name="revenue_total", version="1"
    )
    assert answer.status_code == 422
    assert "Version 2 was applied by the-engineer meanwhile" in answer.text


def test_a_wrong_text_is_not_applied(bare_seat: Seat) -> None:
    end = bare_seat.platform.log.end()
    client = bare_seat.client("engineer")
    answer = client.send("/definitions/apply", page="/definitions/new", sort="trait", text=f"name: {HOSTILE}\n")
    assert answer.status_code == 422
    assert "Line 1" in answer.text
    assert "<script>alert" not in answer.text
    assert HOSTILE in unescape(answer.text)  # what was written is still there
    assert bare_seat.platform.log.end() == end


def test_the_audit_trail_knows_who_changed_what(bare_seat: Seat) -> None:
    apply(bare_seat, "trait", TRAIT)
    noted = bare_seat.platform.audit.entries(limit=5).entries
    assert ("the-engineer", "definition.applied", "trait:money_web") in {
        (entry.actor, entry.action, entry.subject) for entry in noted
    }


@settings(deadline=None)
@given(before=st.lists(st.sampled_from("abc"), max_size=8), after=st.lists(st.sampled_from("abc"), max_size=8))
def test_a_difference_leads_from_one_to_the_other(before: list[str], after: list[str]) -> None:
    lines = difference("\n".join(before), "\n".join(after))
    signs = [sign for sign, _ in lines]
    assert signs.count("-") - signs.count("+") == len(before) - len(after)
    assert bool(lines) == (before != after)


# -- while it is written ----------------------------------------------------------------------------------------


def test_a_text_is_read_while_it_is_written(bare_seat: Seat) -> None:
    client = bare_seat.client("engineer")

    def said(sort: str, text: str) -> str:
        return unescape(client.send("/definitions/check", page="/definitions/new", sort=sort, text=text).text)

    assert "This can be applied" in said("trait", TRAIT)
    assert "The sum of <code>total</code>" in said("trait", TRAIT)
    assert "What changes in revenue_total" in said("trait", TRAIT.replace("money_web", "revenue_total"))
    assert "Line 2" in said("trait", TRAIT.replace("sum", "sun"))
    hostile = yaml.safe_dump({"event": HOSTILE, "description": HOSTILE})
    answer = client.send("/definitions/check", page="/definitions/new", sort="contract", text=hostile)
    assert "<script>alert" not in answer.text


def test_a_trait_is_tried_on_people_before_it_is_applied(bare_seat: Seat) -> None:
    client = bare_seat.client("engineer")
    end = bare_seat.platform.log.end()
    page = client.send("/definitions/sample", page="/definitions/new?sort=trait", text=TRAIT).text
    person = bare_seat.platform.people.locate("user_id:u-1")
    assert f"/people/{person.text}" in page
    assert "<b>27.5</b>" in page
    assert bare_seat.platform.log.end() == end
    apply(bare_seat, "trait", TRAIT)
    assert bare_seat.platform.profiles.values_of(person.id, ["money_web"]) == {"money_web": 27.5}


def test_traits_that_hand_on_what_is_personal_are_known(seat: Seat) -> None:
    showing = showing_of(seat.platform)

    def is_open(**definition: object) -> bool:
        (found,) = read_definitions({"name": "x", **definition})
        return shows(showing, found)

    assert is_open(compute="sum", property="anything")
    assert is_open(compute="most_frequent", property="products[].category", events=["Order Completed"])
    assert is_open(compute="last", property="event.channel")
    assert is_open(compute="last", property="context.campaign.name")
    assert not is_open(compute="last", property="context.ip")
    assert not is_open(compute="last", property="traits.email")
    assert not is_open(compute="last", property="email", events=["Order Completed"])
    assert not is_open(compute="last", property="total")
    assert not is_open(compute="last", property="products[].engraving", events=["Order Completed"])


# -- who may ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "status"), [("marketer", 200), ("analyst", 200), ("agent", 403), ("store_staff", 403)]
)
def test_who_reads(seat: Seat, role: str, status: int) -> None:
    page = seat.client(role).page("/definitions", status)
    assert "/definitions/new" not in page
    seat.client(role).page("/definitions/new", 403)


def test_who_reads_does_not_write(seat: Seat) -> None:
    client = seat.client("analyst")
    page = client.page("/definitions/trait/revenue_total")
    assert "/definitions/apply" not in page
    for address in ("/definitions/apply", "/definitions/restore", "/definitions/remove", "/definitions/check"):
        token = re.search(r'name="csrf" value="([^"]*)"', page)
        assert token is not None
        assert client.post(address, data={"csrf": unescape(token[1]), "sort": "trait"}).status_code == 403
        assert seat.client("engineer").post(address, data={"csrf": "x", "sort": "trait"}).status_code == 403
