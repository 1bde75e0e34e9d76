from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cauce import registry
from cauce.connectors import shopify, square, stripe, woocommerce
from cauce.connectors.webhooks import Delivery, Fact, Fault, amount, framed, major, own_name
from cauce.model import SECOND, Event, Received, Record, Source, from_iso, to_iso
from cauce.quality.contract import Book
from cauce.quality.rules import CLEAN, Limits, judged
from cauce.quality.starter import starter_compiled
from tests.connectors.signing import PUBLIC_URL, base64_hmac, headers_of, stripe_signature
from tests.reference import shared

CONNECTORS = {module.NAME: module for module in (shopify, woocommerce, square, stripe)}
CASES = yaml.safe_load((Path(__file__).parent / "webhook_cases.yaml").read_text(encoding="utf-8"))
TOPIC_HEADERS = {"shopify": b"x-shopify-topic", "woocommerce": b"x-wc-webhook-topic"}
RECEIVED = from_iso("2026-11-21T12:00:00Z")
SHOP = Source("shop", "web")
SECRET = "whsec_0123456789abcdef0123456789"
BOOK = Book(starter_compiled())
LIMITS = Limits.of(1_048_576, 86_400, 36_500)


def delivery(headers: dict[str, str], body: bytes, now: int = RECEIVED) -> Delivery:
    return Delivery({name.lower().encode(): value.encode() for name, value in headers.items()}, body, PUBLIC_URL, now)


def decoded(module: ModuleType, facts: list[Fact], source: Source = SHOP) -> list[Received]:
    found: list[Received] = module.decode(Record(1, source.name, module.NAME, RECEIVED, framed(facts)), source)
    return found


def sent(connector: str, body: Any, topic: str = "") -> list[Received]:
    """Items of a delivery, as the door would keep it."""
    module = CONNECTORS[connector]
    headers = {TOPIC_HEADERS[connector]: topic.encode()} if topic else {}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decoded(module, module.facts(Delivery(headers, raw, PUBLIC_URL, RECEIVED)))


def events(connector: str, body: Any, topic: str = "") -> list[Event]:
    found = sent(connector, body, topic)
    assert all(item.event is not None for item in found), [item.reasons for item in found]
    return [item.event for item in found if item.event is not None]


# -- what recorded payloads become ------------------------------------------------------------------------------------


def payloads(case: dict[str, Any]) -> list[Any]:
    document = json.loads(shared(f"payloads/{case['file']}").read_bytes())
    if "inside" in case:
        inner = document[case["inside"]]
        return inner if isinstance(inner, list) else [inner]
    if "as_event" in case:
        return [
            {"id": "evt_1", "object": "event", "type": case["as_event"], "created": 1_234_567_890,
             "data": {"object": document}}
        ]  # fmt: skip
    return [document]


def told(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    """An event in the words of a case; of its properties those that the case names."""
    properties = {key: event.properties.get(key) for key in expected.get("properties", {})}
    prefix, star, _ = str(expected["id"]).partition("*")
    found = {
        "name": event.name,
        "type": event.type,
        "id": expected["id"] if star and event.id.startswith(prefix) else event.id,
        "occurred": to_iso(event.occurred),
        "identifiers": dict(event.identifiers),
        "traits": event.traits,
        "properties": properties,
    }
    return {
        key: found[key] for key in ("name", "type", *expected) if key in expected or found[key] not in ("", "track")
    }


@pytest.mark.reference
@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_a_recorded_payload_becomes_what_its_case_says(case: dict[str, Any]) -> None:
    connector = case["file"].partition("/")[0]
    found = [event for body in payloads(case) for event in events(connector, body, case.get("topic", ""))]
    assert [told(event, expected) for event, expected in zip(found, case["events"], strict=True)] == case["events"]
    for event in found:
        assert judged(event, 1_000, BOOK, LIMITS) is CLEAN, event


@pytest.mark.reference
def test_every_recorded_payload_has_a_case() -> None:
    files = {f"{folder}/{path.name}" for folder in CONNECTORS for path in shared(f"payloads/{folder}").glob("*.json")}
    assert files == {case["file"] for case in CASES}


@pytest.mark.reference
@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_bad_data_is_a_reason_and_never_an_error(case: dict[str, Any]) -> None:
    connector = case["file"].partition("/")[0]
    (body, *_) = payloads(case)
    for key in body:
        for wrong in ("", "soon", -1, [], {}, [[]], ["x"], True, None, {"id": []}):
            for item in sent(connector, {**body, key: wrong}, case.get("topic", "")):
                assert item.event is not None or item.reasons


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from(sorted(CONNECTORS)),
    st.sampled_from(["orders/updated", "order.updated", "payment.updated", "checkout.session.completed", "x", "?", ""]),
    JSON,
)
def test_whatever_is_signed_is_an_event_or_a_reason(connector: str, topic: str, body: Any) -> None:
    module = CONNECTORS[connector]
    for item in decoded(module, [Fact(topic, json.dumps(body).encode())]):
        assert (item.event is None) == bool(item.reasons)
    for fact in module.facts(Delivery({}, json.dumps(body).encode(), "", RECEIVED)):
        assert fact.body


