"""Baskets and orders over HTTP, as an app, a till and a payment provider use them."""

from __future__ import annotations

import contextlib
import json

import pytest

from cauce.client import Client
from cauce.client.types.orders import LineChange, NewOrderLine
from cauce.commerce.fulfilment.api import DateWaiting, pickup
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.stock.supply import Expect
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Shortage
from cauce.http.api.fulfilment import counter_of
from tests.http.api.world import client_of, copied, token

ANA, SKU = "email:ana@tienda.es", "ABR-00001-AZ"


@pytest.fixture(scope="module")
def platform(world, tmp_path_factory):
    with copied(world, tmp_path_factory.mktemp("orders") / "data") as platform:
        platform.commerce.do(Receive(lines=(Entry(SKU, "S01", 50_000),)))
        yield platform


@pytest.fixture(scope="module")
def raw(platform):
    with client_of(platform, "owner") as client:
        yield client


@pytest.fixture(scope="module")
def client(raw, platform):
    with Client(str(raw.base_url), token(platform, "owner")) as opened:
        yield opened


def empty(client):
    for whose in (ANA, "device:phone"):
        with contextlib.suppress(NotFound):
            client.baskets.empty(whose)


def test_from_the_phone_s_basket_to_the_return_in_another_store(client):
    empty(client)
    client.baskets.put_line("device:phone", "p1", SKU, 1_000, channel="app")
    client.baskets.put_line(ANA, "s1", SKU, 2_000, channel="store")
    client.baskets.merge(ANA, "device:phone")
    basket = client.baskets.get(ANA)
    assert [(line.line, line.amount, line.price_minor) for line in basket.lines] == [
        ("p1", 1_000, 12_995),
        ("s1", 2_000, 12_995),
    ]
    assert basket.total_minor == 38_985
    order = client.orders.place(basket=ANA, kind="pick_up", place="S01", channel="app", total_minor=38_985)
    assert (order.state, order.confirmed) == ("allocated", False)
    assert client.baskets.get(ANA).lines == []
    paid = client.orders.pay(
        order.number, provider="bank", reference="ch_77", fact="captured", amount_minor=38_985, currency="EUR"
    )
    assert (paid.refund, paid.order.confirmed) == (False, True)
    both = [LineChange(line=1), LineChange(line=2)]
    for state in ("picked", "ready"):
        client.orders.advance(order.number, state, both)
    with pytest.raises(Conflict, match="against its code or an id"):
        client.orders.advance(order.number, "collected", both)
    client.pickups.hand_over("S01", order=order.number, initials="AR")
    client.orders.bring_back(order.number, "S01", [LineChange(line=2, amount=1_000)], why="too small")
    whole = client.orders.get(order.number)
    assert whole.lines[1].amounts == {"collected": 1_000, "returned": 1_000}
    assert whole.to_refund_minor == 12_995
    assert whole.head.owners == [ANA]
    told = [(entry.was, entry.became) for entry in client.orders.history(order.number)]
    assert told[0] == ("", "placed")
    assert told[-1] == ("collected", "returned")
    assert order.number in {head.number for head in client.orders.list(person=ANA)}


@pytest.mark.parametrize("door", ["orders", "pickups"])
def test_whoever_makes_an_order_ready_the_person_gets_a_code_that_opens_it_once(platform, client, door):
    line = {"sku": SKU, "amount": 2_000}
    number = client.orders.place(lines=[line], kind="curbside", place="S01", owners=[ANA], pays_first=False).number
    client.orders.advance(number, "picked", [LineChange(line=1)])
    before = notices(platform)
    if door == "orders":
        assert client.orders.advance(number, "ready", [LineChange(line=1)]).state == "ready"
    else:
        assert client.pickups.ready(number).state == "ready"
    (notice,) = [one for one in notices(platform) if one not in before]
    assert notice["properties"]["order_id"] == number
    link = notice["properties"]["link"]
    assert link == client.pickups.link(number).link
    assert client.pickups.get(number).pickup.has_code
    code = counter_of(platform).code(counter_of(platform).opened(link.rpartition("/")[2]))
    assert client.pickups.present("S01", code).order == number
    handed = client.pickups.hand_over("S01", code=code)
    assert (handed.order, client.orders.get(number).head.state) == (number, "collected")
    with pytest.raises(Ended, match="was used already"):
        client.pickups.hand_over("S01", code=code)


def test_no_code_outlives_its_goods(platform, client):
    codes = []
    for over in (
        lambda number: client.pickups.hand_over("S01", order=number, initials="AR"),
        client.orders.cancel,
    ):
        line = {"sku": SKU, "amount": 1_000}
        number = client.orders.place(lines=[line], kind="pick_up", place="S01", owners=[ANA], pays_first=False).number
        for state in ("picked", "ready"):
            client.orders.advance(number, state, [LineChange(line=1)])
        codes.append(counter_of(platform).code(pickup(platform.commerce, number)))
        over(number)
        seen = client.pickups.get(number).pickup
        assert (seen.has_code, seen.ended is None) == (False, False)
    for code, said in zip(codes, ("used already", "does not count any more"), strict=True):
        with pytest.raises(Ended, match=said):
            client.pickups.hand_over("S01", code=code)


