"""Goods come back in any place, of orders and of receipts, and never more than were bought."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.fulfilment import api
from cauce.commerce.fulfilment.api import Came, CameOfReceipt, TakeBack, TakeBackReceipt
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Sell
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from tests.commerce.fulfilment.stores import Stores
from tests.furnished import FurnishedTables


def test_what_was_bought_is_found_through_the_person_and_comes_back_elsewhere(stores):
    stores.receive("A", "MAD", 3_000)
    number, code = stores.collected(("A", 3_000))
    assert api.bought(stores, ["email:ana@tienda.es"]) == []
    stores.hand_over(code)
    (bought,) = api.bought(stores, ["loyalty:1", "email:ana@tienda.es"])
    assert (bought.order, bought.left) == (number, 3_000)
    back = stores.do(
        TakeBack(
            order=number,
            place="TOL",
            lines=(Came(line=1, amount=1_000), Came(line=1, amount=1_000, condition="damaged")),
        )
    )
    assert back.left == {"1": 1_000}
    assert stores.balance("A", "TOL") == (1_000, 0)
    assert stores.balance("A", "TOL", "damaged") == (1_000, 0)
    with pytest.raises(Conflict):
        stores.do(TakeBack(order=number, place="TOL", lines=(Came(line=1, amount=2_000),)))
    assert api.bought(stores, ["email:ana@tienda.es"])[0].left == 1_000
    stores.check_pickups()


@pytest.mark.parametrize(
    ("lines", "place", "fault"),
    [
        ((), "MAD", DefinitionInvalid),
        ((Came(line=1, amount=0),), "MAD", DefinitionInvalid),
        ((Came(line=1, amount=1_000, condition="eaten"),), "MAD", DefinitionInvalid),
        ((Came(line=1, amount=1_000),), "nowhere", NotFound),
    ],
)
def test_returns_that_make_no_sense_are_refused(stores, lines, place, fault):
    stores.receive("A", "MAD", 1_000)
    number, code = stores.collected(("A", 1_000))
    stores.hand_over(code)
    with pytest.raises(fault):
        stores.do(TakeBack(order=number, place=place, lines=lines))


def returned(amount: int, **fields: str) -> TakeBackReceipt:
    line = CameOfReceipt(sku="A", amount=amount, bought=3_000, condition=fields.pop("condition", "sellable"))
    return TakeBackReceipt(receipt="R1", sold_at="MAD", place=fields.pop("place", "TOL"), lines=(line,), **fields)


def test_a_receipt_comes_back_as_far_as_it_says(stores):
    stores.receive("A", "MAD", 3_000)
    stores.do(Sell(lines=(Entry("A", "MAD", 3_000),)))
    assert stores.do(returned(2_000, condition="damaged")).left == {"A": 1_000}
    assert stores.balance("A", "TOL", "damaged") == (2_000, 0)
    with pytest.raises(Conflict, match="3000 thousandths of A were bought"):
        stores.do(returned(2_000))
    stores.do(returned(1_000, place="MAD"))
    assert stores.balance("A", "MAD") == (1_000, 0)
    assert api.returned_of_receipt(stores, "MAD", "R1") == {"A": 3_000}
    told = [fact for fact in stores.facts() if fact["name"] == "Product Returned"]
    assert [fact["properties"]["receipt_id"] for fact in told] == ["R1", "R1"]
    with pytest.raises(NotFound):
        stores.do(returned(1, place="nowhere"))


@settings(max_examples=20)
@given(st.lists(st.integers(1, 2_000), max_size=8))
def test_never_more_comes_back_than_was_bought(amounts):
    stores = Stores(FurnishedTables())
    stores.receive("A", "MAD", 3_000)
    stores.do(Sell(lines=(Entry("A", "MAD", 3_000),)))
    came = 0
    for amount in amounts:
        if came + amount <= 3_000:
            stores.do(returned(amount))
            came += amount
        else:
            with pytest.raises(Conflict):
                stores.do(returned(amount))
    assert stores.balance("A", "TOL") == (came, 0)
    stores.close()
