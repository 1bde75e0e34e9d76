"""Square: webhooks signed over the notification URL and the body, and a poll of payments, orders and customers.

A webhook about an order brings its number and state only, and orders of a till are never told as `order.created`; what
was sold stands in the order itself, which the poll fetches. The money stands in `payment.updated`, which comes again
whenever anything about a payment changes: that it was taken is known by the payment, and so told once.

Amounts are in the smallest unit of their currency (ISO 4217).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cauce.connectors.polling import Api, Page
from cauce.connectors.webhooks import (
    STOCK_CHANGED,
    Delivery,
    Fact,
    Object,
    Told,
    amount,
    decode_with,
    is_signed,
    major,
    moment,
    needed,
    own_name,
    part,
    parts,
    text,
)
from cauce.model import MINUTE, Received, Record, Source, to_iso

NAME = "square"
TITLE = "Square"
API_URL = "https://connect.squareup.com"
NEEDS_PUBLIC_URL = True
CUSTOMER, LOYALTY = "square_customer", "square_loyalty"
TAKEN, COUNTED, CUSTOMER_SAVED, SAVED, PLACED, CANCELLED, REFUNDED = (
    "payment.taken",
    "inventory.counted",
    "customer.saved",
    "order.saved",
    "order.placed",
    "order.cancelled",
    "order.refunded",
)
"""Topics of our own: what a payment or a list of counts attests, and whole customers and orders."""
PAGE_ITEMS = 100
LOCATIONS_MAX = 10
"""Locations in one search of orders, as Square allows."""
_CARDS = {"ACTIVATE": "Gift Card Sold", "LOAD": "Gift Card Sold", "REDEEM": "Gift Card Redeemed"}
_POINTS = {
    "ACCUMULATE_POINTS": ("Loyalty Points Earned", "accumulate_points"),
    "ACCUMULATE_PROMOTION_POINTS": ("Loyalty Points Earned", "accumulate_promotion_points"),
    "CREATE_REWARD": ("Loyalty Points Redeemed", "create_reward"),
}


# -- at the door ----------------------------------------------------------------------------------------------------


def verify(delivery: Delivery, secrets: Sequence[bytes]) -> bool:
    """Whether the base64 HMAC-SHA256 of URL and body with a signature key stands in its header.

    The URL is the one that was configured, never one of the request: whoever sends a request chooses its headers.
    """
    content = delivery.public_url.encode() + delivery.body
    told = delivery.header("x-square-hmacsha256-signature")
    return bool(delivery.public_url) and is_signed(told, content, secrets)


def facts(delivery: Delivery) -> list[Fact]:
    """What a delivery attests: its event, and that a payment was taken when it says so."""
    return _facts(msgspec.json.decode(delivery.body), delivery.body)


def _facts(event: Any, body: bytes | Object) -> list[Fact]:
    counts = parts(part(part(event, "data"), "object"), "inventory_counts")
    if counts:
        return [Fact(COUNTED, count) for count in counts]
    found = [Fact(text(event, "type"), body)]
    payment = _object(event, "payment")
    if text(payment, "status") == "COMPLETED":
        found.append(Fact(TAKEN, event))
    return found


def _object(event: Any, name: str) -> Object:
    return part(part(part(event, "data"), "object"), name)


# -- in the river ---------------------------------------------------------------------------------------------------


def decode(record: Record, source: Source) -> list[Received]:
    """Facts of a record in order, each as an event or with the reason why it is none; pure, never raises."""
    return decode_with(_read, NAME, record, source)


def _read(topic: str, body: Object, _source: Source) -> Told:
    if topic in (SAVED, PLACED, CANCELLED, REFUNDED):
        return _order(topic, body)
    if topic == TAKEN:
        return _payment(_object(body, "payment"))
    if topic == COUNTED:
        return _count(body)
    if topic == CUSTOMER_SAVED:
        return _customer(body, moment(body, "updated_at", "created_at"))
    id_ = f"{topic}:{needed(body, 'event_id')}"
    if topic in ("customer.created", "customer.updated"):
        customer = {"id": text(part(body, "data"), "id"), **_object(body, "customer")}
        return _customer(customer, moment(customer, "updated_at") or moment(body, "created_at"))
    if topic in ("loyalty.account.created", "loyalty.account.updated"):
        return _loyalty_account(body, id_)
    if topic == "loyalty.event.created":
        return _loyalty_event(body, id_)
    if topic == "gift_card.activity.created":
        return _gift_card(body, id_)
    if topic in ("booking.created", "booking.updated"):
        return _booking(topic, body, id_)
    return _other(topic, body, id_)


def _money(holder: Object, key: str) -> int | float | None:
    money = part(holder, key)
    return major(money.get("amount"), text(money, "currency"))


def _somebody(*ids: str) -> Object:
    found = list(dict.fromkeys(filter(None, ids)))
    return {CUSTOMER: found} if found else {}


def _order(topic: str, body: Object) -> Told:
    """A whole order. Who is known and lets it be brought or ready has ordered; everything else is a till's receipt."""
    order = part(body, "order") if topic == REFUNDED else body
    id_ = needed(order, "id")
    who = _somebody(text(order, "customer_id"), *(text(one, "customer_id") for one in parts(order, "tenders")))
    changed = moment(order, "updated_at", "created_at")
    if topic == REFUNDED:
        return _refund(order, part(body, "refund"), who)
    properties = _order_properties(order, id_)
    if topic == PLACED:
        is_order = bool(who) and bool(parts(order, "fulfillments"))
        if not is_order:
            properties = {"receipt_id": id_, **properties}
        name = "Order Completed" if is_order else "Receipt Issued"
        placed = moment(order, "created_at") if is_order else moment(order, "closed_at", "created_at")
        return Told(name, placed, who, {}, properties, id=f"{PLACED}:{id_}")
    if topic == CANCELLED:
        name = "Order Cancelled" if who else own_name(TITLE, CANCELLED)
        return Told(name, moment(order, "closed_at", "updated_at"), who, {}, properties, id=f"{CANCELLED}:{id_}")
    name = "Order Updated" if who else own_name(TITLE, "order.updated")
    return Told(name, changed, who, {}, properties, about=f"order.updated:{id_}")


