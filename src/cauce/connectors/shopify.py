"""Shopify: webhooks of the Admin API, signed with the app's client secret; a poll of orders, customers, products.

What is known of an order is spread over topics: `orders/create` says that it was placed, `orders/updated` that
something about it changed. A refund names nobody (`refunds/create`), but the order that `orders/updated` brings names
its customer and lists its refunds, so those are told from there. The poll reads whole orders and tells everything that
they attest.

Each fact is known by the resource it is about, not by the headers of a delivery, which nobody signed: what came by
webhook, came again, or is fetched by the poll, is one event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cauce.connectors.polling import Api, Page
from cauce.connectors.webhooks import (
    PRODUCT_CHANGED,
    STOCK_CHANGED,
    Delivery,
    Fact,
    Fault,
    Object,
    Told,
    amount,
    decode_with,
    is_signed,
    moment,
    needed,
    own_name,
    part,
    parts,
    text,
    total_of,
)
from cauce.model import Received, Record, Source, to_iso

NAME = "shopify"
TITLE = "Shopify"
CUSTOMER = "shopify_customer"
API_VERSION = "2025-10"
PAGE_ITEMS = 250
ORDER_TOPICS = frozenset(
    f"orders/{change}" for change in ("create", "updated", "paid", "cancelled", "fulfilled", "partially_fulfilled")
)
"""Topics whose body is a whole order."""
REFUNDED = "orders/refunded"
"""Topic of our own: one refund of an order, with whom the order names."""
CUSTOMER_TOPICS = frozenset(f"customers/{change}" for change in ("create", "update", "enable", "disable"))
_HEADERS = (
    ("shop", "shopify-shop-domain"),
    ("webhook_id", "shopify-webhook-id"),
    ("event_id", "shopify-event-id"),
    ("triggered_at", "shopify-triggered-at"),
    ("api_version", "shopify-api-version"),
)


# -- at the door ----------------------------------------------------------------------------------------------------


def verify(delivery: Delivery, secrets: Sequence[bytes]) -> bool:
    """Whether the base64 HMAC-SHA256 of the body with a client secret stands in its header, with or without `X-`."""
    told = delivery.header("x-shopify-hmac-sha256", "shopify-hmac-sha256")
    return is_signed(told, delivery.body, secrets)


def facts(delivery: Delivery) -> list[Fact]:
    """What a delivery attests: what its topic says, and each refund of an order that changed."""
    topic = delivery.header("x-shopify-topic", "shopify-topic").lower()
    found = [Fact(topic, delivery.body)]
    if topic == "orders/updated":
        found += _refunds(msgspec.json.decode(delivery.body))
    return found


def sender(delivery: Delivery) -> dict[str, str]:
    """What the headers tell beside the topic, to find a delivery again in the shop's own log."""
    return {key: delivery.header(f"x-{header}", header) for key, header in _HEADERS}


def _refunds(order: Any) -> list[Fact]:
    return [Fact(REFUNDED, {"order": order, "refund": refund}) for refund in parts(order, "refunds")]


# -- in the river ---------------------------------------------------------------------------------------------------


def decode(record: Record, source: Source) -> list[Received]:
    """Facts of a record in order, each as an event or with the reason why it is none; pure, never raises."""
    return decode_with(_read, NAME, record, source)


def _read(topic: str, body: Object, _source: Source) -> Told:
    if topic in ORDER_TOPICS:
        return _order(topic, body)
    if topic == REFUNDED:
        return _refund(body)
    if topic in CUSTOMER_TOPICS:
        return _customer(body)
    if topic == "checkouts/create":
        return _checkout(body)
    if topic in ("products/create", "products/update"):
        return _product(body)
    if topic in ("inventory_levels/update", "inventory_levels/connect"):
        return _stock(body)
    return _other(topic, body)


def _order(topic: str, body: Object) -> Told:
    """An order as the topic means it; where nobody is named, or a till sold it, placing it is a receipt."""
    id_ = needed(body, "id")
    who, traits = _who(body)
    properties = _order_properties(body, id_, current=topic not in ("orders/create", "orders/paid"))
    changed = moment(body, "updated_at", "created_at")
    if topic == "orders/create":
        placed = moment(body, "processed_at", "created_at")
        if who and body.get("source_name") != "pos":
            return Told("Order Completed", placed, who, traits, properties, id=f"order.placed:{id_}")
        properties = {"receipt_id": id_, **properties}
        return Told("Receipt Issued", placed, who, traits, properties, id=f"order.placed:{id_}")
    if topic == "orders/paid":
        return Told("Payment Taken", changed, who, traits, _payment(body, id_), id=f"order.paid:{id_}")
    if topic == "orders/cancelled":
        name = "Order Cancelled" if who else own_name(TITLE, topic)
        cancelled = moment(body, "cancelled_at", "updated_at")
        properties = {**properties, "reason": text(body, "cancel_reason")}
        return Told(name, cancelled, who, traits, properties, id=f"order.cancelled:{id_}")
    name = "Order Updated" if who else own_name(TITLE, "orders/updated")
    return Told(name, changed, who, traits, properties, about=f"order.updated:{id_}")


