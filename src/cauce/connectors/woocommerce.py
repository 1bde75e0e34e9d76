"""WooCommerce: webhooks signed with the secret of each webhook, and a poll of orders and products.

Its topics are not to be believed in one point: an order that the checkout drafts beforehand is never told as
`order.created`, and `order.updated` comes many times without a change. So an order is read as a state: each delivery
tells the state, and beside it the facts that the state attests (placed, paid, cancelled, each refund), which are
known by the order and so are told once, whichever delivery tells them first.

Two deliveries in one second carry the same delivery id, so nothing is known by it. Before it sends anything,
WooCommerce asks whether somebody is there with an unsigned `webhook_id=N`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Any

import msgspec

from cauce.connectors.polling import Api, Page
from cauce.connectors.webhooks import (
    PRODUCT_CHANGED,
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
from cauce.model import SECOND, Received, Record, Source, to_iso

NAME = "woocommerce"
TITLE = "WooCommerce"
CUSTOMER = "woocommerce_customer"
PAGE_ITEMS = 100
PLACED, PAID, CANCELLED, REFUNDED = "order.placed", "order.paid", "order.cancelled", "order.refunded"
"""Topics of our own: what the state of an order attests."""
PLACED_STATUSES = frozenset(("processing", "on-hold", "completed", "refunded"))
"""Statuses that an order gets by being placed; *pending* waits for a payment that may never come."""
ORDER_TOPICS = frozenset(("order.created", "order.updated", "order.restored"))
_PING = re.compile(rb"webhook_id=\d{1,20}")


# -- at the door ----------------------------------------------------------------------------------------------------


def is_ping(delivery: Delivery) -> bool:
    """Whether this is the unsigned question that WooCommerce asks when a webhook is saved; it says nothing else."""
    return _PING.fullmatch(delivery.body) is not None


def verify(delivery: Delivery, secrets: Sequence[bytes]) -> bool:
    """Whether the base64 HMAC-SHA256 of the body with a webhook's secret stands in its header."""
    return is_signed(delivery.header("x-wc-webhook-signature"), delivery.body, secrets)


def facts(delivery: Delivery) -> list[Fact]:
    """What a delivery attests: the state that it brings, and the facts that follow from the state of an order."""
    topic = delivery.header("x-wc-webhook-topic").lower()
    found = [Fact(topic, delivery.body)]
    if topic in ORDER_TOPICS:
        found += _attested(msgspec.json.decode(delivery.body))
    return found


def sender(delivery: Delivery) -> dict[str, str]:
    """What the headers tell beside the topic, to find a delivery again in the shop's own log."""
    return {
        "shop": delivery.header("x-wc-webhook-source"),
        "webhook_id": delivery.header("x-wc-webhook-id"),
        "delivery_id": delivery.header("x-wc-webhook-delivery-id"),
    }


def _attested(order: Any) -> list[Fact]:
    status = text(order, "status")
    topics = [PLACED] if status in PLACED_STATUSES else []
    if moment(order, "date_paid_gmt") is not None:
        topics.append(PAID)
    if status == "cancelled":
        topics.append(CANCELLED)
    refunds = [Fact(REFUNDED, {"order": order, "refund": refund}) for refund in parts(order, "refunds")]
    return [*(Fact(topic, order) for topic in topics), *refunds]


# -- in the river ---------------------------------------------------------------------------------------------------


def decode(record: Record, source: Source) -> list[Received]:
    """Facts of a record in order, each as an event or with the reason why it is none; pure, never raises."""
    return decode_with(_read, NAME, record, source)


def _read(topic: str, body: Object, source: Source) -> Told:
    if topic in ORDER_TOPICS or topic in (PLACED, PAID, CANCELLED):
        return _order(topic, body, source)
    if topic == REFUNDED:
        return _refund(body, source)
    if topic in ("customer.created", "customer.updated"):
        return _customer(body, source)
    if topic in ("review.created", "review.updated"):
        return _review(body)
    if topic in ("product.created", "product.updated", "product.restored"):
        return _product(body)
    return _other(topic, body, source)


