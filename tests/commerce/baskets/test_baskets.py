"""Baskets that meet: in any order, any number of times, nothing is lost and nothing doubled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.baskets import api as baskets
from cauce.commerce.baskets import rules
from cauce.commerce.baskets.api import Asked, Merge, MoveTo, Put, Remove
from cauce.commerce.baskets.changing import KEPT_SECONDS, EraseBaskets, ForgetBaskets
from cauce.commerce.baskets.rules import LineState
from cauce.commerce.orders.placing import NewLine, PlaceOrder
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound
from tests.commerce.orders.shop import SECOND, Shop
from tests.furnished import FurnishedTables

pytestmark = pytest.mark.soak

STATES = st.builds(
    LineState,
    removed=st.integers(0, 3),
    ordered=st.integers(0, 2),
    changed=st.integers(0, 3),
    amount=st.integers(1, 3),
    sku=st.sampled_from("AB"),
    channel=st.sampled_from(["app", "store"]),
    note=st.just(""),
    added=st.integers(0, 1),
)
BASKETS = st.dictionaries(st.sampled_from("xyz"), STATES)


@given(BASKETS, BASKETS, BASKETS)
def test_merging_is_commutative_associative_and_idempotent(
    one: dict[str, LineState], two: dict[str, LineState], three: dict[str, LineState]
) -> None:
    assert rules.merged(one, two) == rules.merged(two, one)
    assert rules.merged(rules.merged(one, two), three) == rules.merged(one, rules.merged(two, three))
    both = rules.merged(one, two)
    assert rules.merged(both, one) == rules.merged(both, both) == both


@given(BASKETS, BASKETS)
def test_no_line_is_lost_and_what_was_removed_stays_away(one: dict[str, LineState], two: dict[str, LineState]) -> None:
    both = rules.merged(one, two)
    assert both.keys() == one.keys() | two.keys()
    for id_, line in both.items():
        versions = [basket[id_] for basket in (one, two) if id_ in basket]
        assert line in versions
        assert bool(line.removed) >= any(version.removed and not line.ordered for version in versions)
        assert bool(line.ordered) == any(version.ordered for version in versions)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with contextlib.closing(Shop(FurnishedTables())) as found:
        yield found


def seen(shop: Shop, *owners: str, **asked: Any) -> dict[str, tuple[str, int]]:
    found = baskets.of_owners(shop.tables, owners, Asked(shop.now, **asked))
    return {line.line: (line.sku, line.amount) for line in found.lines}


SAID = st.tuples(
    st.sampled_from(["put", "remove", "merge"]),
    st.sampled_from(["device:a", "email:b", "loyalty:c"]),
    st.sampled_from("wxyz"),
    st.integers(1, 3),
    st.integers(1, 9),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(SAID, max_size=12), st.permutations(range(3)))
def test_what_a_person_sees_does_not_depend_on_when_baskets_met(said: list[Any], order: list[int]) -> None:
    """Three devices tell their lines; whether they meet early, late or only in what is shown, the same lies there."""
    owners = ("device:a", "email:b", "loyalty:c")
    found = []
    for meets in (True, False):
        with contextlib.closing(Shop(FurnishedTables())) as shop:
            known = False
            for what, owner, line, amount, moment in said:
                known = known or (meets and what == "merge")  # from now on they are known to be one person
                mine = (owner, *owners) if known else (owner,)
                if what == "remove":
                    with contextlib.suppress(NotFound):
                        shop.do(Remove(owners=mine, line=f"{owner}/{line}", changed=moment))
                else:
                    shop.do(Put(owners=mine, line=f"{owner}/{line}", sku="A", amount=amount, changed=moment))
            found.append(seen(shop, *(owners[index] for index in order)))
    assert found[0] == found[1]


def test_a_basket_is_found_on_another_device_and_by_the_associate(shop: Shop) -> None:
    on_phone = shop.do(Put(owners=("device:phone",), line="1", sku="A", amount=1_000, channel="app"))
    in_store = shop.do(Put(owners=("loyalty:7",), line="2", sku="B", amount=2_000, channel="store"))
    assert seen(shop, "device:phone", "loyalty:7") == {"1": ("A", 1_000), "2": ("B", 2_000)}
    met = shop.do(Merge(into=in_store.basket, baskets=(on_phone.basket,)))
    assert met.lines == 2
    assert shop.do(Merge(into=on_phone.basket, baskets=(in_store.basket,))).basket == in_store.basket
    # The old device goes on with the id that it knows.
    shop.do(Put(basket=on_phone.basket, line="3", sku="C", amount=1_000))
    assert set(seen(shop, "loyalty:7")) == set(seen(shop, "device:phone")) == {"1", "2", "3"}


def test_a_line_is_ordered_once(shop: Shop) -> None:
    shop.receive("A", "S1", 9_000)
    kept = shop.do(Put(owners=("email:b",), line="1", sku="A", amount=2_000))
    line = NewLine(sku="A", amount=2_000, price=100, ref="1")
    order = PlaceOrder(lines=(line,), currency="EUR", place="S1", basket=kept.basket, owners=("email:b",))
    shop.do(order)
    with pytest.raises(Conflict, match="ordered already"):
        shop.do(order)
    shop.do(Put(owners=("email:b",), line="1", sku="A", amount=5_000))  # a device that knows nothing of it
    assert seen(shop, "email:b") == {}
    assert shop.balance("A", "S1") == (9_000, 2_000)


def test_moving_running_out_and_forgetting(shop: Shop) -> None:
    kept = shop.do(Put(owners=("device:a",), line="1", sku="A", amount=1_000))
    shop.do(MoveTo(basket=kept.basket, owner="email:b"))
    assert seen(shop, "device:a") == {}
    assert seen(shop, "email:b") == {"1": ("A", 1_000)}
    shop.now += KEPT_SECONDS["basket"] * SECOND
    assert seen(shop, "email:b") == {}
    with pytest.raises(Ended):
        shop.do(Put(basket=kept.basket, line="2", sku="A", amount=1_000))
    fresh = shop.do(Put(owners=("email:b",), line="2", sku="A", amount=1_000))
    assert (fresh.basket, fresh.lines) == (kept.basket + 1, 1)
    assert shop.do(ForgetBaskets()) == 1
    assert seen(shop, "email:b") == {"2": ("A", 1_000)}


def test_an_erased_person_leaves_no_basket(shop: Shop) -> None:
    first = shop.do(Put(owners=("device:a",), line="1", sku="A", amount=1_000))
    second = shop.do(Put(owners=("email:b",), line="2", sku="A", amount=1_000))
    shop.do(Put(owners=("email:c",), line="3", sku="A", amount=1_000))
    shop.do(Merge(into=second.basket, baskets=(first.basket,)))
    assert shop.do(EraseBaskets(owners=("device:a", "email:b"))) == 2
    assert seen(shop, "device:a", "email:b", "email:c") == {"3": ("A", 1_000)}
    left = shop.tables.select("select owner from basket union select owner from basket_home")
    assert left == [("email:c",)]
    with pytest.raises(NotFound):
        shop.do(Put(basket=first.basket, line="4", sku="A", amount=1_000))


def test_the_river_hears_differences(shop: Shop) -> None:
    for amount in (1_000, 3_000, 3_000, 2_500):
        shop.now += SECOND
        shop.do(Put(owners=("email:b",), line="1", sku="A", amount=amount, channel="app"))
    shop.do(Remove(owners=("email:b",), line="1"))
    shop.do(Put(owners=("email:b",), line="w", sku="A", amount=1_000, kind="wish_list", channel="web"))
    told = [(fact["name"], fact["properties"].get("quantity"), fact["channel"]) for fact in shop.facts()]
    assert told == [
        ("Product Added", 1, "app"),
        ("Product Added", 2, "app"),
        ("Product Removed", 0.5, "app"),
        ("Product Removed", 2.5, "app"),
        ("Product Added to Wishlist", None, "web"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"line": ""},
        {"sku": ""},
        {"amount": 0},
        {"owners": ()},
        {"owners": ("nobody",)},
        {"kind": "trolley"},
        {"note": "x" * 2_001},
    ],
)
def test_what_makes_no_sense_is_refused(shop: Shop, wrong: dict[str, Any]) -> None:
    right = {"line": "1", "sku": "A", "amount": 1_000, "owners": ("email:b",)}
    with pytest.raises(DefinitionInvalid, match="expected"):
        shop.do(Put(**{**right, **wrong}))