def _order_properties(order: Object, id_: str) -> Object:
    return {
        "order_id": id_,
        "order_number": text(order, "ticket_name", "reference_id"),
        "affiliation": text(part(order, "source"), "name"),
        "store_id": text(order, "location_id"),
        "currency": text(part(order, "total_money"), "currency"),
        "total": _money(order, "total_money"),
        "tax": _money(order, "total_tax_money"),
        "discount": _money(order, "total_discount_money"),
        "tip": _money(order, "total_tip_money"),
        "status": text(order, "state"),
        "products": [_line(line) for line in parts(order, "line_items")],
    }


def _line(line: Object) -> Object:
    """A line of an order; one that was typed in has no product, so its own number names it."""
    said = {
        "product_id": text(line, "catalog_object_id") or f"line:{text(line, 'uid')}",
        "name": text(line, "name"),
        "variant": text(line, "variation_name"),
        "price": _money(line, "base_price_money"),
        "quantity": amount(line, "quantity", "/line_items"),
        "discount": _money(line, "total_discount_money") or None,
        "line_id": text(line, "uid"),
    }
    return {key: value for key, value in said.items() if value is not None and value != ""}


def _refund(order: Object, refund: Object, who: Object) -> Told:
    refund_id = needed(refund, "id")
    properties = {
        "order_id": text(order, "id"),
        "refund_id": refund_id,
        "total": _money(refund, "amount_money"),
        "currency": text(part(refund, "amount_money"), "currency"),
        "reason": text(refund, "reason"),
        "store_id": text(refund, "location_id"),
    }
    name = "Order Refunded" if who else own_name(TITLE, REFUNDED)
    return Told(name, moment(refund, "created_at"), who, {}, properties, id=f"{REFUNDED}:{refund_id}")


def _payment(payment: Object) -> Told:
    id_ = needed(payment, "id")
    email = text(payment, "buyer_email_address")
    card = part(part(payment, "card_details"), "card")
    properties = {
        "payment_id": id_,
        "order_id": text(payment, "order_id"),
        "method": text(payment, "source_type").lower(),
        "amount": _money(payment, "total_money"),
        "tip": _money(payment, "tip_money"),
        "currency": text(part(payment, "total_money"), "currency"),
        "store_id": text(payment, "location_id"),
        "associate_id": text(payment, "team_member_id", "employee_id"),
        "till_id": text(part(payment, "device_details"), "device_id"),
        "card_brand": text(card, "card_brand"),
        "receipt_number": text(payment, "receipt_number"),
        "receipt_url": text(payment, "receipt_url"),
    }
    timeline = part(part(payment, "card_details"), "card_payment_timeline")
    taken = moment(timeline, "captured_at") or moment(payment, "created_at")
    who = {**_somebody(text(payment, "customer_id")), **({"email": email} if email else {})}
    return Told("Payment Taken", taken, who, {"email": email}, properties, id=f"{TAKEN}:{id_}")