def test_goods_become_ready_where_they_are_collected_and_nowhere_else(client):
    line = {"sku": SKU, "amount": 1_000}
    number = client.orders.place(lines=[line], kind="pick_up", place="S01", owners=[ANA], pays_first=False).number
    client.orders.advance(number, "picked", [LineChange(line=1)])
    with pytest.raises(DefinitionInvalid, match="is collected in S01"):
        client.orders.advance(number, "ready", [LineChange(line=1)], where="S02")


def notices(platform):
    """What the river was told of orders that are ready."""
    told = [json.loads(body) for (body,) in platform.commerce.select("select body from outbox order by id")]
    return [fact for fact in told if fact["name"] == "Pickup Ready"]


def test_a_shortage_says_what_can_be_had(client, raw):
    with pytest.raises(Shortage):
        client.orders.place(lines=[{"sku": SKU, "amount": 10**9}], place="S01")
    answer = raw.post("/v1/orders", json={"lines": [{"sku": SKU, "amount": 10**9}], "place": "S01"})
    assert (answer.status_code, answer.json()["code"]) == (409, "shortage")
    (line,) = answer.json()["details"]["about"]["lines"]
    assert (line["sku"], line["wanted"]) == (SKU, 10**9)
    assert 0 < line["available"] < 10**9


def test_the_same_key_places_one_order(raw):
    body = {"lines": [{"sku": SKU}], "place": "S01"}
    first, second = (raw.post("/v1/orders", json=body, headers={"idempotency-key": "once"}) for _ in range(2))
    assert first.json() == second.json()
    assert raw.post("/v1/orders", json={**body, "note": "x"}, headers={"idempotency-key": "once"}).status_code == 409


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "either lines or a basket"),
        ({"lines": [{"sku": "nobody-knows"}], "place": "S01"}, "the catalogue has none in EUR"),
        ({"lines": [{"sku": SKU}]}, "expected a place for line 1"),
        ({"lines": [{"sku": SKU}], "place": "S01", "total_minor": 1}, "expected total to be 12995"),
    ],
)
def test_what_makes_no_sense_is_said(client, body, said):
    with pytest.raises(DefinitionInvalid, match=said):
        client.orders.place(**body)


def test_an_order_of_another_platform_is_recorded_once(client):
    line = {"ref": "1", "sku": SKU, "amount": 1_000, "price_minor": 9_900}
    order = {"source": "shopify", "source_id": "9", "number": "#1009", "currency": "EUR", "place": "S01"}
    first = client.orders.record(**order, updated="2026-11-22T10:00:00Z", lines=[line])
    again = client.orders.record(**order, updated="2026-11-22T10:00:00Z", lines=[line])
    later = client.orders.record(**order, updated="2026-11-22T11:00:00Z", lines=[{**line, "fulfilled": 1_000}])
    assert [(one.new, one.stale, one.order.state) for one in (first, again, later)] == [
        (True, False, "allocated"),
        (False, True, "allocated"),
        (False, False, "shipped"),
    ]
    assert client.orders.get("#1009").head.source == "shopify"
    with pytest.raises(Conflict, match="nothing of order #1009 can be cancelled"):
        client.orders.cancel("#1009")


def test_personal_values_are_hidden_from_those_who_may_not_see_them(platform, client):
    empty(client)
    client.baskets.put_line(ANA, "h1", SKU)
    number = client.orders.place(
        basket=ANA, place="S01", contact={"email": "ana@tienda.es", "name": "Ana García"}, note="ask for Ana"
    ).number
    with client_of(platform, "commerce.read") as masked:
        for path in (f"/v1/orders/{number}", "/v1/orders", f"/v1/orders/{number}/history", f"/v1/baskets/{ANA}"):
            answer = masked.get(path)
            assert answer.status_code == 200
            assert not [value for value in ("ana@tienda.es", "García", "ask for") if value in answer.text], path


def test_an_order_is_placed_for_a_slot(platform, client):
    hours = [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(1, 8)]
    client.resources.put("oven", name="Oven", place="S01", minutes=60, capacity=1, hours=hours)
    slot = client.resources.slots("oven")[-1]
    line = {"sku": SKU, "amount": 1_000}
    told = {"lines": [line], "kind": "order_ahead", "place": "S01", "owners": [ANA]}
    made = client.orders.place(**told, slot={"resource": "oven", "start": slot.start})
    booking = client.bookings.get(made.booking)
    assert (booking.document, booking.state, booking.start) == (made.number, "confirmed", slot.start)
    with pytest.raises(Shortage, match="Oven has 0 places"):
        client.orders.place(**told, slot={"resource": "oven", "start": slot.start})
    client.orders.cancel(made.number)
    assert client.bookings.get(made.booking).state == "cancelled"


def test_a_line_that_waits_says_when_it_is_expected(client, platform):
    order = client.orders.place(
        lines=[NewOrderLine(sku="LATE-1", price_minor=100)], kind="pick_up", place="S01", backorder=True,
        pays_first=False,
    )  # fmt: skip
    assert client.orders.get(order.number).lines[0].expected is None
    platform.commerce.do(Expect(sku="LATE-1", place="S01", amount=1_000, on="2099-12-01", reference="P1"))
    platform.commerce.do(DateWaiting())
    expected = client.orders.get(order.number).lines[0].expected
    assert expected is not None
    assert expected.date().isoformat() >= "2099-12-01"
