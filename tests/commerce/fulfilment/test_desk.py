"""From the shelf to the person: picked, ready, arrived, handed over, or put back on its date."""

from __future__ import annotations

import pytest

from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.fulfilment.api import (
    Arrive,
    HandOver,
    NewCode,
    NotCollected,
    Pick,
    PutBack,
    Ready,
    Send,
    SourceOrder,
    Taken,
    Unpick,
)
from cauce.commerce.fulfilment.rules.tries import FREE
from cauce.commerce.orders.changing import Cancel
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Shortage
from cauce.model.time import to_iso
from tests.commerce.fulfilment.stores import KEYS, Stores, moment


def names_told(stores: Stores) -> list[str]:
    return [fact["name"] for fact in stores.facts()]


def test_bought_online_and_collected(stores):
    stores.receive("A", "MAD", 3_000)
    number = stores.order(("A", 2_000))
    assert stores.balance("A", "MAD") == (3_000, 2_000)
    (task,) = fulfilment.pick_list(stores, "MAD")
    assert (task.order, task.here, task.left, task.person) == (number, True, 2_000, "Ana Ruiz")
    answer = stores.pick(number)
    assert (answer.left, answer.picked) == (0, 2_000)
    code = stores.ready(number)
    assert fulfilment.counts(stores, "MAD") == {"to_pick": 0, "ready": 1, "waiting": 0}
    handed = stores.hand_over(code)
    assert (handed.outcome, handed.order, handed.lines, handed.left) == ("handed_over", number, ((1, 2_000),), 0)
    assert stores.balance("A", "MAD") == (1_000, 0)
    assert stores.balance("A", "MAD", "sold") == (2_000, 0)
    (proof,) = fulfilment.hand_overs(stores, handed.order_id)
    assert (proof.by, proof.proof, proof.desk) == ("luis", "code", "MAD")
    assert "Order Picked Up" in names_told(stores)
    stores.check()


def test_the_river_hears_of_what_is_ready_with_the_link_and_never_with_the_code(stores):
    stores.receive("A", "MAD", 1_000)
    number, code = stores.collected(("A", 1_000))
    ready = [fact for fact in stores.facts() if fact["name"] == "Pickup Ready"]
    assert [fact["properties"]["link"] for fact in ready] == ["/collect/x"]
    assert ready[0]["who"] == ["email:ana@tienda.es"]
    assert ready[0]["properties"]["order_id"] == number
    assert not any(code in str(fact) for fact in stores.facts())
    rows = [row for table in fulfilment.TABLES for row in stores.select(f"select * from {table.name}")]
    assert not any(code in str(row) for row in rows)


def test_a_code_works_once(stores):
    stores.receive("A", "MAD", 1_000)
    _, code = stores.collected(("A", 1_000))
    assert stores.hand_over(code, key="first").outcome == "handed_over"
    assert stores.hand_over(code, key="second").outcome == "used_code"
    assert stores.hand_over(code, key="first").outcome == "handed_over"  # the answer is told again, nothing is done
    assert stores.balance("A", "MAD", "sold") == (1_000, 0)
    stores.check()


def test_a_code_of_another_desk_says_where_it_waits(stores):
    stores.receive("A", "MAD", 1_000)
    _, code = stores.collected(("A", 1_000))
    refused = stores.hand_over(code, desk="TOL")
    assert (refused.outcome, refused.desk) == ("elsewhere", "MAD")
    assert stores.hand_over(code).outcome == "handed_over"


def test_wrong_codes_are_counted_and_soon_not_looked_at(stores):
    stores.receive("A", "MAD", 1_000)
    _, code = stores.collected(("A", 1_000))
    wrong = [KEYS.code(999, round_) for round_ in range(20)]
    answers = [stores.hand_over(wrong[index]) for index in range(FREE)]
    assert [answer.tries_left for answer in answers] == list(range(FREE - 1, -1, -1))
    assert answers[-1].seconds > 0
    assert stores.hand_over(code).outcome == "locked"
    assert stores.hand_over(code, by="eva").outcome == "handed_over"  # a colleague is not locked out
    stores.wait(answers[-1].seconds)
    assert stores.hand_over(wrong[9]).seconds > answers[-1].seconds


