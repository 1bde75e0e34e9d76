"""Orders of other systems, and points for what tills sold: once each, in whatever order their news come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.commerce.catalogue.items import MapItem
from cauce.commerce.loyalty import api as loyalty
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.commerce.tills.applying import Rewind
from cauce.commerce.tills.habits import SetHabit
from tests.commerce.tills.river import NOW, SECOND, River, receipt
from tests.furnished import FurnishedTables

ANA = "email:ana@example.com"
CLUB = """
programme: club
name: Club
currency: EUR
timezone: Europe/Madrid
earn:
  - {name: Every euro, points: 1, per: 1.00}
rewards:
  - {reward: coffee, name: Coffee, points: 50}
"""


def river_of() -> River:
    found = River(FurnishedTables())
    found.commerce.do(SetHabit(source="shop", orders=True))
    return found


@pytest.fixture
def river() -> Iterator[River]:
    found = river_of()
    yield found
    found.close()


def order(number: str = "W1", **more: Any) -> dict[str, Any]:
    return {
        "order_id": number,
        "store_id": "S1",
        "currency": "EUR",
        "total": 20.0,
        "products": [{"sku": "A", "quantity": 2, "price": 10.0}],
        **more,
    }


def standing(river: River) -> list[tuple[Any, ...]]:
    return river.commerce.select(
        "select o.source, o.source_id, o.total, l.sku, l.amount, l.placed + l.allocated, l.cancelled, "
        "l.collected + l.shipped "
        "from customer_order o join order_line l on l.order_id = o.id order by o.source_id, l.sku, l.line"
    )


def test_orders_of_sources_without_the_habit_are_none_here(river: River) -> None:
    river.tell("Order Completed", source="web", **order())
    river.follow()
    assert standing(river) == []


def test_an_order_is_recorded_once_and_cancelled(river: River) -> None:
    for _ in range(2):
        river.tell("Order Completed", source="shop", id="same", **order())
    river.follow()
    assert standing(river) == [("shop", "W1", 2_000, "A", 2_000, 2_000, 0, 0)]
    river.tell("Order Cancelled", source="shop", occurred=NOW + SECOND, order_id="W1")
    river.follow()
    assert standing(river) == [("shop", "W1", 2_000, "A", 2_000, 0, 2_000, 0)]


@given(st.permutations([0, 1, 2, 3]))
def test_news_of_an_order_may_come_in_any_order(places: list[int]) -> None:
    river = river_of()
    news = [
        ("Order Completed", NOW, order()),
        ("Order Updated", NOW + SECOND, order(total=30.0, products=[{"sku": "A", "quantity": 3, "price": 10.0}])),
        ("Order Cancelled", NOW + 2 * SECOND, {"order_id": "W1"}),
        ("Order Refunded", NOW + 3 * SECOND, {"order_id": "W1", "total": 30.0, "currency": "EUR"}),
    ]
    for place in [*places, places[0]]:
        name, occurred, told = news[place]
        river.tell(name, source="shop", occurred=occurred, id=f"n{place}", **told)
        river.follow()
    river.commerce.do(Rewind(position=0))
    river.follow()
    found = standing(river)
    assert sum(row[4] for row in found) == 3_000
    assert sum(row[6] for row in found) == 3_000
    assert {row[2] for row in found} == {3_000}
    river.close()


@pytest.mark.parametrize("receipt_first", [True, False])
def test_a_receipt_of_an_order_takes_no_goods_of_its_own(river: River, receipt_first: bool) -> None:
    facts = [("Receipt Issued", receipt(1, order_id="W1")), ("Order Completed", order(fulfillment_status="fulfilled"))]
    for name, told in facts if receipt_first else reversed(facts):
        river.tell(name, source="shop", **told)
        river.follow()
    assert river.shelf()["A", "S1", "sold"] == 2_000


def test_an_order_waits_for_its_products(river: River) -> None:
    products = [{"sku": "A", "price": 1}, {"product_id": "77", "price": 2}, {"product_id": "78", "price": 2}]
    river.tell("Order Completed", source="shop", **order(products=products))
    river.follow()
    assert standing(river) == []
    for item in ("77", "78"):
        river.commerce.do(MapItem(channel="store", id=item, sku="B"))
        river.follower = river.fresh()
        while river.follower.settle():
            river.follower = river.fresh()
    assert [row[3:5] for row in standing(river)] == [("A", 1_000), ("B", 2_000)]


def points(river: River) -> int:
    found = loyalty.balance(river.commerce.tables, [ANA], NOW)
    return found[0].points if found else 0


@pytest.fixture
def club(river: River) -> River:
    river.commerce.do(ApplyProgramme(document=CLUB, by="test"))
    river.follower = river.fresh()
    return river


def test_a_receipt_earns_once_whatever_brings_it(club: River) -> None:
    club.tell("Receipt Issued", who=ANA, **receipt(1))
    club.tell("Receipt Issued", who=ANA, source="poslog", **receipt(1))
    club.tell("Receipt Issued", **receipt(2))
    club.follow()
    assert points(club) == 20


@pytest.mark.parametrize("is_first", [True, False])
def test_a_return_takes_back_what_its_receipt_earned(club: River, is_first: bool) -> None:
    back = {
        "return_id": "V1", "store_id": "S2", "original_store_id": "S1", "receipt_id": "R1",
        "products": [{"sku": "A", "quantity": 1, "price": 10.0}], "currency": "EUR",
    }  # fmt: skip
    facts = [("Product Returned", back), ("Receipt Issued", receipt(1))]
    for name, told in facts if is_first else reversed(facts):
        club.tell(name, who=ANA, **told)
        club.follow()
    assert points(club) == 10


def test_a_cancelled_receipt_earns_nothing(club: River) -> None:
    club.tell("Receipt Issued", who=ANA, **receipt(1))
    club.tell("Receipt Cancelled", **receipt(1))
    club.follow()
    assert points(club) == 0
