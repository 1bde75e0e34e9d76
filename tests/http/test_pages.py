"""The pages, as a browser without scripts gets them."""

from __future__ import annotations

import re
import threading

import httpx
import pytest

from cauce.app import Platform
from cauce.http.pages.cached import Cached
from cauce.http.pages.words import Words, texts
from tests.http.installation import ANA, make
from tests.http.serving import serving

LANGUAGES = sorted(texts())


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(URL, access key) of a small installation."""
    folder = tmp_path_factory.mktemp("pages") / "data"
    key = make(folder)
    with Platform.open(folder) as platform, serving(platform) as url:
        yield url, key


@pytest.fixture
def visitor(served):
    url, key = served
    with httpx.Client(base_url=url, cookies={"cauce_key": key}, headers={"accept": "text/html"}) as client:
        yield client


def page(visitor, path, language="en", status=200):
    found = visitor.get(path, headers={"accept-language": language})
    assert found.status_code == status, found.text
    assert f'<html lang="{language}">' in found.text
    return found.text


def told(html):
    """The text of a page as it reads."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_nobody_sees_anything_without_a_key(served):
    url, _ = served
    for path in ("/", "/people", f"/people/{ANA}", "/pages/overview"):
        found = httpx.get(url + path)
        assert (found.status_code, found.headers["location"]) == (303, "/sign-in")


def test_signing_in_by_form_or_link(served):
    url, key = served
    with httpx.Client(base_url=url) as client:
        wrong = client.post("/sign-in", data={"key": "wrong"})
        assert wrong.status_code == 401
        assert 'role="alert"' in wrong.text
        assert "wrong" not in re.findall(r'value="([^"]*)"', wrong.text)
        right = client.post("/sign-in", data={"key": key})
        assert right.status_code == 303
        assert "httponly" in right.headers["set-cookie"].lower()
        assert client.get("/").status_code == 200
    with httpx.Client(base_url=url, follow_redirects=True) as client:
        assert "Overview" in client.get("/sign-in", params={"key": key}).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_overview_adds_up(visitor, language):
    text = told(page(visitor, "/", language))
    assert texts()[language]["adds_up"] in text
    assert "9 " + texts()[language]["received"] in text
    assert "Ana García" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_person_in_both_languages(visitor, language):
    html = page(visitor, f"/people/{ANA}", language)
    text = told(html)
    words = Words(language)
    assert "Ana García" in text
    assert told(words.money(1234.5, "EUR")) in text
    assert words.computed("revenue_total") in text
    assert words.trait("lastName") in text
    assert words.day(1_772_359_200_000_000) in text
    assert texts()[language]["given"] in text
    assert words.t["rules"]["latest"].format(source="crm", day=words.day(1_772_532_120_000_000)) in text
    assert "+34612345678" in text  # the value that lost
    other = texts()["es" if language == "en" else "en"]
    for key in ("golden_record", "why_one", "computed", "timeline"):
        assert other[key] not in text


def test_money_and_numbers_follow_the_language():
    assert Words("en").money(1234.5, "EUR") == "€1,234.50"
    assert Words("es").money(1234.5, "EUR") == "1.234,50\u00a0€"
    assert Words("es").money(3, "MXN") == "3,00\u00a0MXN"
    assert (Words("en").number(1234567), Words("es").number(1234567)) == ("1,234,567", "1.234.567")
    assert (Words("en").number(0.5), Words("es").number(0.5)) == ("0.5", "0,5")


def test_what_others_wrote_stays_text(visitor):
    html = page(visitor, "/people/email:bad@tienda.es")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "&lt;script&gt;" in page(visitor, "/people?q=%3Cscript%3E")


def test_pages_carry_no_style_of_their_own(visitor):
    for path in ("/", "/people", f"/people/{ANA}", "/sign-in", "/nowhere"):
        found = visitor.get(path)
        assert " style=" not in found.text
        assert "unsafe" not in found.headers["content-security-policy"]


