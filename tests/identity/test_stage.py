"""What always holds of identity, over generated events and decisions, through the real stage."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cauce.identity.partition import SHARED, exceeds
from cauce.identity.rules import Rules
from cauce.model import DAY, Event, Fate
from tests.identity.drive import (
    DECISIONS,
    EVENTS,
    IDENTIFIERS,
    LOOSE,
    TABLET,
    TIGHT,
    River,
    decision,
    event,
    groups_of,
    id_of,
    pair,
    quick,
    reference,
)

CUTS = st.lists(st.integers(1, 30), max_size=6)
RULES = st.sampled_from([TIGHT, LOOSE])
CAPS = st.sampled_from([3, 5, 2_000])


def interleaved(events: list[Event], decisions: list[Event], draw: Any) -> list[Event]:
    """Events in any order, decisions in theirs, mixed."""
    mixed = list(draw(st.permutations(events)))
    place = 0
    for word in decisions:
        place = draw(st.integers(place, len(mixed)))
        mixed.insert(place, word)
        place += 1
    return mixed


@quick
@given(EVENTS, DECISIONS, st.tuples(RULES, CAPS), CUTS, st.data())
def test_people_do_not_depend_on_the_order_or_on_batches(
    events: list[Event], decisions: list[Event], setup: tuple[Rules, int], cuts: list[int], data: st.DataObject
) -> None:
    rules, cap = setup
    river = River(rules, cap=cap)
    river.feed(interleaved(events, decisions, data.draw), cuts)
    assert river.state() == reference(events, rules, decisions, cap)


@quick
@given(EVENTS, DECISIONS, CAPS, st.sampled_from([1, 4, 500_000]))
def test_after_every_event_the_live_state_is_that_of_a_full_computation(
    events: list[Event], decisions: list[Event], cap: int, cache: int
) -> None:
    river = River(cap=cap, cache=cache)
    for end, fact in enumerate(events, start=1):
        river.feed([fact])
        assert river.state() == reference(events[:end], cap=cap)
    for end, word in enumerate(decisions, start=1):
        river.feed([word])
        assert river.state() == reference(events, TIGHT, decisions[:end], cap)


@quick
@given(EVENTS, DECISIONS, CUTS)
def test_a_stage_that_forgets_everything_goes_on_as_before(
    events: list[Event], decisions: list[Event], cuts: list[int]
) -> None:
    river = River()
    for word in [*events[::2], *decisions]:
        river.feed([word])
        river.stage.rolled_back()
    river.feed(events[1::2], cuts)
    assert river.state() == reference(events, TIGHT, decisions)


@quick
@given(EVENTS)
def test_every_event_has_one_subject_among_its_identifiers_or_belongs_to_nobody(events: list[Event]) -> None:
    river = River()
    for passage in river.feed(events):
        assert passage.subject == (passage.identifier_ids[0] if passage.identifier_ids else 0)
        assert len(set(passage.identifier_ids)) == len(passage.identifier_ids)
        usable = {id_of(i) for i in passage.event.identifiers if i.value != "nobody"} if passage.event else set()
        assert set(passage.identifier_ids) == usable
        assert usable <= river.people().keys()


@quick
@given(EVENTS, CUTS)
def test_limits_and_unique_kinds_are_never_exceeded(events: list[Event], cuts: list[int]) -> None:
    river = River()
    river.feed(events, cuts)
    for members in groups_of(river).values():
        for kind in {member.kind for member in members}:
            rule = TIGHT.kind(kind)
            times = [member.first_occurred for member in members if member.kind == kind]
            assert not (rule.unique and len(times) > 1)
            assert not (rule.limit and exceeds(times, rule.limit, rule.window_days * DAY))


@quick
@given(EVENTS, DECISIONS)
def test_a_refusal_is_kept_whatever_arrives(events: list[Event], decisions: list[Event]) -> None:
    river = River(LOOSE)
    a, b = str(IDENTIFIERS[0]), str(IDENTIFIERS[8])
    others = [word for word in decisions if {word.properties["a"], word.properties["b"]} != {a, b}]
    river.feed([pair(1, "identity.refused", a, b), *others, *events])
    people = river.people()
    if id_of(a) in people and id_of(b) in people:
        assert not river.same(a, b)


@quick
@given(EVENTS, DECISIONS, st.sampled_from(IDENTIFIERS[:20]), st.sampled_from(IDENTIFIERS[:20]))
def test_a_split_taken_back_restores_everything(events: list[Event], decisions: list[Event], a: Any, b: Any) -> None:
    river = River()
    river.feed([*events, *decisions])
    decided = {frozenset((word.properties["a"], word.properties["b"])) for word in decisions}
    if frozenset((str(a), str(b))) in decided:
        return
    before = river.state()
    for does, undoes in (("refused", "unrefused"), ("joined", "unjoined")):
        river.feed([pair(2_000, f"identity.{does}", str(a), str(b))])
        river.feed([pair(2_001, f"identity.{undoes}", str(a), str(b))])
        assert river.state() == before


@quick
@given(EVENTS, DECISIONS)
def test_a_persons_id_is_one_of_its_own_identifiers_and_its_oldest(events: list[Event], decisions: list[Event]) -> None:
    river = River()
    river.feed([*events, *decisions])
    for person, members in groups_of(river).items():
        assert person == min(members, key=lambda member: (member.first_occurred, member.id)).id


@quick
@given(EVENTS)
def test_shared_and_declared_identifiers_are_alone(events: list[Event]) -> None:
    river = River()
    river.feed(events)
    for members in groups_of(river).values():
        assert len(members) == 1 or not any(member.flags & SHARED for member in members)
        assert len(members) == 1 or not any(member.kind == "note" for member in members)


ERASED = st.lists(st.sampled_from(IDENTIFIERS[:20]), min_size=1, max_size=3, unique=True)


@quick
@given(EVENTS, EVENTS, ERASED, st.tuples(st.booleans(), st.booleans(), st.booleans()), CUTS)
def test_after_an_erasure_all_is_as_if_the_events_had_never_been(
    before: list[Event], after: list[Event], erased: list[Any], flags: tuple[bool, bool, bool], cuts: list[int]
) -> None:
    suppress, blanks, forgets = flags
    later = shifted(after)
    river = River()
    river.feed(before, cuts)
    word = decision(50, "person.erased", identifiers=[str(name) for name in erased], suppress=suppress)
    passages = river.feed([word, *later], cuts)
    if blanks:  # the archive does the same to what it holds
        gone = {id_of(name) for name in erased}
        river.archive = [p for p in river.archive if p.item.position >= 50 or gone.isdisjoint(p.identifier_ids)]
    kept = [e for e in before if set(erased).isdisjoint(e.identifiers)]
    heard = [e for e in later if not suppress or set(erased).isdisjoint(e.identifiers)]
    assert river.state() == reference([*kept, *heard])
    silenced = [p.item.position for p in passages if p.fate is Fate.SUPPRESSED]
    assert silenced == [e.position for e in later if e not in heard]
    if forgets:
        river.stage.rolled_back()
    more = shifted(after, 200)
    heard += [e for e in more if not suppress or set(erased).isdisjoint(e.identifiers)]
    river.feed(more, cuts)
    assert river.state() == reference([*kept, *heard])


def shifted(events: list[Event], by: int = 100) -> list[Event]:
    """The same events once more, as others."""
    return [
        Event(f"l{by + n}", e.source, e.channel, e.type, "", e.occurred, e.received, by + n, e.identifiers)
        for n, e in enumerate(events)
    ]


@quick
@given(EVENTS, EVENTS, DECISIONS, CUTS)
def test_changed_rules_rebuild_from_the_history(
    before: list[Event], after: list[Event], decisions: list[Event], cuts: list[int]
) -> None:
    later = shifted(after)
    for rules in (LOOSE, Rules.from_dict({**TIGHT.as_dict(), "blocked": ["nobody", "e1", "u1"]})):
        river = River()
        applied = decision(2_000, "identity.rules_applied", rules=rules.as_dict())
        river.feed([*before, *decisions, applied, *later], cuts)
        assert river.state() == reference([*before, *later], rules, decisions)
        river.stage.rolled_back()
        river.feed([event(5_000, "user_id:u0", "email:e0")])
        assert river.state() == reference([*before, *later, event(5_000, "user_id:u0", "email:e0")], rules, decisions)


@quick
@given(EVENTS, DECISIONS)
def test_rules_that_only_group_otherwise_need_no_history(events: list[Event], decisions: list[Event]) -> None:
    document = TIGHT.as_dict()
    document["kinds"]["email"]["limit"] = 1
    document["kinds"]["crm_id"]["unique"] = False
    rules = Rules.from_dict(document)
    river = River(history=False)
    river.feed([*events, *decisions, decision(2_000, "identity.rules_applied", rules=document)])
    assert river.state() == reference(events, rules, decisions)


@quick
@given(EVENTS, DECISIONS)
def test_applying_the_present_rules_again_changes_nothing(events: list[Event], decisions: list[Event]) -> None:
    river = River()
    river.feed([*events, *decisions])
    before = river.state()
    river.feed([decision(2_000, "identity.rules_applied", rules=TIGHT.as_dict())])
    assert river.state() == before


def test_an_erasure_that_makes_a_neighbour_younger_lets_it_grow_older_again() -> None:
    river = River()
    river.feed([event(1, "hobby:h1", "email:e1", day=1), event(2, "hobby:h1", day=5)])
    river.feed([decision(3, "person.erased", identifiers=["email:e1"]), event(4, "hobby:h1", day=9)])
    river.feed([event(5, "hobby:h1", day=3)])
    kept = [event(2, "hobby:h1", day=5), event(4, "hobby:h1", day=9), event(5, "hobby:h1", day=3)]
    assert river.state() == reference(kept)


def test_what_memory_has_dropped_is_read_again() -> None:
    river = River(cache=4)
    events = [
        event(1, "email:e0", day=3),
        event(2, "user_id:u0", "crm_id:c0", "email:e1", "hobby:h0", "hobby:h1"),
        event(3, "email:e0", day=2),
    ]
    for fact in events:
        river.feed([fact])
    assert river.state() == reference(events)


def test_another_person_who_logs_in_on_the_same_browser_takes_nothing_over() -> None:
    river = River()
    river.feed([event(1, "user_id:u1", "anonymous_id:a1"), event(2, "anonymous_id:a1")])
    assert river.same("user_id:u1", "anonymous_id:a1")
    river.feed([event(3, "user_id:u2", "anonymous_id:a1")])
    assert not river.same("user_id:u1", "user_id:u2")
    assert not river.same("user_id:u1", "anonymous_id:a1")
    assert not river.same("user_id:u2", "anonymous_id:a1")


def test_the_tablet_of_a_store_merges_nobody() -> None:
    river = River(LOOSE)
    river.feed([event(n, f"email:e{n}", "anonymous_id:a1", source=TABLET) for n in range(1, 9)])
    assert len(groups_of(river)) == 9


def test_an_alias_of_oneself_changes_nothing() -> None:
    river = River()
    river.feed([event(1, "user_id:u1", day=1)])
    before = river.state()
    river.feed([event(2, "user_id:u1", "user_id:u1", day=2, type="alias")])
    assert river.state() == before


def test_an_alias_may_come_before_the_identify() -> None:
    alias, identify = event(2, "user_id:u1", "anonymous_id:a1", type="alias"), event(1, "user_id:u1", "email:e1")
    early, late = River(), River()
    early.feed([alias, identify])
    late.feed([identify, alias])
    assert early.state() == late.state()
    assert early.same("anonymous_id:a1", "email:e1")


def test_limits_per_window_expire_as_declared() -> None:
    within, past = River(), River()
    within.feed([event(n, "user_id:u1", f"anonymous_id:a{n}", day=day) for n, day in enumerate((0, 1, 6))])
    past.feed([event(n, "user_id:u1", f"anonymous_id:a{n}", day=day) for n, day in enumerate((0, 1, 7))])
    assert len(groups_of(within)) == 2
    assert len(groups_of(past)) == 1


def test_evidence_from_a_retracted_link_counts_no_more_until_it_is_restored() -> None:
    river = River()
    river.feed([event(1, "user_id:u1", "email:e1")])
    river.feed([pair(2, "link.retracted", "email:e1", "user_id:u1")])
    assert not river.same("user_id:u1", "email:e1")
    river.feed([event(3, "user_id:u1", "email:e1")])
    assert not river.same("user_id:u1", "email:e1")
    river.feed([pair(4, "link.restored", "user_id:u1", "email:e1")])
    assert river.same("user_id:u1", "email:e1")


def test_a_steward_overrides_unique_kinds_and_a_refusal_overrides_the_steward() -> None:
    river = River()
    river.feed([event(1, "user_id:u1", "email:e1"), event(2, "user_id:u2", "email:e1")])
    assert not river.same("user_id:u1", "email:e1")
    river.feed([pair(3, "identity.joined", "user_id:u1", "user_id:u2")])
    assert river.same("user_id:u1", "user_id:u2")
    assert river.same("user_id:u1", "email:e1")
    river.feed([pair(4, "identity.joined", "user_id:u2", "user_id:u3"), event(5, "user_id:u3")])
    assert river.same("user_id:u1", "user_id:u3")
    river.feed([pair(6, "identity.refused", "user_id:u1", "user_id:u3")])
    assert not river.same("user_id:u1", "user_id:u3")
    assert river.same("user_id:u2", "user_id:u3")


def test_unreadable_decisions_pass_and_do_nothing() -> None:
    river = River()
    river.feed([event(1, "user_id:u1", "email:e1")])
    before = river.state()
    river.feed(
        [
            decision(2, "identity.refused", a="nonsense", b=7),
            decision(3, "identity.rules_applied", rules={"kinds": 5}),
            decision(4, "person.erased"),
            decision(5, "trait.set", identifier="user_id:u1"),
        ]
    )
    assert river.state() == before
