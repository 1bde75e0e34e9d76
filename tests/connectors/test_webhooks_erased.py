"""A person who is erased leaves nothing of what shops told about them, and the counts go on adding up."""

from __future__ import annotations

import json
from pathlib import Path

from cauce.app import Platform
from cauce.connectors import shopify, woocommerce
from cauce.connectors.webhooks import Delivery, framed
from cauce.events.erasure import proof
from cauce.model import Source
from cauce.settings import Settings

EMAIL, PHONE = "ana@correo.example", "+34612345678"


def test_nothing_is_left_of_who_is_erased(tmp_path: Path) -> None:
    order = {
        "id": 7, "status": "processing", "currency": "EUR", "total": "27.50", "date_created_gmt": "2026-11-20T10:00:00",
        "date_modified_gmt": "2026-11-20T10:05:00", "date_paid_gmt": "2026-11-20T10:01:00",
        "billing": {"email": EMAIL, "phone": PHONE, "first_name": "Anacleta"},
    }  # fmt: skip
    other = {"id": 8, "email": "luis@correo.example", "updated_at": "2026-11-20T10:00:00Z"}
    broken = {**order, "id": 9, "total": "a lot"}
    with Platform.open(Settings({"data": str(tmp_path / "data")})) as platform:
        platform.sources.add(Source("shop", "web", region="ES"))
        for _ in range(2):  # the second is a duplicate, which goes too
            for body in (order, broken):
                said = Delivery({b"x-wc-webhook-topic": b"order.updated"}, json.dumps(body).encode(), "", 0)
                platform.append("shop", "woocommerce", [framed(woocommerce.facts(said), woocommerce.sender(said))])
            said = Delivery({b"x-shopify-topic": b"customers/update"}, json.dumps(other).encode(), "", 0)
            platform.append("shop", "shopify", [framed(shopify.facts(said))])
        platform.drain()
        platform.search.refresh()
        before = platform.status()["totals"]
        assert before["duplicate"]
        assert before["quarantined"]
        platform.decide("person.erased", {"identifiers": [f"email:{EMAIL}", f"phone:{PHONE}"]}, by="tests")
        totals = platform.status()["totals"]
        assert platform.status()["adds_up"]
        assert totals["received"] == before["received"]
        assert platform.people.find("email", "luis@correo.example")
        assert not platform.people.find("email", EMAIL)
        report = platform.replay()
        assert report.equal, "a replay of what is left gives the same state"
    assert not proof(tmp_path / "data", [EMAIL, PHONE, "Anacleta"])
