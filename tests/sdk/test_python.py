"""The Python SDKs that shops run on their servers, against a real `cauce up`."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta

import pytest

from tests.sdk.seen import CLOCKS_DIFFER_SECONDS, ids, names, properties_of, seconds

pytestmark = pytest.mark.sdk


def client_of(name, url, key, **options):
    """A client of that SDK, with all of its errors in `client.faults`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDKs' own imports are old
        if name == "segment":
            from segment.analytics.client import Client  # noqa: PLC0415 its import warns
        else:
            from rudderstack.analytics.client import Client  # noqa: PLC0415 its import warns
    faults = []
    client = Client(key, host=url, on_error=lambda error, _items: faults.append(error), **options)
    client.faults = faults
    return client


@pytest.fixture(params=["segment", "rudder"])
def sdk(request):
    return request.param


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_every_kind_of_call_arrives_once_with_the_right_person(running_cauce, sdk, gzip):
    client = client_of(sdk, running_cauce.url, running_cauce.key("server", "server"), gzip=gzip)
    earlier = datetime.now(UTC) - timedelta(days=3)
    product = {"sku": "J-38", "price": 59.9, "sizes": ["M", "L"], "gift": True, "note": "Señora Núñez ☂"}
    client.track(anonymous_id="web-1", event="Product Viewed", properties=product, timestamp=earlier)
    client.page(anonymous_id="web-1", category="Docs", name="Home", properties={"path": "/"})
    client.screen(anonymous_id="web-1", category="Docs", name="Start")
    client.identify(user_id="ana", anonymous_id="web-1", traits={"email": "ana@shop.example", "firstName": "Ana"})
    client.group(user_id="ana", group_id="family-1", traits={"name": "Núñez"})
    client.track(user_id="bea", event="Order Completed", properties={"order_id": "o-1", "total": 20.5})
    client.shutdown()
    assert client.faults == []

    events = running_cauce.wait_for_events(6)
    assert names(events) == {
        ("track", "Product Viewed"): 1,
        ("page", "/"): 1,
        ("screen", "Start"): 1,
        ("identify", ""): 1,
        ("group", ""): 1,
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
    assert names(running_cauce.timeline("email", "ana@shop.example")) == {
        ("track", "Product Viewed"): 1,
        ("page", "/"): 1,
        ("screen", "Start"): 1,
        ("identify", ""): 1,
        ("group", ""): 1,
    }


def test_an_alias_joins_a_visitor_to_a_customer(running_cauce, sdk):
    client = client_of(sdk, running_cauce.url, running_cauce.key("server", "server"))
    client.alias(previous_id="visitor-9", user_id="carla")
    client.identify(user_id="carla", traits={"email": "carla@shop.example"})
    client.shutdown()
    assert client.faults == []
    events = running_cauce.wait_for_events(2)
    assert names(events) == {("alias", ""): 1, ("identify", ""): 1}
    assert running_cauce.person("user_id", "carla")["id"] == running_cauce.person("email", "carla@shop.example")["id"]


def test_many_calls_in_many_batches_arrive_once(running_cauce, sdk):
    client = client_of(sdk, running_cauce.url, running_cauce.key("server", "server"), gzip=True)
    for number in range(1_000):
        client.track(user_id=f"u-{number % 40}", event="Product Viewed", properties={"number": number})
    client.shutdown()
    assert client.faults == []
    events = running_cauce.wait_for_events(1_000)
    assert sorted(properties_of(event)["number"] for event in events) == list(range(1_000))
    assert len(running_cauce.timeline("user_id", "u-7")) == 25


def test_calls_outlive_a_crash_of_cauce(running_cauce, sdk):
    """kill −9 while a client sends: it tries again, and every call is stored once."""
    key = running_cauce.key("server", "server")
    client = client_of(sdk, running_cauce.url, key, upload_size=10, max_retries=20)
    for number in range(300):
        client.track(user_id="u-1", event="Product Viewed", properties={"number": number})
        if number in (100, 200):
            running_cauce.kill()
            running_cauce.start()
    client.shutdown()
    assert client.faults == []
    events = running_cauce.wait_for_events(300)
    assert sorted(properties_of(event)["number"] for event in events) == list(range(300))
