"""Whatever staff, people and time do to orders that are collected: ready ≤ reserved, collected ≤ ready, a code once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cauce.commerce.fulfilment import api
from cauce.commerce.fulfilment.api import (
    Arrive,
    Came,
    HandedOver,
    NewCode,
    NotCollected,
    Pick,
    PutBack,
    Send,
    SourceOrder,
    TakeBack,
    Taken,
    Unpick,
)
from cauce.commerce.orders.changing import Cancel
from cauce.engines.api import Tables
from cauce.engines.memory import MemoryTables
from cauce.errors import Conflict, DefinitionInvalid
from tests.commerce.fulfilment.stores import KEYS, Stores

PLACES = ("MAD", "TOL", "WH")
PARTS = st.sampled_from((500, 1_000, 2_000))
NUMBERS = st.integers(0, 9)


class DeskMachine(RuleBasedStateMachine):
    """Orders of one product over three places; every command may be refused, and then leaves no trace."""

    make: Callable[[], Tables] = MemoryTables

    def __init__(self) -> None:
        super().__init__()
        self.stores = Stores(type(self).make())
        self.orders: list[str] = []
        self.codes: list[str] = []
        self.opened: set[str] = set()
        self.asked = 0

    @initialize(amounts=st.tuples(*(st.integers(2, 9) for _ in PLACES)))
    def furnish(self, amounts: tuple[int, ...]) -> None:
        for place, amount in zip(PLACES, amounts, strict=True):
            if amount:
                self.stores.receive("A", place, amount * 1_000)

    def _try(self, command: Any) -> Any:
        before = self.stores.tables.select("select count(*) from order_history")
        try:
            return self.stores.do(command)
        except (Conflict, DefinitionInvalid):
            assert self.stores.tables.select("select count(*) from order_history") == before
            return None

    def _order(self, number: int) -> str:
        return self.orders[number % len(self.orders)]

    def _id(self, number: str) -> int:
        return api.order_id(self.stores, number)

    def _codes_of(self, order_id: int) -> set[str]:
        return {KEYS.code(order_id, round_) for round_ in range(1, 20)}

    @rule(amount=st.sampled_from((1_000, 2_000, 3_000)), kind=st.sampled_from(("pick_up", "ship_to_store", "curbside")))
    def order(self, amount: int, kind: str) -> None:
        try:
            self.orders.append(self.stores.order(("A", amount), kind=kind))
        except Conflict:
            return

    @precondition(lambda self: self.orders)
    @rule(number=NUMBERS, place=st.sampled_from(PLACES), picked=PARTS, short=st.sampled_from((0, 0, 1_000)),
          why=st.sampled_from(("not_found", "damaged", "not_possible")),
          instead=st.sampled_from(("source", "cancel", "wait")))  # fmt: skip
    def pick(self, number: int, place: str, picked: int, short: int, why: str, instead: str) -> None:
        lines = (Taken(line=1, picked=picked, short=short, why=why),)
        self._try(Pick(order=self._order(number), place=place, lines=lines, instead=instead))

    @precondition(lambda self: self.orders)
    @rule(number=NUMBERS, place=st.sampled_from(PLACES), is_sent=st.booleans())
    def move_on(self, number: int, place: str, is_sent: bool) -> None:
        self._try((Send if is_sent else Unpick)(order=self._order(number), place=place))

    @precondition(lambda self: self.orders)
    @rule(number=NUMBERS, origins=st.sampled_from(((), (), ("WH",), ("TOL", "WH"))), partial=st.booleans())
    def made_ready(self, number: int, origins: tuple[str, ...], partial: bool) -> None:
        self.ready(number, origins, partial=partial)

    def ready(self, number: int, origins: tuple[str, ...], *, partial: bool) -> None:
        try:
            self.codes.append(self.stores.ready(self._order(number), origins=origins, partial=partial))
        except Conflict:
            return

    @precondition(lambda self: self.orders)
    @rule(number=NUMBERS, half=st.booleans())
    def prepared(self, number: int, half: bool) -> None:
        """The usual way, in one step: what is to be picked is picked (or half of it), sent, and lies at the desk."""
        order = self._order(number)
        for place in PLACES:
            for task in api.pick_list(self.stores, place):
                lines = tuple(
                    Taken(line=line.line, picked=line.to_pick // (2 if half else 1))
                    for line in task.lines
                    if line.to_pick and task.order == order
                )
                if lines:
                    self._try(Pick(order=order, place=place, lines=lines))
                    if place != "MAD":
                        self._try(Send(order=order, place=place))
        self.ready(number, (), partial=True)
        self.ready(number, ("TOL", "WH"), partial=True)

    @precondition(lambda self: self.codes)
    @rule(number=NUMBERS, part=st.sampled_from((0, 0, 500, 1_000, 9_000)), cancel_rest=st.booleans(),
          is_repeated=st.booleans())  # fmt: skip
    def hand_over(self, number: int, part: int, cancel_rest: bool, is_repeated: bool) -> None:
        code = self.codes[number % len(self.codes)]
        self.asked += 1
        fields: dict[str, Any] = {"cancel_rest": cancel_rest, "key": f"k{self.asked}"}
        if part:
            fields["lines"] = ((1, part),)
        order_id = next((id_ for id_ in map(self._id, self.orders) if code in self._codes_of(id_)), 0)
        fields["codes"] = KEYS.hashes(order_id)
        try:
            handed: HandedOver = self.stores.hand_over(code, **fields)
            if is_repeated:
                assert self.stores.hand_over(code, **fields) == handed
        except Conflict:
            return
        if handed.outcome == "handed_over":
            assert code not in self.opened, "a code works once"
            self.opened.add(code)
            if handed.round:
                self.codes.append(self.stores.code(handed.order))

    @precondition(lambda self: self.orders)
    @rule(number=NUMBERS, what=st.sampled_from(("miss", "cancel", "arrive", "code", "source", "back")))
    def else_(self, number: int, what: str) -> None:
        order = self._order(number)
        seen = api.pickup(self.stores, order)
        command: Any = {
            "miss": NotCollected(order=order),
            "cancel": Cancel(order=seen.order_id),
            "arrive": Arrive(order=seen.order_id, bay="1"),
            "code": NewCode(order=order, codes=KEYS.hashes(seen.order_id)),
            "source": SourceOrder(order=order),
            "back": TakeBack(order=order, place="TOL", lines=(Came(line=1, amount=1_000, condition="damaged"),)),
        }[what]
        if self._try(command) is not None and what == "code":
            self.codes.append(self.stores.code(order))

    @rule(days=st.integers(1, 8))
    def time_passes(self, days: int) -> None:
        self.stores.wait(days * 86_400)
        late = [seen for seen in api.pickups(self.stores, limit=500) if 0 < seen.due <= self.stores.now]
        back = self.stores.do(PutBack()).orders
        assert {seen.order for seen in late if any(line.ready for line in seen.lines)} == set(back)

    @rule()
    def nobody_waits_for_ever(self) -> None:
        for seen in api.pickups(self.stores, limit=500):
            assert (seen.due > self.stores.now) or not any(line.ready for line in seen.lines)

    @invariant()
    def always(self) -> None:
        self.stores.check()
        for seen in api.pickups(self.stores, limit=500):
            for line in seen.lines:
                assert line.ready + line.collected + line.waiting + line.on_way + line.cancelled == line.amount

    def teardown(self) -> None:
        self.stores.close()


TestDesk = DeskMachine.TestCase
TestDesk.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
