"""The browser SDKs in a real Chromium, on a shop's pages: across page loads, log-in and log-out."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager

import pytest

from tests.sdk.seen import identifiers, ids, name_of, names, properties_of, seconds
from tests.sdk.shop import open_shop

pytestmark = [pytest.mark.sdk, pytest.mark.browser]

# Until this holds, calls are kept in the page's memory; a visitor who leaves earlier was never counted by any server.
READY = {
    "segment": "window.analytics && window.analytics.initialized === true",
    "rudder": "window.ready === true",
}
FORGET_ALL = {"segment": "analytics.reset()", "rudder": "analytics.reset(true)"}


class Visitor:
    """One browser profile that walks through the shop; counts what its pages sent and got an answer to."""

    def __init__(self, browser, shop, sdk, cauce_url):
        self.sdk = sdk
        self.shop = shop
        self.answered = 0
        self.called = 0
        self.faults = []
        self.context = browser.new_context(locale="es-ES")
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfinished", lambda request: self._count(request, cauce_url))

    def _count(self, request, cauce_url):
        self.answered += request.method == "POST" and request.url.startswith(cauce_url)

    def open(self, path):
        """Opens a page, which makes one page call, and waits until the SDK works."""
        self.page.goto(f"{self.shop}/{self.sdk}/{path}")
        self.called += 1
        self.page.wait_for_function(READY[self.sdk])

    def call(self, method, *arguments):
        self.page.evaluate(f"analytics.{method}({', '.join(map(json.dumps, arguments))})")
        self.called += 1

    def forget(self, how):
        self.page.evaluate(how)

    def settle(self):
        """Returns when everything that was called has been answered."""
        end = time.monotonic() + 30
        while self.answered < self.called:
            assert time.monotonic() < end, f"{self.called} calls, {self.answered} answers"
            self.page.wait_for_timeout(20)


@contextmanager
def visiting(cauce, browser, sdk):
    with open_shop(cauce.url, cauce.key("shop")) as shop:
        visitor = Visitor(browser, shop, sdk, cauce.url)
        try:
            yield visitor
        finally:
            visitor.context.close()
    assert visitor.faults == []


@pytest.fixture(params=["segment", "rudder"])
def sdk(request):
    return request.param


def anonymous_ids(events):
    return {value for event in events for value in identifiers(event, "anonymous_id")}


def test_two_customers_share_a_browser_and_stay_two_people(running_cauce, browser, sdk):
    started = time.time()
    with visiting(running_cauce, browser, sdk) as visitor:
        visitor.open("catalogue?utm_source=news&utm_campaign=c1&gclid=G1")
        visitor.call("track", "Product Viewed", {"sku": "J-38", "price": 59.9, "note": "Señora Núñez ☂"})
        visitor.settle()
        visitor.open("login")
        visitor.call("identify", "ana", {"email": "ana@shop.example", "firstName": "Ana"})
        visitor.call("track", "Order Completed", {"order_id": "o-1", "total": 59.9})
        visitor.settle()
        visitor.open("account")
        visitor.settle()
        visitor.forget(FORGET_ALL[sdk])
        visitor.call("track", "Product Shared", {"sku": "J-39"})
        visitor.settle()
        visitor.open("login-again")
        visitor.settle()
        visitor.call("identify", "bea", {"email": "bea@shop.example", "firstName": "Bea"})
        visitor.call("group", "family-1", {"name": "Núñez"})
        visitor.settle()
        visitor.open("goodbye")
        visitor.settle()
        called = visitor.called

    events = running_cauce.wait_for_events(called)
    anas = {
        ("page", f"/{sdk}/catalogue"): 1,
        ("track", "Product Viewed"): 1,
        ("page", f"/{sdk}/login"): 1,
        ("identify", ""): 1,
        ("track", "Order Completed"): 1,
        ("page", f"/{sdk}/account"): 1,
    }
    beas = {
        ("track", "Product Shared"): 1,
        ("page", f"/{sdk}/login-again"): 1,
        ("identify", ""): 1,
        ("group", ""): 1,
        ("page", f"/{sdk}/goodbye"): 1,
    }
    assert names(running_cauce.timeline("email", "ana@shop.example")) == anas
    assert names(running_cauce.timeline("email", "bea@shop.example")) == beas
    assert sum(names(events).values()) == called == sum(anas.values()) + sum(beas.values())
    assert max(ids(events).values()) == 1

    by_name = {name_of(event): event for event in events}
    assert properties_of(by_name["Product Viewed"]) == {"sku": "J-38", "price": 59.9, "note": "Señora Núñez ☂"}
    assert properties_of(by_name[f"/{sdk}/catalogue"])["search"] == "?utm_source=news&utm_campaign=c1&gclid=G1"
    assert all(started - 1 <= seconds(event["occurred"]) <= seconds(event["received"]) + 1 for event in events)
    before, after = anonymous_ids([by_name["Order Completed"]]), anonymous_ids([by_name["Product Shared"]])
    assert len(before) == len(after) == 1
    assert before != after
    ana, bea = running_cauce.person("user_id", "ana"), running_cauce.person("user_id", "bea")
    assert ana["id"] == running_cauce.person("anonymous_id", *before)["id"]
    assert bea["id"] == running_cauce.person("anonymous_id", *after)["id"]
    assert ana["id"] != bea["id"]


def test_a_browser_that_keeps_its_anonymous_id_does_not_join_two_customers(running_cauce, browser):
    """RudderStack's `reset()` keeps the anonymous id, so both customers really send the same one."""
    with visiting(running_cauce, browser, "rudder") as visitor:
        visitor.open("login")
        visitor.call("identify", "ana", {"email": "ana@shop.example"})
        visitor.call("track", "Order Completed", {"order_id": "o-1"})
        visitor.settle()
        visitor.forget("analytics.reset()")
        visitor.open("login-again")
        visitor.call("identify", "bea", {"email": "bea@shop.example"})
        visitor.call("track", "Order Completed", {"order_id": "o-2"})
        visitor.settle()
        called = visitor.called
    events = running_cauce.wait_for_events(called)
    assert len(anonymous_ids(events)) == 1
    ana, bea = running_cauce.person("user_id", "ana"), running_cauce.person("user_id", "bea")
    assert ana["id"] != bea["id"]
    for email, order in (("ana@shop.example", "o-1"), ("bea@shop.example", "o-2")):
        orders = [event for event in running_cauce.timeline("email", email) if event["name"] == "Order Completed"]
        assert [properties_of(event)["order_id"] for event in orders] == [order]


