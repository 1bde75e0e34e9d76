"""The frame around all pages: who gets in, in which words, what is said when it goes wrong, what is cached."""

from __future__ import annotations

import gzip
import re
import time
from importlib import import_module

import pytest
from starlette.requests import Request

from cauce.access.api import ROLES
from cauce.console.frame import Page, Shown
from cauce.console.routes import areas
from cauce.console.static_files import FOREVER, files
from cauce.console.words import words_of
from cauce.errors import Busy, DefinitionInvalid
from cauce.http.readers import Readers

routes = import_module("cauce.console.routes")  # the package's own name for it is the function


@pytest.mark.parametrize("role", sorted(ROLES))
def test_the_start_is_the_first_page_that_a_role_may_see(seat, role):
    answer = seat.client(role).get("/")
    assert answer.status_code == 200
    shown = re.findall(r'<li(?: class="begins")?><a href="([^"]+)"', answer.text)
    assert shown == [area.home for area in areas().values() if area.place and area.permission in ROLES[role][1]]
    assert answer.url.path == shown[0]
    assert f'<a href="{shown[0]}" aria-current="page">' in answer.text


@pytest.mark.parametrize("role", sorted(ROLES))
def test_the_api_is_explained_to_those_who_work_with_it(seat, role):
    client = seat.client(role)
    works_with_it = role in {"owner", "engineer", "analyst"}
    assert ('href="/docs/api"' in client.get("/").text) == works_with_it
    assert 'href="/docs/api"' in client.page("/account")
    assert client.get("/docs/api").status_code == 200


def test_whoever_is_not_signed_in_comes_back_to_where_they_wanted(seat):
    answer = seat.client("").get("/sources/web?x=1&language=es", follow_redirects=False)
    assert answer.headers["location"] == "/sign-in?next=%2Fsources%2Fweb%3Fx%3D1%26language%3Des"


def test_a_session_that_ended_while_its_page_stood_open_loads_the_page_anew(seat):
    answer = seat.client("").get("/overview/live", headers={"hx-request": "true", "hx-request-type": "partial"})
    assert answer.status_code == 401
    assert answer.headers["hx-refresh"] == "true"


@pytest.mark.parametrize(
    ("offered", "language", "number"),
    [
        ("es-ES,es;q=0.9", "es", "1.234,5"),
        ("es-MX,es;q=0.8,en;q=0.5", "es", "1,234.5"),
        ("en-GB", "en", "1,234.5"),
        ("fr-FR, fr;q=0.9", "en", "1,234.5"),
        ("", "en", "1,234.5"),
        ("*;q=0.1, %%%, es", "es", "1.234,5"),
    ],
)
def test_the_browsers_language_and_region(seat, offered, language, number):
    scope = {"type": "http", "headers": [(b"accept-language", offered.encode())], "query_string": b""}
    assert words_of(routes.language_of(Request(scope))).number(1234.5) == number
    assert f'<html lang="{language}"' in seat.client().page("/sources", headers={"accept-language": offered})


def test_a_chosen_language_stays(seat):
    client = seat.client(language="en-GB")
    assert "<h1>Fuentes</h1>" in client.page("/sources?language=es")
    assert "<h1>Fuentes</h1>" in client.page("/sources")
    assert "<h1>Sources</h1>" in client.page("/sources?language=en")
    assert "<h1>Sources</h1>" in client.page("/sources?language=xx%22%3E")


def test_times_are_told_in_the_visitors_zone(seat):
    text = seat.client(zone="America/Bogota").page("/sources/web")
    assert re.search(r'<time datetime="[^"]+-05:00">', text)
    strange = seat.client(zone="../../etc/passwd").page("/sources/web")
    assert 'data-zone="UTC"' in strange


def test_nothing_is_said_as_a_page_and_to_programs_as_json(seat):
    client = seat.client()
    page = client.get("/nothing/here")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    program = client.get("/nothing/here", headers={"accept": "application/json"})
    assert program.json()["code"] == "not_found"


def test_an_address_is_shown_escaped(seat):
    text = seat.client().page("/sources/%3Cscript%3Ealert(1)", 404)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def failing(fault):
    def view(_visit):
        raise fault

    return view


