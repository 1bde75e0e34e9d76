"""An order is placed, picked on a phone, made ready, and collected with the code; also where there is no signal."""

from __future__ import annotations

import pytest

from cauce.commerce.fulfilment import api
from tests.browser.conftest import served_over
from tests.browser.test_every_page import judged
from tests.console import bringing, desk

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def store(tmp_path):
    """An installation with a store that works at its desk, and the numbers of its orders."""
    with served_over(tmp_path / "data") as served:
        orders = desk.busy(served.platform)
        served.platform.commerce.do(api.ChooseDesk(by="the-store_staff", desk="MAD"))
        yield served, orders


@pytest.mark.parametrize(("width", "language", "scheme"), [(390, "en", "light"), (1280, "en", "dark")])
def test_from_the_order_to_the_person(store, visiting, axe, width, language, scheme):
    served, orders = store
    number = orders["to_pick"]
    with visiting(served, "store_staff", width=width, language=language, scheme=scheme) as page:
        page.goto("/pickups/pick")
        assert not judged(page, axe)
        task = page.locator(".task", has_text=number)
        for _ in range(2):
            task.locator(".check[aria-pressed=false]").first.click()
            task.locator(".check[aria-pressed=true]").first.wait_for()
        task.get_by_role("button", name="Ready: tell the person").click()
        page.get_by_text("The person hears of it.").wait_for()
        code = desk.code_of(served.platform, number)
        page.goto("/pickups")
        assert not judged(page, axe)
        page.get_by_label("Code of the person").fill(code.lower())
        page.keyboard.press("Enter")
        page.get_by_text("The code is right.").wait_for()
        assert not judged(page, axe)
        page.get_by_role("button", name="Handed over").click()
        page.get_by_text(f"Handed over: {number}").wait_for()
    seen = api.pickup(served.platform.commerce, number)
    assert [line.collected for line in seen.lines] == [1_000, 1_000]


def test_what_is_pressed_without_signal_is_sent_once_there_is(store, visiting):
    served, orders = store
    number = orders["to_pick"]
    with visiting(served, "store_staff", width=390) as page:
        page.expected = [r"ERR_INTERNET_DISCONNECTED", r"Failed to load resource"]
        page.goto("/pickups/pick")
        page.context.set_offline(True)
        task = page.locator(".task", has_text=number)
        task.locator(".check").nth(0).click()
        task.locator(".check").nth(1).click()
        page.get_by_text("No connection.").wait_for()
        assert task.locator(".check[aria-pressed=true]").count() == 2
        assert all(line.to_pick for line in _task(served, number).lines)
        page.context.set_offline(False)
        page.get_by_role("button", name="Ready: tell the person").first.wait_for()
    assert not any(line.to_pick for line in _task(served, number).lines)


def test_the_person_on_their_phone(store, visiting, axe):
    served, orders = store
    number = orders["curbside"]
    with visiting(served, "", width=390) as page:
        page.goto(desk.link_of(served.platform, number))
        assert not judged(page, axe)
        assert page.locator("#code").inner_text() == api.codes.shown(desk.code_of(served.platform, number))
        assert page.locator(".code-card img").evaluate("image => image.naturalWidth") > 100
        page.get_by_label("Where do you stand?").select_option("2")
        page.get_by_role("button", name="Change where I am").click()
        page.get_by_text("Somebody comes to you.").wait_for()
    assert api.pickup(served.platform.commerce, number).bay == "2"


@pytest.mark.parametrize("width", [390, 1280])
def test_rules_are_checked_while_they_are_written(store, visiting, axe, width):
    served, _ = store
    with visiting(served, "owner", width=width) as page:
        page.goto("/fulfilment/rules")
        assert not judged(page, axe)
        editor = page.get_by_label("Rules (YAML or JSON)")
        editor.fill("rules:\n- name: Everything\n  form: {roles: [ships]}\n")
        page.get_by_text("Did you mean 'from'?").wait_for()
        editor.fill("rules:\n- name: Everything\n  from: {roles: [ships]}\n")
        page.get_by_text("This can be applied.").wait_for()
        page.get_by_label("Products").fill("ABR-1 2")
        page.get_by_role("button", name="Where would it come from?").click()
        page.locator(".verdicts .chosen").wait_for()
        assert not judged(page, axe)


def _task(served, number):
    return next(task for task in api.pick_list(served.platform.commerce, "MAD") if task.order == number)


@pytest.mark.parametrize(("width", "language"), [(390, "en"), (1280, "es")])
def test_goods_come_back_through_the_person_and_too_many_are_refused(tmp_path, visiting, axe, width, language):
    with served_over(tmp_path / "data") as served:
        number = bringing.furnish(served.platform)
        served.platform.commerce.do(api.ChooseDesk(by="the-store_staff", desk="TOL"))
        with visiting(served, "store_staff", width=width, language=language) as page:
            page.expected = [r"status of 422"]
            page.goto("/pickups/returns")
            page.locator("#f-q").fill(bringing.ANA)
            page.keyboard.press("Enter")
            form = page.locator("form", has_text=number)
            form.wait_for()
            page.wait_for_load_state("load")
            assert not judged(page, axe)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            form.locator("button.big").click()
            form.get_by_text("nothing of it came back" if language == "en" else "no se devuelve nada").wait_for()
            form.locator("input[type=number]").first.fill("2")
            form.locator("button.big").click()
            page.get_by_text(f"2 of {number}" if language == "en" else f"2 de {number}").wait_for()