def test_searching_leads_to_the_person_or_says_that_there_is_none(visitor):
    assert visitor.get("/people", params={"q": f" {ANA} "}).headers["location"].startswith("/people/p_")
    for path in ("/people?q=email:nobody@tienda.es", "/people?q=nothing"):
        assert "Nobody is known by" in told(page(visitor, path))
    assert "No se conoce a nadie" in told(page(visitor, "/people/email:nobody@tienda.es", "es", status=404))


def test_a_day_before_anything_was_known(visitor):
    assert "Nothing was known" in told(page(visitor, f"/people/{ANA}?as_of=2020-01-01"))
    assert "what was known" in told(page(visitor, f"/people/{ANA}?as_of=2999-01-01"))
    page(visitor, f"/people/{ANA}?as_of=soon", status=404)


def test_a_forged_cursor_shows_the_first_page(visitor):
    for cursor in ("abc", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTksMQ"):
        assert "Store Visited" in page(visitor, f"/people/{ANA}?cursor={cursor}")


def test_addresses_that_lead_nowhere(visitor):
    assert "There is nothing here" in told(page(visitor, "/nowhere", status=404))
    for path in ("/nowhere", "/pages/secret.py"):
        machine = visitor.get(path, headers={"accept": "application/json"})
        assert (machine.status_code, machine.json()["code"]) == (404, "not_found")


def test_the_language_is_kept_with_the_rest_of_the_address(visitor):
    html = page(visitor, "/people?q=email:nobody@tienda.es")
    assert 'href="?q=email%3Anobody%40tienda.es&amp;language=es"' in html
    assert "cauce_language=es" in visitor.get("/people?language=es").headers["set-cookie"]
    link = visitor.get("/sign-in?key=wrong").text
    assert "key=wrong" not in link


def test_an_empty_installation_says_what_to_do(tmp_path):
    with Platform.open(tmp_path / "data") as platform, serving(platform) as url:
        key = platform.sources.add_access("tests", "reader")
        with httpx.Client(base_url=url, cookies={"cauce_key": key}) as visitor:
            for language in LANGUAGES:
                assert "<code>cauce sources add web --channel web</code>" in page(visitor, "/", language)
                assert texts()[language]["no_people"] in told(page(visitor, "/people", language))


def shape(value):
    """A text with its places to fill in, or a mapping of shapes."""
    return {name: shape(part) for name, part in value.items()} if isinstance(value, dict) else sorted(
        re.findall(r"\{\w*\}", str(value))
    )  # fmt: skip


def test_every_text_exists_in_every_language():
    spanish, english = texts()["es"], texts()["en"]
    assert shape(spanish) == shape(english)


def test_every_packaged_trait_and_kind_has_a_name(served):
    url, key = served
    computed = httpx.get(f"{url}/v1/people/{ANA}/traits", headers={"authorization": f"Bearer {key}"}).json()["computed"]
    assert computed.keys() <= texts()["es"]["computed_names"].keys()


def test_what_is_dear_is_computed_once_and_kept():
    now, calls = [0.0], []

    def compute():
        calls.append(now[0])
        now[0] += 2.0  # it takes two seconds
        return len(calls)

    cached = Cached(compute, seconds=10, clock=lambda: now[0])
    assert [cached.get(), cached.get()] == [1, 1]
    now[0] += 19.9  # kept ten times as long as it took
    assert cached.get() == 1
    now[0] += 0.2
    assert cached.get() == 2


def test_while_one_computes_the_others_get_the_value_before():
    now, inside, go_on = [0.0], threading.Event(), threading.Event()
    values = iter([1, 2])

    def compute():
        value = next(values)
        if value == 2:
            inside.set()
            assert go_on.wait(30)
        return value

    cached = Cached(compute, seconds=1, clock=lambda: now[0])
    assert cached.get() == 1
    now[0] = 5.0
    slow = threading.Thread(target=cached.get)
    slow.start()
    assert inside.wait(30)
    assert cached.get() == 1
    go_on.set()
    slow.join()
    assert cached.get() == 2
