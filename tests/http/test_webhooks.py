"""Webhooks at a real door: what is signed is durable and answered, what is not leaves nothing."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from cauce.connectors import shopify, square, stripe, woocommerce
from cauce.connectors.reading import open_body
from cauce.model import Record, Source
from tests.connectors.signing import PUBLIC_URL, headers_of
from tests.http.serving import SmallPlatform, serving
from tests.running import http_client

CONNECTORS = {module.NAME: module for module in (shopify, woocommerce, square, stripe)}
SECRETS = {name: f"{name}-secret-0123456789" for name in CONNECTORS}
REQUEST_BYTES_MAX = 100_000
BODIES: dict[str, tuple[str, Any]] = {
    "shopify": ("orders/create", {"id": 7, "email": "ana@tienda.es", "line_items": []}),
    "woocommerce": ("customer.updated", {"id": 7, "email": "ana@tienda.es"}),
    "square": ("", {"type": "customer.updated", "event_id": "e1", "data": {"object": {"customer": {"id": "C1"}}}}),
    "stripe": ("", {"id": "evt_1", "type": "customer.updated", "data": {"object": {"object": "customer", "id": "c"}}}),
}


class Shop:
    """A served platform with a source that every sender knows, and a client."""

    def __init__(self, platform: SmallPlatform, client: httpx.Client) -> None:
        self.platform, self.client = platform, client

    def send(self, connector: str, body: bytes | None = None, **changed: Any) -> httpx.Response:
        topic, sample = BODIES[connector]
        raw = json.dumps(sample).encode() if body is None else body
        secret = changed.get("secret", SECRETS[connector])
        headers = headers_of(connector, secret, raw, topic=topic, timestamp=int(time.time()))
        headers = {**headers, **changed.get("headers", {})}
        path = changed.get("path", f"/v1/channels/{connector}/shop")
        return self.client.post(path, content=changed.get("sent", raw), headers=headers)

    def refused(self, *arguments: Any, **changed: Any) -> httpx.Response:
        """An answer after which nothing new is kept."""
        before = self.platform.log.end()
        answer = self.send(*arguments, **changed)
        assert self.platform.log.end() == before
        return answer

    def last(self) -> Record:
        (record,) = self.platform.log.read(self.platform.log.end() - 1, records_max=1, bytes_max=2**30)
        return record


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    platform = SmallPlatform(tmp_path_factory.mktemp("shop"), request_bytes_max=REQUEST_BYTES_MAX)
    platform.sources.add(Source("shop", "web"))
    for connector, secret in SECRETS.items():
        platform.sources.connections.add_secret("shop", connector, secret, by="tests")
    platform.sources.connections.connect("shop", "square", public_url=PUBLIC_URL)
    with serving(platform) as url, http_client(url) as client:
        yield Shop(platform, client)
    platform.close()


@pytest.mark.parametrize("connector", CONNECTORS)
def test_what_is_signed_is_durable_word_for_word(shop: Shop, connector: str) -> None:
    raw = json.dumps(BODIES[connector][1], indent=1).encode()
    answer = shop.send(connector, raw)
    assert (answer.status_code, answer.content) == (200, b'{"success":true}'), answer.text
    record = shop.last()
    assert (record.source, record.connector) == ("shop", connector)
    assert raw in open_body(record.body)
    (item,) = CONNECTORS[connector].decode(record, shop.platform.sources.get("shop"))
    assert item.event is not None, item.reasons


@pytest.mark.parametrize("connector", CONNECTORS)
def test_what_is_not_signed_leaves_nothing(shop: Shop, connector: str) -> None:
    raw = json.dumps(BODIES[connector][1]).encode()
    tampered = raw.replace(b"{", b"{ ", 1)
    for changed in (
        {"secret": "another-secret-0123456789"},
        {"sent": tampered},
        {"path": f"/v1/channels/{connector}/web"},
        {"path": f"/v1/channels/{connector}/nobody"},
        {"path": f"/v1/channels/{connector}/shop%00"},
        {"headers": dict.fromkeys(headers_of(connector, "", b""), "")},
    ):
        answer = shop.refused(connector, **changed)
        assert answer.status_code == 401, changed
        assert answer.json()["code"] == "unauthorised"
        assert "nobody" not in answer.text, "which sources there are is nobody's business"


def test_a_write_key_does_not_open_a_signed_channel(shop: Shop) -> None:
    before = shop.platform.log.end()
    for connector in CONNECTORS:
        for path in (f"/v1/channels/{connector}", f"/v1/channels/{connector}:orders/create"):
            answer = shop.client.post(path, json={"batch": []}, auth=(shop.platform.key, ""))
            assert answer.status_code in (401, 404), path
        answer = shop.client.post(f"/v1/channels/{connector}/shop", json={}, auth=(shop.platform.key, ""))
        assert answer.status_code == 401
    assert shop.platform.log.end() == before
    answer = shop.client.post("/v1/channels/shopify", json={}, auth=(shop.platform.key, ""))
    assert "/v1/channels/shopify/SOURCE" in answer.json()["message"]


def test_a_secret_opens_its_own_system_only(shop: Shop) -> None:
    """Shopify and WooCommerce sign alike: what one signed is not taken for the other's."""
    assert shop.refused("woocommerce", secret=SECRETS["shopify"]).status_code == 401


