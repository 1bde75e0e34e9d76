"""Which price holds at an instant, and what may stand in a list of prices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.catalogue.api import price, price_list
from cauce.commerce.catalogue.nouns import Price
from cauce.commerce.catalogue.prices import SetPrices
from cauce.commerce.catalogue.rules import pricing
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from tests.commerce.catalogue.conftest import Shop

CHANNELS = ("", "web", "store")


@st.composite
def prices(draw: st.DrawFn) -> Price:
    start = draw(st.integers(0, 20))
    until = draw(st.one_of(st.just(0), st.integers(start + 1, 25)))
    return Price(
        currency=draw(st.sampled_from(["EUR", "KWD"])),
        amount=draw(st.integers(0, 10**9)),
        channel=draw(st.sampled_from(CHANNELS)),
        start=start,
        until=until,
    )


lists = st.lists(prices(), max_size=12, unique_by=lambda one: (one.channel, one.currency, one.start))


@given(lists, st.sampled_from(["web", "store", "kiosk"]), st.integers(0, 26))
def test_the_price_in_force_holds_and_nothing_more_particular_or_later_does(
    listed: list[Price], channel: str, at: int
) -> None:
    found = pricing.in_force(listed, channel, "EUR", at)
    holding = [
        one
        for one in listed
        if one.currency == "EUR" and one.channel in ("", channel) and one.start <= at and not 0 < one.until <= at
    ]
    if found is None:
        assert holding == []
        return
    assert found in holding
    own = [one for one in holding if one.channel == channel]
    assert (found.channel == channel) == bool(own)
    assert all(one.start <= found.start for one in holding if one.channel == found.channel)


@settings(max_examples=40)
@given(lists, st.randoms(use_true_random=False))
def test_the_order_of_a_list_says_nothing(listed: list[Price], chance: Any) -> None:
    shuffled = list(listed)
    chance.shuffle(shuffled)
    for at in (0, 7, 20):
        assert pricing.in_force(listed, "web", "EUR", at) == pricing.in_force(shuffled, "web", "EUR", at)


@settings(max_examples=40)
@given(lists, lists)
def test_adding_is_done_once_however_often_it_is_said(listed: list[Price], told: list[Price]) -> None:
    once = pricing.with_prices(listed, told)
    assert pricing.with_prices(once, told) == once
    assert set(told) <= set(once)


def test_an_offer_lies_over_the_usual_price_while_it_lasts(shop: Shop) -> None:
    shop.product("A-1")
    usual, offer = Price(currency="EUR", amount=1295), Price(currency="EUR", amount=995, start=100, until=200)
    shop.do(SetPrices(sku="A-1", prices=(usual, offer)))
    amounts = [found.amount for at in (99, 100, 199, 200) if (found := price(shop, "A-1", "web", "EUR", at))]
    assert amounts == [1295, 995, 995, 1295]
    assert price(shop, "A-1", "web", "JPY", 100) is None
    assert price(shop, "B-1", "web", "EUR", 100) is None


def test_prices_are_added_beside_others_or_take_their_place(shop: Shop) -> None:
    shop.product("A-1")
    web, any_channel = Price(currency="EUR", amount=900, channel="web"), Price(currency="EUR", amount=1000)
    assert shop.do(SetPrices(sku="A-1", prices=(any_channel,), add=True)).change == "added"
    assert shop.do(SetPrices(sku="A-1", prices=(web,), add=True)).change == "changed"
    assert shop.do(SetPrices(sku="A-1", prices=(web,), add=True)).change == "unchanged"
    assert price_list(shop, "A-1") == (any_channel, web)
    shop.do(SetPrices(sku="A-1", prices=(web,)))
    assert price_list(shop, "A-1") == (web,)


def test_who_saw_another_list_is_refused(shop: Shop) -> None:
    shop.product("A-1")
    told = SetPrices(sku="A-1", prices=(Price(currency="EUR", amount=1),), expected=0)
    assert shop.do(told).version == 1
    with pytest.raises(Conflict, match="changed since"):
        shop.do(SetPrices(sku="A-1", prices=(), expected=0))


def test_prices_of_nothing_are_refused(shop: Shop) -> None:
    with pytest.raises(NotFound, match="B-9"):
        shop.do(SetPrices(sku="B-9", prices=()))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((Price(currency="XEU", amount=-1),), "amount"),
        ((Price(currency="EURO", amount=1),), "ISO 4217"),
        ((Price(currency="EUR", amount=1, start=5, until=5),), "end after"),
        ((Price(currency="EUR", amount=1, start=-5),), "between 1970"),
        ((Price(currency="EUR", amount=1), Price(currency="eur", amount=2)), "got two"),
        ((Price(currency="EUR", amount=1, channel="a\nb"),), "channel"),
    ],
)
def test_prices_that_make_no_sense_are_refused(shop: Shop, told: tuple[Price, ...], said: str) -> None:
    shop.product("A-1")
    with pytest.raises(DefinitionInvalid, match=said):
        shop.do(SetPrices(sku="A-1", prices=told))
    assert price_list(shop, "A-1") == ()
