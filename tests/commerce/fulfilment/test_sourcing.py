"""Where goods come from: never more than there is, the whole or none, as few places as possible, with every reason."""

from __future__ import annotations

from itertools import combinations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.catalogue.api import Position
from cauce.commerce.fulfilment import api
from cauce.commerce.fulfilment.api import ApplyRules, PlaceSourced, Wanted, Wish
from cauce.commerce.fulfilment.rules import sourcing
from cauce.commerce.fulfilment.rules.definition import Rule, Source, Weights
from cauce.commerce.fulfilment.rules.sourcing import VERDICTS, Asked, Candidate, Need, choose, places_min
from cauce.commerce.orders.api import NewLine, Part, PlaceOrder
from cauce.commerce.stock.limits import SetSafety
from cauce.errors import Conflict, DefinitionInvalid, NotFound, Shortage
from tests.commerce.fulfilment.stores import moment

SKUS = ("A", "B", "C")
AMOUNTS = st.integers(0, 6_000)


@st.composite
def worlds(draw, places_max=6):
    """A rule, what is asked, and places with what they have."""
    needs = tuple(
        Need(sku, draw(st.integers(1, 8)) * step, step)
        for sku in draw(st.lists(st.sampled_from(SKUS), min_size=1, unique=True))
        for step in (draw(st.sampled_from((1_000, 1))),)
    )
    count = draw(st.integers(0, places_max))
    candidates = [
        Candidate(
            place=f"P{number}",
            roles=frozenset(draw(st.sets(st.sampled_from(("ships", "picks_up"))))),
            available={sku: draw(AMOUNTS) for sku in SKUS},
            distance_km=draw(st.none() | st.floats(0, 2_000)),
            age_days=draw(st.floats(0, 400)),
            open_orders=draw(st.integers(0, 20)),
            opens=draw(st.none() | st.integers(0, 10**12)),
            ready=draw(st.none() | st.integers(1, 10**12)),
        )
        for number in range(count)
    ]
    rule = Rule(
        name="any",
        source=Source(
            roles=tuple(draw(st.sets(st.sampled_from(("ships",))))),
            keep=draw(st.integers(0, 2)),
            destination=draw(st.sampled_from(("any", "only", "never"))),
            open_orders_max=draw(st.none() | st.integers(1, 20)),
            opens_within_hours=draw(st.none() | st.integers(0, 300)),
            distance_km_max=draw(st.none() | st.floats(0, 2_000)),
        ),
        prefer=Weights(
            distance_km=draw(st.floats(0, 5)), load=draw(st.floats(0, 5)), stock_age_days=draw(st.floats(0, 5))
        ),
        splits_max=draw(st.integers(1, 6)),
    )
    asked = Asked(needs=needs, now=0, destination="P0", by=draw(st.sampled_from((0, 10**11))))
    return rule, asked, candidates


def gives(rule, need, candidate):
    """What a place can give of a need, said in another way."""
    amount = max(0, candidate.available.get(need.sku, 0) - rule.source.keep * 1_000)
    return need.amount if amount >= need.amount else amount - amount % need.step


@settings(max_examples=60)
@given(worlds())
def test_never_more_than_there_is_and_the_whole_or_nothing(world):
    rule, asked, candidates = world
    choice = choose(rule, asked, candidates)
    by_place = {candidate.place: candidate for candidate in candidates}
    for place, amounts in choice.taken.items():
        assert sourcing.why_not(rule, asked, by_place[place]) is None
        for need in asked.needs:
            taken = amounts.get(need.sku, 0)
            assert 0 <= taken <= gives(rule, need, by_place[place])
            assert taken % need.step == 0 or taken == need.amount
        assert set(amounts) <= {need.sku for need in asked.needs}
        assert all(amount > 0 for amount in amounts.values())
    sums = {need.sku: sum(amounts.get(need.sku, 0) for amounts in choice.taken.values()) for need in asked.needs}
    assert sums in ({need.sku: need.amount for need in asked.needs}, {need.sku: 0 for need in asked.needs})
    assert bool(choice.taken) != bool(choice.short)
    assert len(choice.taken) <= rule.splits_max