def _who(body: Object) -> tuple[Object, Object]:
    """Identifiers and traits of whom an order or a checkout names. Addresses are no evidence: gifts go to others."""
    customer = part(body, "customer")
    email = text(body, "email", "contact_email") or text(customer, "email")
    phone = text(body, "phone") or text(customer, "phone")
    who = {CUSTOMER: text(customer, "id"), "email": email, "phone": phone}
    traits = {
        "email": email,
        "phone": phone,
        "firstName": text(customer, "first_name"),
        "lastName": text(customer, "last_name"),
    }
    return {kind: value for kind, value in who.items() if value}, traits


def _order_properties(body: Object, id_: str, *, current: bool) -> Object:
    """An order in the words of the vocabulary. `current`: with what it costs after changes, else as it was placed."""
    now = "current_" if current else ""

    def sum_of(name: str) -> int | float | None:
        changed = amount(body, f"{now}{name}")
        return amount(body, name) if changed is None else changed

    codes = [text(code, "code") for code in parts(body, "discount_codes")]
    return {
        "order_id": id_,
        "order_number": text(body, "name", "order_number"),
        "checkout_id": text(body, "checkout_token", "checkout_id"),
        "cart_id": text(body, "cart_token"),
        "affiliation": text(body, "source_name"),
        "store_id": text(body, "location_id"),
        "till_id": text(body, "device_id"),
        "associate_id": text(body, "user_id"),
        "currency": text(body, "currency"),
        "subtotal": sum_of("subtotal_price"),
        "total": sum_of("total_price"),
        "tax": sum_of("total_tax"),
        "discount": sum_of("total_discounts"),
        "shipping": total_of(*(amount(line, "price", "/shipping_lines") for line in parts(body, "shipping_lines"))),
        "coupon": ", ".join(filter(None, codes)),
        "taxes_included": body.get("taxes_included"),
        "payment_status": text(body, "financial_status"),
        "fulfillment_status": text(body, "fulfillment_status"),
        "is_test": body.get("test") or None,
        "tags": text(body, "tags"),
        "note": text(body, "note"),
        "landing_site": text(body, "landing_site"),
        "referring_site": text(body, "referring_site"),
        "products": [_line(line) for line in parts(body, "line_items")],
    }


def _line(line: Object) -> Object:
    """A line of an order; one that was typed in (a tip, a service) has no product, so its own number names it."""
    product = text(line, "product_id")
    said = {
        "product_id": product or (f"line:{text(line, 'id')}" if not text(line, "sku") else ""),
        "sku": text(line, "sku"),
        "variant_id": text(line, "variant_id"),
        "name": text(line, "title", "name"),
        "variant": text(line, "variant_title"),
        "brand": text(line, "vendor"),
        "price": amount(line, "price", "/line_items"),
        "quantity": amount(line, "quantity", "/line_items"),
        "discount": amount(line, "total_discount", "/line_items") or None,
        "line_id": text(line, "id"),
    }
    return {key: value for key, value in said.items() if value is not None and value != ""}


def _payment(body: Object, id_: str) -> Object:
    gateways = body.get("payment_gateway_names")
    named = ", ".join(one for one in gateways if isinstance(one, str)) if isinstance(gateways, list) else ""
    return {
        "payment_id": f"order:{id_}",
        "order_id": id_,
        "order_number": text(body, "name", "order_number"),
        "method": named or text(body, "gateway"),
        "amount": amount(body, "total_price"),
        "currency": text(body, "currency"),
        "store_id": text(body, "location_id"),
    }


def _refund(body: Object) -> Told:
    """One refund of an order: what was paid back, and the goods of which it speaks."""
    order, refund = part(body, "order"), part(body, "refund")
    refund_id = text(refund, "id")
    if not refund_id:
        raise Fault("value_missing", "/body/refund/id", "an identifier", refund.get("id"))
    who, traits = _who(order)
    transactions = [
        one
        for one in parts(refund, "transactions")
        if text(one, "kind") in ("refund", "") and text(one, "status") in ("success", "")
    ]
    products = [
        {**_line(part(line, "line_item")), "quantity": amount(line, "quantity", "/refund/refund_line_items")}
        for line in parts(refund, "refund_line_items")
    ]
    properties = {
        "order_id": text(order, "id") or text(refund, "order_id"),
        "order_number": text(order, "name", "order_number"),
        "refund_id": refund_id,
        "total": total_of(*(amount(one, "amount", "/refund/transactions") for one in transactions)),
        "currency": next((text(one, "currency") for one in transactions if text(one, "currency")), "")
        or text(order, "currency"),
        "reason": text(refund, "note"),
        "is_restocked": refund.get("restock"),
        "products": products,
    }
    occurred = moment(refund, "processed_at", "created_at")
    name = "Order Refunded" if who else own_name(TITLE, REFUNDED)
    return Told(name, occurred, who, traits, properties, id=f"order.refunded:{refund_id}")


