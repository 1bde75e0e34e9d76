"""`cauce demo` as somebody meets it: the printed link, and what is done at the five stops of the guided path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.browser.conftest import PICTURES
from tests.running import first_document

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def demo_link(tmp_path) -> Iterator[str]:
    """The link that a small demo prints when its world is in; at its end it has complained of nothing."""
    command = [sys.executable, "-m", "cauce", "--data", str(tmp_path / "demo"), "demo", "--json", "--port", "0"]
    complaints = tmp_path / "complaints.txt"
    with complaints.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--people", "60", "--days", "3"],
            stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            url = first_document(process.stdout)["url"]
            yield url
        finally:
            process.terminate()  # not as Ctrl-C: where this runs in the background, that may be ignored
            process.wait(timeout=60)
            process.stdout.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    said = complaints.read_text()
    assert not [word for word in ("Traceback", "leaked") if word in said], said


def next_stop(page, number):
    page.get_by_role("link", name="Next stop").click()
    page.get_by_text(f"stop {number} of 5").wait_for()


def test_the_five_stops(chromium, demo_link):
    assert demo_link.startswith("http://127.0.0.1:"), "on this machine only"
    context = chromium.new_context(locale="en", timezone_id="Europe/Madrid")
    page = context.new_page()
    page.goto(demo_link)
    page.get_by_role("button", name="Enter").click()
    page.get_by_text("stop 1 of 5").wait_for()
    assert page.locator("h1").inner_text() == "Overview"
    page.locator("#sum").get_by_text("it adds up").wait_for()
    next_stop(page, 2)
    met = page.locator(".met").inner_text()
    assert "Website" in met
    assert "Shop floor" in met or "Stores" in met
    assert "loyalty card" in page.locator("main").inner_text()
    next_stop(page, 3)
    kinds = page.locator("#identifiers, main").first.inner_text()
    assert "loyalty card" in kinds
    assert "browser" in kinds
    page.locator(".ring a").first.press("Enter")  # in the middle of a line another one may lie above it
    page.locator(".why-one:visible").wait_for()
    next_stop(page, 4)
    editor = page.get_by_label("The event as JSON")
    event = json.loads(editor.input_value())
    editor.fill(json.dumps({"event": "Signed In", "userId": "u-mended", **event}))
    page.get_by_text("It would pass now.").wait_for()
    page.get_by_role("button", name="Replay").click()
    page.get_by_text("Replayed: the event has taken its place.").wait_for()
    next_stop(page, 5)
    page.get_by_role("button", name="Run").click()
    page.locator("#rows tbody tr").first.wait_for()
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "demo-fifth-stop.png", full_page=True)
    page.get_by_role("link", name="End the path").click()
    page.wait_for_load_state()
    assert page.get_by_text("stop 5 of 5").count() == 0
    context.close()
    with chromium.new_context(locale="en") as other:
        page = other.new_page()
        page.goto(demo_link)
        assert page.get_by_role("button", name="Enter").count() == 0, "it signs in once"
        assert page.locator("nav.side").count() == 0
