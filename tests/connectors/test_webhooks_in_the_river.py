"""Deliveries that come twice, late and in any order leave the same river as each of them once, in order."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.connectors import shopify, square, stripe, woocommerce
from cauce.connectors.webhooks import Delivery, framed
from cauce.model import HOUR, Source, to_iso
from cauce.testing.simulate import START, Entry, River

SOURCES = {name: Source(name, channel) for name, channel in (("shop", "web"), ("till", "pos"), ("pay", "web"))}
DAYS = 3_650


def delivered(source: str, module: Any, body: Any, topic: str = "", webhook: str = "") -> Entry:
    headers = {
        b"x-shopify-topic": topic.encode(),
        b"x-wc-webhook-topic": topic.encode(),
        b"x-shopify-webhook-id": webhook.encode(),
    }
    said = Delivery(headers, json.dumps(body).encode(), "", START)
    sender = module.sender(said) if hasattr(module, "sender") else {}
    return source, module.NAME, START, framed(module.facts(said), sender)


def at(hours: float) -> str:
    return to_iso(START - int(hours * HOUR))


def of_shopify(number: int) -> list[Entry]:
    """An order that is placed, paid, changed, partly refunded and, if its number is even, cancelled."""

    def order(hours: float, **more: Any) -> dict[str, Any]:
        return {
            "id": number, "email": f"person{number % 3}@correo.example", "currency": "EUR", "total_price": "59.90",
            "created_at": at(50), "updated_at": at(hours), "source_name": "web",
            "customer": {"id": 1_000 + number % 3, "first_name": "Ana"},
            "line_items": [{"id": 1, "product_id": 2, "price": "59.90", "quantity": 1}], **more,
        }  # fmt: skip

    refund = {"id": number * 10, "created_at": at(20), "transactions": [{"amount": "9.90", "kind": "refund"}]}
    found = [
        delivered("shop", shopify, order(50), "orders/create", "w1"),
        delivered("shop", shopify, order(40, financial_status="paid"), "orders/paid", "w2"),
        delivered("shop", shopify, order(40, financial_status="paid"), "orders/updated", "w3"),
        delivered("shop", shopify, order(20, refunds=[refund]), "orders/updated", "w4"),
        delivered("shop", shopify, {"id": 1_000 + number % 3, "email": f"new{number % 3}@correo.example",
                                    "updated_at": at(10 + number)}, "customers/update", "w5"),
        delivered("shop", shopify, {"inventory_item_id": 1, "location_id": 2, "available": number,
                                    "updated_at": at(number)}, "inventory_levels/update", "w6"),
    ]  # fmt: skip
    if number % 2 == 0:
        found.append(delivered("shop", shopify, order(5, cancelled_at=at(5)), "orders/cancelled", "w7"))
    return found


def of_others(number: int) -> list[Entry]:
    """A customer of WooCommerce, a payment at a till of Square, a payment by Stripe."""
    moment = at(number).removesuffix("Z")
    customer = {"id": number, "email": f"person{number}@correo.example", "date_modified_gmt": moment}
    payment = {
        "id": f"P{number}", "status": "COMPLETED", "created_at": at(number), "customer_id": f"C{number}",
        "total_money": {"amount": 990, "currency": "EUR"},
    }  # fmt: skip
    held = {"type": "payment", "id": f"P{number}", "object": {"payment": payment}}
    paid = {"object": "payment_intent", "id": f"pi_{number}", "amount": 990, "currency": "eur", "customer": "cus_1"}
    return [
        delivered("shop", woocommerce, customer, "customer.updated"),
        delivered("till", square, {"type": "payment.updated", "event_id": f"e{number}", "data": held}),
        delivered("pay", stripe, {
            "id": f"evt_{number}", "type": "payment_intent.succeeded", "created": START // 1_000_000 - number,
            "data": {"object": paid},
        }),
    ]  # fmt: skip


@cache
def deliveries() -> tuple[Entry, ...]:
    return tuple(entry for number in range(1, 6) for entry in (*of_shopify(number), *of_others(number)))


def told(river: River) -> list[Any]:
    """What the river says, without the order in which it heard it: facts, and who is who."""
    views = river.views()
    events = [stored.event for page in views.archive.scan() for stored in page]
    facts = sorted(
        (event.source, event.id, event.name, event.occurred, event.identifiers, event.traits, event.properties)
        for event in events
    )
    people: dict[str, dict[str, Any]] = {}
    for event in events:
        for identifier in event.identifiers:
            person = views.people.find(*identifier)
            if person is not None:
                profile = views.profiles.profile(person.id)
                traits = {name: trait.value for name, trait in profile.traits.items()}
                people[str(identifier)] = {"who": person.id, "traits": traits}
    return [facts, people]


@cache
def in_order(folder: Path) -> list[Any]:
    return told(River(deliveries(), history=folder, sources=SOURCES, past_days_max=DAYS).drain())


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), doubled=st.integers(0, 40))
def test_doubled_and_shuffled_deliveries_leave_the_same_river(tmp_path_factory: Any, seed: int, doubled: int) -> None:
    chance = random.Random(seed)
    entries = [*deliveries(), *chance.choices(deliveries(), k=doubled)]
    chance.shuffle(entries)
    folder = tmp_path_factory.mktemp("river")
    river = River(entries, history=folder, sources=SOURCES, past_days_max=DAYS)
    found = told(river.drain(batch_records=chance.choice((1, 7, 500))))
    expected = in_order(tmp_path_factory.getbasetemp())
    assert found == expected
    assert len(found[1]) >= 11, "customers of three systems are known"
    names = [name for _, _, name, *_ in found[0]]
    assert {name: names.count(name) for name in ("Order Completed", "Order Cancelled", "Order Refunded")} == {
        "Order Completed": 5, "Order Cancelled": 2, "Order Refunded": 5,
    }  # fmt: skip


def test_orders_of_woocommerce_tell_the_same_facts_in_any_order(tmp_path: Path) -> None:
    """Which delivery attests a fact first depends on the order; what is known in the end does not."""

    def order(hours: float, status: str, **more: Any) -> dict[str, Any]:
        return {
            "id": 7, "status": status, "currency": "EUR", "total": "27.50", "billing": {"email": "ana@correo.example"},
            "date_created_gmt": at(9).removesuffix("Z"), "date_modified_gmt": at(hours).removesuffix("Z"), **more,
        }  # fmt: skip

    paid = {"date_paid_gmt": at(8).removesuffix("Z")}
    refunds = [{"id": 8, "total": "-27.50"}]
    entries = [
        delivered("shop", woocommerce, order(8, "processing", **paid), "order.updated"),
        delivered("shop", woocommerce, order(5, "completed", **paid), "order.updated"),
        delivered("shop", woocommerce, order(4, "refunded", refunds=refunds, **paid), "order.updated"),
    ]  # fmt: skip
    known = set()
    for number, mixed in enumerate((entries, entries[::-1], [*entries, *entries])):
        river = River(mixed, history=tmp_path / str(number), sources=SOURCES, past_days_max=DAYS).drain()
        known.add(tuple((name, id_) for _, id_, name, *_ in told(river)[0]))
    (facts,) = known
    assert sorted(name for name, _ in facts) == [
        "Order Completed", "Order Refunded", "Order Updated", "Order Updated", "Order Updated", "Payment Taken",
    ]  # fmt: skip


def test_the_newest_of_a_customer_wins_whatever_comes_last(tmp_path: Path) -> None:
    def customer(hours: float, name: str) -> Entry:
        body = {"id": 5, "email": "ana@correo.example", "first_name": name, "updated_at": at(hours)}
        return delivered("shop", shopify, body, "customers/update")

    for number, mixed in enumerate(
        ([customer(9, "Anna"), customer(1, "Ana")], [customer(1, "Ana"), customer(9, "Anna")])
    ):
        river = River(mixed, history=tmp_path / str(number), sources=SOURCES, past_days_max=DAYS).drain()
        people = told(river)[1]
        assert people["shopify_customer:5"]["traits"]["firstName"] == "Ana"
