"""Goods that tills say came back: lines of orders are returned by them, once, whatever else tells of the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.fulfilment.api import Came, CameOfReceipt, HandOver, Keys, Ready, TakeBack, TakeBackReceipt
from cauce.commerce.loyalty import api as loyalty
from cauce.commerce.loyalty.ordering import EarnOrders
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.commerce.orders.api import Advance, Cancel, Change, NewLine, PlaceOrder
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.tills import returning
from cauce.commerce.tills.applying import Rewind
from cauce.commerce.tills.habits import SetHabit
from cauce.commerce.transact.carrier import Command
from cauce.errors import CauceError, Conflict
from tests.commerce.tills.river import NOW, SECOND, River, receipt
from tests.commerce.tills.test_orders_and_points import CLUB, points
from tests.furnished import FurnishedTables

ANA = "email:ana@example.com"
KEYS = Keys(b"a secret of thirty-two bytes ....")
BOUGHT = 2_000


class Desk(River):
    """A river, and an order of two pieces of A that waits in S1 to be handed over."""

    def __init__(self, *, kind: str = "reserve_in_store") -> None:
        super().__init__(FurnishedTables())
        self.commerce.do(SetHabit(source="shop", orders=True))
        self.commerce.do(Receive(lines=(Entry("A", "S1", 10_000),)))
        placed = PlaceOrder(
            lines=(NewLine(sku="A", amount=BOUGHT, price=1_000),), currency="EUR", kind=kind, place="S1", owners=(ANA,),
            pays_first=False, channel="web",
        )  # fmt: skip
        done = self.commerce.do(placed)
        self.order, self.number = done.id, done.number
        self.commerce.do(Advance(order=self.order, to="picked", changes=(Change(line=1),), by="eva"))
        if kind == "ship":
            return
        self.commerce.do(Ready(order=self.number, codes=KEYS.hashes(self.order), by="eva"))

    def join_club(self) -> None:
        """From now on purchases earn points."""
        self.commerce.do(ApplyProgramme(document=CLUB, by="test"))
        self.follower = self.fresh()

    def tell_again(self) -> None:
        """All facts come once more, from the first, and orders earn after them."""
        self.commerce.do(Rewind(position=0))
        self.follow()
        self.commerce.do(EarnOrders())

    def hand_over(self) -> None:
        self.commerce.do(
            HandOver(desk="S1", order=self.number, initials="AR", receipt="0007", codes=KEYS.hashes(self.order))
        )

    def came(self, amount: int, *, id: str = "V1", who: str = "", **named: Any) -> None:
        """A till says so many pieces came back to S2."""
        told = {"return_id": id, "store_id": "S2", "original_store_id": "S1", "currency": "EUR", **named}
        self.tell("Product Returned", who=who, **told, products=[{"sku": "A", "quantity": amount, "price": 10.0}])
        self.follow()

    def line(self) -> dict[str, int]:
        rows = self.commerce.select("select ready, shipped, collected, returned, cancelled from order_line")
        return dict(zip(("ready", "shipped", "collected", "returned", "cancelled"), rows[0], strict=True))

    def tried(self: River, command: Command) -> bool:
        try:
            self.commerce.do(command)
        except Conflict:
            return False
        return True

    def check(self) -> None:
        """Received = free + sold + what is owed, and what is sold is what the customer has."""
        shelf = self.shelf()
        assert sum(shelf.get(("A", place, "free"), 0) for place in ("S1", "S2")) == 10_000 - self.line()["collected"]
        assert sum(shelf.get(("A", place, "sold"), 0) for place in ("S1", "S2")) == self.line()["collected"]
        assert not any(name in ("oversold", "shrinkage") for _, _, name in shelf)


@pytest.fixture
def desk() -> Iterator[Desk]:
    found = Desk()
    yield found
    found.close()


@pytest.mark.parametrize(
    ("named", "who"),
    [
        ({"order_id": "C-000001"}, ""),
        ({"receipt_id": "7"}, ""),
        ({}, ANA),
    ],
    ids=["order", "receipt", "person"],
)
def test_a_till_return_of_an_order_returns_its_line(desk: Desk, named: dict[str, str], who: str) -> None:
    desk.hand_over()
    desk.came(1, who=who, **named)
    assert desk.line()["returned"] == 1_000
    desk.came(1, who=who, **named)  # the same once more
    desk.commerce.do(Rewind(position=0))
    desk.follow()
    assert desk.line()["returned"] == 1_000
    assert desk.shelf()["A", "S2", "free"] == 1_000
    desk.check()


def test_who_has_no_such_order_brings_back_what_a_till_sold(desk: Desk) -> None:
    desk.hand_over()
    desk.came(1, who="email:bo@example.com")
    assert desk.line()["returned"] == 0
    assert desk.shelf()["A", "S2", "free"] == 1_000


def test_who_names_nothing_brings_back_what_they_were_given_and_the_rest_is_the_tills(desk: Desk) -> None:
    desk.came(1, id="V0", who=ANA)  # of an order that they do not have yet it cannot be
    assert desk.shelf()["A", "S2", "free"] == 1_000
    desk.hand_over()
    assert desk.line()["returned"] == 0
    desk.came(3, id="V1", who=ANA)
    assert desk.line()["returned"] == BOUGHT
    assert desk.shelf()["A", "S2", "free"] == 4_000


def test_what_was_shipped_was_had_by_who_brings_it_back() -> None:
    desk = Desk(kind="ship")
    desk.commerce.do(Advance(order=desk.order, to="shipped", changes=(Change(line=1),), by="eva"))
    desk.came(1, order_id=desk.number)
    assert (desk.line()["shipped"], desk.line()["returned"]) == (1_000, 1_000)
    desk.close()


def test_a_return_waits_for_its_hand_over_and_never_for_goods_that_went_back(desk: Desk) -> None:
    desk.came(3, order_id=desk.number)
    assert desk.line() == {"ready": BOUGHT, "shipped": 0, "collected": 0, "returned": 0, "cancelled": 0}
    desk.hand_over()
    assert desk.line()["returned"] == BOUGHT
    desk.check()
    assert not desk.commerce.select("select 1 from till_return_named where name like 'waits%'")


def test_a_damaged_return_of_an_order_is_kept_apart(desk: Desk) -> None:
    desk.hand_over()
    desk.came(1, order_id=desk.number, condition="damaged")
    assert desk.shelf()["A", "S2", "damaged"] == 1_000


def test_a_till_return_of_an_order_takes_its_points_back_once(desk: Desk) -> None:
    desk.join_club()
    desk.hand_over()
    desk.commerce.do(EarnOrders())
    assert points(desk) == 20
    desk.came(1, order_id=desk.number)
    desk.commerce.do(EarnOrders())
    assert points(desk) == 10


@settings(max_examples=24)
@given(st.permutations(["hand over", "receipt", "back", "earn"]), st.booleans())
def test_points_of_a_return_are_taken_back_once_whatever_is_told_first(steps: list[str], is_held: bool) -> None:
    """The till's return names only the receipt, and the receipt says which order it is of."""
    desk = Desk()
    desk.join_club()
    for step in [*(["hand over"] if is_held else []), *steps]:
        if step == "hand over" and not desk.line()["collected"] + desk.line()["returned"]:
            order = {"order": desk.number, "initials": "AR", "receipt": "0009", "codes": KEYS.hashes(desk.order)}
            desk.commerce.do(HandOver(desk="S1", **order))
        elif step == "receipt":
            desk.tell("Receipt Issued", who=ANA, **receipt(7, order_id=desk.number))
            desk.follow()
        elif step == "back":
            desk.came(1, receipt_id="R7")
        desk.commerce.do(EarnOrders())
    desk.tell_again()
    assert desk.line()["returned"] == 1_000
    assert points(desk) == 10
    desk.close()