@settings(max_examples=60)
@given(worlds())
def test_as_few_places_as_possible_and_of_these_the_best(world):
    """Compared with every set of places that there is."""
    rule, asked, candidates = world
    choice = choose(rule, asked, candidates)
    may = [candidate for candidate in candidates if sourcing.why_not(rule, asked, candidate) is None]
    possible = [
        group
        for size in range(1, min(rule.splits_max, len(may)) + 1)
        for group in combinations(may, size)
        if all(sum(gives(rule, need, one) for one in group) >= need.amount for need in asked.needs)
    ]
    assert bool(choice.taken) == bool(possible)
    if possible:
        assert choice.is_exact
        fewest = min(map(len, possible))
        assert len(choice.taken) == fewest
        costs = [sum(round(sum(sourcing.parts_of(rule.prefer, one).values()), 3) for one in group)
                 for group in possible if len(group) == fewest]  # fmt: skip
        scores = {verdict.place: verdict.score for verdict in choice.verdicts}
        assert sum(scores[place] for place in choice.taken) == pytest.approx(min(costs))


@settings(max_examples=40)
@given(worlds(places_max=12))
def test_greedy_finds_a_way_when_there_is_one_and_keeps_nobody_in_vain(world):
    rule, asked, candidates = world
    rule = msgspec.structs.replace(rule, splits_max=50)
    exact = choose(rule, asked, candidates)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sourcing, "SETS_MAX", 0)
        greedy = choose(rule, asked, candidates)
    assert bool(greedy.taken) == bool(exact.taken)
    if not greedy.taken or greedy.is_exact:
        return
    assert greedy.places_min <= len(exact.taken) <= len(greedy.taken)
    by_place = {candidate.place: candidate for candidate in candidates}
    for left_out in greedy.taken:
        rest = [by_place[place] for place in greedy.taken if place != left_out]
        assert any(sum(gives(rule, need, one) for one in rest) < need.amount for need in asked.needs)


@settings(max_examples=40)
@given(worlds())
def test_every_place_gets_a_verdict_that_there_is(world):
    rule, asked, candidates = world
    choice = choose(rule, asked, candidates)
    assert sorted(verdict.place for verdict in choice.verdicts) == sorted(one.place for one in candidates)
    assert {verdict.code for verdict in choice.verdicts} <= VERDICTS.keys()
    chosen = {verdict.place: verdict.amounts for verdict in choice.verdicts if verdict.code == "chosen"}
    assert chosen == choice.taken
    assert choose(rule, asked, list(reversed(candidates))) == choice


@settings(max_examples=40)
@given(worlds())
def test_the_bound_is_one(world):
    rule, asked, candidates = world
    offers = [{need.sku: gives(rule, need, one) for need in asked.needs} for one in candidates]
    for size in range(1, len(offers) + 1):
        for group in combinations(offers, size):
            if all(sum(one[need.sku] for one in group) >= need.amount for need in asked.needs):
                assert size >= places_min(asked.needs, offers)


# -- over a store -------------------------------------------------------------------------------------------------


def test_a_pick_up_comes_from_where_it_is_collected_and_every_place_says_why(stores):
    stores.receive("A", "MAD", 2_000)
    stores.receive("A", "WH", 9_000)
    wish = Wish(delivery="pick_up", destination="MAD", lines=(Wanted("A", 1_000),), channel="web")
    found = api.sourced(stores, wish, stores.now)
    assert found.choice.taken == {"MAD": {"A": 1_000}}
    assert {verdict.place: verdict.code for verdict in found.choice.verdicts} == {
        "MAD": "chosen", "WH": "not_destination", "TOL": "not_destination", "BCN": "not_destination",
    }  # fmt: skip
    assert found.promised == moment("2026-11-23T13:00")


