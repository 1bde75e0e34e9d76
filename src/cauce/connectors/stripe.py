"""Stripe: webhooks signed over their time and body, and a poll of the events that Stripe keeps for thirty days.

Events come in any order and are known by their own id, by webhook and by poll alike. Amounts are in the smallest unit
of their currency as Stripe counts it. `charge.refunded` brings the sum of all refunds so far: what this one paid back
is the difference to the sum before it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cauce.connectors.polling import Api, Page
from cauce.connectors.webhooks import (
    EXPONENTS,
    Delivery,
    Fact,
    Object,
    Told,
    decode_with,
    major,
    matches,
    moment,
    needed,
    own_name,
    part,
    parts,
    text,
)
from cauce.model import DAY, SECOND, Received, Record, Source

NAME = "stripe"
TITLE = "Stripe"
API_URL = "https://api.stripe.com"
CUSTOMER = "stripe_customer"
TOLERANCE_SECONDS = 300
SIGNATURES_MAX = 16
PAGE_ITEMS = 100
EVENT_DAYS = 30
"""How long Stripe keeps its events."""
STRIPE_EXPONENTS = {**EXPONENTS, "MGA": 0, "ISK": 2, "UGX": 2}
"""Where Stripe departs from ISO 4217: ariary without decimals; króna and shilling keep two that are always 00."""
PEOPLE = frozenset(
    ("charge", "checkout.session", "customer", "invoice", "payment_intent", "payment_method", "setup_intent", "quote")
)
"""Objects whose e-mail address is a customer's; that of an account or a person is the merchant's own."""
_STAMP = re.compile(r"\d{1,12}")


# -- at the door ----------------------------------------------------------------------------------------------------


def verify(delivery: Delivery, secrets: Sequence[bytes]) -> bool:
    """Whether the header has a hex HMAC-SHA256 (`v1`, of which there may be several) of `time.body` with a secret.

    A time that is more than five minutes away is refused: the signature may be old and recorded.
    """
    said = [pair.strip().partition("=") for pair in delivery.header_whole("stripe-signature").split(",")]
    stamps = [value for name, _, value in said if name == "t"]
    if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]):
        return False
    if abs(delivery.now - int(stamps[0]) * SECOND) > TOLERANCE_SECONDS * SECOND:
        return False
    content = stamps[0].encode() + b"." + delivery.body
    expected = [hmac.digest(secret, content, "sha256").hex().encode() for secret in secrets]
    given = [value for name, _, value in said if name == "v1"][:SIGNATURES_MAX]
    found = False
    for one in given:
        found |= matches(one, expected)
    return found


def facts(delivery: Delivery) -> list[Fact]:
    """What a delivery attests: its event, whose type stands in the signed body."""
    return [Fact(text(msgspec.json.decode(delivery.body), "type"), delivery.body)]


# -- in the river ---------------------------------------------------------------------------------------------------


def decode(record: Record, source: Source) -> list[Received]:
    """Facts of a record in order, each as an event or with the reason why it is none; pure, never raises."""
    return decode_with(_read, NAME, record, source)


def _read(topic: str, body: Object, _source: Source) -> Told:
    id_ = needed(body, "id")
    held = part(part(body, "data"), "object")
    who, traits = _who(held)
    occurred = moment(body, "created")
    if topic in ("customer.created", "customer.updated"):
        return Told("", occurred, who, _customer(held, traits), {}, "identify", id_)
    if topic == "checkout.session.completed" and text(held, "mode") != "setup":
        properties = _session(held)
        if not who:
            properties = {"receipt_id": properties["order_id"], **properties}
        return Told("Order Completed" if who else "Receipt Issued", occurred, who, traits, properties, id=id_)
    if topic == "payment_intent.succeeded":
        return Told("Payment Taken", occurred, who, traits, _payment(held), id=id_)
    if topic == "charge.refunded" and who:
        before = part(part(body, "data"), "previous_attributes").get("amount_refunded")
        return Told("Order Refunded", occurred, who, traits, _refund(held, before), id=id_)
    said = {key: value for key, value in held.items() if key != "client_secret"}
    named = {"record_id": text(held, "id"), "order_id": text(part(held, "metadata"), "order_id"), "record": said}
    return Told(own_name(TITLE, topic), occurred, who, traits, said if who else named, id=id_)


def _who(held: Object) -> tuple[Object, Object]:
    """Identifiers and traits of the customer whom an object names."""
    kind = text(held, "object")
    if kind not in PEOPLE:
        customer = _id_of(held, "customer")
        return ({CUSTOMER: customer} if customer else {}), {}
    customer = text(held, "id") if kind == "customer" else _id_of(held, "customer")
    places = [held, part(held, "customer_details"), part(held, "billing_details")]
    email = next((found for one in places if (found := text(one, "email", "customer_email", "receipt_email"))), "")
    phone = next((found for one in places if (found := text(one, "phone", "customer_phone"))), "")
    name = next((found for one in places if (found := text(one, "name", "customer_name"))), "")
    who = {kind_: value for kind_, value in ((CUSTOMER, customer), ("email", email), ("phone", phone)) if value}
    return who, {"email": email, "phone": phone, "name": name}


def _id_of(held: Object, key: str) -> str:
    """The id of an object that is named, or stands there whole."""
    value = held.get(key)
    return text(value, "id") if isinstance(value, dict) else text(held, key)


def _customer(held: Object, traits: Object) -> Object:
    address = part(held, "address")
    said = {
        "street": " ".join(filter(None, (text(address, "line1"), text(address, "line2")))),
        "city": text(address, "city"),
        "postalCode": text(address, "postal_code"),
        "state": text(address, "state"),
        "country": text(address, "country"),
    }
    found = {key: value for key, value in said.items() if value}
    return {**traits, "address": found or None, "description": text(held, "description")}


def _session(held: Object) -> Object:
    """A finished checkout. What was bought is no part of the event; the shop's own number of the order may be."""
    currency = text(held, "currency").upper()
    details = part(held, "total_details")
    return {
        "order_id": text(part(held, "metadata"), "order_id") or text(held, "id"),
        "checkout_id": text(held, "id"),
        "reference": text(held, "client_reference_id"),
        "payment_id": _id_of(held, "payment_intent"),
        "subtotal": major(held.get("amount_subtotal"), currency, STRIPE_EXPONENTS),
        "total": major(held.get("amount_total"), currency, STRIPE_EXPONENTS),
        "tax": major(details.get("amount_tax"), currency, STRIPE_EXPONENTS),
        "shipping": major(details.get("amount_shipping"), currency, STRIPE_EXPONENTS),
        "discount": major(details.get("amount_discount"), currency, STRIPE_EXPONENTS),
        "currency": currency,
        "payment_status": text(held, "payment_status"),
        "mode": text(held, "mode"),
        "is_test": None if held.get("livemode") else True,
    }