@settings(max_examples=24)
@given(st.permutations(["hand over", "receipt", "back", "earn"]))
def test_a_return_of_an_order_s_goods_and_others_takes_the_points_of_both_back(steps: list[str]) -> None:
    """An order of two pieces of A is paid at the till, with B; a piece of A and all of B come back together."""
    desk = Desk()
    desk.join_club()
    for step in steps:
        if step == "hand over":
            desk.hand_over()
        elif step == "receipt":
            bought = [{"sku": "A", "quantity": 2, "price": 10.0}, {"sku": "B", "quantity": 1, "price": 5.0}]
            sold = receipt(7, total=25.0, products=bought)
            desk.tell("Receipt Issued", who=ANA, **{**sold, "receipt_id": "7"})
            desk.follow()
        elif step == "back":
            both = [{"sku": "A", "quantity": 1, "price": 10.0}, {"sku": "B", "quantity": 1, "price": 5.0}]
            told = {"return_id": "V1", "store_id": "S2", "original_store_id": "S1", "currency": "EUR"}
            desk.tell("Product Returned", **told, receipt_id="7", products=both)
            desk.follow()
        desk.commerce.do(EarnOrders())
    desk.tell_again()
    assert desk.line()["returned"] == 1_000
    assert points(desk) == 10
    desk.close()


