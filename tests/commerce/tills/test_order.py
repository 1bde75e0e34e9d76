"""In whatever order facts come, doubled, in batches of any size, across crashes: the books are the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.tills.applying import Rewind
from cauce.engines.api import Tables
from tests.commerce.tills.river import NOW, SECOND, River, receipt
from tests.furnished import FurnishedTables

SKUS, PLACES, TILLS = ("A", "B"), ("S1", "S2"), ("1", "2")
Told = tuple[str, dict[str, Any]]


@st.composite
def facts(draw: st.DrawFn) -> list[Told]:
    """Receipts of several tills with one skewed clock, some cancelled, some taken back elsewhere; and levels."""
    found: list[Told] = []
    for number in range(draw(st.integers(1, 12))):
        store, till = draw(st.sampled_from(PLACES)), draw(st.sampled_from(TILLS))
        occurred = NOW + draw(st.integers(-5, 0)) * 86_400 * SECOND
        sold = draw(st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 4)), min_size=1, max_size=3))
        products = [{"sku": sku, "quantity": quantity} for sku, quantity in sold]
        told = receipt(number, store=store, till=till, products=products)
        sources = draw(st.sampled_from([("pos",), ("pos", "poslog")]))
        found += [("Receipt Issued", {**told, "source": source, "occurred": occurred}) for source in sources]
        if draw(st.booleans()):
            back = {"store_id": draw(st.sampled_from(PLACES)), "original_store_id": store, "return_id": f"V{number}"}
            found.append(("Product Returned", {**back, "products": products[:1], "occurred": NOW}))
        if draw(st.integers(0, 3)) == 0:
            found.append(("Receipt Cancelled", {**told, "occurred": NOW}))
    return found


def books(river: River) -> dict[tuple[str, str, str], int]:
    """The books of the stock, with what is owed beside what is free: in which order they meet is nobody's matter."""
    shelf: Counter[tuple[str, str, str]] = Counter()
    for (sku, place, name), amount in river.shelf().items():
        shelf[sku, place, "free" if name == "oversold" else name] += amount
    return {key: amount for key, amount in shelf.items() if amount}


def outcome(tables: Tables, told: list[Told], *, steps: random.Random | None = None) -> Any:
    river = River(tables)
    try:
        for number, (name, properties) in enumerate(told):
            river.tell(name, id=f"e{number}", **properties)
            if steps and steps.random() < 0.4:
                river.follower = river.fresh()
                river.follower._deeds_max = steps.randint(1, 5)
                river.follower.step()
        river.follower = river.fresh()
        river.follow()
        receipts = river.commerce.select("select key, state, lines from till_receipt order by key")
        return books(river), sorted((key, state, sorted(lines)) for key, state, lines in receipts)
    finally:
        river.close()


def expected(told: list[Told]) -> dict[tuple[str, str, str], int]:
    """The books as they must be, worked out from the facts without any of our code."""
    shelf: Counter[tuple[str, str, str]] = Counter()
    cancelled = {one["receipt_id"] for name, one in told if name == "Receipt Cancelled"}
    receipts = {one["receipt_id"]: one for name, one in told if name == "Receipt Issued"}
    returns = {one["return_id"]: one for name, one in told if name == "Product Returned"}
    for id_, one in receipts.items():
        for line in one["products"] if id_ not in cancelled else ():
            shelf[line["sku"], one["store_id"], "free"] -= line["quantity"] * 1_000
            shelf[line["sku"], one["store_id"], "sold"] += line["quantity"] * 1_000
    for one in returns.values():
        for line in one["products"]:
            shelf[line["sku"], one["store_id"], "free"] += line["quantity"] * 1_000
            shelf[line["sku"], one["original_store_id"], "sold"] -= line["quantity"] * 1_000
    return {key: amount for key, amount in shelf.items() if amount}


@given(told=facts(), seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_any_order_any_batches_any_repetition_give_the_same_books(told: list[Told], seed: int) -> None:
    chance = random.Random(seed)
    doubled = told + chance.sample(told, len(told) // 2)
    chance.shuffle(doubled)
    found, _ = outcome(FurnishedTables(), doubled, steps=chance)
    assert found == expected(told)


@given(told=facts())
@settings(max_examples=10)
def test_following_the_river_once_more_changes_nothing(told: list[Told]) -> None:
    river = River(FurnishedTables())
    for name, properties in told:
        river.tell(name, **properties)
    river.follow()
    before = river.shelf()
    river.commerce.do(Rewind(position=0))
    river.follow()
    assert river.shelf() == before
    river.close()


@pytest.mark.parametrize("seed", range(3))
def test_the_same_on_every_engine(fresh: Callable[[], Callable[[], Tables]], seed: int) -> None:
    chance = random.Random(seed)
    told: list[Told] = []
    for number in range(120):
        products = [{"sku": chance.choice(SKUS), "quantity": chance.randint(1, 4)} for _ in range(chance.randint(1, 3))]
        store = chance.choice(PLACES)
        told.append(("Receipt Issued", {**receipt(number, store=store, products=products), "occurred": NOW}))
        if chance.random() < 0.3:
            back = {"store_id": chance.choice(PLACES), "original_store_id": store, "return_id": f"V{number}"}
            told.append(("Product Returned", {**back, "products": products[:1]}))
        if chance.random() < 0.1:
            told.append(("Receipt Cancelled", receipt(number, store=store)))
    doubled = told + chance.sample(told, 60)
    chance.shuffle(doubled)
    found, _ = outcome(fresh()(), doubled, steps=chance)
    assert found == expected(told)
