"""Orders that are placed for a slot: goods and time are had together, and go the same way from then on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.commerce.bookings import api
from cauce.commerce.bookings.ahead import OrderAhead, OrderedAhead
from cauce.commerce.bookings.booking import CancelBooking, MoveBooking
from cauce.commerce.bookings.nouns import Booking, Resource
from cauce.commerce.bookings.resources import PutResource
from cauce.commerce.catalogue.nouns import Opening
from cauce.commerce.orders import questions
from cauce.commerce.orders.api import Advance, Cancel, Change, NewLine, PlaceOrder
from cauce.commerce.orders.paying import Pay
from cauce.errors import CauceError, DefinitionInvalid, Shortage
from cauce.model.time import HOUR, MINUTE
from tests.commerce.orders.shop import START, Shop, Sweep
from tests.furnished import FurnishedTables

ALWAYS = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
OVEN = Resource(id="oven", name="Oven", place="S1", minutes=15, capacity=2, most=2, hours=ALWAYS, kind="kitchen")
NOON = START - START % HOUR + 24 * HOUR


class Kitchen(Shop):
    def __init__(self) -> None:
        super().__init__(FurnishedTables())
        self.do(PutResource(resource=OVEN))
        self.receive("pizza", "S1", 10_000)

    def ahead(self, start: int = NOON, *, amount: int = 1_000, **more: object) -> OrderedAhead:
        told = {"kind": "order_ahead", "place": "S1", "owners": ("email:ana@tienda.es",), **more}
        order = PlaceOrder(lines=(NewLine(sku="pizza", amount=amount, price=900),), currency="EUR", **told)
        return self.do(OrderAhead(order=order, resource="oven", start=start))

    def booking(self, order: int) -> Booking:
        """The booking of the order that stands now."""
        (row,) = self.tables.select("select booking from booking_of_order where order_id = ?", (order,))
        return api.find(self.tables, row[0])

    def free(self) -> int:
        rows = self.tables.select(
            "select posted - pending from account where book = 'slots' and subject = ? and name = 'open'",
            (f"oven\x1f{NOON}",),
        )
        return int(rows[0][0]) if rows else OVEN.capacity


@pytest.fixture
def kitchen() -> Iterator[Kitchen]:
    found = Kitchen()
    yield found
    found.close()


def test_goods_and_slot_are_had_together_or_neither(kitchen: Kitchen) -> None:
    made = kitchen.ahead()
    assert (made.booking.state, made.booking.document, made.order.confirmed) == ("confirmed", made.order.number, True)
    assert questions.head(kitchen.tables, made.order.id).promised == NOON
    with pytest.raises(Shortage, match="pizza"):
        kitchen.ahead(amount=99_000)
    assert kitchen.free() == 1
    kitchen.ahead()
    with pytest.raises(Shortage, match="Oven has 0 places"):
        kitchen.ahead()
    assert kitchen.balance("pizza", "S1") == (10_000, 2_000)
    assert len(kitchen.tables.select("select id from customer_order")) == 2
    kitchen.check()


def test_the_slot_goes_the_way_of_its_order(kitchen: Kitchen) -> None:
    first, second = kitchen.ahead(), kitchen.ahead()
    kitchen.do(Cancel(order=first.order.id))
    assert (kitchen.booking(first.order.id).state, kitchen.free()) == ("cancelled", 1)
    kitchen.do(MoveBooking(booking=second.booking.id, start=NOON + 15 * MINUTE))
    assert questions.head(kitchen.tables, second.order.id).promised == NOON + 15 * MINUTE
    for to in ("picked", "ready"):
        kitchen.counter.advance(Advance(order=second.order.id, to=to, changes=(Change(line=1),)))
    kitchen.counter.hand_over("S1", order=second.order.number, initials="AR", by="eva")
    assert kitchen.booking(second.order.id).state == "attended"


def test_what_is_not_paid_gives_its_slot_back_and_has_it_again_when_it_is_paid_late(kitchen: Kitchen) -> None:
    made = kitchen.ahead(pays_first=True, hold_seconds=1_800)
    assert (made.booking.state, made.booking.due) == ("held", made.order.due)
    kitchen.wait(1_801)
    kitchen.do(Sweep())
    assert (kitchen.booking(made.order.id).state, kitchen.free()) == ("expired", 2)
    pay = {"provider": "bank", "fact": "captured", "amount": made.order.total, "currency": "EUR"}
    kitchen.do(Pay(order=made.order.id, reference="1", **pay))
    assert (kitchen.booking(made.order.id).state, kitchen.free()) == ("confirmed", 1)
    late = kitchen.ahead(pays_first=True, hold_seconds=60)
    kitchen.wait(61)
    kitchen.do(Sweep())
    kitchen.ahead()
    paid = kitchen.do(Pay(order=late.order.id, reference="2", **pay))
    assert (paid.order.confirmed, kitchen.booking(late.order.id).state, kitchen.free()) == (True, "expired", 0)


def test_who_pays_in_time_keeps_the_slot(kitchen: Kitchen) -> None:
    made = kitchen.ahead(pays_first=True, hold_seconds=1_800)
    pay = Pay(
        order=made.order.id, provider="bank", reference="1", fact="captured", amount=made.order.total, currency="EUR"
    )
    kitchen.do(pay)
    assert kitchen.booking(made.order.id).state == "confirmed"


def test_a_slot_elsewhere_or_of_something_that_is_sent_makes_no_sense(kitchen: Kitchen) -> None:
    for more in ({"place": "S2"}, {"kind": "ship"}):
        with pytest.raises(DefinitionInvalid):
            kitchen.ahead(**more)
    with pytest.raises(CauceError, match="slot"):
        kitchen.ahead(NOON + MINUTE)


STEPS = st.sampled_from(["ahead", "unpaid", "cancel", "drop", "move", "wait"])


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_no_slot_is_had_without_its_order_nor_more_than_there_is(steps: list[str]) -> None:
    kitchen = Kitchen()
    orders: list[int] = []
    for step in steps:
        try:
            if step in ("ahead", "unpaid"):
                orders.append(kitchen.ahead(pays_first=step == "unpaid", hold_seconds=600).order.id)
            elif step == "wait":
                kitchen.wait(400)
                kitchen.do(Sweep())
            elif orders and step == "cancel":
                kitchen.do(Cancel(order=orders[0]))
                orders.pop(0)
            elif orders and step == "move":
                kitchen.do(MoveBooking(booking=kitchen.booking(orders[-1]).id, start=NOON + 15 * MINUTE))
            elif orders:
                kitchen.do(CancelBooking(booking=kitchen.booking(orders[-1]).id))
        except CauceError:
            pass
        taken = sum(
            1 for (order, state) in kitchen.tables.select(
                "select o.state, b.state from booking_of_order f join customer_order o on o.id = f.order_id "
                "join booking b on b.id = f.booking where b.start = ?", (NOON,)
            ) if state in ("held", "confirmed") and order != "cancelled"
        )  # fmt: skip
        assert kitchen.free() == OVEN.capacity - taken >= 0
    kitchen.check()
    kitchen.close()
