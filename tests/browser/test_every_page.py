"""Every page of the registry in a real Chromium: languages, widths, light and dark, by keyboard, judged by axe."""

from __future__ import annotations

import json
from itertools import product

import pytest

from cauce.console.catalogues import catalogues
from cauce.console.frame import ANYBODY
from cauce.console.routes import places
from tests.browser.conftest import PICTURES, WIDTHS
from tests.console.examples import WITHOUT, address_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

FULL_PAGES = [
    place
    for place in places()
    if place.page.method == "GET"
    and place.page.path not in WITHOUT
    and place.page.template
    and place.page.path != "/sign-in"
]
PROBLEMS = ("/nothing-is-here", "/people/email:nobody@tienda.es", "/sources/unknown")
JUDGED = json.dumps(
    {
        "resultTypes": ["violations"],
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
)
BAD = ("serious", "critical")
LOOKS = [
    ("laptop", "light", "en"),
    ("laptop", "dark", "es"),
    ("phone", "light", "es"),
    ("phone", "dark", "en"),
]
"""Width, scheme and language: any two of them meet."""


def judged(page, axe):
    """What axe finds serious or critical on the page as it stands."""
    page.evaluate(axe)
    found = page.evaluate(f"axe.run(document, {JUDGED})")["violations"]
    return [
        f"{one['impact']} {one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for one in found
        if one["impact"] in BAD
        for node in one["nodes"][:3]
    ]


def shown(page, path):
    """Opens a page and whatever can be unfolded on it; False when it is only a piece of another page."""
    page.goto(path, wait_until="load")
    if page.locator("main").count() == 0:
        return False
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    return True


def test_every_page_is_looked_at_in_every_language_width_and_scheme():
    widths, schemes, languages = sorted(WIDTHS), ["dark", "light"], sorted(catalogues())
    for first, second, pairs in (
        (0, 2, product(widths, languages)),
        (0, 1, product(widths, schemes)),
        (1, 2, product(schemes, languages)),
    ):
        assert {(look[first], look[second]) for look in LOOKS} == set(pairs)


@pytest.mark.parametrize(("width", "scheme", "language"), LOOKS, ids=["-".join(look) for look in LOOKS])
def test_every_page_fits_speaks_and_can_be_used(served, visiting, axe, width, scheme, language):
    width = WIDTHS[width]
    folder = PICTURES / f"{language}-{width}-{scheme}"
    folder.mkdir(parents=True, exist_ok=True)
    with visiting(served, width=width, language=language, scheme=scheme) as page:
        page.expected = ["status of 404"]
        paths = [address_of(served.platform, place.page.path) for place in FULL_PAGES] + list(PROBLEMS)
        faults = []
        for path in paths:
            if not shown(page, path):
                continue
            page.screenshot(
                path=folder / f"{path.strip('/').partition('?')[0].replace('/', '_')[:80]}.png", full_page=True
            )
            assert page.evaluate("document.documentElement.lang") == language
            assert page.locator("h1").count() == 1, path
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                faults.append(f"{path} is {wide} pixels wide")
            faults += [f"{path}: {fault}" for fault in judged(page, axe)]
        assert not faults, "\n".join(faults)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_door_can_be_used(served, visiting, axe, width, scheme):
    with visiting(served, "", width=width, scheme=scheme) as page:
        page.goto("/overview")
        assert page.url.endswith("/sign-in?next=%2Foverview")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not judged(page, axe)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_of_the_api_can_be_used(served, visiting, axe, width, scheme):
    with visiting(served, "engineer", width=width, scheme=scheme) as page:
        page.goto("/overview")
        if width == WIDTHS["phone"]:
            page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="HTTP API").click()
        page.wait_for_url("**/docs/api")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not judged(page, axe)
        assert page.locator("h1").bounding_box()["y"] < 400, "what it is stands in the first screen"


@pytest.mark.parametrize("role", ["agent", "analyst", "store_staff", "marketer"])
def test_a_role_sees_only_its_pages(served, visiting, role):
    with visiting(served, role) as page:
        page.expected = ["status of 403"]
        page.goto("/")
        assert page.locator("nav.side a[aria-current]").count() == 1, "the start is a page that the role may see"
        allowed = {link.get_attribute("href") for link in page.locator("nav.side ul a").all()}
        for place in FULL_PAGES:
            if place.permission == ANYBODY or not place.area.place or place.page.path != place.area.home:
                continue
            answer = page.goto(place.page.path)
            assert (answer.status == 200) == (place.page.path in allowed), place.page.path
            assert page.locator("h1").count() == 1


def test_the_way_of_a_keyboard_to_the_end_of_the_session(served, visiting):
    with visiting(served) as page:
        page.goto("/sources")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
        page.goto("/sources")
        for _ in range(60):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
            if page.evaluate("document.activeElement.closest('form')?.getAttribute('action')") == "/sign-out":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/sign-in")
        page.goto("/overview")
        assert "/sign-in" in page.url


def test_the_menu_of_a_phone(served, visiting):
    with visiting(served, width=390) as page:
        page.goto("/overview")
        menu = page.get_by_role("button", name="Menu")
        assert not page.locator("#navigation").is_visible()
        menu.click()
        assert page.locator("#navigation").is_visible()
        assert menu.get_attribute("aria-expanded") == "true"
        page.keyboard.press("Escape")
        assert not page.locator("#navigation").is_visible()
        menu.click()
        page.get_by_role("link", name="Sources").click()
        page.wait_for_url("**/sources")


def test_language_and_brightness_stay_chosen(served, visiting):
    with visiting(served) as page:
        page.goto("/sources")
        page.get_by_role("link", name="Español").click()
        page.wait_for_url("**language=es")
        assert page.locator("h1").inner_text() == "Fuentes"
        page.locator("[data-theme-switch]").click()
        assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
        page.goto("/overview")
        assert page.evaluate("document.documentElement.lang") == "es"
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_times_are_those_of_the_browsers_zone(served, visiting):
    with visiting(served) as page:
        page.goto("/sources/web")
        page.wait_for_function("document.documentElement.dataset.zone === 'Europe/Madrid'")
        assert page.locator("time").first.get_attribute("datetime").endswith(("+01:00", "+02:00"))
