"""Facts and counts come in any order, and the same lies on the shelf in the end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.stock.api import Entry
from cauce.commerce.stock.counting import Count, Counted
from cauce.commerce.stock.keeping import Adjust, Damage, Receive, Return, Sell
from cauce.commerce.stock.moving import Goods, Move
from cauce.commerce.stock.reserving import Confirm, Line, Reserve
from cauce.commerce.stock.store import SHRINKAGE
from cauce.commerce.transact.carrier import Command
from tests.commerce.stock.desk import SECOND, START, Desk

pytestmark = pytest.mark.soak

PLACES = ("north", "south")
SKU = "A"
amounts = st.integers(1, 9)
moments = st.integers(-20, -1).map(lambda seconds: START + seconds * SECOND)
places = st.sampled_from(PLACES)


@st.composite
def facts(draw: st.DrawFn) -> Command:
    place, amount, occurred = draw(places), draw(amounts), draw(moments)
    entry = Entry(SKU, place, amount, occurred)
    kind = draw(st.sampled_from(["receive", "sell", "return", "adjust", "damage", "move", "count"]))
    match kind:
        case "receive":
            return Receive(lines=(entry,))
        case "sell":
            return Sell(lines=(entry,))
        case "return":
            return Return(lines=(entry,), sold_at=draw(places))
        case "adjust":
            sign = draw(st.sampled_from([1, -1]))
            return Adjust(lines=(Entry(SKU, place, sign * amount, occurred),), why="found")
        case "damage":
            return Damage(lines=(entry,))
        case "move":
            other = PLACES[1 - PLACES.index(place)]
            lines = (Goods(SKU, amount),)
            return Move(origin=place, destination=other, lines=lines, at_once=True, is_fact=True, occurred=occurred)
    return Count(place=place, lines=(Counted(SKU, amount),), occurred=occurred)


def expected(commands: Sequence[Command], place: str) -> int:
    """What lies on the shelf by the definition: the last count, and what happened since."""
    counts = [one for one in commands if isinstance(one, Count) and one.place == place]
    last = max(((one.occurred, -one.lines[0].amount) for one in counts), default=(0, 0))
    total = -last[1]
    for one in commands:
        if isinstance(one, Move):
            if one.occurred > last[0]:
                total += one.lines[0].amount * ((one.destination == place) - (one.origin == place))
        elif not isinstance(one, Count):
            (entry,) = one.lines  # type: ignore[attr-defined]
            if entry.place == place and entry.occurred > last[0]:
                total += entry.amount * (-1 if isinstance(one, Sell | Damage) else 1)
    return total


def after(commands: Sequence[Command]) -> Desk:
    desk = Desk()
    for command in commands:
        desk.do(command)
    return desk


@given(st.lists(facts(), max_size=8).flatmap(lambda made: st.tuples(st.just(made), st.permutations(made))))
def test_the_order_of_arrival_does_not_matter(both: tuple[list[Command], list[Command]]) -> None:
    told, shuffled = both
    one, other = after(told), after(shuffled)
    for place in PLACES:
        assert one.on_hand(SKU, place) == expected(told, place)
    assert one.balances() == other.balances()


@given(st.lists(facts(), max_size=8))
def test_nothing_is_made_or_lost(told: list[Command]) -> None:
    desk = after(told)
    assert sum(desk.balances().values()) == 0
    received = sum(one.lines[0].amount for one in told if isinstance(one, Receive))
    assert -sum(amount for (_, name), amount in desk.balances().items() if name == "supplier") == received


def test_a_count_stands_against_late_sales_and_late_receipts() -> None:
    desk = Desk()
    desk.do(Receive(lines=(Entry(SKU, "north", 10),)))
    desk.now += 100 * SECOND
    found = desk.do(Count(place="north", lines=(Counted(SKU, 7),)))
    assert [(one.difference, one.late) for one in found] == [(-3, False)]
    desk.do(Sell(lines=(Entry(SKU, "north", 2, desk.now - 50 * SECOND),)))
    desk.do(Receive(lines=(Entry(SKU, "north", 4, desk.now - 40 * SECOND),)))
    assert desk.on_hand(SKU, "north") == 7
    assert desk.balance(SKU, "north", "sold") == 2
    # The late sale explains a part of what was missing, the late receipt makes it more.
    assert desk.balance(SKU, "north", SHRINKAGE) == 3 - 2 + 4


def test_a_count_that_is_told_late_knows_nothing_of_what_happened_since() -> None:
    desk = Desk()
    desk.do(Receive(lines=(Entry(SKU, "north", 10),)))
    desk.now += 100 * SECOND
    desk.do(Sell(lines=(Entry(SKU, "north", 3),)))
    found = desk.do(Count(place="north", lines=(Counted(SKU, 9),), occurred=desk.now - 50 * SECOND))
    assert [one.difference for one in found] == [-1]
    assert desk.on_hand(SKU, "north") == 6


def test_of_two_counts_the_later_holds_and_of_the_same_instant_the_smaller() -> None:
    desk = Desk()
    for seconds, amount, late in ((-10, 5, False), (-20, 9, True), (-10, 6, True), (-10, 4, False)):
        occurred = START + seconds * SECOND
        (found,) = desk.do(Count(place="north", lines=(Counted(SKU, amount),), occurred=occurred))
        assert found.late is late
    assert desk.on_hand(SKU, "north") == 4


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (2, 0, 1)])
def test_a_return_may_be_known_before_its_sale(order: tuple[int, ...]) -> None:
    entry = Entry(SKU, "north", 2)
    commands = (Receive(lines=(Entry(SKU, "north", 3),)), Sell(lines=(entry,)), Return(lines=(entry,)))
    desk = after([commands[index] for index in order])
    assert (desk.on_hand(SKU, "north"), desk.balance(SKU, "north", "sold")) == (3, 0)


@settings(max_examples=20)
@given(st.lists(facts(), max_size=6))
def test_a_count_of_a_shelf_with_kept_promises(told: list[Command]) -> None:
    """A reservation that was confirmed since the count left the shelf since."""
    desk = after(told)
    desk.do(Receive(lines=(Entry(SKU, "north", 50),)))
    instant = desk.now
    desk.now += SECOND
    held = desk.do(Reserve(lines=(Line(SKU, "north", 2),)))
    desk.do(Confirm(reservation=held.id))
    desk.do(Count(place="north", lines=(Counted(SKU, 10),), occurred=instant))
    assert desk.on_hand(SKU, "north") == 8