@pytest.mark.parametrize("is_first", [True, False])
def test_an_order_that_is_paid_at_the_till_earns_once(desk: Desk, is_first: bool) -> None:
    desk.join_club()
    for step in (True, False) if is_first else (False, True):
        if step:
            desk.tell("Receipt Issued", who=ANA, **{**receipt(7), "receipt_id": "7"})
            desk.follow()
        else:
            desk.hand_over()
        desk.commerce.do(EarnOrders())
    assert points(desk) == 20


def points_of_what_came_with_an_order_are_kept(patch: pytest.MonkeyPatch) -> None:
    def none(work: Any, deed: Any) -> tuple[Any, ...]:
        row = work.get(returning.RETURNS, returning._row(work, deed).id)
        return () if row and row.is_ours else deed.lines

    patch.setattr(returning, "not_of_orders", none)


STEPS = ("hand over", "till by order", "till by receipt", "receipt", "desk", "desk by receipt", "again")


@settings(max_examples=20)
@given(st.permutations(STEPS), st.sampled_from([1, 2]), st.booleans())
def test_one_return_whoever_tells_of_it_in_any_order(steps: list[str], pieces: int, names_order: bool) -> None:
    desk = Desk()
    more = {"order_id": desk.number} if names_order else {}
    sold = {**receipt(7, **more), "receipt_id": "7"}
    for step in steps:
        if step == "hand over":
            desk.hand_over()
        elif step == "till by order":
            desk.came(pieces, id="V1", order_id=desk.number)
        elif step == "till by receipt":
            desk.came(pieces, id="V2", receipt_id="007")
        elif step == "receipt":
            desk.tell("Receipt Issued", **sold)
            desk.follow()
        elif step == "desk":
            came = Came(line=1, amount=1_000)
            desk.tried(TakeBack(order=desk.number, place="S2", lines=(came,)))
        elif step == "desk by receipt":
            line = CameOfReceipt(sku="A", amount=1_000, bought=BOUGHT)
            desk.tried(TakeBackReceipt(receipt="7", sold_at="S1", place="S2", lines=(line,)))
        elif step == "again":
            desk.commerce.do(Rewind(position=0))
            desk.follow()
    line = desk.line()
    assert line["returned"] + line["collected"] == BOUGHT
    assert line["returned"] >= pieces * 1_000
    desk.check()
    desk.close()


def came_to_desk(desk: Desk, place: str, condition: str = "sellable", amount: int = 1_000) -> bool:
    """A desk takes pieces back against the receipt; whether it could."""
    line = CameOfReceipt(sku="A", amount=amount, bought=BOUGHT, condition=condition)
    return desk.tried(TakeBackReceipt(receipt="7", sold_at="S1", place=place, lines=(line,), by="eva"))


def told_in_order(steps: list[str], *, names_order: bool) -> tuple[Any, ...]:
    """All that is known in the end, after the same facts in some order."""
    desk = Desk()
    sold = {**receipt(7, **({"order_id": desk.number} if names_order else {})), "receipt_id": "7"}
    for step in steps:
        if step == "hand over":
            desk.hand_over()
        elif step == "receipt":
            desk.tell("Receipt Issued", **sold)
            desk.follow()
        elif step == "whole":
            assert came_to_desk(desk, "S2")
        elif step == "broken":
            assert came_to_desk(desk, "S1", "damaged")
    assert not came_to_desk(desk, "S2"), "no more can come back than was bought"
    desk.check() if "broken" not in steps else None
    rows = desk.commerce.select
    found = (
        desk.line(),
        desk.shelf(),
        sorted(rows("select place, amount, became from order_history where became = 'returned'")),
        rows("select receipt, sku, bought, returned from receipt_back where returned > 0"),
        rows("select 1 from till_return where waits <> '[]' or plain <> '[]'"),
    )
    desk.close()
    return found


