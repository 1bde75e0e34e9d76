"""Lines that wait have their time from what is announced: the oldest order first, said anew when it moves."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.fulfilment import api, dating
from cauce.commerce.fulfilment.api import DateWaiting, ServeWaiting
from cauce.commerce.orders.changing import Cancel
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.stock.moving import Goods, Move
from cauce.commerce.stock.supply import Expect
from cauce.engines.memory import MemoryTables
from cauce.errors import Conflict
from tests.commerce.fulfilment.stores import Stores, moment
from tests.commerce.fulfilment.test_backorders import waits

DAY_SECONDS = 86_400


def expect(stores: Stores, on: str, amount: int, *, place: str = "MAD", reference: str = "P1", sku: str = "A") -> None:
    stores.do(Expect(sku=sku, place=place, amount=amount, on=on, reference=reference))


def dated(stores: Stores) -> tuple[str, ...]:
    """The clerk comes by: numbers of orders of which a time has changed."""
    stores.do(ServeWaiting())
    return tuple(stores.do(DateWaiting()).orders)


def time_of(stores: Stores, order: Any, line: int = 1) -> int:
    return api.expected_of(stores, order.id).get(line, 0)


def told(stores: Stores, order: Any) -> list[Any]:
    """What was said of the time of an order's first line."""
    facts = [fact for fact in stores.facts() if fact["name"] == "Order Updated"]
    return [
        fact["properties"]["products"][0]["expected"]
        for fact in facts
        if fact["properties"]["order_id"] == order.number and fact["properties"].get("waits")
    ]


def test_the_oldest_order_has_the_first_of_what_is_to_come(stores):
    first, second, third = (waits(stores, ("A", 2_000)) for _ in range(3))
    expect(stores, "2026-11-25", 3_000)
    expect(stores, "2026-11-27", 1_000, reference="P2")
    assert dated(stores) == (first.number, second.number)
    # The day says no hour: it counts from its end, and the store opens at ten and needs two hours.
    assert time_of(stores, first) == moment("2026-11-26T12:00")
    assert time_of(stores, second) == moment("2026-11-28T12:00")
    assert time_of(stores, third) == 0
    assert dated(stores) == (), "nothing has changed"


def test_it_is_said_anew_when_the_date_moves_and_withdrawn_when_there_is_none(stores):
    order = waits(stores, ("A", 1_000))
    expect(stores, "2026-11-25", 1_000)
    dated(stores)
    expect(stores, "2026-11-27", 1_000)
    assert dated(stores) == (order.number,)
    expect(stores, "2026-11-27", 0)
    assert dated(stores) == (order.number,)
    assert told(stores, order) == ["2026-11-26T11:00:00Z", "2026-11-28T11:00:00Z", None]


def test_what_should_have_come_and_did_not_counts_for_nothing(stores):
    order = waits(stores, ("A", 1_000))
    expect(stores, "2026-11-23", 1_000)
    dated(stores)
    assert time_of(stores, order) == moment("2026-11-24T12:00"), "it may still come today"
    stores.wait(DAY_SECONDS)
    assert dated(stores) == (order.number,)
    assert time_of(stores, order) == 0


def test_what_came_is_announced_no_more_and_who_has_it_waits_no_more(stores):
    first, second = waits(stores, ("A", 1_000)), waits(stores, ("A", 1_000))
    expect(stores, "2026-11-25", 2_000)
    dated(stores)
    stores.do(Receive(lines=(Entry("A", "MAD", 1_000, reference="P1"),)))
    assert dated(stores) == ()
    assert (time_of(stores, first), time_of(stores, second)) == (0, moment("2026-11-26T12:00"))
    stores.check()


def test_who_gives_up_makes_room_for_the_next(stores):
    first, second = waits(stores, ("A", 1_000)), waits(stores, ("A", 1_000))
    expect(stores, "2026-11-25", 1_000)
    dated(stores)
    stores.do(Cancel(order=first.id))
    assert dated(stores) == (second.number,)
    assert time_of(stores, second) == moment("2026-11-26T12:00")


def test_only_what_comes_to_a_place_that_may_serve_it_counts(stores):
    at_desk = waits(stores, ("A", 1_000))
    sent = waits(stores, ("A", 1_000), kind="ship", place="")
    expect(stores, "2026-11-25", 1_000, place="WH")
    dated(stores)
    assert time_of(stores, at_desk) == 0
    assert time_of(stores, sent) == moment("2026-11-26T04:00"), "the warehouse works at night"
    assert isinstance(stores.do(DateWaiting()), dating.Dated)


def test_goods_on_their_way_from_another_place_are_announced_too(stores):
    stores.receive("A", "WH", 1_000)
    order = waits(stores, ("A", 1_000))
    stores.do(Move(origin="WH", destination="MAD", lines=(Goods("A", 1_000),), on="2026-11-24"))
    dated(stores)
    assert time_of(stores, order) == moment("2026-11-25T12:00")