def _payment(held: Object) -> Object:
    currency = text(held, "currency").upper()
    methods = held.get("payment_method_types")
    received = held.get("amount_received")
    return {
        "payment_id": text(held, "id"),
        "order_id": text(part(held, "metadata"), "order_id"),
        "method": methods[0] if isinstance(methods, list) and methods and isinstance(methods[0], str) else "",
        "amount": major(held.get("amount") if received is None else received, currency, STRIPE_EXPONENTS),
        "currency": currency,
        "description": text(held, "description"),
        "is_test": None if held.get("livemode") else True,
    }


def _refund(held: Object, before: Any) -> Object:
    """What one refund of a charge paid back: the sum of all so far without that of those `before`."""
    currency = text(held, "currency").upper()
    so_far = held.get("amount_refunded")
    paid_back = so_far - before if so_far.__class__ is int and before.__class__ is int else so_far
    return {
        "order_id": text(part(held, "metadata"), "order_id") or _id_of(held, "payment_intent") or text(held, "id"),
        "payment_id": _id_of(held, "payment_intent"),
        "charge_id": text(held, "id"),
        "total": major(paid_back, currency, STRIPE_EXPONENTS),
        "refunded_so_far": major(so_far, currency, STRIPE_EXPONENTS),
        "currency": currency,
        "is_whole": held.get("refunded"),
        "is_test": None if held.get("livemode") else True,
    }


# -- fetching -------------------------------------------------------------------------------------------------------


def changes(api: Api, since: int) -> Iterator[Page]:
    """Events since then (microseconds UTC), as far back as Stripe keeps them, newest first, page by page."""
    api.headers["Authorization"] = f"Bearer {api.credential}"
    start = max(since, api.now - EVENT_DAYS * DAY) // SECOND
    last = ""
    while True:
        query = {"created[gte]": start, "limit": PAGE_ITEMS, **({"starting_after": last} if last else {})}
        body = api.get("/v1/events", query).body
        events = parts(body, "data")
        yield [Fact(text(event, "type"), event) for event in events]
        last = text(events[-1], "id") if events else ""
        if not last or not (isinstance(body, dict) and body.get("has_more")):
            return