def test_a_visitor_in_a_hurry_is_counted_once(running_cauce, browser, sdk):
    """Leaving a page aborts requests on their way; the SDK sends them again, and Cauce keeps one of each."""
    pages = 6
    with visiting(running_cauce, browser, sdk) as visitor:
        for number in range(pages):
            visitor.open(f"page-{number}")
            visitor.call("track", "Product Viewed", {"number": number})
        events = running_cauce.wait_for_events(2 * pages)
    expected = {("page", f"/{sdk}/page-{number}"): 1 for number in range(pages)} | {("track", "Product Viewed"): pages}
    assert names(events) == expected
    assert max(ids(events).values()) == 1
    viewed = [properties_of(event)["number"] for event in events if event["type"] == "track"]
    assert sorted(viewed) == list(range(pages))
    assert len(anonymous_ids(events)) == 1


def test_calls_made_while_cauce_is_away_arrive_when_it_is_back(running_cauce, browser, sdk):
    with visiting(running_cauce, browser, sdk) as visitor:
        visitor.open("catalogue")
        visitor.settle()
        running_cauce.kill()
        visitor.call("track", "Product Viewed", {"sku": "J-38"})
        visitor.call("track", "Product Added", {"sku": "J-38"})
        running_cauce.start()
        events = running_cauce.wait_for_events(3)
    assert names(events) == {
        ("page", f"/{sdk}/catalogue"): 1,
        ("track", "Product Viewed"): 1,
        ("track", "Product Added"): 1,
    }
    assert max(ids(events).values()) == 1
