"""What somebody looked at, put into a basket, bought and brought back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.profiles.shopping import NAMES, RETURNED, shopping_of
from tests.profiles.world import event, values

SKIRT = {"product_id": "p1", "name": "Falda", "price": 39.9, "currency": "EUR", "category": "faldas"}
SHOES = {"product_id": "p2", "name": "Zapatos", "price": 60, "currency": "EUR"}


def seen(number: int, verb: str, /, channel: str = "web", **properties: Any) -> Any:
    return event(number, verb, channel=channel, properties=properties)


def test_what_was_looked_at_and_not_bought():
    found = shopping_of(
        [
            seen(1, "Product Viewed", **SKIRT),
            seen(2, "Product Viewed", **SHOES),
            seen(3, "Product Viewed", product_id="p1"),
            seen(4, "Receipt Issued", channel="store", total=60, products=[SHOES]),
        ]
    )
    (look,) = found.looked_at
    assert (look.product.name, look.product.price, look.times, look.bought_before) == ("Falda", 39_900_000, 2, None)


def test_looking_again_after_buying_is_wanting_again():
    found = shopping_of([seen(1, "Order Completed", products=[SKIRT]), seen(2, "Product Viewed", **SKIRT)])
    assert [look.bought_before for look in found.looked_at] == [event(1).occurred]


def test_a_basket_follows_what_is_put_in_and_taken_out():
    found = shopping_of(
        [
            seen(1, "Product Added", cart_id="k", quantity=2, **SKIRT),
            seen(2, "Product Added", cart_id="k", **SHOES),
            seen(3, "Product Removed", cart_id="k", quantity=1, **SKIRT),
            seen(4, "Product Removed", cart_id="k", product_id="p2"),
        ]
    )
    (basket,) = found.baskets
    assert [(line.product.name, line.product.quantity) for line in basket.lines] == [("Falda", 1_000)]
    assert basket.values == {"EUR": 39_900_000}
    assert basket.checkout is None


def test_an_order_closes_the_basket_that_it_names_and_no_other():
    found = shopping_of(
        [
            seen(1, "Product Added", cart_id="k1", **SKIRT),
            seen(2, "Product Added", cart_id="k2", **SHOES),
            seen(3, "Checkout Started", checkout_id="k2", products=[SHOES]),
            seen(4, "Order Completed", checkout_id="k1", total=39.9, products=[SKIRT]),
        ]
    )
    (basket,) = found.baskets
    assert (basket.id, basket.checkout) == ("k2", event(3).occurred)


def test_an_order_that_names_no_basket_closes_those_of_its_channel():
    events = [
        seen(1, "Product Added", **SKIRT),
        seen(2, "Product Added", channel="app", **SHOES),
        seen(3, "Order Completed", order_id="o", total=39.9, products=[SKIRT]),
    ]
    assert [basket.channel for basket in shopping_of(events).baskets] == ["app"]


def test_a_checkout_without_the_number_of_its_basket_is_of_the_latest_one():
    events = [seen(1, "Product Added", cart_id="k", **SKIRT), seen(2, "Checkout Started", order_id="o", value=39.9)]
    (basket,) = shopping_of(events).baskets
    assert (basket.id, basket.checkout) == ("k", event(2).occurred)
    assert not shopping_of([*events, seen(3, "Order Completed", checkout_id="k")]).baskets


def test_what_lies_in_a_basket_may_have_been_bought_in_a_store():
    events = [seen(1, "Product Added", **SKIRT), seen(2, "Receipt Issued", channel="store", products=[SKIRT])]
    ((line,),) = [basket.lines for basket in shopping_of(events).baskets]
    assert line.bought_since == event(2).occurred


def test_purchases_by_channel_and_returns():
    found = shopping_of(
        [
            seen(1, "Order Completed", order_id="o1", total=10.5, currency="eur"),
            seen(2, "Order Completed", order_id="o2", total=1, currency="EUR"),
            seen(3, "Receipt Issued", channel="store", receipt_id="r1", total=30, currency="EUR", store_id="S1"),
            seen(4, "Receipt Issued", channel="store", receipt_id="r2", total=5, currency="MXN"),
            seen(5, "Product Returned", channel="store", order_id="o1", total=10.5, currency="EUR", reason="size"),
        ]
    )
    assert [(each.channel, each.currency, each.count, each.amount) for each in found.by_channel] == [
        ("store", "EUR", 1, 30_000_000),
        ("web", "EUR", 2, 11_500_000),
        ("store", "MXN", 1, 5_000_000),
    ]
    assert [sale.id for sale in found.purchases] == ["r2", "r1", "o2", "o1"]
    assert [(sale.id, sale.reason, sale.amount) for sale in found.returns] == [("o1", "size", 10_500_000)]


odd = st.dictionaries(
    st.sampled_from(["product_id", "sku", "name", "price", "quantity", "currency", "cart_id", "total", "products"]),
    values | st.lists(st.fixed_dictionaries({}, optional={"product_id": values, "quantity": values}), max_size=3),
    max_size=6,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(NAMES)), odd), max_size=12), st.randoms(use_true_random=False))
def test_whatever_comes_in_it_can_be_read_and_its_order_does_not_matter(drawn, dice):
    events = [event(number, name, properties=told) for number, (name, told) in enumerate(drawn)]
    found = shopping_of(events)
    shuffled = list(events)
    dice.shuffle(shuffled)
    assert shopping_of(shuffled) == found
    assert all(line.product.quantity > 0 for basket in found.baskets for line in basket.lines)
    assert len(found.returns) == sum(name in RETURNED for name, _ in drawn)
    assert sum(each.count for each in found.by_channel) == len(found.purchases)