def test_who_has_lost_the_code_shows_an_id(stores):
    stores.receive("A", "MAD", 1_000)
    number, code = stores.collected(("A", 1_000))
    for initials in ("", "A1", "ABCDEFGHI"):
        with pytest.raises(DefinitionInvalid):
            stores.hand_over(order=number, initials=initials)
    with pytest.raises(Conflict, match="waits in MAD"):
        stores.hand_over(desk="TOL", order=number, initials="AR")
    handed = stores.hand_over(order=number, initials="ar")
    (proof,) = fulfilment.hand_overs(stores, handed.order_id)
    assert (proof.proof, proof.initials) == ("id", "AR")
    assert stores.hand_over(code).outcome == "used_code"
    stores.check()


def test_what_is_not_taken_waits_on_with_a_new_code(stores):
    stores.receive("A", "MAD", 2_000)
    stores.receive("B", "MAD", 1_000)
    number, code = stores.collected(("A", 2_000), ("B", 1_000))
    seen = fulfilment.pickup(stores, number)
    with pytest.raises(Conflict, match="no further one"):
        stores.hand_over(code, lines=((1, 1_000),))
    handed = stores.hand_over(code, lines=((1, 1_000),), codes=KEYS.hashes(seen.order_id))
    assert (handed.left, handed.round) == (2_000, seen.round + 1)
    assert stores.hand_over(code).outcome == "used_code"
    assert stores.hand_over(stores.code(number)).outcome == "handed_over"
    stores.check()


def test_what_is_not_wanted_at_the_desk_goes_back_to_the_shelf(stores):
    stores.receive("A", "MAD", 2_000)
    _, code = stores.collected(("A", 2_000))
    handed = stores.hand_over(code, lines=((1, 1_000),), cancel_rest=True)
    assert handed.left == 0
    assert stores.balance("A", "MAD") == (1_000, 0)
    stores.check()


@pytest.mark.parametrize("lines", [((1, 3_000),), ((2, 1_000),), ((1, 500), (1, 500)), ((1, 0),)])
def test_nothing_is_handed_over_that_does_not_lie_there(stores, lines):
    stores.receive("A", "MAD", 2_000)
    _, code = stores.collected(("A", 2_000))
    with pytest.raises((Conflict, DefinitionInvalid)):
        stores.hand_over(code, lines=lines)
    assert stores.hand_over(code).outcome == "handed_over"
    stores.check()


def test_nobody_comes_and_the_goods_are_free_again_on_their_date(stores):
    stores.receive("A", "MAD", 1_000)
    number, code = stores.collected(("A", 1_000))
    due = fulfilment.pickup(stores, number).due
    assert to_iso(due).startswith("2026-11-28T19:00")  # five days later, when the store closes
    stores.now = due - 1
    assert stores.do(PutBack()).orders == ()
    stores.now = due
    with pytest.raises(Ended, match="goes back to the shelf"):
        stores.hand_over(code)
    assert stores.do(PutBack()).orders == (number,)
    assert stores.do(PutBack()).orders == ()
    assert stores.balance("A", "MAD") == (1_000, 0)
    seen = fulfilment.pickup(stores, number)
    assert (seen.state, seen.why) == ("ended", "not collected in time")
    assert stores.hand_over(code).outcome == "withdrawn_code"
    assert "Order Pickup Missed" in names_told(stores)
    stores.check()


