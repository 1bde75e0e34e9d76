"""Before every page and API route: who asks, may they, and does the request come from our own pages."""

from __future__ import annotations

import threading

import argon2.profiles
import httpx
import pytest
from starlette.requests import Request

from cauce import console
from cauce.access.api import PERMISSIONS, ROLES
from cauce.app import Platform
from cauce.console.frame import ANYBODY
from cauce.console.routes import places
from cauce.http.app import create_app
from cauce.http.guard import COOKIE, FORM_BYTES_MAX, HOST_COOKIE, visitor_of
from cauce.settings import Settings
from tests.running import in_the_loop

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guard") / "data"
    with Platform.open(Settings({"data": str(folder)})) as found:
        for role in ROLES:
            found.access.accounts.add(f"the-{role}", role, by="tests")
        yield found


class Door:
    """Requests to the whole application, each with only what is said."""

    def __init__(self, platform):
        self.platform = platform
        self.app = create_app(platform, pages=console.routes)

    def ask(self, method, address, *, base="http://cauce.test", **options):
        async def asked():
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                return await client.request(method, address, **options)

        return in_the_loop(asked())

    def cookie(self, role):
        account = self.platform.access.accounts.get(f"the-{role}")
        return self.platform.access.sessions.start(account).cookie

    def signed_in(self, role):
        """Headers of a browser in which somebody of that role is signed in, with the token of its pages."""
        cookie = self.cookie(role)
        return {"cookie": f"{COOKIE}={cookie}", "x-csrf-token": self.platform.access.csrf_of(cookie)}


@pytest.fixture(scope="module")
def door(platform):
    return Door(platform)


def example(path):
    """An address of a route: parameters filled in."""
    parts = [("1" if part.endswith(":int}") else "x") if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


CHANGING = [place for place in places() if place.page.method != "GET"]
GUARDED = [place for place in places() if place.permission != ANYBODY]


def named(place):
    return f"{place.page.method} {place.page.path}"


# -- forms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", CHANGING, ids=named)
def test_no_page_changes_anything_without_the_token_of_our_pages(door, place):
    owner = door.signed_in("owner")
    address = example(place.page.path)
    other = door.signed_in("owner")["x-csrf-token"]
    for headers in (
        {"cookie": owner["cookie"]},
        {"cookie": owner["cookie"], "x-csrf-token": "x"},
        {"cookie": owner["cookie"], "x-csrf-token": other},
        {"x-csrf-token": owner["x-csrf-token"]},
        {"cookie": f"{COOKIE}=", "x-csrf-token": door.platform.access.csrf_of("")},
    ):
        answer = door.ask(place.page.method, address, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), headers
    for data in ({}, {"csrf": ""}, {"csrf": other}):
        answer = door.ask(place.page.method, address, data={**data, "x": "y"}, headers={"cookie": owner["cookie"]})
        assert answer.status_code == 403


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("address", ["/", "/nowhere", "/sign-in", "/people/x"])
def test_addresses_that_nobody_registered_are_guarded_too(door, method, address):
    assert door.ask(method, address, headers={"cookie": f"{COOKIE}={door.cookie('owner')}"}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"origin": "http://cauce.test"}, True),
        ({"origin": "https://cauce.test"}, True),  # behind a proxy that speaks TLS
        ({"origin": "http://cauce.test:81"}, False),
        ({"origin": "http://evil.test"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "http://cauce.test"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
    ],
)
def test_other_sites_are_refused_even_with_the_token(door, headers, passes):
    answer = door.ask("POST", "/account/language", headers={**door.signed_in("agent"), **headers})
    assert answer.status_code == (303 if passes else 403)


def test_a_form_field_serves_as_well_and_the_form_arrives_whole(door):
    owner = door.signed_in("owner")
    fields = {"csrf": owner["x-csrf-token"], "language": "es"}
    answer = door.ask("POST", "/account/language", data=fields, headers={"cookie": owner["cookie"]})
    assert answer.headers["location"] == "/account?language=es"


def test_a_form_without_end_is_refused(door):
    answer = door.ask(
        "POST",
        "/account/language",
        data={"x": "y" * FORM_BYTES_MAX},
        headers={"cookie": door.signed_in("owner")["cookie"]},
    )
    assert answer.status_code == 413


def test_who_looks_with_a_browser_gets_a_page_in_its_language(door):
    browser = {"accept": "text/html", "accept-language": "es"}
    owner = door.signed_in("owner")
    for headers, data in (
        ({**owner, "origin": "http://<b>.test"}, None),
        ({"cookie": owner["cookie"]}, {"csrf": "of another tab"}),
    ):
        answer = door.ask("POST", "/account/language", headers={**browser, **headers}, data=data)
        assert answer.status_code == 403
        assert "Este formulario no viene" in answer.text
        assert "<b>.test" not in answer.text
    led = door.ask("POST", "/account/language", headers=browser)
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in")
    long = {"cookie": owner["cookie"], **browser}
    assert door.ask("POST", "/account/language", headers=long, data={"x": "y" * FORM_BYTES_MAX}).status_code == 413
    assert door.ask("GET", "/refused", headers=browser).status_code == 404


