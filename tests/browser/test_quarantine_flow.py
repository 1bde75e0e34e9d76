"""A quarantined event is mended and found with its person; many are mended at once; data is asked and drawn."""

from __future__ import annotations

import json

import pytest

from cauce.quality.api import Which
from tests.browser.test_every_page import judged

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

HOSTILE = "<img src=x onerror=alert(1)>"


def order(number, **properties):
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": f"buyer-{number}",
        "messageId": f"bad-{number}",
        "timestamp": "2026-10-05T10:00:00Z",
        "properties": {"order_id": f"o{number}", "total": "27,50", "currency": "EUR", "coupon": HOSTILE, **properties},
    }


@pytest.fixture
def bad(own_served):
    """Three orders whose total is a text, besides what the world got wrong."""
    orders = [order(number) for number in range(3)]
    own_served.platform.append("web", "tracking", [json.dumps({"batch": orders}).encode()])
    own_served.platform.drain()
    return own_served


@pytest.mark.parametrize("width", [1280, 390])
def test_from_quarantine_to_the_person(bad, visiting, axe, width):
    with visiting(bad, "steward", width=width) as page:
        page.goto("/quarantine")
        page.get_by_role("link", name="Wrong type").click()
        page.get_by_role("link", name="Order Completed").first.click()
        assert page.locator(".event .faulty").inner_text().startswith('    "total": "27,50"')
        editor = page.get_by_label("The event as JSON")
        event = json.loads(editor.input_value())
        editor.fill('{"type": ')
        page.get_by_text("this is no JSON").wait_for()
        event["properties"]["total"] = 27.5
        editor.fill(json.dumps(event, indent=2))
        page.get_by_text("It would pass now.").wait_for()
        assert not judged(page, axe)
        page.get_by_role("button", name="Replay").click()
        page.get_by_text("Replayed: the event has taken its place.").wait_for()
        assert not judged(page, axe)
        page.get_by_role("link", name="See the person").click()
        page.wait_for_url("**/people/p_*")
        person = bad.platform.people.locate(f"user_id:{event['userId']}")
        assert page.url.endswith(person.text)


def test_many_are_mended_after_a_look(bad, visiting, axe):
    with visiting(bad, "steward", language="es") as page:
        page.goto("/quarantine/entries?reason=type_wrong")
        page.get_by_role("link", name="Arreglar todo").click()
        assert page.locator("#at-1").input_value() == "/properties/total"
        page.get_by_role("button", name="Vista previa").click()
        page.locator("#preview ins", has_text="27.5").first.wait_for()
        assert page.locator("#preview dd").first.inner_text() == "3"
        assert not judged(page, axe)
        page.get_by_role("button", name="Cambiar y reprocesar").click()
        page.get_by_text("3 eventos reprocesados.").wait_for()
        assert not bad.platform.quality.page(Which(reason="type_wrong"))


def test_a_multitude_goes_on_by_itself(bad, visiting, monkeypatch):
    monkeypatch.setattr("cauce.app.mending.PORTION_ENTRIES", 1)
    with visiting(bad, "steward") as page:
        page.goto("/quarantine/mend?reason=type_wrong")
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("button", name="Change and replay").click()
        page.get_by_text("3 events replayed.").wait_for()
        assert page.url.endswith("/quarantine")


def test_drop_asks_first(bad, visiting, axe):
    (position, *_) = [entry.position for entry in bad.platform.quality.page(Which(name="Order Completed"))]
    with visiting(bad, "steward") as page:
        page.goto(f"/quarantine/{position}")
        page.get_by_role("button", name="Drop").click()
        page.get_by_role("heading", name="Drop this event?").wait_for()
        assert not judged(page, axe)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Drop").click()
        page.get_by_label("Why?").fill("a test")
        page.locator("dialog button.danger").click()
        page.get_by_text("Dropped.", exact=True).wait_for()
        assert bad.platform.quality.entry(position).state == "dropped"


@pytest.mark.parametrize(("role", "width"), [("engineer", 1280), ("analyst", 390)])
def test_data_is_asked_and_drawn(served, visiting, axe, role, width):
    with visiting(served, role, width=width) as page:
        page.goto("/data")
        editor = page.get_by_role("textbox", name="Statement")
        editor.fill("select channel, count(*) as events from events group by channel order by events desc")
        editor.press("Control+Enter")
        page.locator("#chart .chart, #chart .bars").first.wait_for()
        rows = page.locator("#rows tbody tr")
        assert rows.count() > 3
        assert not judged(page, axe)
        page.get_by_label("Kind of chart").select_option("lines")
        page.locator("#chart path.line").first.wait_for(state="attached")
        editor.fill("select chanel\nfrom events")
        page.get_by_role("button", name="Run").click()
        page.get_by_text("Line 1, column 8").wait_for()
        page.get_by_role("button", name="Go there").click()
        assert page.evaluate("document.activeElement.selectionStart") == 7
        assert not judged(page, axe)
        editor.fill("select i from range(250) t(i)")
        page.get_by_role("button", name="Run").click()
        page.get_by_text("Page 1 of 3").wait_for()
        page.get_by_role("link", name="Next").click()
        page.get_by_text("Page 2 of 3").wait_for()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download as CSV").click()
        assert download.value.suggested_filename.endswith(".csv")


def test_a_long_statement_is_stopped(served, visiting):
    with visiting(served, "engineer") as page:
        page.goto("/data")
        assert not page.get_by_role("button", name="Stop").is_visible()
        page.get_by_role("textbox", name="Statement").fill(
            "select count(*) from range(100000000000) a, range(1000) b where hash(a.range, b.range) = 1"
        )
        page.get_by_role("button", name="Run").click()
        stop = page.get_by_role("button", name="Stop")
        stop.wait_for()
        page.wait_for_timeout(300)  # the statement must have begun before it can be stopped
        stop.click()
        page.get_by_text("the statement was stopped").wait_for()


def test_a_definition_is_written_with_its_faults_beside(own_served, visiting, axe):
    with visiting(own_served, "engineer") as page:
        page.goto("/definitions/new?sort=trait")
        text = page.get_by_label("Definition (YAML or JSON)")
        text.fill("name: money_web\ncompute: sun\nproperty: total\n")
        page.get_by_role("button", name="Line 2").click()
        start, end = page.evaluate("[document.activeElement.selectionStart, document.activeElement.selectionEnd]")
        assert text.input_value()[start:end] == "compute: sun"
        assert not judged(page, axe)
        text.fill("name: money_web\ncompute: sum\nproperty: total\nevents: [Receipt Issued]\n")
        page.get_by_text("This can be applied.").wait_for()
        page.get_by_role("button", name="Try on a few people").click()
        page.locator("#sample table").wait_for()
        assert not judged(page, axe)
        page.get_by_role("button", name="Apply").click()
        page.get_by_text("Applied: money_web.").wait_for()
        assert page.get_by_role("heading", name="money_web").is_visible()
        assert not judged(page, axe)
