"""What readers are told about people, over generated events and decisions."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.errors import DefinitionInvalid, NotFound
from cauce.identity.api import People, Person, Why, id_from_text, parse_identifier, text_of
from cauce.identity.rules import Rules
from cauce.model import DAY, Event
from tests.identity.drive import (
    DECISIONS,
    EVENTS,
    LOOSE,
    SECRET,
    TABLET,
    TIGHT,
    River,
    decision,
    event,
    groups_of,
    id_of,
    pair,
    quick,
)


def people_of(river: River, rules: Rules = TIGHT) -> People:
    return People(river.tables, SECRET, rules)


def living(person: Person | None) -> int:
    assert person is not None
    return person.id


@quick
@given(EVENTS, DECISIONS)
def test_a_chain_of_active_evidence_connects_any_two_identifiers_of_a_person(
    events: list[Event], decisions: list[Event]
) -> None:
    river = River()
    river.feed([*events, *decisions])
    people = people_of(river)
    retracted = {(d.low, d.high) for d in people.decisions() if d.what == "retracted"}
    links = set(river.tables.select("select low, high from link"))
    for members in groups_of(river).values():
        for one, other in combinations(members, 2):
            told = people.explain(one.id, other.id)
            assert told.same
            assert (told.hops[0].from_identifier, told.hops[-1].to_identifier) == (told.a, told.b)
            for before, after in pairwise(told.hops):
                assert before.to_identifier == after.from_identifier
            for hop in told.hops:
                low, high = sorted((id_of(hop.evidence.a), id_of(hop.evidence.b)))
                assert hop.evidence.joined
                assert hop.evidence.in_words
                assert hop.evidence.rule == "steward" or ((low, high) in links and (low, high) not in retracted)


@quick
@given(EVENTS, DECISIONS)
def test_every_id_leads_to_exactly_one_living_person(events: list[Event], decisions: list[Event]) -> None:
    river = River()
    river.feed([*events, *decisions])
    people = people_of(river)
    total = 0
    for person, members in groups_of(river).items():
        found = people.person(person)
        assert found is not None
        assert {member.id for member in found.identifiers} == {member.id for member in members}
        for member in members:
            assert living(people.person(member.id)) == person
            assert living(people.find(member.kind, member.value)) == person
            assert people.locate(text_of(member.id)).text == text_of(person)
        total += len(members)
    assert people.counts()["identifiers"] == total


@quick
@given(EVENTS, DECISIONS)
def test_links_say_joined_when_and_only_when_both_ends_are_one_person_by_evidence(
    events: list[Event], decisions: list[Event]
) -> None:
    river = River()
    river.feed([*events, *decisions])
    people, of = people_of(river), river.people()
    for person in groups_of(river):
        for link in people.links(person):
            together = of[id_of(link.a)] == of[id_of(link.b)]
            if link.joined:
                assert together
            else:
                assert not together or link.why in (Why.RETRACTED, Why.SHARED, Why.KIND)


@quick
@given(st.integers(1, 2**63 - 1))
def test_a_person_id_reads_back_from_its_text(number: int) -> None:
    assert len(text_of(number)) == 15
    assert id_from_text(text_of(number)) == number
    assert id_from_text(f" {text_of(number).upper()} ") == number


@pytest.mark.parametrize("text", ["", "p_", "p_123", "p_zzzzzzzzzzzzz", "email:a@b.es", "p_0000000000000"])
def test_other_texts_are_no_person_ids(text: str) -> None:
    assert id_from_text(text) is None


@quick
@given(EVENTS)
def test_a_dry_run_of_the_present_rules_changes_nothing(events: list[Event]) -> None:
    river = River()
    river.feed(events)
    report = people_of(river).dry_run(TIGHT, river.history())
    assert (report.people_merged, report.people_split, report.worst) == (0, 0, ())


@quick
@given(EVENTS, DECISIONS)
def test_a_dry_run_foretells_what_applying_the_rules_does(events: list[Event], decisions: list[Event]) -> None:
    river = River()
    river.feed([*events, *decisions])
    before = river.people()
    report = People(river.tables, SECRET, TIGHT, source_of=river.stage._source_of).dry_run(LOOSE, river.history())
    river.feed([decision(5_000, "identity.rules_applied", rules=LOOSE.as_dict())])
    after = river.people()
    merged = {person: {before[id] for id in before if after.get(id) == person} for person in after.values()}
    split = {person: {after[id] for id in before if before[id] == person and id in after} for person in before.values()}
    assert report.people_merged == sum(len(olds) for olds in merged.values() if len(olds) > 1)
    assert report.people_split == sum(1 for news in split.values() if len(news) > 1)
    assert (report.people_before, report.people_after) == (len(set(before.values())), len(set(after.values())))
    for difference in report.worst:
        assert len(difference.before if difference.change == "merge" else difference.after) > 1


def shop() -> River:
    river = River()
    river.feed(
        [
            event(1, "user_id:u1", "email:e1", type="identify"),
            event(2, "email:e1", "anonymous_id:a1"),
            event(3, "user_id:u2", "email:e2"),
            event(4, "user_id:u2", "anonymous_id:a2"),
            event(5, "user_id:u3", "anonymous_id:a2"),
        ]
    )
    return river


def test_an_explanation_names_event_source_and_rule() -> None:
    told = people_of(shop()).explain("user_id:u1", "anonymous_id:a1")
    assert told.same
    assert [(hop.from_identifier, hop.to_identifier) for hop in told.hops] == [
        ("user_id:u1", "email:e1"),
        ("email:e1", "anonymous_id:a1"),
    ]
    first = told.hops[0].evidence
    assert (first.rule, first.event, first.source, first.occurred, first.support) == ("identify", "e1", "web", DAY, 1)


def test_what_keeps_two_apart_is_told_as_well() -> None:
    told = people_of(shop()).explain("user_id:u2", "user_id:u3")
    assert not told.same
    assert {hop.evidence.why for hop in told.hops} == {Why.SHARED}
    assert "shared by several people" in told.hops[0].evidence.in_words


def test_people_who_never_met_have_no_chain() -> None:
    told = people_of(shop()).explain("user_id:u1", "user_id:u2")
    assert (told.same, told.hops) == (False, ())


def test_an_unknown_identifier_is_not_found() -> None:
    people = people_of(shop())
    assert people.find("user_id", "nobody") is None
    assert people.person(12345) is None
    assert people.members(12345) == ()
    with pytest.raises(NotFound, match="u99"):
        people.locate("user_id:u99")
    with pytest.raises(NotFound, match="u99"):
        people.explain("user_id:u1", "user_id:u99")


def test_shared_identifiers_clusters_and_refusals_are_listed() -> None:
    river = shop()
    river.feed([pair(6, "identity.refused", "user_id:u1", "user_id:u2"), event(7, "anonymous_id:a5", source=TABLET)])
    people = people_of(river)
    assert [str(member) for member in people.shared()] == ["anonymous_id:a2", "anonymous_id:a5"]
    assert people.clusters(1) == [(living(people.find("user_id", "u1")), 3)]
    (refusal,) = people.refusals()
    assert (refusal.a, refusal.b, refusal.author, refusal.why) == ("user_id:u1", "user_id:u2", "ana", "asked")


def test_the_queue_holds_oversize_components_overruled_joins_and_contested_links() -> None:
    river = River(cap=4)
    river.feed([event(n, "hobby:chess", f"email:e{n}") for n in range(5)])
    river.feed(
        [
            event(10, "user_id:u1", "user_id:u2", type="alias"),
            pair(11, "identity.joined", "crm_id:c1", "crm_id:c2"),
            pair(12, "identity.joined", "crm_id:c2", "crm_id:c0"),
            pair(13, "identity.refused", "crm_id:c1", "crm_id:c0"),
        ]
    )
    entries = {entry.reason: entry for entry in people_of(river).queue()}
    assert entries["oversize"].identifiers_total == 6
    assert set(entries["overruled"].identifiers) == {"crm_id:c1", "crm_id:c2"}
    (kept,) = entries["contested"].evidence
    assert (kept.why, kept.detail, kept.rule) == (Why.UNIQUE, "user_id", "alias")


def test_a_stewards_word_is_evidence() -> None:
    river = shop()
    river.feed([pair(6, "identity.joined", "user_id:u1", "user_id:u2")])
    (hop,) = people_of(river).explain("user_id:u1", "user_id:u2").hops
    assert hop.evidence.rule == "steward"
    named = sorted([hop.evidence.a, hop.evidence.b], key=id_of)
    assert hop.evidence.in_words == f"ana said that {named[0]} and {named[1]} belong together"


@pytest.mark.parametrize(
    ("name", "properties", "words"),
    [
        ("identity.refused", {"a": "user_id:u1"}, "expected b to name"),
        ("identity.joined", {"a": "email:nobody", "b": "user_id:u1"}, "expected a to name"),
        ("link.retracted", {"a": "user_id:u1", "b": "user_id:u1"}, "twice"),
        ("identity.rules_applied", {"rules": {"kindz": {}}}, "kinds"),
        ("person.erased", {"identifiers": []}, "list"),
    ],
)
def test_a_decision_that_would_do_nothing_is_refused(name: str, properties: dict[str, object], words: str) -> None:
    with pytest.raises(DefinitionInvalid, match=words):
        people_of(shop()).validate(name, properties)


def test_readers_follow_the_rules_that_were_applied() -> None:
    river = shop()
    people = people_of(river)
    assert people.rules == TIGHT
    river.feed([decision(9, "identity.rules_applied", rules=LOOSE.as_dict())])
    assert people.rules == LOOSE
    assert living(people.find("user_id", "u2")) == living(people.find("user_id", "u3"))


def test_an_identifier_is_written_kind_colon_value() -> None:
    assert parse_identifier("record.crm:12:3") == ("record.crm", "12:3")
    with pytest.raises(DefinitionInvalid, match="kind:value"):
        parse_identifier("nonsense")