def test_reserved_goods_stay_held_until_the_desk_gives_them_up(stores):
    stores.receive("A", "MAD", 1_000)
    number = stores.order(("A", 1_000), kind="reserve_in_store", hold_seconds=7_200)
    stores.pick(number)
    code = stores.ready(number)
    stores.wait(3 * 86_400)  # long after the first hold would have run out
    with pytest.raises(Conflict, match="paid in the store"):
        stores.hand_over(code)
    handed = stores.hand_over(code, receipt="T1-99", key="paid")
    assert handed.outcome == "handed_over"
    assert fulfilment.hand_overs(stores, handed.order_id)[0].receipt == "T1-99"
    stores.check()


def test_staff_gives_up_what_nobody_collects(stores):
    stores.receive("A", "MAD", 1_000)
    number, _ = stores.collected(("A", 1_000))
    assert stores.do(NotCollected(order=number, why="phoned: does not come", by="luis")).state == "cancelled"
    with pytest.raises(Conflict, match="nothing of order"):
        stores.do(NotCollected(order=number))
    assert stores.balance("A", "MAD") == (1_000, 0)
    stores.check()


def test_curbside_says_who_waits_where_and_since_when(stores):
    stores.receive("A", "MAD", 1_000)
    number, code = stores.collected(("A", 1_000), kind="curbside")
    seen = fulfilment.pickup(stores, number)
    stores.do(Arrive(order=seen.order_id, bay=" 3 ", vehicle="Seat  rojo"))
    since = stores.now
    stores.wait(60)
    stores.do(Arrive(order=seen.order_id, bay="4"))  # the same person has moved
    (waiting,) = fulfilment.pickups(stores, "MAD", state="waiting")
    assert (waiting.arrived, waiting.bay, waiting.vehicle) == (since, "4", "Seat rojo")
    with pytest.raises(DefinitionInvalid, match="bay"):
        stores.do(Arrive(order=seen.order_id, bay="x" * 41))
    stores.hand_over(code)
    assert fulfilment.counts(stores, "MAD")["waiting"] == 0
    with pytest.raises(Ended):
        stores.do(Arrive(order=seen.order_id))


def test_sent_to_the_store_from_elsewhere(stores):
    stores.receive("A", "WH", 2_000)
    number = stores.order(("A", 2_000), kind="ship_to_store", place="MAD")
    (task,) = fulfilment.pick_list(stores, "WH")
    assert (task.here, task.desk) == (False, "MAD")
    with pytest.raises(Conflict, match="still to pick"):
        stores.do(Send(order=number, place="WH"))
    stores.pick(number, "WH")
    sent = stores.do(Send(order=number, place="WH", carrier="van 2", tracking="T9"))
    assert (sent.parcel, sent.state) == (1, "shipped")
    seen = fulfilment.pickup(stores, number)
    assert (seen.state, [(one.place, one.amount) for one in seen.on_way]) == ("on_way", [("WH", 2_000)])
    with pytest.raises(Conflict, match="on its way from TOL"):
        stores.ready(number, origins=("TOL",))
    code = stores.ready(number, origins=("WH",))
    assert stores.hand_over(code).outcome == "handed_over"
    stores.check()


def test_what_was_sent_to_the_store_and_not_collected_lies_there_afterwards(stores):
    stores.receive("A", "WH", 1_000)
    number = stores.order(("A", 1_000), kind="ship_to_store", place="MAD")
    stores.pick(number, "WH")
    stores.do(Send(order=number, place="WH"))
    stores.ready(number, origins=("WH",))
    stores.now = fulfilment.pickup(stores, number).due
    stores.do(PutBack())
    assert stores.balance("A", "MAD") == (1_000, 0)
    assert stores.balance("A", "WH") == (0, 0)
    stores.check()


