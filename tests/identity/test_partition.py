"""The partition against a slow and plain reading of the same sentences."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.identity.devices import attribute
from cauce.identity.partition import Known, Link, Rulings, exceeds, partition
from cauce.identity.rules import Rules
from cauce.model import DAY
from tests.identity.drive import TIGHT, quick

KINDS = st.sampled_from(["user_id", "crm_id", "email", "hobby", "anonymous_id"])
MEMBERS = st.lists(st.tuples(KINDS, st.integers(0, 20)), min_size=1, max_size=8).map(
    lambda drawn: [Known(n, kind, "", day * DAY, 0) for n, (kind, day) in enumerate(drawn, start=1)]
)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Known], list[Link], Rulings]:
    members = draw(MEMBERS)
    pairs = list(combinations([node.id for node in members], 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    links = [
        Link(n, low, high, draw(st.integers(1, 4)), draw(st.integers(0, 3)), "", "", 0, "", 0)
        for n, (low, high) in enumerate(chosen)
    ]
    refused = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2)) if pairs else []
    apart: dict[int, set[int]] = {}
    for low, high in refused:
        apart.setdefault(low, set()).add(high)
        apart.setdefault(high, set()).add(low)
    return members, links, Rulings(apart={id: frozenset(others) for id, others in apart.items()})


def plainly(members: list[Known], links: list[Link], rulings: Rulings, rules: Rules) -> set[frozenset[int]]:
    nodes = {node.id: node for node in members}
    priority = {node.id: rules.kind(node.kind).priority for node in members}
    groups = [frozenset([node.id]) for node in members]

    def strength(link: Link) -> tuple[object, ...]:
        ranks = sorted((priority[link.low], priority[link.high]))
        return -ranks[0], -ranks[1], -link.support, link.occurred, link.low, link.high

    for link in sorted(links, key=strength):
        (one,) = [group for group in groups if link.low in group]
        (other,) = [group for group in groups if link.high in group]
        both = one | other
        if one == other or any(b in rulings.apart.get(a, ()) for a in both for b in both):
            continue
        if all(fits([nodes[id].first_occurred for id in both if nodes[id].kind == kind], kind, rules) for kind in
               {nodes[id].kind for id in both}):  # fmt: skip
            groups = [group for group in groups if group not in (one, other)] + [both]
    return set(groups)


def fits(times: list[int], kind: str, rules: Rules) -> bool:
    rule = rules.kind(kind)
    if rule.unique and len(times) > 1:
        return False
    if not rule.limit or not rule.window_days:
        return not rule.limit or len(times) <= rule.limit
    window = rule.window_days * DAY
    return all(sum(1 for t in times if start <= t < start + window) <= rule.limit for start in times)


@quick
@given(graphs())
def test_the_partition_is_what_the_words_say(graph: tuple[list[Known], list[Link], Rulings]) -> None:
    members, links, rulings = graph
    reached = {members[0].id}
    for _ in members:
        reached |= {id for link in links for id in (link.low, link.high) if {link.low, link.high} & reached}
    members = [node for node in members if node.id in reached]
    links = [link for link in links if link.low in reached]
    outcome = partition(members, links, TIGHT, rulings)
    found: dict[int, set[int]] = {}
    for id, person in outcome.person.items():
        found.setdefault(person, set()).add(id)
    assert {frozenset(group) for group in found.values()} == plainly(members, links, rulings, TIGHT)
    assert all(person == min(group, key=lambda id: (members_by(members)[id], id)) for person, group in found.items())
    people = outcome.person
    assert set(outcome.unjoined) == {(link.low, link.high) for link in links if people[link.low] != people[link.high]}


def members_by(members: list[Known]) -> dict[int, int]:
    return {node.id: node.first_occurred for node in members}


@quick
@given(st.lists(st.integers(0, 30), max_size=8), st.integers(1, 4), st.integers(0, 10))
def test_windows_slide(times: list[int], limit: int, window: int) -> None:
    crowded = any(sum(1 for t in times if start <= t < start + window) > limit for start in times)
    assert exceeds(times, limit, window) == (len(times) > limit if window == 0 else crowded)


@pytest.mark.parametrize(
    ("minutes", "expected"), [(0, 7), (29, 7), (30, None), (-1, None)], ids=["at once", "in time", "late", "before"]
)
def test_a_shared_device_is_the_last_authenticated_persons_for_a_while(minutes: int, expected: int | None) -> None:
    assert attribute([(100 + minutes, 2)], [(100, 1, 7)], 30).get(2) == expected


@quick
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 3)), max_size=6), st.lists(st.integers(0, 60), max_size=6))
def test_attribution_takes_the_latest_word_in_any_order(words: list[tuple[int, int]], moments: list[int]) -> None:
    told = [(occurred, 100 + n, id) for n, (occurred, id) in enumerate(words)]
    anonymous = [(occurred, 200 + n) for n, occurred in enumerate(moments)]
    found = attribute(reversed(anonymous), reversed(told), 10)
    for occurred, position in anonymous:
        before = [word for word in told if word[0] <= occurred]
        latest = max(before, key=lambda word: (word[0], word[2]), default=None)
        assert found.get(position) == (latest[2] if latest and occurred - latest[0] < 10 else None)
