"""Orders under any sequence of commands, in time and late, repeated and wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cauce.commerce.fulfilment.api import HandOver
from cauce.commerce.fulfilment.keys import Keys
from cauce.commerce.orders import rules
from cauce.commerce.orders.changing import Advance, Cancel, Change, Return
from cauce.commerce.orders.outside import FactLine, RecordOrder
from cauce.commerce.orders.paying import FACTS, Pay, RecordPayment
from cauce.commerce.orders.placing import Confirm, NewLine, Part, PlaceOrder
from cauce.commerce.orders.store import ALLOCATIONS, LINES
from cauce.engines.api import Tables
from cauce.engines.memory import MemoryTables
from cauce.errors import CauceError, Shortage, StorageBroken
from tests.commerce.orders.shop import Shop, Sweep
from tests.furnished import FurnishedTables

SKUS, PLACES = ("A", "B"), ("S1", "S2")
AMOUNTS = st.integers(1, 5).map(lambda units: units * 500)


@st.composite
def new_lines(draw: Any) -> NewLine:
    sku, amount = draw(st.sampled_from(SKUS)), draw(AMOUNTS)
    price = draw(st.integers(0, 2_000))
    cost = rules.gross(amount, price)
    split = draw(st.integers(0, amount))
    parts = ()
    if 0 < split < amount:
        parts = (Part("S1", split), Part("S2", amount - split))
    return NewLine(sku=sku, amount=amount, price=price, discount=draw(st.integers(0, cost)), parts=parts)


KEYS = Keys(b"a secret of thirty-two bytes ....")


class OrdersMachine(RuleBasedStateMachine):
    make: Callable[[], Tables] = MemoryTables

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(type(self).make())
        self.orders: list[int] = []
        self.count = 0
        for sku in SKUS:
            for place in PLACES:
                self.shop.receive(sku, place, 4_000)

    def teardown(self) -> None:
        self.shop.close()

    def done(self, command: Any) -> Any:
        """As doors do it: what is moved on is moved on at the desks."""
        return self.shop.counter.advance(command) if isinstance(command, Advance) else self.shop.do(command)

    def tried(self, command: Any) -> Any:
        """The answer, None when it was refused; asked again it is the same, and has no further effect."""
        self.count += 1
        keyed = type(command)(**{name: getattr(command, name) for name in command.__struct_fields__ if name != "key"},
                              key=f"k{self.count}")  # fmt: skip
        try:
            answer = self.done(keyed)
        except StorageBroken:
            raise  # the database had to refuse what the rules let through
        except CauceError as refused:
            said = refused.code, refused.message
        else:
            said = None
        if said:
            with pytest.raises(CauceError, match=r".") as again:
                self.done(keyed)
            assert (again.value.code, again.value.message) == said
            return None
        before = self.shop.tables.select("select count(*), max(id) from order_history")
        assert self.done(keyed) == answer
        assert self.shop.tables.select("select count(*), max(id) from order_history") == before
        return answer

    @rule(
        lines=st.lists(new_lines(), min_size=1, max_size=3),
        kind=st.sampled_from(sorted(rules.DELIVERIES)),
        backorder=st.booleans(),
        shipping=st.integers(0, 500),
    )
    def place(self, lines: list[NewLine], kind: str, backorder: bool, shipping: int) -> None:
        free = {(sku, place): self.shop.balance(sku, place) for sku in SKUS for place in PLACES}
        command = PlaceOrder(
            lines=tuple(lines), currency="EUR", kind=kind, place="S1", backorder=backorder, shipping=shipping
        )
        answer = self.tried(command)
        if answer is None:
            after = {at: self.shop.balance(*at) for at in free}
            # What had run out may have been given back; nothing more is promised.
            assert all(after[at][1] <= free[at][1] and after[at][0] == free[at][0] for at in free)
            return
        self.orders.append(answer.id)
        if not backorder:
            assert answer.state == rules.ALLOCATED

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), to=st.sampled_from(sorted(rules.STATES)), amount=st.integers(0, 3), narrowed=st.booleans())
    def advance(self, data: Any, to: str, amount: int, narrowed: bool) -> None:
        order = data.draw(st.sampled_from(self.orders))
        place = data.draw(st.sampled_from(PLACES)) if narrowed or to == rules.ALLOCATED else ""
        where = "S2" if to in (rules.RETURNED, rules.CANCELLED) else ""
        change = Change(line=data.draw(st.integers(1, 2)), amount=amount * 500, place=place)
        self.tried(Advance(order=order, to=to, changes=(change,), where=where, by="ana"))

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), amount=st.integers(1, 3), rest=st.booleans(), is_part=st.booleans())
    def hand_over(self, data: Any, amount: int, rest: bool, is_part: bool) -> None:
        id_ = data.draw(st.sampled_from(self.orders))
        (number,) = self.shop.tables.select("select number from customer_order where id = ?", (id_,))[0]
        lines = ((data.draw(st.integers(1, 2)), amount * 500),) if is_part else ()
        self.tried(
            HandOver(
                desk="S1", order=number, initials="AR", receipt="R1", lines=lines, cancel_rest=rest,
                codes=KEYS.hashes(id_), by="ana",
            )
        )  # fmt: skip

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        self.tried(Cancel(order=data.draw(st.sampled_from(self.orders))))

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), amount=st.integers(0, 3), damaged=st.booleans())
    def bring_back(self, data: Any, amount: int, damaged: bool) -> None:
        order = data.draw(st.sampled_from(self.orders))
        changes = (Change(line=1, amount=amount * 500),)
        self.tried(Return(order=order, place=data.draw(st.sampled_from(PLACES)), changes=changes, damaged=damaged))

    @precondition(lambda self: self.orders)
    @rule(
        data=st.data(),
        fact=st.sampled_from(sorted(FACTS)),
        amount=st.integers(1, 20_000),
        reference=st.integers(1, 6),
        waits=st.booleans(),
        pays=st.booleans(),
    )
    def payment(self, data: Any, fact: str, amount: int, reference: int, waits: bool, pays: bool) -> None:
        make = Pay if pays else RecordPayment
        self.tried(
            make(
                order=data.draw(st.sampled_from(self.orders)),
                provider="bank",
                reference=f"r{reference}",
                fact=fact,
                amount=amount,
                currency="EUR",
                waits=waits,
            )
        )

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def confirm(self, data: Any) -> None:
        order = data.draw(st.sampled_from(self.orders))
        before = {line.line: line.placed for line in self.shop.rows(LINES, f"where order_id = {order}")}
        lost = dict.fromkeys(before, 0)
        for part in self.shop.rows(ALLOCATIONS, f"where order_id = {order}"):
            lost[part.line] += part.lost
        if self.tried(Confirm(order=order)) is not None:
            for line in self.shop.rows(LINES, f"where order_id = {order}"):
                # What ran out is held anew; what ran out and was not swept yet never was free.
                assert line.placed == max(0, before[line.line] - lost[line.line])

    @rule(
        number=st.integers(1, 2),
        updated=st.integers(1, 5),
        amount=AMOUNTS,
        fulfilled=st.integers(0, 5),
        returned=st.integers(0, 3),
        cancelled=st.booleans(),
        kind=st.sampled_from(["ship", "pick_up"]),
    )
    def told(
        self, number: int, updated: int, amount: int, fulfilled: int, returned: int, cancelled: bool, kind: str
    ) -> None:
        line = FactLine(ref="1", sku="A", amount=amount, price=999, fulfilled=fulfilled * 500, returned=returned * 500)
        answer = self.tried(
            RecordOrder(
                source="elsewhere",
                source_id=str(number),
                updated=updated,
                lines=(line,),
                currency="EUR",
                place="S1",
                kind=kind,
                is_cancelled=cancelled,
            )
        )
        assert answer is not None, "what another platform has sold is never refused"
        if answer.is_new:
            self.orders.append(answer.order.id)

    @rule(seconds=st.sampled_from([1, 1_700, 200_000]), sweeps=st.booleans())
    def wait(self, seconds: int, sweeps: bool) -> None:
        self.shop.wait(seconds)
        if sweeps:
            self.shop.do(Sweep())

    @invariant()
    def all_holds(self) -> None:
        self.shop.check()


OrdersMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestOrders = OrdersMachine.TestCase


def test_shortage_is_told_with_its_lines() -> None:
    with contextlib.closing(Shop(FurnishedTables())) as shop:
        shop.receive("A", "S1", 1_000)
        line = NewLine(sku="A", amount=600, price=100)
        with pytest.raises(Shortage) as short:  # two lines of one product are one need
            shop.do(PlaceOrder(lines=(line, line), currency="EUR", place="S1"))
        assert short.value.details == {"lines": [{"sku": "A", "place": "S1", "wanted": 1_200, "available": 1_000}]}
        assert shop.balance("A", "S1") == (1_000, 0)