def test_home_delivery_prefers_few_parcels_then_the_near(stores):
    for place in ("MAD", "TOL", "BCN"):
        stores.receive("A", place, 1_000)
        stores.receive("B", place, 1_000)
    stores.receive("A", "WH", 2_000)
    position = Position(41.4, 2.2)
    one = api.sourced(stores, Wish(delivery="ship", lines=(Wanted("A", 1_000),), position=position), stores.now)
    assert list(one.choice.taken) == ["BCN"]
    both = api.sourced(
        stores, Wish(delivery="ship", lines=(Wanted("A", 2_000), Wanted("B", 1_000)), position=position), stores.now
    )
    assert {place: amounts for place, amounts in both.choice.taken.items() if place == "BCN"} == {"BCN": {"B": 1_000}}
    assert both.choice.taken["WH"] == {"A": 2_000}


def test_old_stock_goes_first_where_the_rules_say_so(stores):
    rules = "rules: [{name: old, from: {roles: [ships]}, prefer: {stock_age_days: 1}}]"
    stores.do(ApplyRules(document=rules, by="ana"))
    stores.receive("A", "TOL", 1_000)
    stores.wait(30 * 86_400)
    stores.receive("A", "MAD", 1_000)
    found = api.sourced(stores, Wish(delivery="ship", lines=(Wanted("A", 1_000),)), stores.now)
    assert list(found.choice.taken) == ["TOL"]


def test_safety_stock_and_open_orders_keep_a_place_out(stores):
    stores.receive("A", "MAD", 3_000)
    stores.do(SetSafety(place="MAD", sku="A", amount=2_000))
    wish = Wish(delivery="pick_up", destination="MAD", lines=(Wanted("A", 2_000),))
    assert api.sourced(stores, wish, stores.now).choice.short == {"A": 1_000}
    stores.do(SetSafety(place="MAD", sku="A", amount=0))
    limited = "rules: [{name: few, from: {open_orders_max: 1}}]"
    stores.do(ApplyRules(document=limited, by="ana"))
    stores.order(("A", 1_000))
    verdict = next(each for each in api.sourced(stores, wish, stores.now).choice.verdicts if each.place == "MAD")
    assert (verdict.code, verdict.found, verdict.limit) == ("is_full", "1", "1")


def test_the_choice_the_holds_and_the_order_are_one(stores):
    stores.receive("A", "MAD", 1_000)
    number = stores.order(("A", 1_000))
    seen = api.pickup(stores, number)
    (choice,) = api.choices(stores, order_id=seen.order_id)
    assert choice.sourced.choice.taken == {"MAD": {"A": 1_000}}
    assert api.choice(stores, choice.id) == choice
    with pytest.raises(Shortage) as refused:
        stores.order(("A", 1_000))
    places = {each["place"]: each["code"] for each in refused.value.details["places"]}
    assert places["MAD"] == "has_none"
    assert len(api.choices(stores)) == 1
    assert stores.balance("A", "MAD") == (1_000, 1_000)
    stores.check()


def test_an_order_may_come_from_two_places_and_lines_are_shared_out(stores):
    stores.receive("A", "MAD", 2_000)
    stores.receive("A", "WH", 2_000)
    stores.receive("B", "WH", 1_000)
    number = stores.order(("A", 1_000), ("B", 1_000), ("A", 3_000), kind="ship", place="")
    picks = {place: api.pick_list(stores, place) for place in ("MAD", "WH")}
    amounts = {place: sum(line.to_pick for task in tasks for line in task.lines) for place, tasks in picks.items()}
    assert sum(amounts.values()) == 5_000
    assert amounts["MAD"] == 2_000
    assert {task.order for tasks in picks.values() for task in tasks} == {number}
    stores.check()


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        (Wish(delivery="drone", lines=(Wanted("A", 1),)), DefinitionInvalid),
        (Wish(delivery="ship", lines=()), DefinitionInvalid),
        (Wish(delivery="ship", lines=(Wanted("A", 0),)), DefinitionInvalid),
        (Wish(delivery="pick_up", lines=(Wanted("A", 1_000),)), DefinitionInvalid),
        (Wish(delivery="pick_up", destination="X", lines=(Wanted("A", 1_000),)), NotFound),
    ],
)
def test_wishes_that_make_no_sense_are_refused(stores, wish, fault):
    with pytest.raises(fault):
        api.sourced(stores, wish, stores.now)


