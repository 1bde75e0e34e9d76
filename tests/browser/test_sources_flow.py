"""A channel is connected in the console: from the choice to its first event."""

from __future__ import annotations

import json
import re
import threading
import urllib.request

import pytest

pytestmark = pytest.mark.browser


def send(url, key, call):
    """Sends a call as an SDK does."""
    request = urllib.request.Request(
        f"{url}/v1/track",
        json.dumps(call).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@pytest.fixture
def river(own_served):
    """The river of the served installation runs."""
    stopping = threading.Event()
    thread = threading.Thread(target=own_served.platform.run, args=(stopping.is_set,))
    thread.start()
    yield own_served
    stopping.set()
    thread.join(timeout=30)


@pytest.mark.parametrize("width", [1280, 390])
def test_from_a_new_source_to_its_first_event(river, visiting, axe, width):
    with visiting(river, "engineer", width=width) as page:
        page.expected = ["status of 422"]
        page.goto("/sources")
        page.get_by_role("link", name="Add a channel").click()
        page.wait_for_url("**/sources/new")
        page.get_by_text("App", exact=True).click()
        page.get_by_label("Name of the source").fill("Shop App")
        page.get_by_role("button", name="Add and show the key").click()
        page.locator("#f-name[aria-invalid=true]").wait_for()  # no such name; the form says so
        page.get_by_label("Name of the source").fill("shop-app")
        page.get_by_role("button", name="Add and show the key").click()
        key = page.locator("#key").inner_text()
        assert re.fullmatch(r"\w{27}", key)
        assert key in page.locator("#snippet-1").text_content()
        page.get_by_text("Waiting for the first event").wait_for()
        send(river.url, key, {"event": "Application Opened", "userId": "u-app", "messageId": "m-app"})
        page.get_by_text("The first event is here.").wait_for()
        page.get_by_role("link", name="See what arrives").first.click()
        page.wait_for_url("**/sources/shop-app")
        row = page.locator(".arrivals > li").first
        assert "Application Opened" in row.inner_text()
        row.get_by_text("stored").wait_for()
        row.locator("summary").click()
        assert '"m-app"' in row.locator("pre").inner_text()
        page.locator(".arrivals .whose").first.click()
        page.wait_for_url("**/people/p_*")


def test_what_arrives_says_what_became_of_it(river, visiting):
    platform = river.platform
    key = platform.sources.rotate("web", by="tests")
    with visiting(river, "engineer") as page:
        page.goto("/sources/web")
        order = {"event": "Order Completed", "userId": "u-1", "messageId": "m-order", "properties": {"total": "many"}}
        send(river.url, key, order)
        row = page.locator(".arrivals > li").filter(has_text="Order Completed").first
        row.get_by_text("quarantined").wait_for()
        row.locator("summary").click()
        page.evaluate(
            "new Promise(done => document.body.addEventListener('tick', () => setTimeout(done, 500), {once: true}))"
        )
        assert row.locator("details").evaluate("each => each.open"), "what is unfolded stays so while the page follows"
        row.get_by_role("link", name="Open in quarantine").click()
        page.wait_for_url("**/quarantine/*")


def test_a_key_is_changed_without_a_gap(own_served, visiting):
    platform = own_served.platform
    (old,) = [key.hint for key in platform.sources.keys("crm")]
    with visiting(own_served) as page:
        page.goto("/sources/crm/settings")
        page.get_by_role("button", name="Make a new key").click()
        key = page.locator("#key").inner_text()
        assert platform.sources.authenticate(key).name == "crm"
        page.goto("/sources/crm/settings")
        page.get_by_role("row", name=f"…{old}").get_by_role("button", name="Revoke").click()
        dialog = page.locator("dialog[open]")
        assert dialog.locator("h2").is_visible()
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0
        page.get_by_role("row", name=f"…{old}").get_by_role("button", name="Revoke").click()
        dialog.get_by_role("button", name="Revoke").click()
        page.get_by_text("works no more").wait_for()
        assert [each.hint for each in platform.sources.keys("crm") if each.revoked is None] == [key[-4:]]