def test_the_registry_knows_their_roles() -> None:
    for role in ("decode", "verify", "facts", "changes"):
        assert set(CONNECTORS) <= set(registry.find("cauce.connectors", role=role))


# -- how a fact is known ----------------------------------------------------------------------------------------------

ORDER = {
    "id": 7, "email": "ana@tienda.es", "currency": "EUR", "total_price": "27.50", "source_name": "web",
    "created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-20T10:00:00Z",
    "line_items": [{"id": 1, "product_id": 2, "sku": "A", "price": "27.50", "quantity": 1}],
}  # fmt: skip


def test_a_fact_is_known_by_the_resource_and_not_by_its_delivery() -> None:
    raw = json.dumps(ORDER).encode()
    ids = set()
    for webhook in ("a", "b"):
        headers = {b"x-shopify-topic": b"orders/create", b"x-shopify-webhook-id": webhook.encode()}
        said = Delivery(headers, raw, "", RECEIVED)
        body = framed(shopify.facts(said), shopify.sender(said))
        assert raw in body, "the bytes that were signed are kept as they came"
        (item,) = shopify.decode(Record(1, "shop", "shopify", RECEIVED, body), SHOP)
        assert item.event is not None
        assert item.raw["sender"]["webhook_id"] == webhook
        ids.add(item.event.id)
    assert ids == {"order.placed:7"}


def test_states_are_known_by_what_they_say() -> None:
    (first,) = events("shopify", ORDER, "orders/updated")
    (again,) = events("shopify", dict(reversed(ORDER.items())), "orders/fulfilled")
    (other,) = events("shopify", {**ORDER, "current_total_price": "20.00"}, "orders/updated")
    assert first.id == again.id != other.id
    assert (first.properties["total"], other.properties["total"]) == (27.5, 20)
    assert first.occurred == other.occurred, "two changes in one second are two events"


def test_a_fact_without_a_time_is_known_again_when_it_comes_later() -> None:
    record = framed([Fact("app/uninstalled", {"name": "shop"})])
    ids = {
        item.event.id
        for received in (RECEIVED, RECEIVED + SECOND)
        for item in shopify.decode(Record(1, "shop", "shopify", received, record), SHOP)
        if item.event
    }
    assert len(ids) == 1


def test_a_bad_item_is_known_again_too() -> None:
    (first,), (again,) = (sent("shopify", {**ORDER, "total_price": "a lot"}, "orders/create") for _ in range(2))
    assert first.event is None
    assert first.reasons[0].code == "value_unreadable"
    assert first.reasons[0].path == "/body/total_price"
    assert first.raw["messageId"] == again.raw["messageId"]


def test_a_mended_item_is_read_alone() -> None:
    (item,) = sent("shopify", {**ORDER, "total_price": "a lot"}, "orders/create")
    item.raw["body"]["total_price"] = "27.50"
    record = Record(9, "shop", "shopify", RECEIVED, json.dumps(item.raw).encode())
    (mended,) = shopify.decode(record, SHOP)
    assert mended.event is not None
    assert mended.event.properties["total"] == 27.5


def test_an_erased_item_stays_erased() -> None:
    body = json.dumps({"batch": [{"_erased": "stored", "_seal": "x", "messageId": "m"}]}).encode()
    (item,) = shopify.decode(Record(1, "shop", "shopify", RECEIVED, body), SHOP)
    assert item.erased == "stored"