def test_short_at_the_shelf_is_sent_from_elsewhere(stores):
    stores.receive("A", "MAD", 2_000)
    stores.receive("A", "WH", 5_000)
    number = stores.order(("A", 2_000))
    answer = stores.do(Pick(order=number, place="MAD", lines=(Taken(line=1, picked=1_000, short=1_000),), by="luis"))
    assert (answer.elsewhere, answer.cancelled, answer.left, answer.picked) == ({"WH": 1_000}, 0, 0, 1_000)
    assert stores.balance("A", "MAD") == (1_000, 1_000)  # what was not found is not promised to the next one
    assert stores.balance("A", "MAD", "shrinkage") == (1_000, 0)
    choice = fulfilment.choices(stores, order_id=fulfilment.pickup(stores, number).order_id)[0]
    assert choice.sourced.choice.taken == {"WH": {"A": 1_000}}
    stores.check()


@pytest.mark.parametrize(
    ("why", "account"), [("not_found", "shrinkage"), ("damaged", "damaged"), ("not_possible", "free")]
)
def test_short_and_nowhere_else_is_cancelled_with_its_reason(stores, why, account):
    stores.receive("A", "MAD", 1_000)
    number = stores.order(("A", 1_000))
    answer = stores.do(Pick(order=number, place="MAD", lines=(Taken(line=1, short=1_000, why=why),)))
    assert (answer.state, answer.cancelled) == ("cancelled", 1_000)
    assert stores.balance("A", "MAD", account) == (1_000, 0)
    cancelled = [fact for fact in stores.facts() if fact["name"] == "Order Cancelled"]
    assert cancelled[0]["properties"]["reason"] == f"short: {why}"
    stores.check()


def test_short_may_wait_for_a_place(stores):
    stores.receive("A", "MAD", 1_000)
    number = stores.order(("A", 1_000))
    stores.do(Pick(order=number, place="MAD", lines=(Taken(line=1, short=1_000),), instead="wait"))
    with pytest.raises(Shortage) as refused:
        stores.do(SourceOrder(order=number, key="try"))
    assert refused.value.details["short"] == {"A": 1_000}
    stores.receive("A", "MAD", 1_000)
    assert stores.do(SourceOrder(order=number, key="again")).order.state == "allocated"
    stores.check()


def test_what_was_picked_by_mistake_goes_back(stores):
    stores.receive("A", "MAD", 1_000)
    number = stores.order(("A", 1_000))
    with pytest.raises(Conflict, match="nothing of order"):
        stores.do(Unpick(order=number, place="MAD"))
    stores.pick(number)
    assert stores.do(Unpick(order=number, place="MAD")).left == 1_000
    stores.check()


@pytest.mark.parametrize(
    "lines",
    [(), (Taken(line=1),), (Taken(line=1, picked=-1),), (Taken(line=1, picked=1), Taken(line=1, picked=1)),
     (Taken(line=1, short=1, why="hidden"),), (Taken(line=9, picked=1),)],
)  # fmt: skip
def test_picks_that_make_no_sense_are_refused(stores, lines):
    stores.receive("A", "MAD", 1_000)
    number = stores.order(("A", 1_000))
    with pytest.raises(DefinitionInvalid):
        stores.do(Pick(order=number, place="MAD", lines=lines))
    with pytest.raises(Conflict):
        stores.do(Pick(order=number, place="MAD", lines=(Taken(line=1, picked=2_000),)))
    stores.check()


def test_ready_needs_everything_picked_or_says_that_it_is_a_part(stores):
    stores.receive("A", "MAD", 2_000)
    number = stores.order(("A", 2_000))
    with pytest.raises(Conflict, match="still to pick"):
        stores.ready(number)
    stores.do(Pick(order=number, place="MAD", lines=(Taken(line=1, picked=1_000),)))
    code = stores.ready(number, partial=True)
    handed = stores.hand_over(code)
    assert handed.left == 0
    seen = fulfilment.pickup(stores, number)
    assert (seen.state, seen.ready, seen.ended) == ("to_pick", 0, 0)
    stores.pick(number)
    assert stores.hand_over(stores.ready(number)).outcome == "handed_over"
    stores.check()