@pytest.fixture
def broken(seat, monkeypatch):
    """Replaces the view of the list of sources."""

    def replace(view, template="sources/list.html"):
        page = Page("/broken", view, template)
        place = routes.Place("sources", areas()["sources"], page)
        monkeypatch.setattr(routes, "places", lambda: [place])
        app = routes.routes(seat.platform, Readers())
        monkeypatch.undo()
        return app

    return replace


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (DefinitionInvalid("expected a day, got <b>", hint="Write `2026-11-21`"), 422, "This does not work"),
        (Busy("the river is full"), 503, "Not now"),
        (RuntimeError("secret detail"), 500, "Something went wrong"),
    ],
)
def test_what_goes_wrong_is_said_with_its_status(seat, broken, fault, status, said):
    client = seat.client_over(broken(failing(fault)))
    text = client.page("/broken", status)
    assert said in text
    assert "secret detail" not in text
    assert "<b>" not in text.partition("<main")[2].replace("<b>the-owner</b>", "")
    part = client.get("/broken", headers={"hx-request-type": "partial"})
    assert part.status_code == status
    assert "<html" not in part.text
    assert 'role="alert"' in part.text


def test_a_template_that_breaks_is_a_page_that_says_so(seat, broken):
    client = seat.client_over(broken(lambda _visit: Shown("sources/list.html", {})))
    assert "Something went wrong" in client.page("/broken", 500)


def test_a_form_that_is_too_long_is_refused(seat):
    client = seat.client()
    data = {"csrf": client.token("/sources/new"), "name": "x" * 1_100_000}
    assert client.post("/sources/new", data=data).status_code == 413


def test_static_files_are_kept_for_ever_under_their_hash(seat):
    client = seat.client("")
    file = files()["console.css"]
    answer = client.get(file.url, headers={"accept-encoding": "gzip"})
    assert answer.headers["cache-control"] == FOREVER
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == file.body
    old = client.get("/static/0000/console.css", headers={"accept-encoding": "identity"})
    assert old.headers["cache-control"] == "no-cache"
    assert old.content == file.body
    assert client.get("/static/0000/../routes.py").status_code in (303, 404)
    assert client.get("/static/0000/nothing.css", headers={"accept": "*/*"}).status_code == 404
    assert all(gzip.decompress(file.compressed) == file.body for file in files().values() if file.compressed)


def test_pages_are_compressed_for_who_understands_it(seat):
    client = seat.client()
    plain = client.get("/sources", headers={"accept-encoding": "identity"})
    small = client.get("/sources", headers={"accept-encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < len(plain.content) / 2


def test_a_note_is_said_once(own_seat):
    client = own_seat.client()
    answer = client.send("/sources/web/switch", page="/sources/web/settings", enabled="no")
    assert answer.status_code == 303
    assert "The source is switched off" in client.page(answer.headers["location"])
    assert "The source is switched off: its requests" not in client.page("/sources")


@pytest.mark.parametrize("note", ["x", "W10=", "WyJnb29kIiwgMV0=", "WyI8YiIsICJ4Il0=", "%ff"])
def test_a_forged_note_says_nothing(seat, note):
    client = seat.client()
    client.cookies.set("cauce_note", note)
    assert 'class="note' not in client.page("/sources")


def test_the_guided_path_leads_through_what_a_role_may_see(seat):
    client = seat.client("owner")
    text = client.page("/guide")
    for stop in range(1, 6):
        assert f"stop {stop} of 5" in text
        found = re.search(rf'href="([^"]+\?guide={stop + 1})"', text)
        assert bool(found) == (stop < 5)
        if found:
            text = client.page(found[1])
    assert "stop 5 of 5" in client.page("/sources")
    assert "Guided path, stop" not in client.page("/sources?guide=end")
    assert "Guided path, stop" not in client.page("/sources")
    assert "stop 1 of 2" in seat.client("agent").page("/guide")


def test_in_an_empty_installation_every_stop_answers(empty_seat):
    client = empty_seat.client()
    for stop in range(1, 6):
        assert "Guided path" in client.page(f"/overview?guide={stop}")
    assert "Guided path, stop" not in client.page("/overview?guide=9")


def test_the_path_leads_to_who_shows_up_while_the_world_streams_in(empty_seat, monkeypatch):
    found = iter(["", "p_1111111111111"])
    monkeypatch.setattr("cauce.console.guide.somebody_met", lambda _platform: next(found))
    client = empty_seat.client("owner")
    client.page("/guide")
    while "/people/p_1111111111111?guide=2" not in client.page("/overview?guide=1"):
        time.sleep(0.01)