@settings(max_examples=30)
@given(st.permutations(["hand over", "receipt", "whole", "broken"]), st.booleans())
def test_what_a_desk_took_back_is_the_same_whatever_was_told_first(steps: list[str], names_order: bool) -> None:
    line, shelf, back, of_receipts, left = told_in_order(steps, names_order=names_order)
    assert line == {"ready": 0, "shipped": 0, "collected": 0, "returned": BOUGHT, "cancelled": 0}
    assert {key: amount for key, amount in shelf.items() if amount} == {
        ("A", "S1", "free"): 8_000, ("A", "S2", "free"): 1_000, ("A", "S1", "damaged"): 1_000,
        ("A", "S1", "supplier"): -10_000,
    }  # fmt: skip
    assert back == [("S1", 1_000, "returned"), ("S2", 1_000, "returned")]
    assert of_receipts == left == []


def test_what_a_desk_took_back_of_more_than_an_order_goes_to_both(desk: Desk) -> None:
    line = CameOfReceipt(sku="A", amount=3_000, bought=5_000)
    assert desk.tried(TakeBackReceipt(receipt="7", sold_at="S1", place="S2", lines=(line,)))
    desk.tell("Receipt Issued", **{**receipt(7, products=[{"sku": "A", "quantity": 5, "price": 10.0}]),
                                   "receipt_id": "7"})  # fmt: skip
    desk.follow()
    desk.hand_over()
    assert desk.line()["returned"] == BOUGHT
    assert desk.shelf()["A", "S2", "free"] == 3_000
    assert desk.shelf()["A", "S1", "sold"] == 2_000
    assert fulfilment.returned_of_receipt(desk.commerce, "S1", "7") == {"A": 1_000}
    line = CameOfReceipt(sku="A", amount=2_000, bought=5_000)
    assert desk.tried(TakeBackReceipt(receipt="7", sold_at="S1", place="S2", lines=(line,)))
    assert not came_to_desk(desk, "S2")


def test_what_a_desk_took_back_of_an_order_that_is_given_up_stays_in_the_stock(desk: Desk) -> None:
    desk.tell("Receipt Issued", **{**receipt(7, order_id=desk.number), "receipt_id": "7"})
    desk.follow()
    assert came_to_desk(desk, "S2")
    assert desk.line()["returned"] == 0
    desk.commerce.do(Cancel(order=desk.order))
    assert desk.line()["cancelled"] == BOUGHT
    assert desk.shelf()["A", "S2", "free"] == 1_000


@pytest.mark.parametrize("is_first", [True, False])
def test_goods_paid_at_the_till_of_a_reserved_order_are_counted_once(desk: Desk, is_first: bool) -> None:
    sold = receipt(7, receipt_id="07", products=[{"sku": "A", "quantity": 3, "price": 10.0}, {"sku": "B"}])
    for step in (True, False) if is_first else (False, True):
        if step:
            desk.tell("Receipt Issued", **sold)
            desk.follow()
        else:
            desk.hand_over()
    assert desk.shelf()["A", "S1", "sold"] == 3_000
    assert desk.shelf()["B", "S1", "sold"] == 1_000


def test_a_receipt_number_of_another_week_is_another_receipt(desk: Desk) -> None:
    desk.hand_over()
    desk.tell("Receipt Issued", occurred=NOW - 8 * 86_400 * SECOND, **{**receipt(7), "receipt_id": "7"})
    desk.follow()
    assert desk.shelf()["A", "S1", "sold"] == 2 * BOUGHT