def _order(topic: str, body: Object, source: Source) -> Told:
    id_ = needed(body, "id")
    who, traits = _who(body, source)
    if topic == PAID:
        properties = _payment(body, id_)
        return Told("Payment Taken", moment(body, "date_paid_gmt"), who, traits, properties, id=f"{PAID}:{id_}")
    properties = _order_properties(body, id_)
    if topic == PLACED:
        if not who:
            properties = {"receipt_id": id_, **properties}
        name = "Order Completed" if who else "Receipt Issued"
        return Told(name, moment(body, "date_created_gmt"), who, traits, properties, id=f"{PLACED}:{id_}")
    changed = moment(body, "date_modified_gmt", "date_created_gmt")
    if topic == CANCELLED:
        name = "Order Cancelled" if who else own_name(TITLE, CANCELLED)
        return Told(name, changed, who, traits, properties, id=f"{CANCELLED}:{id_}")
    name = "Order Updated" if who else own_name(TITLE, "order.updated")
    return Told(name, changed, who, traits, properties, about=f"order.updated:{id_}")


def _who(body: Object, source: Source) -> tuple[Object, Object]:
    """Identifiers and traits of whom an order bills; a shop's customer numbers are small, so they carry its source."""
    billing = part(body, "billing")
    customer = text(body, "customer_id")
    email, phone = text(billing, "email"), text(billing, "phone")
    who = {CUSTOMER: _number(source, customer), "email": email, "phone": phone}
    traits = {
        "email": email,
        "phone": phone,
        "firstName": text(billing, "first_name"),
        "lastName": text(billing, "last_name"),
        "company": text(billing, "company"),
    }
    return {kind: value for kind, value in who.items() if value}, traits


def _number(source: Source, number: str) -> str:
    """A customer's number as an identifier; 0 is a guest."""
    return f"{source.name}:{number}" if number not in ("", "0") else ""


def _order_properties(body: Object, id_: str) -> Object:
    lines = parts(body, "line_items")
    coupons = [text(line, "code") for line in parts(body, "coupon_lines")]
    return {
        "order_id": id_,
        "order_number": text(body, "number"),
        "affiliation": text(body, "created_via"),
        "currency": text(body, "currency"),
        "subtotal": total_of(*(amount(line, "total", "/line_items") for line in lines)),
        "total": amount(body, "total"),
        "tax": amount(body, "total_tax"),
        "discount": amount(body, "discount_total"),
        "shipping": amount(body, "shipping_total"),
        "coupon": ", ".join(filter(None, coupons)),
        "status": text(body, "status"),
        "payment_method": text(body, "payment_method"),
        "note": text(body, "customer_note"),
        "products": [_line(line) for line in lines],
    }


def _line(line: Object) -> Object:
    """A line of an order; one whose product is gone (0) is named by its own number."""
    product, variation = text(line, "product_id"), text(line, "variation_id")
    known = product not in ("", "0")
    said = {
        "product_id": product if known else (f"line:{text(line, 'id')}" if not text(line, "sku") else ""),
        "sku": text(line, "sku"),
        "variant_id": variation if variation != "0" else "",
        "name": unescape(text(line, "name")),
        "price": amount(line, "price", "/line_items"),
        "quantity": amount(line, "quantity", "/line_items"),
        "line_id": text(line, "id"),
    }
    return {key: value for key, value in said.items() if value is not None and value != ""}


def _payment(body: Object, id_: str) -> Object:
    return {
        "payment_id": text(body, "transaction_id") or f"order:{id_}",
        "order_id": id_,
        "order_number": text(body, "number"),
        "method": text(body, "payment_method"),
        "amount": amount(body, "total"),
        "currency": text(body, "currency"),
    }


def _refund(body: Object, source: Source) -> Told:
    """One refund of an order. The order says when it was last changed, and of each refund only the sum, below zero."""
    order, refund = part(body, "order"), part(body, "refund")
    refund_id = text(refund, "id")
    if not refund_id:
        raise Fault("value_missing", "/body/refund/id", "an identifier", refund.get("id"))
    who, traits = _who(order, source)
    total = amount(refund, "total", "/refund")
    properties = {
        "order_id": text(order, "id"),
        "order_number": text(order, "number"),
        "refund_id": refund_id,
        "total": None if total is None else abs(total),
        "currency": text(order, "currency"),
        "reason": text(refund, "reason"),
    }
    name = "Order Refunded" if who else own_name(TITLE, REFUNDED)
    occurred = moment(order, "date_modified_gmt", "date_created_gmt")
    return Told(name, occurred, who, traits, properties, id=f"{REFUNDED}:{refund_id}")


