"""Lines that wait: served by themselves, the oldest order first, never twice, and never with more than there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cauce.commerce.catalogue.api import Position
from cauce.commerce.fulfilment import api, backorders
from cauce.commerce.fulfilment.api import Pick, PlaceSourced, ServeWaiting, SourceOrder, Taken, Wanted, Wish
from cauce.commerce.fulfilment.backorders import LOOK_AGAIN, TURNS_MAX, may_wait
from cauce.commerce.fulfilment.store import AWAITED, BACKORDERS, CHOICES
from cauce.commerce.orders.api import Confirm, NewLine, PlaceOrder
from cauce.commerce.orders.changing import Cancel
from cauce.commerce.orders.outside import FactLine, RecordOrder
from cauce.commerce.orders.store import ALLOCATIONS, LINES, ORDERS
from cauce.commerce.stock.limits import SetSafety
from cauce.commerce.stock.reserving import Line, Release, Reserve, SweepHolds
from cauce.engines.api import Tables
from cauce.engines.memory import MemoryTables
from cauce.errors import Conflict, DefinitionInvalid
from tests.commerce.fulfilment.stores import Stores

MAY = ("has_none", "chosen", "costs_more", "not_needed")
"""What the rules say of a place that may serve a wish, whether it has something or not."""


def waits(stores: Stores, *lines: tuple[str, int], kind: str = "pick_up", place: str = "MAD", **fields: Any) -> Any:
    """An order that takes what is there, and waits for the rest."""
    wanted = tuple(NewLine(sku=sku, amount=amount, price=1_000) for sku, amount in lines)
    fields = {"pays_first": False, "hold_seconds": 0, "owners": ("email:ana@tienda.es",), **fields}
    order = PlaceOrder(lines=wanted, currency="EUR", kind=kind, place=place, channel="web", backorder=True, **fields)
    return stores.do(order)


def parts(stores: Stores, order: int) -> dict[tuple[int, str], int]:
    found = stores.rows(ALLOCATIONS, f"where order_id = {order}")
    return {(part.line, part.place): part.allocated for part in found if part.allocated}


def still(stores: Stores, order: int) -> list[int]:
    return [line.placed for line in stores.rows(LINES, f"where order_id = {order} order by line")]


def served(stores: Stores) -> tuple[str, ...]:
    return tuple(stores.do(ServeWaiting()).orders)


# -- one after the other ------------------------------------------------------------------------------------------


def test_what_comes_goes_to_the_oldest_order_and_the_next_has_the_rest(stores):
    first, second = waits(stores, ("A", 2_000)), waits(stores, ("A", 2_000))
    assert served(stores) == ()
    stores.receive("A", "MAD", 3_000)
    assert served(stores) == (first.number, second.number)
    assert (parts(stores, first.id), parts(stores, second.id)) == ({(1, "MAD"): 2_000}, {(1, "MAD"): 1_000})
    assert still(stores, second.id) == [1_000]
    assert served(stores) == ()
    stores.check()


def test_the_decision_and_the_event_are_the_ordinary_ones(stores):
    order = waits(stores, ("A", 1_000))
    stores.receive("A", "MAD", 1_000)
    served(stores)
    (choice,) = api.choices(stores, order_id=order.id)
    assert (choice.by, choice.sourced.rule, choice.sourced.choice.taken) == (
        "cauce", "Collect in the store", {"MAD": {"A": 1_000}},
    )  # fmt: skip
    assert [fact["name"] for fact in stores.facts() if fact["properties"].get("order_id") == order.number][-1:] == [
        "Order Allocated"
    ]
    (row,) = stores.rows(ORDERS)
    assert row.promised == choice.sourced.promised > stores.now


def test_only_places_that_may_serve_it_do(stores):
    at_desk = waits(stores, ("A", 1_000), place="MAD")
    sent = waits(stores, ("A", 1_000), kind="ship", place="")
    stores.receive("A", "BCN", 1_000)
    assert served(stores) == (sent.number,)
    stores.receive("A", "MAD", 1_000)
    assert served(stores) == (at_desk.number,)


def test_an_order_that_another_place_can_serve_need_not_wait_for_more(stores):
    stores.receive("A", "WH", 1_000)
    order = waits(stores, ("A", 1_000), kind="ship", place="MAD")
    assert still(stores, order.id) == [1_000]
    assert served(stores) == (order.number,)


def test_lines_of_an_order_come_together_when_they_can_and_each_by_itself_when_not(stores):
    order = waits(stores, ("A", 1_000), ("B", 1_000), kind="ship", place="")
    stores.receive("A", "TOL", 1_000)
    served(stores)
    assert still(stores, order.id) == [0, 1_000]
    both = waits(stores, ("A", 1_000), ("B", 1_000), kind="ship", place="")
    stores.receive("B", "TOL", 1_000)
    assert served(stores) == (order.number,)
    stores.do(SetSafety(place="WH", sku="A", amount=1_000))
    stores.receive("A", "WH", 2_000)
    stores.receive("B", "WH", 1_000)
    served(stores)
    assert parts(stores, both.id) == {(1, "WH"): 1_000, (2, "WH"): 1_000}
    assert len(api.choices(stores, order_id=both.id)) == 1


def test_where_it_is_sent_is_remembered(stores):
    stores.receive("A", "MAD", 1_000)
    number = stores.order(("A", 1_000), kind="ship", place="", position=Position(41.4, 2.2))
    lines = (Taken(line=1, short=1_000),)
    stores.do(Pick(order=number, place="MAD", lines=lines, instead="wait"))
    for place in ("WH", "BCN"):
        stores.receive("A", place, 1_000)
    served(stores)
    (order,) = stores.rows(ORDERS)
    assert parts(stores, order.id) == {(1, "BCN"): 1_000}


# -- whose turn it is ---------------------------------------------------------------------------------------------


def test_who_comes_before_the_clerk_looks_has_only_what_is_left(stores):
    first = waits(stores, ("A", 2_000))
    stores.receive("A", "MAD", 2_000)
    with pytest.raises(Conflict):
        stores.order(("A", 1_000))
    with pytest.raises(Conflict):
        stores.do(Reserve(lines=(Line("A", "MAD", 1_000),)))
    stores.receive("A", "MAD", 1_000)
    stores.order(("A", 1_000))
    assert parts(stores, first.id) == {(1, "MAD"): 2_000}
    assert served(stores) == ()
    stores.check()


def test_what_somebody_does_by_hand_is_done_once(stores):
    first, second = waits(stores, ("A", 1_000)), waits(stores, ("A", 1_000))
    stores.receive("A", "MAD", 1_000)
    with pytest.raises(Conflict):
        stores.do(SourceOrder(order=second.number))
    stores.do(SourceOrder(order=first.number))
    assert served(stores) == ()
    stores.receive("A", "MAD", 1_000)
    assert stores.do(SourceOrder(order=second.number, key="x")) == stores.do(SourceOrder(order=second.number, key="x"))
    assert served(stores) == ()
    with pytest.raises(DefinitionInvalid, match="has its place already"):
        stores.do(SourceOrder(order=second.number))
    stores.check()


def test_what_runs_out_or_is_given_up_goes_to_who_waits(stores):
    stores.receive("A", "MAD", 2_000)
    unpaid = waits(stores, ("A", 1_000), pays_first=True, hold_seconds=60)
    held = stores.do(Reserve(lines=(Line("A", "MAD", 1_000),)))
    late, last = waits(stores, ("A", 1_000)), waits(stores, ("A", 1_000))
    stores.do(Release(reservation=held.id))
    assert served(stores) == (late.number,)
    stores.wait(61)
    stores.do(SweepHolds())
    assert served(stores) == (last.number,)
    stores.receive("A", "MAD", 1_000)
    assert served(stores) == (), "who has not paid in time waits no more"
    assert stores.do(Confirm(order=unpaid.id)).state == "allocated"


def test_an_order_of_two_products_whose_time_is_over_waits_for_neither(stores):
    waits(stores, ("A", 1_000), ("B", 1_000), kind="ship", place="", pays_first=True, hold_seconds=60)
    served(stores)
    stores.receive("A", "TOL", 1_000)
    stores.receive("B", "TOL", 1_000)
    stores.wait(61)
    assert served(stores) == ()
    assert stores.rows(BACKORDERS) == []


def test_an_order_that_waits_and_is_paid_late_waits_on(stores):
    unpaid = waits(stores, ("A", 1_000), pays_first=True, hold_seconds=60)
    stores.wait(61)
    stores.receive("A", "MAD", 1_000)
    assert served(stores) == ()
    stores.do(Confirm(order=unpaid.id))
    assert served(stores) == (unpaid.number,)


def test_a_place_that_could_not_serve_is_not_asked_again_at_once(stores):
    stores.receive("A", "MAD", 1_000)
    number = stores.order(("A", 1_000))
    lines = (Taken(line=1, short=1_000, why="not_possible"),)
    stores.do(Pick(order=number, place="MAD", lines=lines, instead="wait"))
    assert served(stores) == ()
    stores.wait(LOOK_AGAIN // 1_000_000)
    assert served(stores) == (number,)


def test_what_another_platform_has_sold_is_left_to_it(stores):
    fact = FactLine(ref="1", sku="A", amount=1_000, price=1_000)
    stores.do(RecordOrder(source="shop", source_id="7", updated=1, currency="EUR", lines=(fact,)))
    own = waits(stores, ("A", 1_000), kind="ship", place="")
    stores.receive("A", "WH", 2_000)
    assert served(stores) == (own.number,)


def test_less_kept_back_is_more_to_be_promised(stores):
    stores.do(SetSafety(place="MAD", sku="A", amount=2_000))
    stores.receive("A", "MAD", 2_000)
    order = waits(stores, ("A", 1_000))
    assert served(stores) == ()
    stores.do(SetSafety(place="MAD", sku="A", amount=1_000))
    assert served(stores) == (order.number,)


# -- bounded ------------------------------------------------------------------------------------------------------


def test_many_who_wait_are_served_piece_by_piece_in_their_order(stores):
    elsewhere = [waits(stores, ("A", 1_000), place="TOL").number for _ in range(3)]
    here = [waits(stores, ("A", 1_000)).number for _ in range(4)]
    stores.receive("A", "MAD", 4_000)
    pieces = [stores.do(ServeWaiting(limit=2)).orders for _ in range(5)]
    assert [number for piece in pieces for number in piece] == here
    assert max(map(len, pieces)) == 2
    stores.receive("A", "TOL", 9_000)
    assert list(served(stores)) == elsewhere


def test_in_one_command_a_bounded_number_goes_first_and_nobody_is_overtaken(stores):
    waiting = [waits(stores, ("A", 1_000)) for _ in range(TURNS_MAX + 5)]
    stores.receive("A", "MAD", (TURNS_MAX + 5) * 1_000)
    late = waits(stores, ("A", 1_000))
    has = [order.number for order in waiting if parts(stores, order.id)]
    assert has == [order.number for order in waiting[:TURNS_MAX]]
    assert (parts(stores, late.id), still(stores, late.id)) == ({}, [1_000])
    with pytest.raises(Conflict):
        stores.do(Reserve(lines=(Line("A", "MAD", 1_000),)))
    assert [order.number for order in waiting if parts(stores, order.id)] == has, "who was refused moved nobody on"
    assert served(stores) == tuple(order.number for order in waiting[TURNS_MAX:])
    stores.check()


def test_who_leaves_enough_for_all_who_wait_need_not_wait_for_their_turn(stores):
    waiting = [waits(stores, ("A", 1_000)) for _ in range(TURNS_MAX + 5)]
    stores.receive("A", "MAD", (TURNS_MAX + 6) * 1_000)
    late = waits(stores, ("A", 1_000))
    assert parts(stores, late.id) == {(1, "MAD"): 1_000}
    assert stores.balance("A", "MAD") == ((TURNS_MAX + 6) * 1_000, (TURNS_MAX + 1) * 1_000)
    assert served(stores) == tuple(order.number for order in waiting[TURNS_MAX:])
    assert not [fact for fact in stores.facts() if fact["name"] == "Stock Came Back"], "it had not run out between"
    stores.check()


def test_who_has_its_turn_for_one_product_does_not_take_another_from_who_waits_longer(stores):
    first, second = waits(stores, ("B", 1_000)), waits(stores, ("A", 1_000), ("B", 1_000))
    served(stores)
    stores.receive("A", "MAD", 1_000)
    stores.receive("B", "MAD", 1_000)
    assert served(stores) == (second.number, first.number)
    assert parts(stores, first.id) == {(1, "MAD"): 1_000}, "it waits for longer"
    assert still(stores, second.id) == [0, 1_000]


def test_the_bound_is_for_all_products_of_a_command(stores):
    skus = [f"P{number}" for number in range(TURNS_MAX + 2)]
    waiting = {sku: waits(stores, (sku, 1_000)) for sku in skus}
    for sku in skus:
        stores.receive(sku, "MAD", 1_000)
    late = waits(stores, *((sku, 1_000) for sku in skus))
    assert [sku for sku in skus if parts(stores, waiting[sku].id)] == skus[:TURNS_MAX]
    assert still(stores, late.id) == [1_000] * len(skus)
    assert served(stores) == tuple(waiting[sku].number for sku in skus[TURNS_MAX:])


def test_more_who_wait_than_can_be_counted_keep_everything_back(stores, monkeypatch):
    monkeypatch.setattr(backorders, "TURNS_MAX", 1)
    monkeypatch.setattr(backorders, "CLAIMS_MAX", 2)
    for _ in range(5):
        waits(stores, ("A", 1_000))
    stores.receive("A", "MAD", 9_000)
    with pytest.raises(Conflict):
        stores.order(("A", 1_000))
    assert len(served(stores)) == 5
    stores.order(("A", 1_000))
    stores.check()


def test_who_begins_to_wait_meanwhile_does_not_make_the_clerk_begin_anew(stores, monkeypatch):
    monkeypatch.setattr(backorders, "TURNS_MAX", 0)
    elsewhere = [waits(stores, ("A", 1_000), place="TOL") for _ in range(3)]
    here = waits(stores, ("A", 1_000))
    stores.receive("A", "MAD", 1_000)
    assert stores.do(ServeWaiting(limit=2)).orders == ()
    waits(stores, ("A", 1_000), place="TOL")
    (row,) = stores.rows(AWAITED, "where sku = 'A'")
    assert row.reached >= elsewhere[1].id
    assert stores.do(ServeWaiting(limit=2)).orders == (here.number,)


def test_nothing_is_looked_at_while_nothing_has_come(stores):
    waits(stores, ("A", 1_000))
    served(stores)
    stores.receive("B", "MAD", 1_000)
    (row,) = stores.rows(AWAITED, "where sku = 'A'")
    assert (row.rose, row.due) == (0, stores.now + LOOK_AGAIN)
    stores.order(("B", 1_000))
    assert stores.rows(AWAITED, "where sku = 'A'") == [row]


def test_lines_that_waited_before_they_were_written_down_are_found(stores):
    order = waits(stores, ("A", 1_000))
    for table in ("backorder_line", "backorder_product"):
        stores.tables.execute(f"delete from {table}")
    stores.receive("A", "MAD", 1_000)
    assert served(stores) == (order.number,)


# -- whatever happens ---------------------------------------------------------------------------------------------

PLACES = ("MAD", "TOL", "WH")
SKUS = ("A", "B")
PIECES = st.integers(1, 4).map(lambda pieces: pieces * 1_000)
NUMBERS = st.integers(0, 9)


class QueueMachine(RuleBasedStateMachine):
    """Goods come, go, and are wanted in three places; nobody who came later has what an earlier one could have had."""

    make: Callable[[], Tables] = MemoryTables
    turns, claims = backorders.TURNS_MAX, backorders.CLAIMS_MAX

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(backorders, "TURNS_MAX", self.turns)
        self.patch.setattr(backorders, "CLAIMS_MAX", self.claims)
        self.stores = Stores(type(self).make())
        self.orders: list[Any] = []
        self.held: list[int] = []

    @rule(sku=st.sampled_from(SKUS), place=st.sampled_from(PLACES), amount=PIECES)
    def comes(self, sku: str, place: str, amount: int) -> None:
        self.stores.receive(sku, place, amount)

    @rule(lines=st.lists(st.tuples(st.sampled_from(SKUS), PIECES), min_size=1, max_size=2),
          how=st.sampled_from((("pick_up", "MAD"), ("pick_up", "TOL"), ("ship", ""), ("ship", "MAD"),
                               ("ship_to_store", "MAD"))),
          is_paid=st.booleans())  # fmt: skip
    def ordered(self, lines: list[tuple[str, int]], how: tuple[str, str], is_paid: bool) -> None:
        seconds = 0 if is_paid else 3_600
        made = self._taking(
            lambda: waits(self.stores, *lines, kind=how[0], place=how[1], pays_first=not is_paid, hold_seconds=seconds)
        )
        self.orders.append(made)

    @rule(lines=st.lists(st.tuples(st.sampled_from(SKUS), PIECES), min_size=1, max_size=2),
          how=st.sampled_from((("pick_up", "MAD"), ("ship", ""))))  # fmt: skip
    def ordered_at_once(self, lines: list[tuple[str, int]], how: tuple[str, str]) -> None:
        wanted = tuple(NewLine(sku=sku, amount=amount, price=1) for sku, amount in lines)
        order = PlaceOrder(lines=wanted, currency="EUR", kind=how[0], place=how[1], pays_first=False, hold_seconds=0)
        made = self._taking(lambda: self.stores.do(PlaceSourced(order=order)))
        if made is not None:
            self.orders.append(made.order)

    @rule(sku=st.sampled_from(SKUS), place=st.sampled_from(PLACES), amount=PIECES)
    def put_aside(self, sku: str, place: str, amount: int) -> None:
        made = self._taking(
            lambda: self.stores.do(Reserve(lines=(Line(sku, place, amount),), seconds=7_200)), sku, place
        )
        if made is not None:
            self.held.append(made.id)

    @precondition(lambda self: self.held)
    @rule(number=NUMBERS)
    def given_back(self, number: int) -> None:
        self._try(lambda: self.stores.do(Release(reservation=self.held.pop(number % len(self.held)))))

    @precondition(lambda self: self.orders)
    @rule(number=NUMBERS, what=st.sampled_from(("cancel", "confirm", "source")))
    def else_(self, number: int, what: str) -> None:
        order = self.orders[number % len(self.orders)]
        if what == "source":
            self._taking(lambda: self.stores.do(SourceOrder(order=order.number)))
        else:
            self._try(lambda: self.stores.do((Cancel if what == "cancel" else Confirm)(order=order.id)))

    @rule(minutes=st.sampled_from((1, 50, 90)))
    def time_passes(self, minutes: int) -> None:
        self.stores.wait(minutes * 60)
        self.stores.do(SweepHolds())

    @rule(limit=st.sampled_from((1, 2, 100)))
    def the_clerk_comes(self, limit: int) -> None:
        self._taking(lambda: self.stores.do(ServeWaiting(limit=limit)))

    @rule()
    def the_clerk_finds_no_more(self) -> None:
        for _ in SKUS:
            self.stores.do(ServeWaiting())
        assert not self._due(), "a hundred orders are tried at once, and there are fewer"
        assert self.stores.do(ServeWaiting()).orders == ()
        for line in self._waiting():
            found = self._asked(line, line.placed)
            rule_ = next(one for one in api.in_force(self.stores).rules if one.name == found.rule)
            assert not found.choice.taken
            assert not sum(sorted(self._gives(found, line.sku), reverse=True)[: rule_.splits_max])

    @invariant()
    def always(self) -> None:
        self.stores.check()
        listed = {(row.order_id, row.line): row.sku for row in self.stores.rows(BACKORDERS)}
        assert {(line.order_id, line.line): line.sku for line in self._waiting()}.items() <= listed.items()
        counts = {row.sku: row for row in self.stores.rows(AWAITED)}
        total = counts.pop("", None)
        assert {sku: row.lines for sku, row in counts.items()} == {
            sku: list(listed.values()).count(sku) for sku in set(listed.values())
        }
        assert total is None or (total.lines, total.rose) == (len(listed), sum(row.rose for row in counts.values()))
        assert all(row.by in ("cauce", "") for row in self.stores.rows(CHOICES))

    # -- what is checked --------------------------------------------------------------------------------------------

    def _due(self) -> bool:
        return any(row.rose for row in self.stores.rows(AWAITED, "where sku <> ''"))

    def _waiting(self) -> list[Any]:
        orders = {order.id: order for order in self.stores.rows(ORDERS)}
        lines = self.stores.rows(LINES, "where placed > 0 order by order_id, line")
        return [line for line in lines if may_wait(orders[line.order_id], self.stores.now)]

    def _asked(self, line: Any, amount: int) -> Any:
        (order,) = self.stores.rows(ORDERS, f"where id = {line.order_id}")
        wish = Wish(
            delivery=order.kind, lines=(Wanted(line.sku, amount),), channel=order.channel, destination=order.place
        )
        return api.sourced(self.stores, wish, self.stores.now)

    def _is_left(self, waiting: list[Any], order_id: int, sku: str, place: str) -> bool:
        posted, pending = self.stores.balance(sku, place)
        return posted - pending >= sum(line.placed for line in waiting if line.sku == sku and line.order_id < order_id)

    def _gives(self, found: Any, sku: str) -> list[int]:
        return [verdict.amounts.get(sku, 0) for verdict in found.choice.verdicts]

    def _try(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except (Conflict, DefinitionInvalid):
            return None

    def _taking(self, act: Callable[[], Any], sku: str = "", place: str = "") -> Any:
        """What somebody takes in a place, nobody who waits for longer may have been served with there.

        Unless enough is left in that place for all of them together, whose turn comes.
        """
        skus = {(line.order_id, line.line): line.sku for line in self.stores.rows(LINES)}
        before = {part[:3]: part.allocated for part in self.stores.rows(ALLOCATIONS)}
        made = self._try(act)
        if made is None:
            return None
        skus |= {(line.order_id, line.line): line.sku for line in self.stores.rows(LINES)}
        taken = [(10**9, sku, place)] if sku else []
        taken += [
            (part.order_id, skus[part.order_id, part.line], part.place)
            for part in self.stores.rows(ALLOCATIONS)
            if part.allocated > before.get(part[:3], 0)
        ]
        waiting = self._waiting()
        for line in waiting:
            for order_id, what, where in taken:
                if what == line.sku and line.order_id < order_id and not self._is_left(waiting, order_id, what, where):
                    codes = {verdict.place: verdict.code for verdict in self._asked(line, line.placed).choice.verdicts}
                    assert codes[where] not in MAY, (line.order_id, order_id, what, where)
        return made

    def teardown(self) -> None:
        self.patch.undo()
        self.stores.close()


class CrowdMachine(QueueMachine):
    """The same, where more wait than go first in one command."""

    turns, claims = 1, 2


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestCrowd = CrowdMachine.TestCase
TestCrowd.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


PLANTED: dict[str, Callable[..., Any]] = {
    "_kept_back": lambda *_: {},
    "_has_turn": lambda *_: True,
}
"""What is left out, and that the tests of it fail then: they are judged by this."""


@pytest.mark.parametrize(
    ("left_out", "judge"),
    [
        ("_kept_back", test_in_one_command_a_bounded_number_goes_first_and_nobody_is_overtaken),
        ("_has_turn", test_who_has_its_turn_for_one_product_does_not_take_another_from_who_waits_longer),
    ],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_a_planted_fault_is_found(left_out, judge, stores, monkeypatch):
    monkeypatch.setattr(backorders, left_out, PLANTED[left_out])
    with pytest.raises(AssertionError):
        judge(stores)


def test_the_same_on_an_engine_that_stores(stored):
    first, second = waits(stored, ("A", 2_000)), waits(stored, ("A", 1_000))
    stored.receive("A", "MAD", 2_000)
    with pytest.raises(Conflict):
        stored.order(("A", 1_000))
    assert served(stored) == (first.number,)
    stored.receive("A", "MAD", 1_000)
    assert served(stored) == (second.number,)
    stored.check()
