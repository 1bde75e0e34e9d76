"""The orders board, an order with its history, and what somebody in a store does there."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from cauce.commerce.baskets.api import Put
from cauce.commerce.bookings.ahead import OrderAhead
from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.bookings.resources import PutResource
from cauce.commerce.catalogue.api import Opening
from cauce.commerce.fulfilment.api import DateWaiting, ServeWaiting
from cauce.commerce.orders import questions
from cauce.commerce.orders.placing import NewLine, PlaceOrder
from cauce.commerce.orders.questions import Which
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.stock.supply import Expect
from cauce.console.guide import somebody_met
from cauce.http.api.fulfilment import counter_of
from cauce.identity.api import text_of
from cauce.model.time import DAY


def one(seat, state: str) -> questions.Head:
    """An order in a state."""
    return questions.page(seat.platform.commerce, Which(state=state), limit=1)[0]


def test_the_board_has_every_open_order_in_its_column(seat):
    text = seat.client("store_staff").page("/orders")
    commerce = seat.platform.commerce
    for column in questions.board(commerce, Which()):
        section = re.search(rf'<section class="column {column.state}".*?</section>', text, re.S)
        assert section
        assert [head.number in section[0] for head in column.orders] == [True] * len(column.orders)
        assert f'<b class="count">{column.count}</b>' in section[0]
    live = seat.client("store_staff").page("/orders/live?kind=pick_up")
    others = {head.number for head in questions.page(commerce, Which(kind="ship"))}
    assert not [number for number in others if number in live]


def test_a_number_leads_to_its_order(seat):
    head = one(seat, "allocated")
    answer = seat.client("agent").get(f"/orders/list?number={head.number}", follow_redirects=False)
    assert answer.headers["location"] == f"/orders/{head.id}"
    assert "No order matches" in seat.client("agent").page("/orders/list?number=nothing")


def test_words_in_an_address_that_mean_nothing_are_left_out(seat):
    seat.client("owner").page("/orders?kind=%27%22%3E&state=x&place=nowhere")
    seat.client("owner").page("/orders/list?before=abc", 422)
    seat.client("owner").page("/orders/999999", 404)


def test_an_order_shows_its_whole_history(seat):
    head = one(seat, "collected")
    text = seat.client("owner", language="es").page(f"/orders/{head.id}")
    for word in ("Pedido hecho", "Hecho → Asignado", "Asignado → Preparado", "Listo → Recogido"):
        assert word in text


@pytest.mark.parametrize("role", ["analyst", "marketer"])
def test_who_may_only_look_sees_no_personal_value_and_no_button(seat, role):
    head = one(seat, "allocated")
    text = seat.client(role).page(f"/orders/{head.id}")
    assert head.owners[0].partition(":")[2] not in text
    assert "<form" not in text.partition("<main")[2].partition("</main>")[0]
    answer = seat.client(role).send(f"/orders/{head.id}/cancel", page="/account", line="1")
    assert answer.status_code == 403


def test_goods_are_moved_on_given_up_and_brought_back(own_seat):
    client = own_seat.client("store_staff")
    commerce = own_seat.platform.commerce
    heads = questions.page(commerce, Which(state="allocated"), limit=20)
    head = next(head for head in heads if head.kind in ("pick_up", "reserve_in_store", "curbside") and head.confirmed)
    page = f"/orders/{head.id}"
    for to in ("picked", "ready"):
        answer = client.send(f"{page}/advance", page=page, line="1", to=to, key=to)
        assert answer.status_code == 303, answer.text[-500:]
    again = client.send(f"{page}/advance", page=page, line="1", to="ready", key="ready")
    assert again.status_code == 303, "the same form sent twice is done once"
    late = client.send(f"{page}/advance", page=page, line="1", to="ready", key="other")
    assert (late.status_code, "can become ready" in late.text) == (409, True)
    assert f'href="/pickups/orders/{head.number}"' in client.page(page), "handed over at its desk, against a proof"
    counter_of(own_seat.platform).hand_over(
        head.place, order=head.number, initials="AR", receipt="R1", lines=((1, 1_000),), by="eva"
    )
    back = {"page": page, "line": "1", "amount-1": "1", "place": "S02", "why": "too small"}
    assert client.send(f"{page}/return", **back, key="back").status_code == 303
    line = questions.whole(commerce, head.id).lines[0]
    assert line.amounts["returned"] == 1_000
    assert client.send(f"{page}/return", page=page, place="S02", key="none").status_code == 409
    actions = [entry.action for entry in own_seat.platform.audit.entries().entries]
    assert {"order.advanced", "order.returned"} <= set(actions)


def test_the_rest_of_an_order_is_given_up(own_seat):
    client, commerce = own_seat.client("owner"), own_seat.platform.commerce
    head = one(own_seat, "allocated")
    page = f"/orders/{head.id}"
    every = {"line": [str(number) for number in range(1, head.line_count + 1)]}
    form = {"csrf": client.token(page), "why": "changed her mind", "key": "1", **every}
    assert client.post(f"{page}/cancel", data=form).status_code == 303
    assert questions.head(commerce, head.id).state == "cancelled"
    assert not re.search(r'data-opens="cancel"', client.page(page))


def test_a_person_s_page_shows_basket_and_orders_of_all_identifiers(own_seat):
    platform = own_seat.platform
    person = platform.people.locate(somebody_met(platform) or text_of(platform.people.clusters(1)[0][0]))
    first, *_, last = map(str, person.identifiers)
    sku = questions.whole(platform.commerce, 1).lines[0].sku
    platform.commerce.do(Put(owners=(first,), line="1", sku=sku, amount=2_000, channel="app"))
    platform.commerce.do(
        Put(owners=(last,), line="2", sku="unknown-sku", amount=500, channel="store", kind="wish_list")
    )
    text = own_seat.client("agent").page(f"/orders/of/{person.text}")
    assert "In the basket" in text
    assert "0.5 × unknown-sku" in text
    assert f"/orders/of/{person.text}" in own_seat.client("agent").page(f"/people/{person.text}")
    own_seat.client("steward").page(f"/orders/of/{person.text}", 403)


def test_an_order_ahead_leads_to_its_slot(own_seat):
    commerce = own_seat.platform.commerce
    hours = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
    commerce.do(PutResource(resource=Resource(id="bay-7", name="Bay", zone="UTC", minutes=60, hours=hours)))
    commerce.do(Receive(lines=(Entry("AHEAD-1", "S01", 1_000),)))
    line = NewLine(sku="AHEAD-1", amount=1_000, price=100)
    order = PlaceOrder(lines=(line,), currency="EUR", kind="order_ahead", place="S01")
    made = commerce.do(OrderAhead(order=order, resource="bay-7", start=(commerce.now // DAY + 2) * DAY))
    text = own_seat.client("store_staff").page(f"/orders/{made.order.id}")
    assert f'<a href="/bookings/at/{made.booking.id}">' in text
    assert "Bay" in own_seat.client("store_staff").page(f"/bookings/at/{made.booking.id}")


def test_a_line_that_waits_says_so_until_it_has_its_goods(own_seat):
    commerce, staff = own_seat.platform.commerce, own_seat.client("store_staff")
    line = NewLine(sku="LATE-1", amount=1_000, price=100)
    made = commerce.do(
        PlaceOrder(lines=(line,), currency="EUR", kind="pick_up", place="S01", channel="web", backorder=True,
                   pays_first=False, hold_seconds=0)
    )  # fmt: skip
    assert "Waits for goods" in staff.page(f"/orders/{made.id}")
    assert "Expected:" not in staff.page(f"/orders/{made.id}")
    day = datetime.fromtimestamp(commerce.now // 10**6 + 3 * 86_400, UTC).date().isoformat()
    commerce.do(Expect(sku="LATE-1", place="S01", amount=1_000, on=day, reference="P1"))
    commerce.do(DateWaiting())
    assert commerce.select("select promised from backorder_line where sku = 'LATE-1'")[0][0] > commerce.now
    assert "Expected:" in staff.page(f"/orders/{made.id}")
    commerce.do(Receive(lines=(Entry("LATE-1", "S01", 5_000),)))
    commerce.do(ServeWaiting())
    text = staff.page(f"/orders/{made.id}")
    assert "Waits for goods" not in text
    assert "Promised for" in text
