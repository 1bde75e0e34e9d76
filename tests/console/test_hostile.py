"""Hostile names in every field, on every page: they are shown as they are and do nothing."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from cauce.commerce.fulfilment.api import ChooseDesk
from cauce.model import Source
from tests.console import hostile as shop
from tests.console.examples import EXAMPLES
from tests.console.hostile import HOSTILE, MARK
from tests.console.seat import seated
from tests.console.test_every_page import LOOKED_AT

pytestmark = pytest.mark.soak


def calls():
    """Calls that say it in every field that somebody else fills."""
    product = {"product_id": HOSTILE, "sku": HOSTILE, "name": HOSTILE, "category": HOSTILE, "price": 3, "quantity": 1}
    shared = {
        "userId": "u-1",
        "anonymousId": HOSTILE,
        "context": {
            "page": {"path": HOSTILE, "title": HOSTILE, "url": HOSTILE, "referrer": HOSTILE},
            "campaign": {"name": HOSTILE, "source": HOSTILE},
            "device": {"id": HOSTILE, "model": HOSTILE},
            "externalIds": [{"id": HOSTILE, "type": "crm_id"}],
            "userAgent": HOSTILE,
            "locale": HOSTILE,
        },
    }
    traits = {
        "email": "x@example.es", "name": HOSTILE, "firstName": HOSTILE, "company": HOSTILE,
        "address": {"city": HOSTILE}, HOSTILE: HOSTILE,
    }  # fmt: skip
    order = {"order_id": HOSTILE, "total": 3, "currency": "EUR", "products": [product], HOSTILE: HOSTILE}
    return [
        {"type": "identify", **shared, "traits": traits},
        {"type": "page", **shared, "name": HOSTILE, "properties": {"title": HOSTILE, "path": HOSTILE}},
        {"type": "track", **shared, "event": HOSTILE, "properties": {HOSTILE: HOSTILE, "query": HOSTILE}},
        {"type": "track", **shared, "event": "Product Viewed", "properties": product},
        {"type": "track", **shared, "event": "Order Completed", "properties": order},
        {"type": "track", **shared, "event": "Order Completed", "properties": {**order, "total": HOSTILE}},
        {"type": "track", **shared, "event": "Consent Given", "properties": {"purpose": HOSTILE, "channel": HOSTILE}},
        {"type": HOSTILE, **shared},
    ]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The console over an installation in which nobody means well."""
    with seated(tmp_path_factory.mktemp("hostile") / "data") as seat:
        platform = seat.platform
        for name in ("web", "crm"):
            platform.sources.add(Source(name, HOSTILE[:60]), by=HOSTILE)
        for number, call in enumerate(calls()):
            stamped = {**call, "messageId": f"m{number}{HOSTILE}"[:90], "timestamp": f"2026-11-0{number + 1}T10:00:00Z"}
            platform.append("web", "tracking", [json.dumps({"batch": [stamped]}).encode()])
        platform.append("web", "tracking", [HOSTILE.encode(), json.dumps({"batch": [HOSTILE]}).encode()])
        platform.drain()
        shop.furnish(platform)
        yield seat


class Looked(HTMLParser):
    """Fails when something hostile became part of the page."""

    def __init__(self):
        super().__init__()
        self.seen = False

    def handle_starttag(self, tag, attributes):
        names = {name for name, _ in attributes}
        assert tag != MARK
        assert MARK not in names
        assert not {name for name in names if name.startswith("on")}
        assert tag != "script" or dict(attributes).get("src", "").startswith("/static/")
        assert not any(str(value).lower().strip().startswith("javascript:") for _, value in attributes)

    def handle_data(self, data):
        self.seen |= MARK in data


SEEN = {"image/svg+xml": "<svg", "text/calendar": "BEGIN:VCALENDAR"}
"""What is no page and is opened where it is asked for: pictures that are drawn here, and calendars."""