def _count(count: Object) -> Told:
    item, store = needed(count, "catalog_object_id"), text(count, "location_id")
    state = text(count, "state")
    counted = moment(count, "calculated_at")
    properties = {
        "item_id": item,
        "available": amount(count, "quantity"),
        "store_id": store,
        "state": state,
        "record": count,
    }
    name = STOCK_CHANGED if properties["available"] is not None else ""
    return Told(name, counted, {}, {}, properties, about=f"stock:{item}:{store}:{state}")


def _customer(customer: Object, occurred: int | None) -> Told:
    number = needed(customer, "id")
    address = part(customer, "address")
    said = {
        "street": " ".join(filter(None, (text(address, "address_line_1"), text(address, "address_line_2")))),
        "city": text(address, "locality"),
        "postalCode": text(address, "postal_code"),
        "state": text(address, "administrative_district_level_1"),
        "country": text(address, "country"),
    }
    unsubscribed = part(customer, "preferences").get("email_unsubscribed")
    traits = {
        "email": text(customer, "email_address"),
        "phone": text(customer, "phone_number"),
        "firstName": text(customer, "given_name"),
        "lastName": text(customer, "family_name"),
        "company": text(customer, "company_name"),
        "birthday": text(customer, "birthday"),
        "address": {key: value for key, value in said.items() if value} or None,
        "createdAt": text(customer, "created_at"),
        "isEmailUnsubscribed": unsubscribed,
    }
    who = {**_somebody(number), "email": traits["email"], "phone": traits["phone"]}
    return Told("", occurred, who, traits, {}, "identify", about=f"customer:{number}")


def _loyalty_account(body: Object, id_: str) -> Told:
    account = _object(body, "loyalty_account")
    phone = text(part(account, "mapping"), "phone_number")
    who = {LOYALTY: text(account, "id"), **_somebody(text(account, "customer_id")), "phone": phone}
    traits = {
        "phone": phone,
        "loyaltyBalance": account.get("balance"),
        "loyaltyLifetimePoints": account.get("lifetime_points"),
        "loyaltyEnrolledAt": text(account, "enrolled_at"),
    }
    # Square does not move `updated_at` of an account when its balance changes, so the event's own time counts.
    return Told("", moment(body, "created_at"), who, traits, {}, "identify", id_)


def _loyalty_event(body: Object, id_: str) -> Told:
    event = _object(body, "loyalty_event")
    name, key = _POINTS.get(text(event, "type"), ("", ""))
    who = {LOYALTY: text(event, "loyalty_account_id")}
    points = amount(part(event, key), "points", "/data/object/loyalty_event") if name else None
    if points is None or not who[LOYALTY]:
        return _other("loyalty.event.created", body, id_)
    properties = {
        "points": abs(points),
        "order_id": text(part(event, key), "order_id"),
        "store_id": text(event, "location_id"),
        "reward_id": text(part(event, key), "reward_id"),
    }
    occurred = moment(event, "created_at") or moment(body, "created_at")
    return Told(name, occurred, who, {}, properties, id=id_)


def _gift_card(body: Object, id_: str) -> Told:
    activity = _object(body, "gift_card_activity")
    kind = text(activity, "type")
    name, card = _CARDS.get(kind, ""), text(activity, "gift_card_id")
    if not name or not card:
        return _other("gift_card.activity.created", body, id_)
    details = part(activity, f"{kind.lower()}_activity_details")
    properties = {
        "card_id": card,
        "amount": _money(details, "amount_money"),
        "balance": _money(activity, "gift_card_balance_money"),
        "currency": text(part(activity, "gift_card_balance_money"), "currency"),
        "order_id": text(details, "order_id"),
        "store_id": text(activity, "location_id"),
    }
    occurred = moment(activity, "created_at") or moment(body, "created_at")
    return Told(name, occurred, {}, {}, properties, id=id_)


