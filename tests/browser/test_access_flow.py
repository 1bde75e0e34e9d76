"""People come in: the first owner by the printed link, the next by an invitation; and what other sites cannot do."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import argon2.profiles
import pytest

from tests.browser.conftest import PICTURES, served_over

pytestmark = pytest.mark.browser

PASSWORD = "zapatos rojos 42"
OTHER = "una lampara verde"


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A console in which nothing has happened yet."""
    monkeypatch.setattr(argon2.profiles, "RFC_9106_LOW_MEMORY", argon2.profiles.CHEAPEST)
    with served_over(tmp_path / "data") as found:
        yield found


def serious(page, axe):
    """What axe finds that is serious."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})")
    return [(one["id"], one["nodes"][0]["target"]) for one in found["violations"]]


def picture(page, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def test_the_first_owner_and_an_invited_steward_come_in(fresh, visiting, axe):
    secret = fresh.platform.access.accounts.first_link().secret
    with visiting(fresh, "", language="es") as owner:
        owner.expected += ["422", "401"]
        owner.goto(f"/sign-in/link?key={secret}")
        assert serious(owner, axe) == []
        owner.get_by_label("Nombre").fill("Ana")
        password = owner.get_by_label("Contraseña nueva")
        password.fill("passwordpassword")
        owner.get_by_role("button", name="Guardar y entrar").click()
        owner.get_by_text("de las primeras que se prueban").wait_for()
        assert serious(owner, axe) == []
        password.fill(PASSWORD)
        owner.get_by_role("button", name="Mostrar").click()
        assert password.get_attribute("type") == "text"
        owner.get_by_role("button", name="Guardar y entrar").click()
        owner.wait_for_url("**/overview")
        owner.goto("/accounts/new")
        owner.get_by_label("Nombre").fill("luis")
        owner.get_by_text("custodia de datos").click()
        owner.get_by_role("button", name="Crear un enlace").click()
        link = owner.locator("#link").inner_text()
        picture(owner, "access-invited-es-laptop")
        with visiting(fresh, "", width=390, scheme="dark") as steward:
            steward.goto(link.removeprefix(fresh.url))
            steward.get_by_label("New password").fill(OTHER)
            steward.keyboard.press("Enter")
            steward.wait_for_url("**/overview")
            steward.goto("/account")
            assert serious(steward, axe) == []
            picture(steward, "access-account-en-phone")
            for address in ("/accounts", "/audit", "/sources"):
                steward.expected.append("403")
                assert steward.goto(address).status == 403
            owner.goto("/accounts")
            owner.get_by_role("link", name="luis").click()
            assert serious(owner, axe) == []
            owner.get_by_role("button", name="Desactivar").first.click()
            owner.get_by_role("dialog").get_by_role("button", name="Desactivar").click()
            owner.get_by_text("ya no puede entrar").wait_for()
            steward.goto("/account")
            steward.wait_for_url("**/sign-in?next=%2Faccount")
        owner.goto("/audit")
        assert serious(owner, axe) == []
        picture(owner, "access-audit-es-laptop")


def test_the_keyboard_is_enough_to_sign_in_and_out(fresh, visiting):
    fresh.platform.access.accounts.add("ana", "owner", password=PASSWORD)
    with visiting(fresh, "") as page:
        page.expected.append("401")
        page.goto("/sign-in?next=/account")
        page.keyboard.type("ana")
        page.keyboard.press("Tab")
        page.keyboard.type(OTHER)
        page.keyboard.press("Enter")
        page.get_by_role("alert").get_by_text("Name or password is wrong.").wait_for()
        page.get_by_label("Password", exact=True).focus()
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/account")
        out = page.get_by_role("button", name="Sign out", exact=True)
        out.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/sign-in")
        page.goto("/account")
        page.wait_for_url("**/sign-in?next=%2Faccount")


@contextmanager
def another_site(html):
    """A page of another origin."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"  # another site than 127.0.0.1
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_another_site_can_send_forms_but_they_change_nothing(fresh, visiting):
    fresh.platform.access.accounts.add("the-owner", "owner", password=PASSWORD)
    with visiting(fresh, "owner") as page:
        page.expected.append("403")
        form = (
            f"<form method=post action='{fresh.url}/accounts/new'><input name=name value=eve>"
            "<input name=role value=owner></form><script>document.forms[0].submit()</script>"
        )
        with another_site(form) as address:
            page.goto(address)
            page.wait_for_url("**/accounts/new")
            page.get_by_text("This form does not come from a page that this browser has open now.").wait_for()
        with another_site(f"<iframe src='{fresh.url}/accounts'></iframe>") as address:
            page.expected.append("frame-ancestors|Refused to frame|Framing")
            page.goto(address)
            assert page.frames[-1].get_by_text("the-owner").count() == 0
    assert [account.name for account in fresh.platform.access.accounts.list()] == ["the-owner"]