def test_old_signature_of_stripe(shop: Shop) -> None:
    raw = json.dumps(BODIES["stripe"][1]).encode()
    old = headers_of("stripe", SECRETS["stripe"], raw, timestamp=int(time.time()) - 3_600)
    assert shop.refused("stripe", raw, headers=old).status_code == 401


def test_headers_say_nothing_about_the_url_of_square(shop: Shop) -> None:
    raw = json.dumps(BODIES["square"][1]).encode()
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Host": "evil.example"}
    assert shop.send("square", raw, headers=forwarded).status_code == 200
    shop.platform.sources.connections.connect("shop", "square", public_url="https://other.example.com/v1")
    try:
        assert shop.refused("square").status_code == 401
    finally:
        shop.platform.sources.connections.connect("shop", "square", public_url=PUBLIC_URL)


def test_ping_of_woocommerce_is_answered_and_no_event(shop: Shop) -> None:
    before = shop.platform.log.end()
    for source in ("shop", "nobody"):
        answer = shop.client.post(f"/v1/channels/woocommerce/{source}", data={"webhook_id": "17"})
        assert answer.status_code == 200
    assert shop.client.post("/v1/channels/shopify/shop", data={"webhook_id": "17"}).status_code == 401
    assert shop.platform.log.end() == before


def test_bounds_and_what_is_no_json(shop: Shop) -> None:
    assert shop.refused("shopify", b'{"a":"' + b"x" * REQUEST_BYTES_MAX + b'"}').status_code == 413
    assert shop.refused("shopify", b"not json").status_code == 400
    assert shop.refused("shopify", b"").status_code == 400
    big = json.dumps({"id": 1, "line_items": [], "note": "x" * 90_000}).encode()
    assert shop.send("shopify", big).status_code == 200, "a big one is checked beside the loop"
    assert shop.refused("shopify", big, secret="another-secret-0123456789").status_code == 401


def test_what_is_json_in_shape_is_kept_with_its_reason(shop: Shop) -> None:
    huge = b'{"id":1,"refunds":[{"id":1' + b"0" * 30 + b"}]}"
    for raw in (huge, b'{"id":1,"total_price":NaN}', b'{"id":1,"note":"\xff"}', b"[1,2]", b'"text"', b"{}"):
        assert shop.send("shopify", raw).status_code == 200, raw
        (item,) = shopify.decode(shop.last(), shop.platform.sources.get("shop"))
        assert item.event is None
        assert item.reasons


def test_secrets_rotate_without_a_gap(shop: Shop) -> None:
    connections = shop.platform.sources.connections
    fresh = "fresh-secret-0123456789"
    found = connections.add_secret("shop", "shopify", fresh, by="tests")
    assert shop.send("shopify", secret=fresh).status_code == 200
    assert shop.send("shopify").status_code == 200
    connections.revoke_secret("shop", found.hint, by="tests")
    assert shop.refused("shopify", secret=fresh).status_code == 401
    assert shop.send("shopify").status_code == 200


def test_a_source_that_is_switched_off_is_closed(shop: Shop) -> None:
    shop.platform.sources.disable("shop")
    try:
        assert shop.refused("shopify").status_code == 401
    finally:
        shop.platform.sources.enable("shop")
    assert shop.send("shopify").status_code == 200


def test_a_get_is_refused_and_the_path_is_counted_as_a_channel(shop: Shop) -> None:
    assert shop.client.get("/v1/channels/shopify/shop").status_code == 405
    assert 'path="channel"' in shop.client.get("/metrics").text


def test_nothing_of_a_secret_is_logged(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        shop.send("shopify")
        shop.send("stripe", secret="another-secret-0123456789")
    said = " ".join(record.getMessage() for record in caplog.records)
    assert not any(secret in said for secret in (*SECRETS.values(), "another-secret"))


def test_a_delivery_is_framed_with_what_its_headers_told(shop: Shop) -> None:
    traced = {"X-Shopify-Webhook-Id": "w1", "X-Shopify-Event-Id": "e1", "X-Shopify-Shop-Domain": "a.myshopify.com"}
    assert shop.send("shopify", headers=traced).status_code == 200
    (item,) = msgspec.json.decode(open_body(shop.last().body))["batch"]
    assert item["sender"] == {"shop": "a.myshopify.com", "webhook_id": "w1", "event_id": "e1"}