# -- single systems ---------------------------------------------------------------------------------------------------


def test_a_till_of_shopify_gives_receipts() -> None:
    (event,) = events("shopify", {**ORDER, "source_name": "pos", "location_id": 5, "device_id": 3}, "orders/create")
    assert (event.name, event.properties["receipt_id"]) == ("Receipt Issued", "7")
    assert (event.properties["store_id"], event.properties["till_id"]) == ("5", "3")
    (event,) = events("shopify", {**ORDER, "email": ""}, "orders/create")
    assert event.name == "Receipt Issued", "nobody is named, so it is nobody's order"


def test_refunds_are_told_by_the_order_that_names_its_customer() -> None:
    refund = {
        "id": 70, "created_at": "2026-11-21T09:00:00Z", "note": "broken",
        "transactions": [
            {"amount": "10.10", "kind": "refund", "status": "success", "currency": "EUR"},
            {"amount": "0.20", "kind": "refund", "status": "success", "currency": "EUR"},
            {"amount": "99.00", "kind": "refund", "status": "failure", "currency": "EUR"},
        ],
        "refund_line_items": [{"quantity": 1, "line_item": {"id": 1, "product_id": 2, "sku": "A", "price": "27.50"}}],
    }  # fmt: skip
    changed, refunded = events("shopify", {**ORDER, "refunds": [refund]}, "orders/updated")
    assert (changed.name, refunded.name) == ("Order Updated", "Order Refunded")
    assert refunded.id == "order.refunded:70"
    assert refunded.properties["total"] == 10.3
    assert refunded.properties["products"][0]["quantity"] == 1
    assert dict(refunded.identifiers) == {"email": "ana@tienda.es"}
    (alone,) = events("shopify", refund, "refunds/create")
    assert alone.name == "Record Changed"


def test_that_somebody_is_to_be_erased_is_told_of_that_person() -> None:
    body = {"shop_domain": "a.myshopify.com", "customer": {"id": 5, "email": "ana@tienda.es"}, "orders_to_redact": [7]}
    (event,) = events("shopify", body, "customers/redact")
    assert event.name == "Shopify Customer Redact"
    assert dict(event.identifiers) == {"shopify_customer": "5", "email": "ana@tienda.es"}


def test_a_line_without_a_product_is_kept() -> None:
    lines = [{"id": 8, "title": "Tip", "price": "1.00", "quantity": 1, "product_id": None, "sku": None}]
    (event,) = events("shopify", {**ORDER, "line_items": lines}, "orders/create")
    assert event.properties["products"][0]["product_id"] == "line:8"
    assert judged(event, 100, BOOK, LIMITS) is CLEAN


WOO = {
    "id": 7, "number": "7", "status": "processing", "currency": "EUR", "total": "27.50", "customer_id": 3,
    "date_created_gmt": "2026-11-20T10:00:00", "date_modified_gmt": "2026-11-20T10:05:00", "line_items": [],
    "billing": {"email": "ana@tienda.es"},
}  # fmt: skip


def test_an_order_of_woocommerce_that_was_never_told_as_created_was_placed_all_the_same() -> None:
    changed, placed = events("woocommerce", WOO, "order.updated")
    assert (changed.name, placed.name, placed.id) == ("Order Updated", "Order Completed", "order.placed:7")
    assert to_iso(placed.occurred) == "2026-11-20T10:00:00Z"
    assert dict(placed.identifiers)["woocommerce_customer"] == "shop:3"
    assert [one.name for one in events("woocommerce", {**WOO, "status": "pending"}, "order.created")] == [
        "Order Updated"
    ]


def test_the_state_of_an_order_of_woocommerce_attests_payment_cancellation_and_refunds() -> None:
    refunds = [{"id": 71, "reason": "", "total": "-10.00"}]
    body = {**WOO, "status": "cancelled", "date_paid_gmt": "2026-11-20T10:01:00", "refunds": refunds}
    found = {event.name: event for event in events("woocommerce", body, "order.updated")}
    assert set(found) == {"Order Updated", "Payment Taken", "Order Cancelled", "Order Refunded"}
    assert found["Order Refunded"].properties["total"] == 10
    assert found["Payment Taken"].properties["amount"] == 27.5


