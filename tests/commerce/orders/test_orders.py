"""Single promises of orders, told by example."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.commerce.orders import questions, rules
from cauce.commerce.orders.changing import Advance, Cancel, Change, Return
from cauce.commerce.orders.erasing import EraseFromOrders
from cauce.commerce.orders.outside import FactLine, RecordOrder
from cauce.commerce.orders.paying import Pay, RecordPayment
from cauce.commerce.orders.placing import Confirm, NewLine, Part, PlaceOrder
from cauce.commerce.orders.questions import Which
from cauce.commerce.orders.store import ORDERS
from cauce.commerce.stock.limits import SetCap
from cauce.engines.api import Tables
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Shortage, StorageBroken
from tests.commerce.orders import drawing
from tests.commerce.orders.shop import Shop, Sweep
from tests.furnished import FurnishedTables

A = NewLine(sku="A", amount=3_000, price=1_999, tax=1_041, name="Coat")


@pytest.fixture
def shop() -> Iterator[Shop]:
    with contextlib.closing(Shop(FurnishedTables())) as found:
        found.receive("A", "S1", 5_000)
        yield found
        found.check()


def placed(shop: Shop, *lines: NewLine, **more: Any) -> Any:
    more = {"currency": "EUR", "place": "S1", "kind": "pick_up", "owners": ("email:ana@tienda.es",), **more}
    return shop.do(PlaceOrder(lines=lines or (A,), **more))


def paid(shop: Shop, order: Any, reference: str = "r1", fact: str = "captured", amount: int = 0, **more: Any) -> Any:
    amount = amount or order.total
    return shop.do(
        Pay(order=order.id, provider="bank", reference=reference, fact=fact, amount=amount, currency="EUR", **more)
    )


def moved(shop: Shop, order: Any, *states: str, amount: int = 0) -> Any:
    for to in states:
        if to == "collected":
            shop.counter.hand_over("S1", order=order.number, initials="AR", lines=((1, amount),), by="ana")
            continue
        standing = shop.counter.advance(
            Advance(order=order.id, to=to, changes=(Change(line=1, amount=amount),), by="ana")
        )
    return standing


@pytest.mark.parametrize(("kind", "said"), [("pick_up", "handed over at its desk"), ("ship", "nobody collects it")])
def test_nothing_is_collected_without_a_proof(shop: Shop, kind: str, said: str) -> None:
    order = placed(shop, kind=kind, pays_first=False)
    moved(shop, order, "picked", "ready")
    for door in (shop.counter.advance, shop.do):
        with pytest.raises(Conflict, match=said):
            door(Advance(order=order.id, to="collected", changes=(Change(line=1),)))
    assert questions.head(shop.tables, order.id).state == "ready"


def told(shop: Shop) -> list[str]:
    return [
        fact["name"] for fact in shop.facts() if not fact["name"].startswith(("Stock", "Product Out", "Product Low"))
    ]


# -- the table --------------------------------------------------------------------------------------------------------


def test_the_page_shows_the_table_as_it_is() -> None:
    text = drawing.PAGE.read_text(encoding="utf-8")
    assert drawing.drawn(text) == text, "write it with: python -m tests.commerce.orders.drawing"


def test_every_state_can_be_reached_and_left_or_is_an_end() -> None:
    reached = {one.to for one in rules.TRANSITIONS} | {rules.PLACED}
    assert reached == set(rules.STATES)
    assert set(rules.STATES) - {one.was for one in rules.TRANSITIONS} == {rules.RETURNED, rules.CANCELLED}
    for was in rules.STATES:
        for to in rules.STATES:
            steps = rules.path(was, to)
            assert all(pair in rules.BY_STEP for pair in zip((was, *steps), steps, strict=False))


@pytest.mark.parametrize("was", rules.STATES)
@pytest.mark.parametrize("to", rules.STATES)
def test_only_what_the_table_has_is_done(was: str, to: str) -> None:
    with contextlib.closing(Shop(FurnishedTables())) as shop:
        shop.receive("A", "S1", 5_000)
        order = placed(shop, pays_first=False, backorder=True, place="")
        for state in (*rules.path(rules.PLACED, was),):
            place = "S1" if state == rules.ALLOCATED else ""
            changes = (Change(line=1, place=place),)
            if state == rules.COLLECTED:
                shop.counter.hand_over("", order=order.number, initials="AR", by="ana")
                continue
            shop.counter.advance(Advance(order=order.id, to=state, changes=changes, where=where(state)))
        command = Advance(
            order=order.id,
            to=to,
            changes=(Change(line=1, place="S1" if to == rules.ALLOCATED and was == rules.PLACED else ""),),
            was=(was,),
            where=where(to),
        )
        if (was, to) in rules.BY_STEP and to != rules.COLLECTED:  # that needs a proof
            assert shop.counter.advance(command).state == to
        else:
            with pytest.raises(Conflict):
                shop.counter.advance(command)
        shop.check()


def where(state: str) -> str:
    """Where it happened: what is ready lies where it is collected, here nowhere."""
    return "" if state == rules.READY else "S1"


def test_what_is_collected_becomes_ready_at_its_desk_alone(shop: Shop) -> None:
    order = placed(shop, pays_first=False)
    moved(shop, order, "picked")
    ready = Advance(order=order.id, to="ready", changes=(Change(line=1),))
    with pytest.raises(Conflict, match="with a code"):
        shop.do(ready)
    assert shop.counter.advance(ready).state == "ready"


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.data())
def test_what_is_to_be_refunded_is_what_is_not_owed(total: int, amount: int, data: Any) -> None:
    cancelled = data.draw(st.integers(0, amount))
    returned = data.draw(st.integers(0, amount - cancelled))
    found = rules.to_refund(total, 0, [(total, amount, cancelled, returned)])
    assert found == total * (cancelled + returned) // amount
    assert rules.to_refund(0, 395, [(total, amount, cancelled, returned)]) == 0
    assert rules.to_refund(total + 395, 395, [(total, amount, amount, 0)]) == total + 395
    assert rules.to_refund(total + 395, 395, [(total, amount, 0, amount)]) == total


# -- placing ----------------------------------------------------------------------------------------------------------


def test_lines_and_shipping_sum_to_the_total(shop: Shop) -> None:
    kilos = NewLine(sku="B", amount=655, price=333, discount=18)  # 218.115 → 218, less 18
    order = placed(shop, A, kilos, backorder=True, shipping=395)
    assert order.total == 5_997 + 200 + 395
    assert placed(shop, kilos, backorder=True, tax_included=False, total=200).total == 200
    with pytest.raises(DefinitionInvalid, match="expected total to be 200"):
        placed(shop, kilos, backorder=True, total=201)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "teleport"},
        {"currency": "euro"},
        {"owners": ("ana",)},
        {"hold_seconds": -1},
        {"shipping": -1},
        {"lines": ()},
        {"place": ""},
        {"lines": (NewLine(sku="", amount=1, price=1),)},
        {"lines": (NewLine(sku="A", amount=0, price=1),)},
        {"lines": (NewLine(sku="A", amount=1_000, price=-1),)},
        {"lines": (NewLine(sku="A", amount=1_000, price=1, discount=2),)},
        {"lines": (NewLine(sku="A", amount=1_000, price=1, parts=(Part("S1", 999),)),)},
        {"lines": (NewLine(sku="A", amount=1_000, price=1, parts=(Part("", 1_000),)),)},
        {"note": "x" * 2_001},
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_left(shop: Shop, wrong: dict[str, Any]) -> None:
    lines = wrong.pop("lines", (A,))
    with pytest.raises(DefinitionInvalid, match="expected"):
        shop.do(PlaceOrder(lines=lines, **{"currency": "EUR", "place": "S1", **wrong}))
    assert shop.rows(ORDERS) == []
    assert shop.balance("A", "S1") == (5_000, 0)


def test_a_line_comes_from_several_places(shop: Shop) -> None:
    shop.receive("A", "S2", 1_000)
    split = NewLine(sku="A", amount=3_000, price=100, parts=(Part("S1", 2_000), Part("S2", 1_000)))
    order = placed(shop, split, pays_first=False, kind="ship")
    assert (shop.balance("A", "S1"), shop.balance("A", "S2")) == ((5_000, 2_000), (1_000, 1_000))
    shop.do(Advance(order=order.id, to="picked", changes=(Change(line=1, amount=1_000, place="S2"),)))
    whole = questions.whole(shop.tables, order.id)
    assert [(part.place, part.amounts) for part in whole.lines[0].parts] == [
        ("S1", {"allocated": 2_000}),
        ("S2", {"picked": 1_000}),
    ]
    assert questions.page(shop.tables, Which(place="S2"))[0].number == order.number


def test_a_number_is_taken_once(shop: Shop) -> None:
    assert placed(shop, number="W1001").number == "W1001"
    with pytest.raises(Conflict, match="already an order W1001"):
        placed(shop, A, number="W1001", backorder=True)
    assert questions.located(shop.tables, "W1001") == 1
    with pytest.raises(NotFound):
        questions.located(shop.tables, "W1")


def test_what_is_not_there_waits_when_it_may(shop: Shop) -> None:
    order = placed(shop, NewLine(sku="A", amount=7_000, price=1), backorder=True, pays_first=False)
    assert questions.whole(shop.tables, order.id).lines[0].amounts == {"placed": 2_000, "allocated": 5_000}
    with pytest.raises(Shortage):
        shop.do(Advance(order=order.id, to="allocated", changes=(Change(line=1, place="S1"),)))
    shop.receive("A", "S1", 2_000)
    assert shop.do(Advance(order=order.id, to="allocated", changes=(Change(line=1, place="S1"),))).state == "allocated"


# -- confirming and paying --------------------------------------------------------------------------------------------


def test_what_is_paid_stays_held(shop: Shop) -> None:
    order = placed(shop)
    assert not order.confirmed
    assert paid(shop, order, amount=order.total - 1).order.confirmed is False
    assert paid(shop, order, "r2", amount=1).order.confirmed
    shop.wait(10**6)
    shop.do(Sweep())
    assert shop.balance("A", "S1") == (5_000, 3_000)
    assert told(shop) == ["Order Placed", "Order Allocated", "Payment Taken", "Payment Taken", "Order Completed"]


def test_unpaid_goods_do_not_leave(shop: Shop) -> None:
    order = placed(shop)
    with pytest.raises(Conflict, match="waits for its payment"):
        moved(shop, order, "picked")
    assert questions.head(shop.tables, order.id).state == "allocated"


def test_paid_late_it_is_held_anew_or_to_be_refunded(shop: Shop) -> None:
    late, later = placed(shop), None
    shop.wait(3_600)
    later = placed(shop, NewLine(sku="A", amount=4_000, price=1))  # takes what ran out
    found = paid(shop, late)
    assert (found.refund, found.order.confirmed, found.order.captured) == (True, False, late.total)
    with pytest.raises(Ended, match="its goods are gone") as gone:
        shop.do(Confirm(order=late.id))
    assert gone.value.details["lines"][0]["available"] == 1_000  # type: ignore[attr-defined]
    shop.do(Cancel(order=later.id))
    assert shop.do(Confirm(order=late.id)).confirmed
    assert shop.balance("A", "S1") == (5_000, 3_000)


def test_an_authorisation_and_its_capture_are_one_amount(shop: Shop) -> None:
    order = placed(shop)
    half = order.total // 2
    paid(shop, order, "a", "authorised", half)
    assert not paid(shop, order, "c", "captured", half).order.confirmed
    shop.do(RecordPayment(order=order.id, provider="bank", reference="v", fact="voided", amount=half, currency="EUR"))
    assert paid(shop, order, "c2", "captured", order.total - half).order.confirmed


def test_refunds_never_exceed_what_was_captured(shop: Shop) -> None:
    order = placed(shop)
    early = paid(shop, order, "back", "refunded", 500, waits=True)
    assert (early.counted, early.order.refunded) == (0, 0)
    assert paid(shop, order, waits=True).order.refunded == 500
    with pytest.raises(Conflict, match="5497 can be"):
        paid(shop, order, "more", "refunded", order.total)
    assert paid(shop, order, "rest", "refunded", order.total - 500).order.refunded == order.total
    assert paid(shop, order, "rest", "refunded", order.total - 500).order.refunded == order.total  # told twice
    with pytest.raises(Conflict, match="told before"):
        paid(shop, order, "rest", "refunded", 1)
    with pytest.raises(Conflict, match="in EUR"):
        shop.do(RecordPayment(order=1, provider="b", reference="x", fact="captured", amount=1, currency="USD"))


def test_the_database_itself_refuses_what_must_not_be(shop: Shop) -> None:
    order = placed(shop)
    for statement in (
        f"update customer_order set refunded = 1 where id = {order.id}",
        f"update order_line set placed = 1 where order_id = {order.id}",
        f"update order_allocation set held = 1 where order_id = {order.id}",
        "update order_history set amount = 1",
        "delete from order_history",
    ):
        with pytest.raises(StorageBroken), shop.tables.transaction():
            shop.tables.execute(statement)


# -- running out, giving up, bringing back ----------------------------------------------------------------------------


def test_a_channel_takes_at_once_no_more_than_it_sees(shop: Shop) -> None:
    shop.do(SetCap(channel="market", amount=2_000))
    shop.do(SetCap(channel="market", sku="A", place="S1", amount=1_000))
    piece = NewLine(sku="A", amount=1_000, price=1)
    with pytest.raises(Shortage, match="1000 can be promised to the channel market") as short:
        placed(shop, piece, piece, channel="market")
    assert short.value.details["lines"] == [{"sku": "A", "place": "S1", "wanted": 2_000, "available": 1_000}]
    assert shop.balance("A", "S1") == (5_000, 0)
    for _ in range(2):  # it is no share: of what is left it sees as much again
        assert placed(shop, piece, channel="market").state == "allocated"
    waits = placed(shop, A, channel="market", backorder=True)
    assert questions.whole(shop.tables, waits.id).lines[0].amounts == {"placed": 2_000, "allocated": 1_000}
    assert placed(shop, piece, piece, channel="web").state == "allocated"
    shop.do(SetCap(channel="market", sku="A", place="S1", amount=None))
    shop.do(SetCap(channel="market", amount=None))
    shop.receive("A", "S1", 5_000)
    assert placed(shop, A, channel="market").state == "allocated"


def test_unpaid_goods_are_free_again_when_their_time_is_over(shop: Shop) -> None:
    order = placed(shop)
    shop.wait(1_800)
    assert shop.do(Sweep()) == 1
    assert shop.balance("A", "S1") == (5_000, 0)
    assert questions.head(shop.tables, order.id).state == "placed"
    assert shop.do(Cancel(order=order.id)).state == "cancelled"


def test_what_nobody_comes_for_is_given_up(shop: Shop) -> None:
    order = placed(shop, kind="reserve_in_store")
    moved(shop, order, "picked", amount=1_000)
    shop.wait(172_800)
    with pytest.raises(Ended):
        moved(shop, order, "ready", amount=1_000)
    shop.do(Sweep())
    assert questions.head(shop.tables, order.id).state == "cancelled"
    assert shop.balance("A", "S1") == (5_000, 0)
    assert told(shop)[-1] == "Order Cancelled"


def test_a_part_is_given_up_and_the_rest_goes_on(shop: Shop) -> None:
    order = placed(shop, pays_first=False)
    moved(shop, order, "picked", "ready", "collected", amount=1_000)
    assert shop.do(Cancel(order=order.id, changes=(Change(line=1, amount=500),))).state == "allocated"
    assert shop.do(Cancel(order=order.id)).state == "collected"
    with pytest.raises(Conflict, match="can be cancelled any more"):
        shop.do(Cancel(order=order.id))
    assert shop.balance("A", "S1") == (4_000, 0)
    last = shop.facts()[-1]
    assert (last["name"], last["properties"]["products"][0]["quantity"]) == ("Order Updated", 1.5)


def test_goods_come_back_in_any_place_and_never_more_than_left(shop: Shop) -> None:
    order = placed(shop, pays_first=False)
    moved(shop, order, "picked", "ready", "collected", amount=2_000)
    back = Return(order=order.id, place="S9", changes=(Change(line=1, amount=1_500),), why="too small")
    shop.do(back)
    assert (shop.balance("A", "S9"), shop.balance("A", "S1", "sold")) == ((1_500, 0), (500, 0))
    with pytest.raises(Conflict, match="500 can"):
        shop.do(back)
    shop.do(Return(order=order.id, place="S9", changes=(Change(line=1),), damaged=True))
    assert (shop.balance("A", "S9"), shop.balance("A", "S9", "damaged")) == ((1_500, 0), (500, 0))
    fact = next(one for one in shop.facts() if one["name"] == "Product Returned")
    assert fact["properties"]["store_id"] == "S9"
    assert fact["properties"]["return_id"].startswith(order.number)


def test_goods_shipped_to_a_store_go_back_to_its_shelf_when_nobody_comes(shop: Shop) -> None:
    there = NewLine(sku="A", amount=3_000, price=1_999, parts=(Part("S1", 3_000),))
    order = placed(shop, there, kind="ship_to_store", pays_first=False, place="S2")
    moved(shop, order, "picked", "shipped", "ready")
    assert shop.balance("A", "S1") == (2_000, 0)
    shop.do(Advance(order=order.id, to="cancelled", changes=(Change(line=1),), where="S2", why="not collected"))
    assert (shop.balance("A", "S1"), shop.balance("A", "S2")) == ((2_000, 0), (3_000, 0))
    places = [(entry.became, entry.place, entry.origin) for entry in questions.history(shop.tables, order.id)][-2:]
    assert places == [("ready", "S2", "S1"), ("cancelled", "S2", "S1")]


def test_an_erased_person_is_nobody_s_customer_and_the_books_stay(shop: Shop) -> None:
    order = placed(shop, contact=(("email", "ana@tienda.es"),), note="ring at Ana's")
    assert shop.do(EraseFromOrders(owners=("email:ana@tienda.es", "email:eva@tienda.es"))) == 1
    whole = questions.whole(shop.tables, order.id)
    assert (whole.head.owners, whole.contact, whole.note, whole.head.total) == ((), {}, "", order.total)
    assert questions.page(shop.tables, Which(owners=("email:ana@tienda.es",))) == []
    assert shop.do(Cancel(order=order.id)).state == "cancelled"


# -- other platforms --------------------------------------------------------------------------------------------------


def recorded(shop: Shop, updated: int, **line: Any) -> Any:
    line = {"ref": "l1", "sku": "A", "amount": 6_000, "price": 1_000, **line}
    more = {name: line.pop(name) for name in ("is_cancelled", "total", "place") if name in line}
    return shop.do(
        RecordOrder(
            source="shopify",
            source_id="57",
            number="#1001",
            updated=updated,
            lines=(FactLine(**line),),
            currency="EUR",
            **{"place": "S1", **more},
        )
    )


def test_an_order_of_another_platform_is_followed_and_never_refused(shop: Shop) -> None:
    first = recorded(shop, 10)
    assert (first.is_new, first.order.number, first.order.total, first.order.state) == (
        True,
        "#1001",
        6_000,
        "allocated",
    )
    assert shop.balance("A", "S1", "oversold") == (-1_000, 0)
    assert recorded(shop, 10).stale
    assert recorded(shop, 9, fulfilled=6_000).stale
    shipped = recorded(shop, 11, fulfilled=4_000, total=6_100)
    assert (shipped.order.state, shipped.order.total) == ("allocated", 6_100)
    assert recorded(shop, 12, fulfilled=6_000, returned=1_000).order.state == "shipped"
    assert recorded(shop, 13, fulfilled=6_000, returned=1_000, amount=7_000).order.state == "allocated"
    assert recorded(shop, 14, fulfilled=6_000, returned=1_000, amount=7_000, is_cancelled=True).order.state == "shipped"
    assert questions.of_platform(shop.tables, "shopify", "57") == first.order.id
    shop.receive("A", "S1", 2_000)
    assert shop.balance("A", "S1", "oversold") == (0, 0)


def test_without_a_place_its_goods_wait(shop: Shop) -> None:
    assert recorded(shop, 1, place="").order.state == "placed"
    with pytest.raises(DefinitionInvalid, match="expected a place"):
        recorded(shop, 2, place="", fulfilled=1_000)


# -- questions --------------------------------------------------------------------------------------------------------


def test_lists_and_board_say_the_same(shop: Shop) -> None:
    shop.receive("A", "S1", 95_000)
    for number in range(12):
        shop.wait(60)
        order = placed(shop, NewLine(sku="A", amount=1_000, price=1), pays_first=number % 2 == 0, channel="app")
        if number % 4 == 1:
            moved(shop, order, "picked")
    board = {column.state: column for column in questions.board(shop.tables, Which(channel="app"), cards=2)}
    assert (board["allocated"].count, board["picked"].count, board["ready"].count) == (9, 3, 0)
    assert [head.at for head in board["allocated"].orders] == sorted(head.at for head in board["allocated"].orders)
    assert board["allocated"].oldest == board["allocated"].orders[0].at
    pages, before = [], 0
    while found := questions.page(shop.tables, Which(), before=before, limit=5):
        pages += found
        before = found[-1].id
    assert [head.id for head in pages] == list(range(12, 0, -1))
    assert len(questions.page(shop.tables, Which(unconfirmed=True))) == 6
    assert len(questions.page(shop.tables, Which(owners=("email:ana@tienda.es", "x:y")))) == 12
    assert questions.page(shop.tables, Which(owners=("email:eva@tienda.es",))) == []
    assert [head.number for head in questions.page(shop.tables, Which(text="C-00001"))] == [
        "C-000012", "C-000011", "C-000010",
    ]  # fmt: skip
    assert questions.channels(shop.tables) == ["app"]
    with pytest.raises(DefinitionInvalid, match="expected state"):
        questions.page(shop.tables, Which(state="lost"))


def test_the_same_on_every_engine(fresh: Callable[[], Callable[[], Tables]]) -> None:
    """An order's life and its questions on SQLite and PostgreSQL."""
    with contextlib.closing(Shop(fresh()())) as shop:
        shop.receive("A", "S1", 5_000)
        order = placed(shop)
        paid(shop, order)
        moved(shop, order, "picked", "ready", "collected", amount=2_000)
        shop.do(Return(order=order.id, place="S2", changes=(Change(line=1, amount=1_000),)))
        shop.do(Cancel(order=order.id))
        shop.check()
        assert questions.page(shop.tables, Which(place="S1", text="C-", owners=("email:ana@tienda.es",)))
        assert questions.whole(shop.tables, order.id).lines[0].amounts == {
            "collected": 1_000, "returned": 1_000, "cancelled": 1_000,
        }  # fmt: skip
        assert len(questions.history(shop.tables, order.id)) == 9
        assert questions.board(shop.tables, Which())[0].count == 0
        with pytest.raises(StorageBroken), shop.tables.transaction():
            shop.tables.execute("delete from order_history")