# -- roles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", GUARDED, ids=named)
def test_each_page_refuses_nobody_and_every_role_without_its_permission(door, place):
    address = example(place.page.path)
    method = place.page.method
    if method == "GET":
        answer = door.ask(method, address)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
    if not place.permission:
        return
    assert place.permission in PERMISSIONS
    for role, (_, held) in ROLES.items():
        if place.permission not in held:
            assert door.ask(method, address, headers=door.signed_in(role)).status_code == 403, role


@pytest.mark.parametrize("role", ROLES)
def test_the_start_of_each_role_is_a_page_that_it_may_see(door, role):
    headers = door.signed_in(role)
    led = door.ask("GET", "/", headers=headers)
    assert led.status_code == 303
    assert door.ask("GET", led.headers["location"], headers=headers).status_code == 200


# -- cookies and tokens ---------------------------------------------------------------------------------------------


def test_under_https_the_cookie_is_bound_to_the_host(door):
    answer = door.ask("GET", "/sign-in", base="https://cauce.test")
    line = next(line for line in answer.headers.get_list("set-cookie") if "session" in line)
    assert line.startswith(f"{HOST_COOKIE}=")
    for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert flag in line.split("; ")
    assert "Domain" not in line
    headers = {"cookie": f"{COOKIE}={door.cookie('owner')}"}  # one that another host of the domain could have set
    assert door.ask("GET", "/account", base="https://cauce.test", headers=headers).status_code == 303
    headers = {"cookie": f"{HOST_COOKIE}={door.cookie('owner')}"}
    assert door.ask("GET", "/account", base="https://cauce.test", headers=headers).status_code == 200


def test_tokens_open_the_api_and_no_page(door):
    secret = door.platform.access.tokens.add("of-owner", ["owner"], by="tests").secret
    headers = {"authorization": f"Bearer {secret}"}
    assert door.ask("GET", "/account", headers=headers).status_code == 303
    assert door.ask("POST", "/account/language", headers=headers).status_code == 403
    assert door.ask("GET", "/v1/people/email:nobody@x.es", headers=headers).status_code == 404
    wrong = door.ask("GET", "/v1/people/email:nobody@x.es", headers={"authorization": "Bearer cauce_x"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "unauthorised")


def test_a_session_reads_the_api_and_changes_only_with_the_token_of_our_pages(door):
    owner = door.signed_in("owner")
    cookie = {"cookie": owner["cookie"]}
    assert door.ask("GET", "/v1/people/email:nobody@x.es", headers=cookie).status_code == 404
    assert door.ask("POST", "/v1/sources", json={}, headers=cookie).json()["code"] == "forbidden"
    assert door.ask("POST", "/v1/sources", json={}).status_code == 401


def test_a_token_that_asks_too_often_is_told_when_to_come_again(tmp_path):
    settings = Settings({"data": str(tmp_path), "token_requests_per_minute": 2})
    with Platform.open(settings) as platform:
        secret = platform.access.tokens.add("x", ["people.read", "people.personal"]).secret
        door, headers = Door(platform), {"authorization": f"Bearer {secret}"}
        statuses = [door.ask("GET", "/v1/people/email:x@x.es", headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in statuses] == [404, 404, 429]
        assert int(statuses[-1].headers["retry-after"]) >= 1
        assert statuses[-1].json()["code"] == "throttled"


def test_open_addresses_ask_for_nobody(door):
    headers = {"authorization": "Bearer wrong", "cookie": f"{COOKIE}=wrong"}
    for address in ("/health/live", "/metrics"):
        assert door.ask("GET", address, headers=headers).status_code == 200


def test_threads_are_told_apart(door):
    """Who asks belongs to the request, never to the process."""
    found = {}

    def ask(role):
        headers = door.signed_in(role)
        found[role] = [door.ask("GET", "/account", headers=headers).text for _ in range(3)]

    threads = [threading.Thread(target=ask, args=(role,)) for role in ROLES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for role, texts in found.items():
        assert all(f"the-{role}" in text for text in texts)


def test_the_address_is_masked_in_the_trail(door, monkeypatch):
    monkeypatch.setattr(argon2.profiles, "RFC_9106_LOW_MEMORY", argon2.profiles.CHEAPEST)
    page = door.ask("GET", "/sign-in")
    cookie = page.headers["set-cookie"].partition(";")[0]
    fields = {"csrf": door.platform.access.csrf_of(cookie.partition("=")[2]), "name": "x", "password": "y"}
    assert door.ask("POST", "/sign-in", data=fields, headers={"cookie": cookie}).status_code == 401
    assert door.platform.audit.entries().entries[0].address == "127.0.0.0"


def test_only_guarded_requests_have_a_visitor():
    with pytest.raises(KeyError):
        visitor_of(Request({"type": "http", "headers": [], "state": {}}))