def _booking(topic: str, body: Object, id_: str) -> Told:
    booking = _object(body, "booking")
    status = text(booking, "status")
    segments = parts(booking, "appointment_segments")
    starts = moment(booking, "start_at")
    minutes = [one["duration_minutes"] for one in segments if one.get("duration_minutes").__class__ is int]
    is_timed = starts is not None and bool(minutes)
    properties = {
        "appointment_id": text(booking, "id"),
        "starts": text(booking, "start_at"),
        "ends": to_iso(starts + sum(minutes) * MINUTE) if is_timed and starts is not None else "",
        "store_id": text(booking, "location_id"),
        "associate_id": text(segments[0], "team_member_id") if segments else "",
        "service_ids": [found for one in segments if (found := text(one, "service_variation_id"))],
        "status": status,
        "note": text(booking, "customer_note"),
    }
    who = _somebody(text(booking, "customer_id"))
    name = own_name(TITLE, topic)
    if who and properties["appointment_id"]:
        if status.startswith(("CANCELLED", "DECLINED")):
            name = "Appointment Cancelled"
        elif topic == "booking.created":
            name = "Appointment Booked"
    occurred = moment(booking, "updated_at") or moment(body, "created_at")
    return Told(name, occurred, who, {}, properties, id=id_)


def _other(topic: str, body: Object, id_: str) -> Told:
    """What the vocabulary has no word for, with everything that it says of its object."""
    data = part(body, "data")
    held = part(data, "object")
    inner = next((value for value in held.values() if isinstance(value, dict)), {})
    who = _somebody(text(inner, "customer_id"), text(part(inner, "primary_recipient"), "customer_id"))
    if topic.startswith("customer."):
        who = _somebody(text(data, "id"))
    if topic.startswith("invoice."):
        recipient = part(inner, "primary_recipient")
        found = {"email": text(recipient, "email_address"), "phone": text(recipient, "phone_number")}
        who = {**who, **{kind: value for kind, value in found.items() if value}}
    store = text(body, "location_id") or text(inner, "location_id")
    occurred = moment(inner, "updated_at") or moment(body, "created_at")
    said = {"object_id": text(data, "id"), "store_id": store, "isDeleted": data.get("deleted"), **held}
    named = {
        "record_id": text(data, "id"),
        "order_id": text(inner, "order_id"),
        "store_id": store,
        "record": held or data,
    }
    return Told(own_name(TITLE, topic), occurred, who, {}, said if who else named, id=id_)


# -- fetching -------------------------------------------------------------------------------------------------------


def changes(api: Api, since: int) -> Iterator[Page]:
    """Payments, whole orders and customers that changed since then (microseconds UTC), of every location."""
    api.headers["Authorization"] = f"Bearer {api.credential}"
    start = to_iso(since)
    locations = [text(one, "id") for one in parts(api.get("/v2/locations").body, "locations")]
    for location in locations:
        yield from _payments(api, location, start)
    order_query = {
        "filter": {"date_time_filter": {"updated_at": {"start_at": start}}},
        "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
    }
    for first in range(0, len(locations), LOCATIONS_MAX):
        some = locations[first : first + LOCATIONS_MAX]
        for orders in _found(api, "orders", {"location_ids": some, "query": order_query}):
            yield [fact for order in orders for fact in _attested(order)]
    for customers in _found(api, "customers", {"query": {"filter": {"updated_at": {"start_at": start}}}}):
        yield [Fact(CUSTOMER_SAVED, customer) for customer in customers]


def _payments(api: Api, location: str, start: str) -> Iterator[Page]:
    query = {
        "location_id": location,
        "updated_at_begin_time": start,
        "sort_field": "UPDATED_AT",
        "sort_order": "ASC",
        "limit": PAGE_ITEMS,
    }
    cursor = ""
    while True:
        body = api.get("/v2/payments", {**query, **({"cursor": cursor} if cursor else {})}).body
        taken = [one for one in parts(body, "payments") if text(one, "status") == "COMPLETED"]
        yield [Fact(TAKEN, {"data": {"object": {"payment": payment}}}) for payment in taken]
        cursor = text(body, "cursor")
        if not cursor:
            return


def _found(api: Api, name: str, question: Object) -> Iterator[list[Object]]:
    """Pages of a search."""
    cursor = ""
    while True:
        asked = {**question, "limit": PAGE_ITEMS, **({"cursor": cursor} if cursor else {})}
        body = api.post(f"/v2/{name}/search", asked).body
        yield parts(body, name)
        cursor = text(body, "cursor")
        if not cursor:
            return


def _attested(order: Object) -> list[Fact]:
    state = text(order, "state")
    topics = [SAVED]
    if state == "COMPLETED" or (state == "OPEN" and parts(order, "fulfillments")):
        topics.append(PLACED)
    if state == "CANCELED":
        topics.append(CANCELLED)
    refunds = [one for one in parts(order, "refunds") if text(one, "status") in ("APPROVED", "COMPLETED")]
    return [
        *(Fact(topic, order) for topic in topics),
        *(Fact(REFUNDED, {"order": order, "refund": refund}) for refund in refunds),
    ]
