"""Signing in, one's own account, all accounts, the audit trail: as a browser without script meets them."""

from __future__ import annotations

import re
from html import unescape

import argon2.profiles
import httpx
import pytest

from cauce.app import Platform
from cauce.console.areas.account_parts import browser_of
from cauce.console.areas.sign_in import inside
from cauce.errors import NotFound
from cauce.settings import Settings
from tests.access.provider import CLIENT, CLIENT_SECRET, SmallProvider, providing
from tests.console.seat import Seat

pytestmark = pytest.mark.soak

PASSWORD = "zapatos rojos 42"
OTHER = "una lampara verde"


def cookie_of(answer):
    """The session cookie that an answer sets, "" when it takes it away, None when it sets none."""
    lines = [line for line in answer.headers.get_list("set-cookie") if line.startswith("cauce_session=")]
    return lines[-1].partition("=")[2].partition(";")[0] if lines else None


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Argon2 as weak as it goes: what it should be is tried in tests/access."""
    monkeypatch.setattr(argon2.profiles, "RFC_9106_LOW_MEMORY", argon2.profiles.CHEAPEST)


@pytest.fixture
def house(empty_seat: Seat):
    """An empty console with the owner ana, who has a password."""
    empty_seat.platform.access.accounts.add("ana", "owner", password=PASSWORD, by="tests")
    return empty_seat


def signed_in(house, name="ana", password=PASSWORD, language="en"):
    client = house.client("", language=language)
    answer = client.send("/sign-in", page="/sign-in", name=name, password=password)
    assert answer.status_code == 303, answer.text
    return client


# -- the door -------------------------------------------------------------------------------------------------------


def test_the_first_owner_comes_in_by_the_printed_link(empty_seat):
    client = empty_seat.client("")
    assert "cauce up" in client.page("/sign-in")
    secret = empty_seat.platform.access.accounts.first_link().secret
    address = f"/sign-in/link?key={secret}"
    refused = client.send("/sign-in/link", page=address, key=secret, name="Eva", password="passwordpassword")
    assert refused.status_code == 422
    assert "Others try this password first" in refused.text
    answer = client.send("/sign-in/link", page=address, key=secret, name="Eva", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "eva" in client.page("/account")
    assert "does not work any more" in client.page(address, 404)
    again = client.post("/sign-in/link", data={"csrf": csrf(client, "/account"), "key": secret, "password": OTHER})
    assert again.status_code == 404
    assert "cauce up" not in empty_seat.client("").page("/sign-in")


def csrf(client, page):
    return unescape(re.search(r'name="csrf" value="([^"]*)"', client.page(page))[1])


def test_signing_in_gives_a_fresh_cookie_and_signing_out_takes_it_away(house):
    client = house.client("")
    client.page("/sign-in")
    before = client.cookies["cauce_session"]
    answer = client.send("/sign-in", page="/sign-in", name="ANA", password=PASSWORD, next="/audit?action=session")
    assert answer.headers["location"] == "/audit?action=session"
    after = cookie_of(answer)
    assert after not in ("", before)
    assert house.platform.access.sessions.find(before) is None  # a cookie that was planted signs nobody in
    line = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("cauce_session="))
    assert "HttpOnly" in line
    assert "SameSite=Lax" in line
    client.page("/account")
    out = client.send("/sign-out", page="/account")
    assert out.headers["location"] == "/sign-in"
    assert cookie_of(out) == ""
    client.cookies.set("cauce_session", after)
    assert client.get("/account", follow_redirects=False).headers["location"] == "/sign-in?next=%2Faccount"


def test_signing_in_again_ends_the_session_before(house):
    client = signed_in(house)
    before = client.cookies["cauce_session"]
    token = csrf(client, "/account")
    client.post("/sign-in", data={"csrf": token, "name": "ana", "password": PASSWORD})
    assert house.platform.access.sessions.find(before) is None
    assert house.platform.access.sessions.find(client.cookies["cauce_session"])


@pytest.mark.parametrize(("language", "said"), [("en", "Name or password is wrong."), ("es", "no son correctos")])
def test_wrong_passwords_are_told_and_then_wait(house, language, said):
    client = house.client("", language=language)
    for _ in range(5):
        answer = client.send("/sign-in", page="/sign-in", name="ana", password=OTHER)
        assert answer.status_code == 401
        assert said in answer.text
        assert OTHER not in answer.text
    answer = client.send("/sign-in", page="/sign-in", name="ana", password=PASSWORD)
    assert answer.status_code == 429
    assert cookie_of(answer) is None


@pytest.mark.parametrize(
    ("address", "led"),
    [
        ("/people?q=a b", "/people?q=a%20b"), ("https://evil.example", "/"), ("//evil.example", "/"),
        ("/\\evil.example", "/"), ("/a\r\nset-cookie: x=1", "/"), ("javascript:alert(1)", "/"), ("", "/"),
        ("/sign-out", "/"), ("/" + "a" * 3_000, "/"), ("/\tx", "/"),
    ],
)  # fmt: skip
def test_only_our_own_addresses_are_led_on_to(address, led):
    assert inside(address) == led


def test_a_pass_needs_a_button_and_works_once(house):
    secret = house.platform.access.accounts.pass_for("ana").secret
    client = house.client("")
    for _ in range(2):  # looking does not use it up
        client.page(f"/sign-in/link?key={secret}")
    answer = client.send("/sign-in/link", page=f"/sign-in/link?key={secret}", key=secret)
    assert answer.headers["location"] == "/"
    assert "ana" in client.page("/account")
    client.page(f"/sign-in/link?key={secret}", 404)


# -- one's own account ----------------------------------------------------------------------------------------------


def test_the_password_is_changed_by_who_knows_it(house):
    here, there = signed_in(house), signed_in(house)
    wrong = here.send("/account/password", page="/account", old=OTHER, new=OTHER)
    assert wrong.status_code == 422
    assert "This is not the present password." in wrong.text
    short = here.send("/account/password", page="/account", old=PASSWORD, new="short")
    assert "At least 12 characters" in short.text
    here.send("/account/password", page="/account", old=PASSWORD, new=OTHER)
    here.page("/account")
    assert there.get("/account", follow_redirects=False).status_code == 303
    signed_in(house, password=OTHER)


def test_one_signs_out_other_browsers_but_nobody_elses(house):
    house.platform.access.accounts.add("eva", "steward", password=OTHER)
    eva = signed_in(house, "eva", OTHER)
    ana, second, third = signed_in(house), signed_in(house), signed_in(house)
    sessions = house.platform.access.sessions
    (hers,) = sessions.list(house.platform.access.accounts.get("eva"))
    assert ana.send("/account/sessions/end", page="/account", id=hers.id).status_code == 404
    eva.page("/account")
    session, _ = sessions.find(second.cookies["cauce_session"])
    assert ana.send("/account/sessions/end", page="/account", id=session.id).status_code == 303
    assert second.get("/account", follow_redirects=False).status_code == 303
    ana.send("/account/sessions/end-others", page="/account")
    assert third.get("/account", follow_redirects=False).status_code == 303
    ana.page("/account")


def test_own_tokens_are_shown_once_bounded_and_revoked(house):
    house.platform.access.accounts.add("eva", "store_staff", password=OTHER)
    eva = signed_in(house, "eva", OTHER)
    made = eva.send("/account/tokens", page="/account", name="phone", scope="people.read", days="30")
    secret = re.search(r"cauce_[A-Za-z0-9]{32}", made.text)[0]
    assert house.platform.access.by_token(secret).permissions == {"people.read"}
    assert secret not in eva.page("/account")
    beyond = eva.send("/account/tokens", page="/account", name="more", scope="accounts.write", days="30")
    assert beyond.status_code == 422
    assert "Only what you may do yourself" in beyond.text
    assert eva.send("/account/tokens", page="/account", name="none", days="30").status_code == 422
    assert eva.send("/account/tokens", page="/account", name="phone", scope="people.read", days="30").status_code == 422
    assert eva.send("/account/tokens", page="/account", name="x", scope="people.read", days="7").status_code == 422
    (token,) = house.platform.access.tokens.list()
    ana = signed_in(house)
    assert ana.send("/account/tokens/revoke", page="/account", id=token.id).status_code == 404
    assert eva.send("/account/tokens/revoke", page="/account", id=token.id).status_code == 303
    assert house.platform.access.tokens.authenticate(secret) is None


def test_the_language_of_an_account_counts_wherever_it_signs_in(house):
    client = signed_in(house)
    client.send("/account/language", page="/account", language="es")
    fresh = house.client("", language="en")
    answer = fresh.send("/sign-in", page="/sign-in", name="ana", password=PASSWORD, next="/account")
    assert answer.headers["location"] == "/account?language=es"
    assert "Mi cuenta" in fresh.page(answer.headers["location"])


# -- all accounts ---------------------------------------------------------------------------------------------------


def test_an_owner_invites_changes_and_disables(house):
    ana = signed_in(house)
    made = ana.send("/accounts/new", page="/accounts/new", name="Luis", role="analyst", extra="people.personal")
    address = unescape(re.search(r"http://console\.test(/sign-in/link\?key=[^<]+)<", made.text)[1])
    luis = house.client("")
    secret = address.partition("key=")[2]
    luis.send("/sign-in/link", page=address, key=secret, password=OTHER)
    assert "luis" in luis.page("/account")
    account = house.platform.access.accounts.get("luis")
    assert account.actor.may("people.personal")
    home = f"/accounts/{account.id}"
    ana.send(f"{home}/role", page=home, role="privacy")
    assert "/audit" in luis.page("/audit")
    ana.send(f"{home}/disable", page=home)
    assert luis.get("/account", follow_redirects=False).status_code == 303
    assert "disabled" in ana.page(home)
    ana.send(f"{home}/enable", page=home)
    ana.page(home)
    assert ana.page("/accounts/999", 404)


def test_forms_of_accounts_say_what_is_wrong(house):
    ana = signed_in(house)
    taken = ana.send("/accounts/new", page="/accounts/new", name="ana", role="agent")
    assert (taken.status_code, "This name is taken." in taken.text) == (422, True)
    for fields in ({"name": "<b>", "role": "agent"}, {"name": "eva", "role": "king"}):
        assert ana.send("/accounts/new", page="/accounts/new", **fields).status_code == 422
    mine = f"/accounts/{house.platform.access.accounts.get('ana').id}"
    assert ana.send(f"{mine}/role", page=mine, role="agent").status_code == 409  # the last owner stays
    assert ana.send(f"{mine}/disable", page=mine).status_code == 409
    with pytest.raises(NotFound):
        house.platform.access.accounts.get("eva")


def test_tokens_of_machines(house):
    ana = signed_in(house)
    made = ana.send("/accounts/tokens", page="/accounts", name="till", scope="people.read", days="0")
    secret = re.search(r"cauce_[A-Za-z0-9]{32}", made.text)[0]
    actor = house.platform.access.by_token(secret)
    assert (actor.name, actor.account) == ("till", 0)
    assert ana.send("/accounts/tokens", page="/accounts", name="till", scope="people.read", days="0").status_code == 422
    ana.send("/accounts/tokens/revoke", page="/accounts", id=actor.token)
    assert house.platform.access.tokens.authenticate(secret) is None


# -- the audit trail ------------------------------------------------------------------------------------------------


def test_the_trail_is_filtered_and_paged(house):
    audit = house.platform.audit
    for place in range(60):
        audit.note("shell", "source.changed", f"s{place}")
    ana = signed_in(house)
    first = ana.page("/audit?action=source&actor=shell")
    assert first.count("<tr>") == 51
    older = unescape(re.search(r'href="(/audit\?[^"]*cursor=\d+)"', first)[1])
    assert "actor=shell" in older
    rest = ana.page(older)
    assert rest.count("<tr>") == 11
    assert "s0<" in rest
    assert "s0<" not in first
    assert "No entry matches" in ana.page("/audit?actor=nobody")
    assert "signed in" in ana.page("/audit?action=session&from=2000-01-01&to=9999-12-31")
    assert "No entry matches" in ana.page("/audit?to=2000-01-01")
    assert "Expected a day." in ana.page("/audit?from=tomorrow")
    for odd in (
        "cursor=x",
        "cursor=-1",
        "cursor=" + "9" * 40,
        "action=%3Cb%3E",
        "actor=%F0%9F%98%80",
        "from=0001-01-01",
    ):
        assert "<b>" not in ana.page(f"/audit?{odd}").partition("<table")[2]


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox 145, Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 "
            "Safari/537.36 Edg/142.0",
            "Edge 142, Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36", "Chrome 142, Android"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
        ("<script>" * 20, ("<script>" * 20)[:40]),
    ],
)
def test_browsers_are_called_as_people_know_them(agent, shown):
    assert browser_of(agent) == shown


@pytest.mark.parametrize("language", ["en", "es"])
def test_hostile_names_are_text(house, language):
    hostile = "<script>alert(1)</script>"
    house.platform.audit.note("x", "source.changed", hostile, {hostile: hostile})
    account = house.platform.access.accounts.get("ana")
    house.platform.access.sessions.start(account, agent=hostile)
    ana = signed_in(house, language=language)
    for address in ("/audit", f"/audit?actor={hostile}&subject={hostile}", "/account", f"/accounts/{account.id}"):
        text = ana.page(address)
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text


# -- through an OpenID provider -------------------------------------------------------------------------------------


@pytest.fixture
def provided(tmp_path):
    """(seat, provider): a console whose people may sign in through a provider on loopback."""
    (tmp_path / "secret").write_text(CLIENT_SECRET + "\n")
    with providing(SmallProvider()) as small:
        values = {
            "data": str(tmp_path / "data"), "oidc_issuer": small.issuer, "oidc_client": CLIENT,
            "oidc_client_secret_file": str(tmp_path / "secret"), "oidc_roles": "cdp-admins=owner, care=agent",
        }  # fmt: skip
        with Platform.open(Settings(values)) as platform:
            yield Seat(platform), small


def from_outside(client, address="/sign-in/outside?next=/account"):
    """Where the provider leads a browser back to, as an address of the console."""
    there = client.get(address, follow_redirects=False)
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"])
    return back.headers["location"].removeprefix("http://console.test")


def test_somebody_signs_in_through_the_provider(provided):
    seat, small = provided
    client = seat.client("")
    assert "Sign in through 127.0.0.1" in client.page("/sign-in")
    answer = client.get(from_outside(client), follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    text = client.page("/account")
    assert "bea@tienda.es" in text
    assert "Change the password" not in text
    account = seat.platform.access.accounts.get("bea@tienda.es")
    assert (account.role, account.outside) == ("agent", f"{small.issuer}|7")
    small.claims = {**small.claims, "roles": ["cdp-admins"], "email": "beatriz@tienda.es"}
    client.get(from_outside(client), follow_redirects=False)
    assert seat.platform.access.accounts.get("bea@tienda.es").role == "owner"
    small.claims = {**small.claims, "roles": ["care"]}
    refused = client.get(from_outside(seat.client("")), follow_redirects=False)
    assert refused.status_code == 401  # another browser began it
    fresh = seat.client("")
    kept = fresh.get(from_outside(fresh), follow_redirects=False)
    assert kept.status_code == 409  # the last owner stays


def test_what_the_provider_does_not_confirm_lets_nobody_in(provided):
    seat, small = provided
    client = seat.client("", language="es")
    for claims, status, said in (
        ({"roles": []}, 403, "no le da ningún rol"),
        ({"nonce": "x"}, 401, "No se ha podido confirmar"),
    ):
        small.changes = claims
        answer = client.get(from_outside(client), follow_redirects=False)
        assert answer.status_code == status
        assert said in answer.text
    assert seat.platform.access.accounts.list() == []
    assert client.get("/sign-in/outside/back?state=x&code=y", follow_redirects=False).status_code == 401
    refused = [entry.details["why"] for entry in seat.platform.audit.entries().entries]
    assert len(refused) == 3


def test_without_a_provider_there_is_no_such_door(house):
    client = house.client("")
    client.page("/sign-in/outside", 404)
    client.page("/sign-in/outside/back?state=x", 404)
    assert "/sign-in/outside" not in client.page("/sign-in")