def test_a_guest_of_woocommerce_is_no_customer_number() -> None:
    (changed, *_) = events("woocommerce", {**WOO, "customer_id": 0}, "order.updated")
    assert "woocommerce_customer" not in dict(changed.identifiers)


def test_the_ping_of_woocommerce_is_nothing_else() -> None:
    assert woocommerce.is_ping(delivery({}, b"webhook_id=17"))
    for body in (
        b"webhook_id=",
        b"webhook_id=1&a=2",
        b"webhook_id=1\n",
        b'{"webhook_id":1}',
        b"webhook_id=" + b"1" * 30,
    ):
        assert not woocommerce.is_ping(delivery({}, body))


SQUARE_ORDER = {
    "id": "O1", "location_id": "L1", "state": "COMPLETED", "customer_id": "C1", "created_at": "2026-11-20T10:00:00Z",
    "closed_at": "2026-11-20T10:01:00Z", "updated_at": "2026-11-20T10:02:00Z",
    "total_money": {"amount": 1_250, "currency": "EUR"},
    "line_items": [
        {"uid": "u", "name": "Coffee", "quantity": "0.5", "base_price_money": {"amount": 2_500, "currency": "EUR"}}
    ],
}  # fmt: skip


def test_a_whole_order_of_square_is_a_receipt_or_an_order() -> None:
    found = [item.event for item in decoded(square, square._attested(SQUARE_ORDER))]
    assert [event.name for event in found if event] == ["Order Updated", "Receipt Issued"]
    receipt = found[1]
    assert receipt is not None
    assert receipt.properties["products"][0] == {
        "product_id": "line:u", "name": "Coffee", "price": 25, "quantity": 0.5, "line_id": "u",
    }  # fmt: skip
    assert receipt.properties["total"] == 12.5
    online = {**SQUARE_ORDER, "state": "OPEN", "fulfillments": [{"type": "PICKUP"}]}
    assert [item.event.name for item in decoded(square, square._attested(online)) if item.event] == [
        "Order Updated", "Order Completed",
    ]  # fmt: skip


def test_that_square_took_a_payment_is_told_once() -> None:
    def update(event_id: str, version: str) -> dict[str, Any]:
        payment = {
            "id": "P1", "status": "COMPLETED", "order_id": "O1", "updated_at": version,
            "created_at": "2026-11-20T10:00:00Z", "total_money": {"amount": 900, "currency": "JPY"},
        }  # fmt: skip
        held = {"type": "payment", "id": "P1", "object": {"payment": payment}}
        return {"type": "payment.updated", "event_id": event_id, "created_at": version, "data": held}

    found = [
        event for number in (1, 2) for event in events("square", update(f"e{number}", f"2026-11-20T10:0{number}:00Z"))
    ]
    taken = [event for event in found if event.name == "Payment Taken"]
    assert len({event.id for event in taken}) == 1
    assert len({event.id for event in found}) == 3
    assert taken[0].properties["amount"] == 900
    assert taken[0].occurred == taken[1].occurred


def test_counts_of_square_are_stock_levels() -> None:
    counts = [
        {"catalog_object_id": "A", "location_id": "L1", "quantity": "10", "state": "IN_STOCK"},
        {"catalog_object_id": "B", "location_id": "L1", "quantity": "0", "state": "IN_STOCK"},
    ]
    body = {"type": "inventory.count.updated", "event_id": "e", "data": {"object": {"inventory_counts": counts}}}
    found = events("square", body)
    assert [(event.name, event.properties["item_id"], event.properties["available"]) for event in found] == [
        ("Stock Level Changed", "A", 10), ("Stock Level Changed", "B", 0),
    ]  # fmt: skip
    assert all(judged(event, 100, BOOK, LIMITS) is CLEAN for event in found)


def test_points_of_square() -> None:
    def event(kind: str, key: str, points: int) -> dict[str, Any]:
        inner = {"id": "LE", "type": kind, "loyalty_account_id": "LA", key: {"points": points, "order_id": "O1"}}
        return {"type": "loyalty.event.created", "event_id": "e", "data": {"object": {"loyalty_event": inner}}}

    (earned,) = events("square", event("ACCUMULATE_POINTS", "accumulate_points", 5))
    (redeemed,) = events("square", event("CREATE_REWARD", "create_reward", -10))
    assert (earned.name, earned.properties["points"]) == ("Loyalty Points Earned", 5)
    assert (redeemed.name, redeemed.properties["points"]) == ("Loyalty Points Redeemed", 10)
    assert dict(earned.identifiers) == {"square_loyalty": "LA"}