def _customer(body: Object) -> Told:
    id_ = needed(body, "id")
    address = part(body, "default_address")
    consent = part(body, "email_marketing_consent")
    traits = {
        "email": text(body, "email"),
        "phone": text(body, "phone"),
        "firstName": text(body, "first_name"),
        "lastName": text(body, "last_name"),
        "company": text(address, "company"),
        "address": _address(address) or None,
        "tags": text(body, "tags"),
        "note": text(body, "note"),
        "createdAt": text(body, "created_at"),
        "isVerifiedEmail": body.get("verified_email"),
        "marketingConsent": text(consent, "state") or body.get("accepts_marketing"),
    }
    who = {CUSTOMER: id_, "email": traits["email"], "phone": traits["phone"]}
    return Told("", moment(body, "updated_at", "created_at"), who, traits, {}, "identify", about=f"customer:{id_}")


def _address(address: Object) -> Object:
    said = {
        "street": " ".join(filter(None, (text(address, "address1"), text(address, "address2")))),
        "city": text(address, "city"),
        "postalCode": text(address, "zip"),
        "state": text(address, "province"),
        "country": text(address, "country_code", "country"),
    }
    return {key: value for key, value in said.items() if value}


def _checkout(body: Object) -> Told:
    who, traits = _who(body)
    properties = {
        **_order_properties(body, "", current=False),
        "checkout_id": text(body, "token", "id"),
        "value": amount(body, "total_price"),
        "abandoned_checkout_url": text(body, "abandoned_checkout_url"),
    }
    name = "Checkout Started" if who else own_name(TITLE, "checkouts/create")
    id_ = f"checkout.started:{text(body, 'token') or needed(body, 'id')}"
    return Told(name, moment(body, "created_at"), who, traits, properties, id=id_)


def _product(body: Object) -> Told:
    id_ = needed(body, "id")
    properties = {
        "product_id": id_,
        "name": text(body, "title"),
        "brand": text(body, "vendor"),
        "category": text(body, "product_type"),
        "status": text(body, "status"),
        "variants": [_variant(one) for one in parts(body, "variants")],
        "record": body,
    }
    changed = moment(body, "updated_at", "created_at")
    return Told(PRODUCT_CHANGED, changed, {}, {}, properties, about=f"product:{id_}")


def _variant(one: Object) -> Object:
    said = {
        "variant_id": text(one, "id"),
        "sku": text(one, "sku"),
        "barcode": text(one, "barcode"),
        "name": text(one, "title"),
        "price": amount(one, "price", "/variants"),
    }
    return {key: value for key, value in said.items() if value is not None and value != ""}


def _stock(body: Object) -> Told:
    item, store = needed(body, "inventory_item_id"), text(body, "location_id")
    properties = {"item_id": item, "available": amount(body, "available"), "store_id": store, "record": body}
    if properties["available"] is None:  # connected to a place, or counted there no more
        return Told("", moment(body, "updated_at"), {}, {}, {"store_id": store})
    return Told(STOCK_CHANGED, moment(body, "updated_at"), {}, {}, properties, about=f"stock:{item}:{store}")


def _other(topic: str, body: Object) -> Told:
    """What the vocabulary has no word for, with everything that it says."""
    area = topic.partition("/")[0]
    who, traits = ({}, {}) if area not in ("checkouts", "draft_orders", "orders") else _who(body)
    if area == "customers":  # deleted, asked for, to be erased: the customer, or an object that holds it
        customer = part(body, "customer") or body
        who = {CUSTOMER: text(customer, "id"), "email": text(customer, "email"), "phone": text(customer, "phone")}
    elif area == "gift_cards":
        who = {CUSTOMER: text(body, "customer_id")}
    who = {kind: value for kind, value in who.items() if value}
    occurred = moment(body, "updated_at", "created_at", "deleted_at")
    named = {"record_id": text(body, "id"), "order_id": text(body, "order_id"), "store_id": text(body, "location_id")}
    return Told(own_name(TITLE, topic), occurred, who, traits, dict(body) if who else named)


# -- fetching -------------------------------------------------------------------------------------------------------


def changes(api: Api, since: int) -> Iterator[Page]:
    """Everything that changed since then (microseconds UTC), oldest first, page by page."""
    api.headers["X-Shopify-Access-Token"] = api.credential
    first = {"updated_at_min": to_iso(since), "limit": PAGE_ITEMS}
    for name in ("orders", "customers", "products"):
        url = f"/admin/api/{API_VERSION}/{name}.json"
        query = {**first, "status": "any", "order": "updated_at asc"} if name == "orders" else first
        while url:
            answer = api.get(url, query)
            found: list[Fact] = []
            for one in parts(answer.body, name):
                found += _attested(one) if name == "orders" else [Fact(f"{name}/update", one)]
            yield found
            url, query = answer.next_url, {}


def _attested(order: Object) -> list[Fact]:
    """Everything that a whole order attests, as the topics that would have told it."""
    topics = ["orders/create", "orders/updated"]
    if text(order, "financial_status") in ("paid", "partially_refunded", "refunded"):
        topics.append("orders/paid")
    if order.get("cancelled_at"):
        topics.append("orders/cancelled")
    return [*(Fact(topic, order) for topic in topics), *_refunds(order)]