def test_each_line_has_a_time_of_its_own_and_one_message(stores):
    order = waits(stores, ("A", 1_000), ("B", 2_000))
    expect(stores, "2026-11-25", 1_000)
    expect(stores, "2026-11-26", 2_000, sku="B")
    dated(stores)
    assert api.expected_of(stores, order.id) == {1: moment("2026-11-26T12:00"), 2: moment("2026-11-27T12:00")}


def test_more_lines_than_are_looked_at_have_no_time(stores, monkeypatch):
    orders = [waits(stores, ("A", 1_000)) for _ in range(3)]
    expect(stores, "2026-11-25", 9_000)
    dated(stores)
    monkeypatch.setattr(dating, "LINES_MAX", 2)
    expect(stores, "2026-11-25", 8_000)
    assert dated(stores) == (orders[2].number,)
    assert [bool(time_of(stores, order)) for order in orders] == [True, True, False]


# -- whatever is announced ----------------------------------------------------------------------------------------

PLACES = ("MAD", "TOL")
PIECES = st.integers(1, 4).map(lambda pieces: pieces * 1_000)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.sampled_from(PLACES), PIECES),
        st.tuples(st.just("expect"), st.sampled_from(PLACES), st.integers(0, 5).map(lambda n: n * 1_000),
                  st.sampled_from(("P1", "P2", "P3")), st.integers(0, 12)),
        st.tuples(st.just("come"), st.sampled_from(PLACES), PIECES, st.sampled_from(("P1", "P2", "P3"))),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("pass"), st.integers(1, 3)),
        st.tuples(st.just("date")),
    ),
    max_size=25,
)  # fmt: skip
SUNDAY = 6


def judged(stores: Stores) -> dict[int, int]:
    """When each line can be had, reckoned from the tables alone: one queue for each place, one after the other."""
    today = date(2026, 11, 23) + timedelta(microseconds=stores.now - moment("2026-11-23T00:00"))
    supplies: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for place, day, left in stores.select(
        "select place, day, amount - met from stock_expected where amount > met and day >= ? order by day",
        (today.isoformat(),),
    ):
        supplies[place].append((day, left))
    wanted: dict[str, int] = defaultdict(int)
    found = {}
    for id_, place, placed in stores.select(
        "select o.id, o.place, l.placed from customer_order o join order_line l on l.order_id = o.id "
        "where l.placed > 0 order by o.id"
    ):
        wanted[place] += placed
        come = 0
        for day, left in supplies[place]:
            come += left
            if come >= wanted[place]:
                opens = date.fromisoformat(day) + timedelta(days=1)
                opens += timedelta(days=opens.weekday() == SUNDAY)
                found[id_] = moment(f"{opens.isoformat()}T12:00")
                break
    return found


def played(steps: list[Any]) -> None:
    stores = Stores(MemoryTables())
    orders: list[Any] = []
    for what, *how in steps:
        if what == "order":
            orders.append(waits(stores, ("A", how[1]), place=how[0]))
        elif what == "expect":
            place, amount, reference, days = how
            expect(stores, (date(2026, 11, 23) + timedelta(days=days)).isoformat(), amount, place=place,
                   reference=reference)  # fmt: skip
        elif what == "come":
            place, amount, reference = how
            stores.do(Receive(lines=(Entry("A", place, amount, reference=reference),)))
        elif what == "cancel" and orders:
            try:
                stores.do(Cancel(order=orders[how[0] % len(orders)].id))
            except Conflict:
                continue
        elif what == "pass":
            stores.wait(how[0] * DAY_SECONDS)
        elif what == "date":
            dated(stores)
    dated(stores)
    said = {order.id: told(stores, order) for order in orders}
    expected = dict(stores.select("select order_id, promised from backorder_line where promised > 0"))
    assert expected == judged(stores)
    for order in orders:
        if order.id in expected:
            assert said[order.id], "who has a time was told it"
        before = said[order.id]
        assert all(one != other for one, other in pairwise(before)), "nothing is said twice"
    stores.check()
    stores.close()


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_is_announced_the_oldest_has_the_first_of_it(steps):
    played(steps)


QUEUE = [("order", "MAD", 2_000), ("order", "MAD", 1_000), ("expect", "MAD", 2_000, "P1", 2), ("date",)]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("may_wait", lambda *_: False),
        ("_claimed", lambda work, wanted, supplies, rules, ready: moment("2026-11-26T12:00") if supplies else 0),
    ],
)
def test_a_planted_fault_is_found(name, fault, monkeypatch):
    played(QUEUE)
    monkeypatch.setattr(dating, name, fault)
    with pytest.raises(AssertionError):
        played(QUEUE)


def test_the_same_on_an_engine_that_stores(stored):
    first, second = waits(stored, ("A", 2_000)), waits(stored, ("A", 1_000), kind="ship", place="")
    expect(stored, "2026-11-25", 3_000)
    assert dated(stored) == (first.number, second.number)
    stored.do(Receive(lines=(Entry("A", "MAD", 2_000, reference="P1"),)))
    assert dated(stored) == ()
    assert time_of(stored, second) == moment("2026-11-26T14:00")
    stored.check()