def stripe_event(type_: str, held: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": "evt_9", "type": type_, "created": 1_790_000_000, "data": {"object": held, **data}}


def test_a_refund_of_stripe_is_the_difference_to_the_sum_before_it() -> None:
    charge = {"object": "charge", "id": "ch_1", "customer": "cus_1", "currency": "eur", "amount_refunded": 1_500}
    (event,) = events("stripe", stripe_event("charge.refunded", charge, previous_attributes={"amount_refunded": 500}))
    assert (event.name, event.properties["total"], event.properties["refunded_so_far"]) == ("Order Refunded", 10, 15)
    (event,) = events("stripe", stripe_event("charge.refunded", charge))
    assert event.properties["total"] == 15


def test_a_checkout_of_stripe_is_an_order_unless_it_only_saves_a_card() -> None:
    session = {
        "object": "checkout.session", "id": "cs_1", "mode": "payment", "currency": "kwd", "amount_total": 12_345,
        "livemode": True, "customer_details": {"email": "ana@tienda.es", "name": "Ana"}, "metadata": {"order_id": "W7"},
    }  # fmt: skip
    (event,) = events("stripe", stripe_event("checkout.session.completed", session))
    assert (event.name, event.properties["order_id"], event.properties["total"]) == ("Order Completed", "W7", 12.345)
    assert "is_test" not in event.properties
    (event,) = events("stripe", stripe_event("checkout.session.completed", {**session, "mode": "setup"}))
    assert event.name == "Stripe Checkout Session Completed"


def test_a_secret_of_a_payment_is_not_kept_among_the_properties() -> None:
    held = {"object": "payment_intent", "id": "pi_1", "customer": "cus_1", "client_secret": "pi_1_secret_x"}
    (event,) = events("stripe", stripe_event("payment_intent.created", held))
    assert "secret" not in json.dumps(event.properties)


# -- values -----------------------------------------------------------------------------------------------------------


@given(st.decimals(-(10**12), 10**12, places=3, allow_nan=False))
def test_a_decimal_text_is_read_to_the_last_digit(value: Decimal) -> None:
    found = amount({"price": format(value, "f")}, "price")
    assert Decimal(repr(found)) == value


@pytest.mark.parametrize("value", ["1,50", "1e3", "NaN", "0x1", " 1", "1" * 40, "123456789012345.123456789012", {}, []])
def test_what_is_no_exact_amount_is_refused(value: Any) -> None:
    with pytest.raises(Fault):
        amount({"price": value}, "price")


@pytest.mark.parametrize(
    ("units", "currency", "expected"),
    [(1_099, "eur", 10.99), (1_099, "JPY", 1_099), (1_099, "KWD", 1.099), (1, "EUR", 0.01), (1_000, "USD", 10),
     (5, "", None), (1.5, "EUR", None), (True, "EUR", None), (None, "EUR", None)],
)  # fmt: skip
def test_smallest_units_become_major_ones(units: Any, currency: str, expected: Any) -> None:
    assert major(units, currency) == expected


def test_stripe_counts_some_currencies_in_its_own_way() -> None:
    assert major(500, "isk", stripe.STRIPE_EXPONENTS) == 5
    assert major(500, "mga", stripe.STRIPE_EXPONENTS) == 500


@pytest.mark.parametrize(
    ("topic", "name"),
    [("customers/delete", "X Customer Deleted"), ("invoice.paid", "X Invoice Paid"), ("app", "X App"),
     ("customer.subscription.updated", "X Customer Subscription Updated"), ("addresses/update", "X Addresses Updated")],
)  # fmt: skip
def test_a_name_of_its_own(topic: str, name: str) -> None:
    assert own_name("X", topic) == name


# -- signatures -------------------------------------------------------------------------------------------------------

BODY = b'{"id":1,"email":"ana@tienda.es"}'
NOW_SECONDS = RECEIVED // SECOND


def signed(connector: str, secret: str = SECRET, body: bytes = BODY, timestamp: int = NOW_SECONDS) -> Delivery:
    return delivery(headers_of(connector, secret, body, topic="orders/create", timestamp=timestamp), body)


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_signature_with_any_living_secret_opens(connector: str) -> None:
    verify = CONNECTORS[connector].verify
    assert verify(signed(connector), [SECRET.encode()])
    assert verify(signed(connector), [b"another-secret-of-the-source", SECRET.encode()])
    assert not verify(signed(connector), [b"another-secret-of-the-source"])
    assert not verify(signed(connector), [])
    assert not verify(delivery({}, BODY), [SECRET.encode()])


@pytest.mark.parametrize("connector", CONNECTORS)
@given(place=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_one_flipped_bit_is_refused(connector: str, place: int, bit: int) -> None:
    right = signed(connector)
    wrong = bytearray(BODY)
    wrong[place] ^= 1 << bit
    assert not CONNECTORS[connector].verify(right._replace(body=bytes(wrong)), [SECRET.encode()])
    assert not CONNECTORS[connector].verify(right._replace(body=BODY + b" "), [SECRET.encode()])


@pytest.mark.parametrize("connector", CONNECTORS)
@given(told=st.binary(max_size=200))
def test_a_signature_that_is_none_is_refused(connector: str, told: bytes) -> None:
    headers = {name: told for name in signed(connector).headers if b"topic" not in name}
    assert not CONNECTORS[connector].verify(Delivery(headers, BODY, PUBLIC_URL, RECEIVED), [SECRET.encode()])


def test_the_header_of_shopify_may_come_without_x() -> None:
    said = delivery({"Shopify-Hmac-Sha256": base64_hmac(SECRET, BODY), "Shopify-Topic": "orders/create"}, BODY)
    assert shopify.verify(said, [SECRET.encode()])
    assert shopify.facts(said)[0].topic == "orders/create"


def test_known_answer_of_square() -> None:
    """From Square's own SDK (tests/integration/test_webhooks_helper.py)."""
    body = (
        b'{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":'
        b'"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":'
        b'"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}'
    )
    headers = {b"x-square-hmacsha256-signature": b"GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4="}
    url = "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9"
    secret = [b"Ibxx_5AKakO-3qeNVR61Dw"]
    assert square.verify(Delivery(headers, body, url, RECEIVED), secret)
    assert not square.verify(Delivery(headers, body, url + "/", RECEIVED), secret)
    forwarded = {**headers, b"x-forwarded-host": b"webhook.site", b"host": b"webhook.site"}
    assert not square.verify(Delivery(forwarded, body, "", RECEIVED), secret), "the URL is the configured one"


def test_known_answer_of_shopify_and_woocommerce() -> None:
    """HMAC-SHA256 of RFC 4231, test case 2, in base64."""
    digest = bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    told = base64.b64encode(digest).decode()
    secrets, body = [b"Jefe"], b"what do ya want for nothing?"
    assert shopify.verify(delivery({"X-Shopify-Hmac-Sha256": told}, body), secrets)
    assert woocommerce.verify(delivery({"X-WC-Webhook-Signature": told}, body), secrets)


@pytest.mark.parametrize("seconds", [301, -301, 86_400])
def test_a_replayed_signature_of_stripe_is_too_old(seconds: int) -> None:
    said = signed("stripe")
    assert not stripe.verify(said._replace(now=RECEIVED + seconds * SECOND), [SECRET.encode()])
    within = 299 if seconds > 0 else -299
    assert stripe.verify(said._replace(now=RECEIVED + within * SECOND), [SECRET.encode()])


def test_stripe_signs_with_the_old_and_the_new_secret_while_one_is_rolled() -> None:
    right = stripe_signature(SECRET, BODY, NOW_SECONDS)
    stamp, _, good = right.partition(",v1=")
    bad = "0" * 64
    for told in (f"{right},v1={bad}", f"{stamp},v1={bad},v1={good}", f"{stamp}, v0={bad}, v1={good}"):
        assert stripe.verify(delivery({"Stripe-Signature": told}, BODY), [SECRET.encode()]), told
    other = stripe_signature(SECRET, BODY, NOW_SECONDS - 10).partition(",")[0]
    for told in (f"{stamp},v0={good}", f"v1={good}", f"t=,v1={good}", f"t=x,v1={good}", f"{other},{right}", right[:-1]):
        assert not stripe.verify(delivery({"Stripe-Signature": told}, BODY), [SECRET.encode()]), told