def _customer(body: Object, source: Source) -> Told:
    id_ = needed(body, "id")
    billing = part(body, "billing")
    email = text(body, "email") or text(billing, "email")
    phone = text(billing, "phone")
    address = {
        "street": " ".join(filter(None, (text(billing, "address_1"), text(billing, "address_2")))),
        "city": text(billing, "city"),
        "postalCode": text(billing, "postcode"),
        "state": text(billing, "state"),
        "country": text(billing, "country"),
    }
    traits = {
        "email": email,
        "phone": phone,
        "firstName": text(body, "first_name"),
        "lastName": text(body, "last_name"),
        "username": text(body, "username"),
        "company": text(billing, "company"),
        "address": {key: value for key, value in address.items() if value} or None,
        "createdAt": text(body, "date_created_gmt"),
        "isPayingCustomer": body.get("is_paying_customer"),
    }
    who = {CUSTOMER: _number(source, id_), "email": email, "phone": phone}
    occurred = moment(body, "date_modified_gmt", "date_created_gmt")
    return Told("", occurred, who, traits, {}, "identify", about=f"customer:{id_}")


def _review(body: Object) -> Told:
    id_ = needed(body, "id")
    properties = {
        "review_id": id_,
        "product_id": text(body, "product_id"),
        "rating": amount(body, "rating"),
        "text": text(body, "review"),
        "status": text(body, "status"),
        "isVerified": body.get("verified"),
    }
    who = {"email": text(body, "reviewer_email")}
    traits = {"email": who["email"], "name": text(body, "reviewer")}
    return Told("Review Posted", moment(body, "date_created_gmt"), who, traits, properties, id=f"review:{id_}")


def _product(body: Object) -> Told:
    id_ = needed(body, "id")
    properties = {
        "product_id": id_,
        "sku": text(body, "sku"),
        "name": unescape(text(body, "name")),
        "category": ", ".join(filter(None, (unescape(text(one, "name")) for one in parts(body, "categories")))),
        "status": text(body, "status"),
        "url": text(body, "permalink"),
        "price": amount(body, "price"),
        "record": {key: value for key, value in body.items() if key != "_links"},
    }
    changed = moment(body, "date_modified_gmt", "date_created_gmt")
    return Told(PRODUCT_CHANGED, changed, {}, {}, properties, about=f"product:{id_}")


def _other(topic: str, body: Object, source: Source) -> Told:
    """What the vocabulary has no word for, with everything that it says."""
    number = text(body, "id")
    who: Object = {CUSTOMER: _number(source, number)} if topic.startswith("customer.") and number else {}
    occurred = moment(body, "date_modified_gmt", "date_created_gmt")
    said = {key: value for key, value in body.items() if key != "_links"}
    named = {"record_id": number, "order_id": number if topic.startswith("order.") else "", "record": said}
    return Told(own_name(TITLE, topic), occurred, who, {}, said if who else named)


# -- fetching -------------------------------------------------------------------------------------------------------


def changes(api: Api, since: int) -> Iterator[Page]:
    """Orders and products that changed since then (microseconds UTC), oldest first, page by page.

    The credential is `ck_…:cs_…`, a consumer key and its secret.
    """
    api.headers["Authorization"] = "Basic " + b64encode(api.credential.encode()).decode()
    for name, topic in (("orders", "order.updated"), ("products", "product.updated")):
        after, page = since - since % SECOND, 1
        while True:
            listed = _listed(api, name, after, page)
            found: list[Fact] = []
            for one in listed:
                found += [Fact(topic, one), *(_attested(one) if name == "orders" else ())]
            yield found
            if len(listed) < PAGE_ITEMS:
                break
            # What changes meanwhile moves to the end, and the pages with it: so each page begins at a time.
            reached = (moment(listed[-1], "date_modified_gmt") or after) - SECOND
            after, page = (reached, 1) if reached > after else (after, page + 1)


def _listed(api: Api, name: str, after: int, page: int) -> list[Object]:
    query = {
        "modified_after": to_iso(after).removesuffix("Z"),
        "dates_are_gmt": "true",
        "orderby": "modified",
        "order": "asc",
        "per_page": PAGE_ITEMS,
        "page": page,
    }
    items = api.get(f"/wp-json/wc/v3/{name}", query).body
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
