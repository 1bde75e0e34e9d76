"""The pages in a real Chromium: laptop and telephone, both languages, light and dark."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from cauce.app import Platform
from cauce.http.pages.words import texts
from tests.http.installation import ANA, make
from tests.http.serving import serving

pytestmark = pytest.mark.browser

WIDTHS = {"laptop": 1280, "telephone": 390}
PATHS = (
    "/",
    "/people",
    "/people?q=email:nobody@tienda.es",
    f"/people/{ANA}",
    f"/people/{ANA}?as_of=2020-01-01",
    "/nowhere",
)
CONTRAST_AA = 4.5
CONTRASTS = """
() => {
  const channel = part => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const parse = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("svg")) continue;
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    found.push([(one + 0.05) / (other + 0.05), walker.currentNode.data.trim()]);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(URL, access key) of a small installation."""
    folder = tmp_path_factory.mktemp("browser") / "data"
    key = make(folder)
    with Platform.open(folder) as platform, serving(platform) as url:
        yield url, key


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 only where there is a browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@contextmanager
def visiting(chromium, served, width=1280, language="en", scheme="light"):
    """A signed-in page of a fresh browser profile; fails when a console complains."""
    url, key = served
    context = chromium.new_context(
        base_url=url, viewport={"width": width, "height": 900}, locale=language, color_scheme=scheme
    )
    page = context.new_page()
    faults = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"/sign-in?key={key}")
    page.faults = faults
    yield page
    context.close()
    assert not [fault for fault in faults if "404" not in fault]


@pytest.mark.parametrize("language", sorted(texts()))
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_can_be_read(chromium, served, width, language, scheme):
    with visiting(chromium, served, width, language, scheme) as page:
        for path in PATHS:
            page.goto(path)
            page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
            assert page.evaluate("document.documentElement.lang") == language
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            faint = [found for found in page.evaluate(CONTRASTS) if found[0] < CONTRAST_AA]
            assert not faint, f"{path}: {faint}"
            assert page.locator("h1").count() == 1


def test_the_way_of_a_keyboard(chromium, served):
    with visiting(chromium, served) as page:
        page.goto("/people")
        assert page.evaluate("document.activeElement.name") == "q"
        page.keyboard.type(ANA)
        page.keyboard.press("Enter")
        page.wait_for_url("**/people/p_*")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")


def test_signing_in_with_the_form(chromium, served):
    url, key = served
    context = chromium.new_context(base_url=url, locale="es")
    page = context.new_page()
    page.goto("/people")
    assert page.url.endswith("/sign-in")
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")
    assert page.locator("h1").inner_text() == texts()["es"]["overview"]
    page.get_by_role("link", name="English").click()
    page.wait_for_url("**language=en")
    page.goto("/people")
    assert page.locator("h1").inner_text() == texts()["en"]["people"]
    context.close()


def test_the_overview_refreshes_itself_and_keeps_the_keyboards_place(chromium, served):
    with visiting(chromium, served) as page:
        page.goto("/")
        link = page.locator(".people a").first
        link.focus()
        address = link.get_attribute("href")
        page.evaluate("document.querySelector('#live .tiles').remove()")
        page.wait_for_selector("#live .tiles")
        assert page.evaluate("document.activeElement.getAttribute('href')") == address


def test_arcs_and_bars_are_drawn_under_the_policy(chromium, served):
    with visiting(chromium, served, 390) as page:
        page.goto("/")
        bar = page.locator(".bars .bar rect").first
        assert bar.evaluate("each => getComputedStyle(each).fill") == "rgb(11, 107, 116)"
        assert bar.bounding_box()["width"] > 50
        page.goto(f"/people/{ANA}")
        rows = page.locator(".tied li")
        dots = page.locator(".arcs circle")
        assert rows.count() == dots.count() >= 5
        for row, dot in zip(rows.all(), dots.all(), strict=True):
            box, point = row.bounding_box(), dot.bounding_box()
            assert box["y"] < point["y"] + point["height"] / 2 < box["y"] + box["height"]
        assert page.locator(".arcs path.joined").count() >= rows.count() - 1
