"""A person in a real Chromium: a split that changes numbers, any past day, the drawing by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.browser.conftest import Served, served_over
from tests.console import persons
from tests.console.persons import ANA, BROWSER
from tests.console.seat import sign_in

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(tmp_path) -> Iterator[Served]:
    """The shop made by hand, served."""
    persons.make(tmp_path / "data")
    with served_over(tmp_path / "data") as found:
        yield found


@pytest.fixture
def looking(visiting, shop):
    """`with looking(role="steward", …) as page`: the page of Ana, whole."""

    @contextmanager
    def look(role: str = "steward", **options: Any) -> Iterator[Any]:
        with visiting(shop, role, **options) as page:
            page.context.add_cookies([{"name": "cauce_zone", "value": "Europe/Madrid", "url": shop.url}])
            page.goto(home(shop))
            whole(page)
            yield page

    return look


def home(shop: Served) -> str:
    return f"/people/{shop.platform.people.locate(ANA).text}"


def whole(page) -> None:
    """Waits for the parts that follow by themselves."""
    page.wait_for_selector("#shopping h3")
    page.wait_for_selector("#identifiers .tied")


def worth(page) -> str:
    return page.locator(".worth dd").first.inner_text()


def test_split_a_person_and_see_numbers_change(looking, shop):
    with looking() as page:
        assert worth(page) == "€199.90"
        other = shop.platform.people.identifier(BROWSER)
        page.select_option("#pair select[name=a]", label="e-mail: ana@tienda.es")
        page.select_option("#pair select[name=b]", label=f"browser: {other.value}")
        page.get_by_role("button", name="What would a split change?").click()
        row = page.locator(".numbers tr", has_text="spent in all")
        row.wait_for()
        assert re.findall(r"€[\d.]+", row.inner_text()) == ["€199.90", "€99.90", "€100.00"]
        page.get_by_label("Reason, for the audit trail").fill("a borrowed phone")
        page.get_by_role("button", name="Split them").click()
        page.get_by_text("Decided: they are not the same person.").wait_for()
        assert worth(page) == "€99.90"
        whole(page)
        page.locator(".decided").get_by_role("button", name="Take back").click()
        page.get_by_text("Taken back:").wait_for()
        assert worth(page) == "€199.90"


def test_the_person_at_any_past_day(looking):
    with looking(role="agent") as page:
        slider = page.get_by_role("slider")
        slider.focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        page.wait_for_url("**as_of=2026-03-02*")
        page.get_by_text("As it was known at the end of March 2, 2026").wait_for()
        assert worth(page) == "€39.90"
        assert "Receipt Issued" not in page.locator("#events").inner_text()
        page.wait_for_selector("#shopping h3")
        assert "€60.00" not in page.locator("#shopping").inner_text()
        page.get_by_role("link", name="Back to today").click()
        page.wait_for_url(re.compile(r"/people/p_\w+$"))
        assert worth(page) == "€199.90"


def test_the_drawing_is_walked_and_opened_with_the_keyboard(looking):
    with looking() as page:
        lines = page.locator(".ring a")
        lines.first.focus()
        page.keyboard.press("Tab")
        title = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert title == lines.nth(1).get_attribute("aria-label")
        page.keyboard.press("Enter")
        shown = page.locator(".why-one:visible")
        shown.wait_for()
        assert shown.count() == 1
        assert shown.locator("h3").inner_text() == title
        assert page.evaluate("document.activeElement.className") == "why-one"
        page.keyboard.press("Tab")
        assert "What would a split change?" in page.evaluate("document.activeElement.textContent")
        page.keyboard.press("Enter")
        page.wait_for_selector(".preview")


def test_older_events_and_filters_without_leaving_the_page(looking):
    from playwright.sync_api import expect  # noqa: PLC0415 only where there is a browser

    with looking(role="agent") as page:
        events = page.locator(".events > li")
        assert events.count() == 30
        page.get_by_role("link", name="Show older events").click()
        events.nth(54).wait_for()
        page.select_option("#timeline select[name=channel]", "store")
        expect(events).to_have_count(3)
        events.first.locator("summary").first.focus()
        page.keyboard.press("Enter")
        assert events.first.get_by_text("Received", exact=True).is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits(looking, width, language, scheme):
    with looking(width=width, scheme=scheme, language=language) as page:
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        bottom = page.locator(".worth").bounding_box()
        assert bottom["y"] + bottom["height"] < 600, "what matters stands in the first screen"


def test_without_script_everything_is_reached(chromium, shop):
    context = chromium.new_context(base_url=shop.url, java_script_enabled=False, locale="en")
    context.add_cookies([{"name": "cauce_session", "value": sign_in(shop.platform, "steward"), "url": shop.url}])
    page = context.new_page()
    page.goto(home(shop))
    page.locator("#identifiers a").first.click()
    page.get_by_role("button", name="What would a split change?").last.click()
    assert page.locator(".preview").count() == 1
    context.close()