def shown(client, address):
    answer = client.get(address)
    assert answer.status_code < 500, (address, answer.text[-500:])
    looked = Looked()
    if answer.headers["content-type"].startswith("text/html"):
        looked.feed(answer.text)
        assert "49%(x)s" not in answer.text, "nothing that is shown is a template"
    elif begins := SEEN.get(answer.headers["content-type"].partition(";")[0]):
        assert answer.text.startswith(begins)
        assert f"<{MARK}" not in answer.text or begins != "<svg"
        assert answer.headers["x-content-type-options"] == "nosniff"
    else:
        assert "attachment" in answer.headers.get("content-disposition", "")
    return looked.seen


def addresses(platform):
    person = platform.people.locate("user_id:u-1").text
    entries = platform.quality.entries()
    for place in LOOKED_AT:
        path = place.page.path
        if path.startswith("/people/{key}/") and ("explain" in path or "preview" in path):
            a, b = (quote(str(one)) for one in platform.people.locate(person).identifiers[:2])
            yield f"{path.replace('{key}', person)}?a={a}&b={b}"
        elif path.startswith("/people/{"):
            yield path.replace("{key:path}", person).replace("{key}", person)
        elif path.startswith("/quarantine/{"):
            yield from (path.replace("{position:int}", str(entry.position)) for entry in entries)
        else:
            yield EXAMPLES[path](platform) if path in EXAMPLES else path


SHOWING = (
    "/overview", "/people", "/people/p_", "/quarantine/", "/sources/web", "/audit", "/products", "/products/sku/",
    "/products/edit", "/products/unknown", "/places", "/places/at/", "/places/edit", "/stock", "/stock/shelf",
    "/stock/counts", "/stock/transit", "/stock/tasks", "/orders", "/orders/list", "/orders/1", "/orders/of/",
    "/fulfilment", "/fulfilment/choices/", "/pickups", "/pickups/waiting", "/pickups/pick", "/pickups/ready",
    "/pickups/orders/", "/collect/", "/bookings", "/bookings/slot", "/bookings/at/", "/bookings/waiting",
    "/bookings/resources", "/bookings/resources/edit", "/loyalty", "/loyalty/programmes/", "/loyalty/members/",
    "/loyalty/cards/1", "/loyalty/panel/",
)  # fmt: skip
"""Where something that others have written must be seen: a page that shows nothing proves nothing."""


@pytest.mark.parametrize("language", ["en", "es"])
def test_what_others_write_stays_text_on_every_page(hostile, language):
    client = hostile.client(language=language)
    hostile.platform.commerce.do(ChooseDesk(by="the-owner", desk=shop.PLACE))
    showing = [address for address in addresses(hostile.platform) if shown(client, address)]
    assert len(showing) >= 50, showing
    silent = [page for page in SHOWING if not any(address.startswith(page) for address in showing)]
    assert not silent, "pages that were to show what others write"


PAGES = (
    "/people", "/quarantine", "/quarantine/entries", "/audit", "/identity", "/data", "/definitions", "/overview",
    "/products", "/products/found", "/products/unknown", "/places", "/stock", "/stock/matrix", "/stock/shelf",
    "/stock/counts", "/stock/transit", "/stock/tasks", "/orders", "/orders/list", "/orders/live", "/fulfilment",
    "/fulfilment/rules", "/pickups", "/pickups/pick", "/bookings", "/bookings/slot", "/bookings/resources/edit",
    "/loyalty", "/loyalty/find", "/loyalty/edit", "/loyalty/cards",
)  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        ("q", "range", "language", "guide", "name", "sort"),
        ("reason", "source", "state", "path", "channel", "text"),
        ("actor", "subject", "action", "a", "b", "next"),
        ("as_of", "cursor", "from", "to", "before", "limit"),
        ("sku", "place", "where", "only", "category", "kind", "day", "start", "resource", "id"),
        ("code", "by", "version", "programme", "role", "after", "until", "last", "text"),
    ],
)
def test_what_an_address_says_stays_text(hostile, fields):
    client, said = hostile.client(), quote(HOSTILE)
    asked = "&".join(f"{field}={said}" for field in fields)
    person = hostile.platform.people.locate("user_id:u-1").text
    for address in (*PAGES, f"/people/{person}", f"/people/{said}", f"/sources/{said}", f"/quarantine/{said}"):
        shown(client, f"{address}?{asked}")
    shown(hostile.client(""), f"/sign-in?{asked}")
