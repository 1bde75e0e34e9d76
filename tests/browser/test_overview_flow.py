"""The overview follows by itself, and keeps what somebody is at."""

from __future__ import annotations

import json
import time

import pytest

pytestmark = pytest.mark.browser


def test_the_numbers_follow_and_the_keyboards_place_stays(own_served, visiting):
    platform = own_served.platform
    received = sum(row.received for row in platform.quality.balance())
    with visiting(own_served) as page:
        page.goto("/overview?range=year")
        page.wait_for_selector("#over-time .chart, #over-time .empty")
        link = page.locator("#who tbody a").nth(2)
        link.focus()
        page.locator("#over-time details").evaluate("each => { each.open = true; }")
        address = link.get_attribute("href")
        call = {
            "type": "track",
            "event": "Signed In",
            "userId": "u-new",
            "messageId": "m-new",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        platform.append("web", "tracking", [json.dumps({"batch": [call]}).encode()])
        platform.drain()
        page.wait_for_function(
            "wanted => document.querySelector('#sum .whole dd').textContent.replaceAll(/\\D/g, '') === String(wanted)",
            arg=received + 1,
        )
        assert page.evaluate("document.activeElement.getAttribute('href')") == address
        assert page.locator("#over-time details").evaluate("each => each.open")


def test_a_part_of_the_chart_says_what_it_is(served, visiting):
    with visiting(served) as page:
        page.goto("/overview?range=year")
        page.wait_for_selector("#over-time .chart")
        column = page.locator("#over-time .wide-only .column").filter(has=page.locator(".part")).last
        column.hover()
        tip = page.locator(".tip")
        tip.wait_for()
        assert tip.inner_text() == column.get_attribute("data-tip")