@given(st.permutations(["order", "receipt", "back"]), st.sampled_from(["order_id", "receipt_id"]))
def test_the_return_of_an_order_of_another_platform(news: list[str], named: str) -> None:
    river = River(FurnishedTables())
    river.commerce.do(SetHabit(source="shop", orders=True))
    for one in news:
        if one == "order":
            products = [{"sku": "A", "quantity": 2, "price": 10.0}]
            river.tell(
                "Order Completed", source="shop", order_id="W1", store_id="S1", currency="EUR", total=20.0,
                fulfillment_status="fulfilled", products=products,
            )  # fmt: skip
        elif one == "receipt":
            river.tell("Receipt Issued", **receipt(1, order_id="W1"))
        else:
            back = {"order_id": "W1"} if named == "order_id" else {"receipt_id": "R1"}
            river.tell(
                "Product Returned", return_id="V1", store_id="S2", original_store_id="S1", currency="EUR", **back,
                products=[{"sku": "A", "quantity": 1, "price": 10.0}],
            )  # fmt: skip
        river.follow()
    assert river.commerce.select("select returned, returned + shipped + delivered from order_line") == [(1_000, 2_000)]
    assert river.shelf()["A", "S1", "sold"] == 1_000
    river.close()


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["desk", "till"]), min_size=1, max_size=5))
def test_desk_and_till_return_no_more_of_a_receipt_than_it_says(steps: list[str]) -> None:
    river = River(FurnishedTables())
    river.commerce.do(Receive(lines=(Entry("A", "S1", 10_000),)))
    river.tell("Receipt Issued", **receipt(1))
    river.follow()
    is_desk_known = False
    for number, step in enumerate(steps):
        if step == "till":
            river.tell(
                "Product Returned", return_id=f"V{number}", store_id="S1", receipt_id="R1", currency="EUR",
                products=[{"sku": "A", "quantity": 1, "price": 10.0}],
            )  # fmt: skip
            river.follow()
        else:
            line = CameOfReceipt(sku="A", amount=1_000, bought=BOUGHT)
            command = TakeBackReceipt(receipt="R1", sold_at="S1", place="S1", lines=(line,))
            is_desk_known = Desk.tried(river, command) or is_desk_known
    back = fulfilment.returned_of_receipt(river.commerce, "S1", "R1")["A"]
    assert river.shelf()["A", "S1", "free"] == 8_000 + back
    assert back == min(len(steps) * 1_000, BOUGHT) or not is_desk_known
    river.close()


# -- planted faults ---------------------------------------------------------------------------------------------------


def till_returns_know_no_orders(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(returning, "_orders", lambda work, deed: ([], False))


def over_return_of_a_receipt(patch: pytest.MonkeyPatch) -> None:
    """What a desk took back comes back at the till once more."""
    patch.setattr(fulfilment, "told_back", lambda work, place, receipt, sku, amount: amount)


def a_return_before_its_hand_over_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(returning, "order_changed", lambda work, order_id: None)


def what_became_an_orders_stays_the_tills(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(returning, "_take_over", lambda work, name: None)


def a_desk_return_before_its_hand_over_stays_the_stocks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fulfilment, "desk_backs_now", lambda work: [])


def points_are_taken_back_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loyalty, "forget_return", lambda work, document, return_id, goods: None)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("plant", "judge"),
    [
        (
            points_of_what_came_with_an_order_are_kept,
            test_a_return_of_an_order_s_goods_and_others_takes_the_points_of_both_back,
        ),
        (points_are_taken_back_twice, test_points_of_a_return_are_taken_back_once_whatever_is_told_first),
        (
            a_desk_return_before_its_hand_over_stays_the_stocks,
            test_what_a_desk_took_back_is_the_same_whatever_was_told_first,
        ),
        (till_returns_know_no_orders, test_one_return_whoever_tells_of_it_in_any_order),
        (over_return_of_a_receipt, test_desk_and_till_return_no_more_of_a_receipt_than_it_says),
        (a_return_before_its_hand_over_is_lost, test_one_return_whoever_tells_of_it_in_any_order),
        (what_became_an_orders_stays_the_tills, test_the_return_of_an_order_of_another_platform),
    ],
)
def test_a_planted_fault_is_found(plant: Any, judge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, CauceError, KeyError, ExceptionGroup)):
        judge()
