"""People and identity in a real Chromium: found while typing, decided and taken back, rules tried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cauce import console
from cauce.app import Platform
from cauce.settings import Settings
from tests.console import stewarding
from tests.console.seat import sign_in
from tests.http.serving import serving

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[Platform, str]]:
    """(platform, URL) of an installation in which a steward is needed."""
    with Platform.open(Settings({"data": str(tmp_path / "data")})) as platform:
        stewarding.fill(platform)
        stewarding.tell(platform, 3, userId="u-jim", traits={"name": "Begoña Jiménez Vázquez", "phone": "612345678"})
        platform.drain()
        with serving(platform, console.routes) as served:
            yield platform, served


@contextmanager
def visiting(chromium: Any, shop: tuple[Platform, str], role: str, width: int = 1280) -> Iterator[Any]:
    """A page of somebody with that role; fails when the browser's console complains."""
    platform, url = shop
    context = chromium.new_context(base_url=url, viewport={"width": width, "height": 900}, locale="en")
    context.add_cookies([{"name": "cauce_session", "value": sign_in(platform, role), "url": url}])
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    try:
        yield page
        assert faults == []
    finally:
        context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_an_agent_on_a_call_finds_who_is_calling(chromium: Any, shop: tuple[Platform, str], width: int) -> None:
    with visiting(chromium, shop, "agent", width) as page:
        page.goto("/people")
        field = page.get_by_role("searchbox")
        assert field.evaluate("field => field === document.activeElement"), "ready to be typed into"
        field.press_sequentially("begonia ximenes")
        # The first letters alone find her too, by how her name begins: only the whole word is misheard.
        hit = page.locator("#found li").filter(has=page.locator("mark", has_text="Begoña Jiménez Vázquez"))
        hit.filter(has_text="sounds or looks like it").wait_for()
        assert field.input_value() == "begonia ximenes", "results come without taking the field away"
        field.fill("345678")
        page.locator("#found mark", has_text="+34612345678").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("link", name="Begoña Jiménez Vázquez").click()
        page.wait_for_url(re.compile("/people/p_"))


def test_enter_opens_who_is_known_by_exactly_that(chromium: Any, shop: tuple[Platform, str]) -> None:
    with visiting(chromium, shop, "agent") as page:
        page.goto("/people")
        page.get_by_role("searchbox").fill("0034 612-345-678")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/people/p_"))


def test_a_steward_decides_and_takes_it_back(chromium: Any, shop: tuple[Platform, str]) -> None:
    platform, _ = shop
    with visiting(chromium, shop, "steward", 390) as page:
        page.goto("/identity")
        page.get_by_role("button", name="One person").click()
        page.get_by_text("Decided: they are the same person.").wait_for()
        page.get_by_text("Nothing to decide").wait_for()
        assert platform.people.locate("user_id:u-one") == platform.people.locate("user_id:u-two")
        page.get_by_role("link", name="Merges and splits").click()
        page.get_by_role("button", name="Take back").click()
        page.get_by_text("Taken back: the evidence decides again.").wait_for()
        assert platform.people.locate("user_id:u-one") != platform.people.locate("user_id:u-two")


def test_rules_are_checked_while_typing_tried_and_applied(chromium: Any, shop: tuple[Platform, str]) -> None:
    platform, _ = shop
    with visiting(chromium, shop, "steward") as page:
        page.goto("/identity/rules")
        page.get_by_role("link", name="Edit the rules").click()
        text = page.get_by_label("Rules as YAML")
        before = text.input_value()
        text.fill(before + "\nkindz: 3\n")
        page.get_by_text("have no field 'kindz'").wait_for()
        text.fill(before.replace("limit: 1", "limit: 2", 1))
        page.locator("#verdict ins").wait_for()
        page.get_by_role("button", name="Try on the history").click()
        page.get_by_text("2 people would become one with others").wait_for()
        assert platform.people.rules.kind("user_id").limit == 1
        page.get_by_role("button", name="Apply …").click()
        page.get_by_role("dialog").get_by_role("button", name="Apply", exact=True).click()
        page.get_by_text("Decided: everybody is being put together anew.").wait_for()
        platform.drain()
        page.locator("#awaited .note").wait_for(state="detached")
        assert platform.people.rules.kind("user_id").limit == 2