def test_an_order_that_says_where_it_comes_from_is_not_sourced(stores):
    stores.receive("A", "MAD", 1_000)
    line = NewLine(sku="A", amount=1_000, price=1, parts=(Part("MAD", 1_000),))
    with pytest.raises(DefinitionInvalid, match="without parts"):
        stores.do(PlaceSourced(order=PlaceOrder(lines=(line,), currency="EUR")))


# -- rules --------------------------------------------------------------------------------------------------------


def test_rules_are_kept_by_version_and_nobody_overwrites_another_unseen(stores):
    assert api.in_force(stores).version == 0
    stores.do(ApplyRules(document="rules: [{name: first}]", by="ana", why="a try", seen=0))
    with pytest.raises(Conflict, match="version 1"):
        stores.do(ApplyRules(document="rules: [{name: second}]", by="eva", seen=0))
    found = api.in_force(stores)
    assert (found.version, [rule.name for rule in found.rules]) == (1, ["first"])
    (version,) = api.versions(stores)
    assert (version.by, version.why) == ("ana", "a try")
    wish = Wish(delivery="ship", lines=(Wanted("A", 1_000),))
    stores.do(ApplyRules(document="rules: [{name: only, when: {deliveries: [pick_up]}}]", by="ana"))
    assert api.sourced(stores, wish, stores.now).rule == ""


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "expected a list of rules"),
        ("rules: [", 1, "expected"),
        ("rules:\n- name: a\n  form: {}", 3, "Did you mean 'from'"),
        ("rules:\n- name: a\n  when: {deliveries: [pikup]}", 3, "Did you mean 'pick_up'"),
        ("rules:\n- name: a\n- name: a", 3, "two rules are named 'a'"),
        ("rules:\n- name: a\n  promise:\n    cut_off: noon", 4, "expected cut_off to be a time"),
        ("rules:\n- name: a\n  promise: {wait_days: 0}", 3, "from 1 to 90"),
        ("rules:\n- name: a\n  from: {keep: 1.5}", 3, "a whole number"),
        ("rules:\n- name: a\n  splits_max: true", 3, "a whole number"),
        ("rules:\n- name: a\n  from: {destination: only}\n  splits_max: 2", 4, "expected splits_max to be 1"),
        ("rules:\n- name: a\n  when: {deliveries: [ship]}\n  from: {destination: only}", 4, "nobody collects"),
        ("rules: &all\n- name: a\n", 1, "anchors"),
        ("rules:\n- 3", 2, "expected a rule to be a mapping"),
        ("x" * 60_000, 1, "at most 50000 characters"),
    ],
)
def test_faults_of_rules_say_where_and_how_to_mend_them(text, line, said):
    rules, faults = api.checked(text)
    assert not rules or faults
    assert any(fault.line == line and said in fault.message for fault in faults), faults
    with pytest.raises(DefinitionInvalid):
        api.read_rules(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(("rules", "name", "when", "from", "roles", "promise", "cut_off")), inner,
                        max_size=4), max_leaves=12))  # fmt: skip
def test_whatever_is_said_is_read_or_refused(document):
    try:
        rules = api.read_rules(document)
    except DefinitionInvalid:
        return
    assert api.read_rules(api.as_document(rules)) == rules
    assert api.read_rules(api.as_yaml(rules)) == rules
