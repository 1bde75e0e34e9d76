"""Requests recorded from real clients arrive as the events that these clients meant."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cauce.model import Event, Record, from_iso
from tests.http.serving import DECODERS, SmallPlatform, serving
from tests.reference import SHARED, shared
from tests.running import http_client

pytestmark = pytest.mark.reference

FOLDER = SHARED / "captures"
NAMES = sorted(
    str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.json") if path.name != "ecommerce_v2_properties.json"
) or ["none"]  # fmt: skip
HOP = {"host", "content-length", "connection", "authorization", "accept-encoding"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallPlatform, httpx.Client]]:
    platform = SmallPlatform(tmp_path_factory.mktemp("captures"))
    with serving(platform) as url, http_client(url) as client:
        yield platform, client
    platform.close()


def requests_of(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((shared("captures") / name).read_text())
    return found


def sent(request: dict[str, Any], key: str, client: httpx.Client) -> httpx.Response:
    """The request as recorded, with a key of ours in the place of theirs."""
    headers = {name: value for name, value in request["headers"] if name.lower() not in HOP}
    if request["basic_auth_decoded"] is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
    path = request["path"].replace("WKtestWKtestWKtestWKtestWKt", key).replace("/projects/WK/", f"/projects/{key}/")
    body = request["body"]
    content = b""
    if body is not None:
        if "api_key" in body:
            body = {**body, "api_key": key}
        content = json.dumps(body).encode()
        content = gzip.compress(content) if request["gzip_magic"] else content
    return client.request(request["method"], path, headers=headers, content=content)


def calls_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    batch: list[dict[str, Any]] | None = body.get("batch")
    return [body] if batch is None else batch


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_request_is_answered_and_every_event_arrives(
    served: tuple[SmallPlatform, httpx.Client], name: str
) -> None:
    platform, client = served
    for request in requests_of(name):
        before = platform.log.end()
        answer = sent(request, platform.key, client)
        assert answer.status_code == 200
        if request["method"] != "POST":
            assert platform.log.end() == before
            if request["method"] == "OPTIONS":
                asked = dict(request["headers"]).get("Access-Control-Request-Headers")
                assert answer.headers["access-control-allow-headers"] == asked
            continue
        assert answer.content == b'{"success":true}'
        (record,) = platform.log.get([before + 1])
        calls = calls_of(request["body"])
        events = events_of(platform, record)
        assert len(events) == len(calls)
        for call, event in zip(calls, events, strict=True):
            check = check_posthog if record.connector == "posthog" else check_tracking
            check(call, event, request["body"])


def events_of(platform: SmallPlatform, record: Record) -> list[Event]:
    decoder = DECODERS[record.connector.partition(":")[0]]
    items = decoder.decode(record, platform.sources.get(record.source))
    assert all(item.event is not None for item in items), items
    return [item.event for item in items if item.event is not None]


def check_tracking(call: dict[str, Any], event: Event, body: dict[str, Any]) -> None:
    assert (event.id, event.type) == (call["messageId"], call["type"])
    assert event.name == (call.get("event") or (call.get("name") if call["type"] in ("page", "screen") else "") or "")
    expected = {
        ("user_id", call.get("userId")),
        ("anonymous_id", call.get("anonymousId")),
        ("anonymous_id", call.get("previousId") if call.get("previousId") != call.get("userId") else None),
    }
    if call["type"] == "identify":
        traits = call.get("traits") or call["context"]["traits"]
        assert event.traits == traits
        expected.add(("email", traits["email"]))
    elif (call["context"].get("traits") or {}).get("email"):
        expected.add(("email", call["context"]["traits"]["email"]))
    assert set(event.identifiers) == {(kind, value) for kind, value in expected if value}
    assert len(set(event.identifiers)) == len(event.identifiers)
    sent_at = call.get("sentAt") or body["sentAt"]
    original = call.get("originalTimestamp") or call["timestamp"]
    assert event.occurred == event.received - (from_iso(sent_at) - from_iso(original))
    if call["type"] == "group":
        assert event.properties["groupId"] == call["groupId"]
    elif "properties" in call:
        assert call["properties"].items() <= event.properties.items()


def check_posthog(call: dict[str, Any], event: Event, body: dict[str, Any]) -> None:
    assert event.id == call["uuid"]
    kinds = dict(event.identifiers)
    if call["event"] == "$create_alias":
        assert kinds == {"user_id": "u1", "anonymous_id": "anon-1"}
    elif call["event"] != "$groupidentify":
        assert kinds["user_id"] == "u1"
    if call["event"] == "Order Completed":
        assert (event.type, event.name, event.properties["total"]) == ("track", "Order Completed", 27.5)
    assert event.occurred == event.received - (from_iso(body["sent_at"]) - from_iso(call["timestamp"]))


def test_retries_bring_the_same_ids(tmp_path: Path) -> None:
    platform = SmallPlatform(tmp_path)
    with serving(platform) as url, http_client(url) as client:
        for request in requests_of("segment-analytics-python-2.4.0-retry-500-429.json"):
            sent(request, platform.key, client)
    ids = [item.event.id for item in platform.items() if item.event]
    assert len(ids) == 21
    assert len(set(ids)) == 7
    platform.close()