def test_another_code_withdraws_the_one_before(stores):
    stores.receive("A", "MAD", 1_000)
    number, code = stores.collected(("A", 1_000))
    seen = fulfilment.pickup(stores, number)
    stores.do(NewCode(order=number, codes=KEYS.hashes(seen.order_id), by="luis"))
    assert stores.hand_over(code).outcome == "withdrawn_code"
    assert stores.hand_over(stores.code(number)).outcome == "handed_over"
    with pytest.raises(Conflict):
        stores.do(NewCode(order=number, codes=KEYS.hashes(seen.order_id)))


def test_two_orders_never_have_one_code(stores):
    stores.receive("A", "MAD", 2_000)
    first, second = stores.order(("A", 1_000)), stores.order(("A", 1_000))
    for number in (first, second):
        stores.pick(number)
    stores.do(Ready(order=first, codes=("same", "other")))
    state = stores.do(Ready(order=second, codes=("same", "other")))
    assert state.round == 2
    assert stores.do(HandOver(desk="MAD", code="other")).order == second
    assert stores.do(HandOver(desk="MAD", code="same")).order == first


def test_what_the_customer_cancels_is_not_handed_over(stores):
    stores.receive("A", "MAD", 1_000)
    number, code = stores.collected(("A", 1_000))
    order_id = fulfilment.pickup(stores, number).order_id
    stores.do(Cancel(order=order_id, why="changed mind"))
    assert stores.hand_over(code).outcome == "withdrawn_code"
    assert fulfilment.pickups(stores, "MAD") == []
    assert fulfilment.counts(stores, "MAD")["ready"] == 0
    assert fulfilment.pickup(stores, number).why == "cancelled"
    assert stores.balance("A", "MAD") == (1_000, 0)


def test_an_unpaid_order_is_not_picked(stores):
    stores.receive("A", "MAD", 1_000)
    order = stores.order(("A", 1_000))
    stores.select("select 1")
    stores.tables.execute("update customer_order set confirmed = 0")
    assert fulfilment.pick_list(stores, "MAD") == []
    assert fulfilment.pickups(stores, "MAD") == []
    assert fulfilment.pickup(stores, order).state == "to_pick"
    with pytest.raises(NotFound):
        fulfilment.pickup(stores, "nobody's")


def test_the_pick_list_is_in_order_of_promise_and_of_the_way_through_the_store(stores):
    for sku, category in (("Z", ("Hogar",)), ("A", ("Zapatos", "Botas")), ("M", ("Hogar", "Mantas"))):
        stores.put_product(sku, category=category, names={"es": f"Artículo {sku}", "en": f"Article {sku}"})
        stores.receive(sku, "MAD", 5_000)
    late = stores.order(("A", 1_000), ("M", 1_000), ("Z", 1_000))
    stores.now = moment("2026-11-23T09:00")
    early = stores.order(("A", 1_000))
    tasks = fulfilment.pick_list(stores, "MAD", "en")
    assert [task.order for task in tasks] == [early, late]
    assert [line.name for line in tasks[1].lines] == ["Article Z", "Article M", "Article A"]


def test_the_desk_works_on_an_engine_that_stores(stored):
    stored.receive("A", "MAD", 3_000)
    stored.receive("A", "WH", 3_000)
    number, code = stored.collected(("A", 2_000))
    assert stored.hand_over(code).outcome == "handed_over"
    other = stored.order(("A", 1_000))
    stored.do(Pick(order=other, place="MAD", lines=(Taken(line=1, short=1_000),)))
    stored.pick(other, "WH")
    stored.do(Send(order=other, place="WH"))
    code = stored.ready(other, origins=("WH",))
    seen = fulfilment.pickup(stored, other)
    stored.do(Arrive(order=seen.order_id, bay="1"))
    assert [one.order for one in fulfilment.pickups(stored, "MAD", state="waiting")] == [other]
    stored.now = seen.due
    assert stored.do(PutBack()).orders == (other,)
    assert [one.order for one in fulfilment.pickups(stored, "MAD", state="ended")] == [number, other]
    stored.check()
