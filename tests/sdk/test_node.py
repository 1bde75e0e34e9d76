"""The Node SDK against a real `cauce up`."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.sdk.seen import CLOCKS_DIFFER_SECONDS, ids, names, properties_of, seconds

pytestmark = pytest.mark.sdk


def send(node, url, key, calls):
    done = subprocess.run(
        [node, Path(__file__).with_name("node.mjs"), url, key],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_kind_of_call_arrives_once_with_the_right_person(running_cauce, node, packages):
    earlier = datetime.now(UTC) - timedelta(days=2)
    product = {"sku": "J-38", "price": 59.9, "sizes": ["M", "L"], "gift": True, "note": "Señora Núñez ☂"}
    calls = [
        (
            "track",
            {
                "anonymousId": "web-1",
                "event": "Product Viewed",
                "properties": product,
                "timestamp": earlier.isoformat(),
            },
        ),
        ("page", {"anonymousId": "web-1", "name": "Home", "properties": {"path": "/"}}),
        ("screen", {"anonymousId": "web-1", "name": "Start"}),
        ("identify", {"userId": "ana", "anonymousId": "web-1", "traits": {"email": "ana@shop.example"}}),
        ("group", {"userId": "ana", "groupId": "family-1", "traits": {"name": "Núñez"}}),
        ("alias", {"userId": "ana", "previousId": "ana"}),
        ("track", {"userId": "bea", "event": "Order Completed", "properties": {"order_id": "o-1", "total": 20.5}}),
    ]
    send(node, running_cauce.url, running_cauce.key("server", "server"), calls)

    events = running_cauce.wait_for_events(len(calls))
    assert names(events) == {
        ("track", "Product Viewed"): 1,
        ("page", "/"): 1,
        ("screen", "Start"): 1,
        ("identify", ""): 1,
        ("group", ""): 1,
        ("alias", ""): 1,
        ("track", "Order Completed"): 1,
    }
    assert max(ids(events).values()) == 1
    viewed = next(event for event in events if event["name"] == "Product Viewed")
    assert properties_of(viewed) == product
    assert abs(seconds(viewed["occurred"]) - earlier.timestamp()) < CLOCKS_DIFFER_SECONDS
    ana = running_cauce.person("user_id", "ana")
    assert (
        ana["id"] == running_cauce.person("anonymous_id", "web-1")["id"] != running_cauce.person("user_id", "bea")["id"]
    )
    assert len(running_cauce.timeline("email", "ana@shop.example")) == len(calls) - 1


def test_many_calls_in_many_batches_arrive_once(running_cauce, node, packages):
    calls = [
        ("track", {"userId": f"u-{number % 40}", "event": "Product Viewed", "properties": {"number": number}})
        for number in range(500)
    ]
    send(node, running_cauce.url, running_cauce.key("server", "server"), calls)
    events = running_cauce.wait_for_events(500)
    assert sorted(properties_of(event)["number"] for event in events) == list(range(500))
