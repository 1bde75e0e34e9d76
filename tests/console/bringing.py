"""Somebody who has bought something: an order that was collected, and a till's receipt that the river tells of."""

from __future__ import annotations

import json

from cauce.app import Platform
from cauce.commerce.fulfilment import api
from cauce.commerce.orders.api import NewLine, PlaceOrder
from cauce.http.api.fulfilment import counter_of
from cauce.model import Source
from cauce.model.time import to_iso
from tests.console import desk

ANA, PHONE, CARD = "ana@tienda.es", "+34612345678", "2980001112223"
RECEIPT = "MAD-2-00017"


def furnish(platform: Platform) -> str:
    """Two coats and a scarf collected by Ana, whose number is given; boots and a blanket of hers from a till."""
    desk.furnish(platform)
    platform.sources.add(Source("store", "store"))
    products = [
        {"sku": "ZAP-1", "name": "Bota Duna negra, 39", "quantity": 2, "price": 49.95},
        {"sku": "HOG-1", "name": "Manta de lana", "quantity": 1, "price": 30},
    ]
    who = {
        "context": {
            "externalIds": [{"id": CARD, "type": "loyalty", "collection": "users", "encoding": "none"}],
            "traits": {"email": ANA, "phone": PHONE},
        },
        "timestamp": to_iso(platform.commerce.now - 3_600_000_000),
    }
    properties = {"receipt_id": RECEIPT, "store_id": "MAD", "total": 129.9, "currency": "EUR", "products": products}
    receipt = {"type": "track", "event": "Receipt Issued", "messageId": "m1", "properties": properties, **who}
    known = {"type": "identify", "messageId": "m2", "traits": {"email": ANA, "phone": PHONE}, **who}
    platform.append("store", "tracking", [json.dumps({"batch": [known, receipt]}).encode()])
    platform.drain()
    return _collected(platform)


def _collected(platform: Platform) -> str:
    order = PlaceOrder(
        lines=(
            NewLine(sku="ABR-1", amount=2_000, price=9_995, name="Abrigo Ribera camel"),
            NewLine(sku="ACC-1", amount=1_000, price=1_995, name="Bufanda Almena gris"),
        ),
        currency="EUR",
        kind="pick_up",
        place="MAD",
        channel="web",
        pays_first=False,
        owners=(f"email:{ANA}",),
        contact=(("name", "Ana Ruiz"),),
    )
    number = str(platform.commerce.do(api.PlaceSourced(order=order)).order.number)
    desk.picked(platform, number)
    counter = counter_of(platform)
    counter.ready(number, by="tests")
    counter.hand_over("MAD", by="tests", code=desk.code_of(platform, number))
    return number
