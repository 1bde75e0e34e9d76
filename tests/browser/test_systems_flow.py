"""A shop is connected in a browser: its address is copied, its secret is taken, and its first webhook is seen."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from tests.browser.conftest import PICTURES
from tests.connectors.signing import headers_of

pytestmark = pytest.mark.browser

SECRET = "whsec_0123456789abcdef"


@pytest.mark.parametrize(("width", "scheme", "language"), [(1280, "light", "en"), (390, "dark", "es")])
def test_from_a_secret_to_the_first_webhook(own_served, visiting, width, scheme, language):
    with visiting(own_served, "engineer", width=width, scheme=scheme, language=language) as page:
        page.expected = ["status of 422"]
        page.goto("/sources/web/systems")
        page.get_by_role("link", name="Stripe").click()
        page.wait_for_url("**/systems/stripe")
        page.locator("#f-secret").fill("too short")
        page.locator("form:has(#f-secret) button").click()
        page.locator("#f-secret[aria-invalid]").wait_for()
        page.locator("#f-secret").fill(SECRET)
        page.locator("form:has(#f-secret) button").click()
        page.locator(".badge.good").first.wait_for()
        assert SECRET not in page.content()
        address = page.locator("#address").inner_text().strip()
        body = json.dumps({"id": "evt_1", "type": "invoice.paid", "data": {"object": {"object": "invoice"}}}).encode()
        headers = headers_of("stripe", SECRET, body, timestamp=int(time.time()))
        assert httpx.post(address, content=body, headers=headers).status_code == 200
        own_served.platform.drain()
        folder = PICTURES / f"{language}-{width}-{scheme}"
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / "system.png", full_page=True)
        page.goto("/sources/web/systems/square")
        page.screenshot(path=folder / "system-square.png", full_page=True)
        page.goto("/sources/web/systems")
        page.screenshot(path=folder / "systems.png", full_page=True)
        page.goto("/sources/web")
        page.locator(".arrivals > li").filter(has_text="Record Changed").first.wait_for()
