"""Shops and tills in the console: what both sides share is taken, never shown, and forgotten."""

from __future__ import annotations

import re

import pytest

from cauce.events.connections import hint_of
from cauce.model import Source

pytestmark = pytest.mark.soak

SECRET = "whsec_0123456789abcdef"
PAGE = "/sources/web/systems/stripe"


def test_a_secret_is_taken_shown_by_its_hint_and_forgotten(own_seat):
    client = own_seat.client("engineer")
    assert "not connected" in client.page("/sources/web/systems")
    answer = client.send(f"{PAGE}/secrets", page=PAGE, secret=f" {SECRET} ")
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    text = client.page(PAGE)
    hint = hint_of(SECRET)
    assert hint in text
    assert SECRET not in text
    assert "/v1/channels/stripe/web" in text
    lock = own_seat.platform.sources.connections.lock("web", "stripe")
    assert lock.secrets == (SECRET.encode(),)
    assert re.search(r"Stripe</a>.*?connected", client.page("/sources/web/systems"), re.DOTALL)
    entries = own_seat.platform.audit.entries().entries
    entry = next(one for one in entries if one.action == "source.secret_added")
    assert (entry.actor, entry.subject, entry.details["secret"]) == ("the-engineer", "web", hint)
    client.send(f"{PAGE}/forget", page=PAGE, hint=hint)
    assert own_seat.platform.sources.connections.lock("web", "stripe") is None
    assert "forgotten" in client.page(PAGE)


def test_a_credential_opens_nothing_here(own_seat):
    connections = own_seat.platform.sources.connections
    own_seat.platform.sources.add(Source("pay", "web"), by="tests")
    page = "/sources/pay/systems/stripe"
    client = own_seat.client("engineer")
    client.send(f"{page}/secrets", page=page, purpose="api", credential="rk_live_0123456789")
    assert connections.credential("pay", "stripe") == "rk_live_0123456789"
    assert connections.lock("pay", "stripe") is None


@pytest.mark.parametrize("secret", ["", "short", "two words that are long enough", "x" * 600])
def test_what_is_no_secret_is_said_at_the_field_and_not_repeated(seat, secret):
    answer = seat.client().send(f"{PAGE}/secrets", page=PAGE, secret=secret)
    assert answer.status_code == 422
    assert re.search(r'<input id="f-secret"[^>]* aria-invalid="true"', answer.text)
    assert not secret or secret not in answer.text
    spoken = seat.client(language="es").send(f"{PAGE}/secrets", page=PAGE, secret=secret)
    assert "Se esperaban" in spoken.text


def test_addresses_are_kept_and_faults_stand_at_their_field(own_seat):
    page = "/sources/web/systems/square"
    client = own_seat.client("engineer")
    text = client.page(page)
    assert "https://connect.squareup.com" in text
    answer = client.send(f"{page}/addresses", page=page, public_url="http://shop.example")
    assert answer.status_code == 422
    assert re.search(r'<input id="f-public_url"[^>]* aria-invalid="true"', answer.text)
    assert 'value="http://shop.example"' in answer.text
    client.send(f"{page}/addresses", page=page, public_url="https://cauce.example.com/v1/channels/square/web")
    found = own_seat.platform.sources.connections.connection("web", "square")
    assert found.public_url == "https://cauce.example.com/v1/channels/square/web"
    assert "f-public_url" not in client.page(PAGE), "only where the address is signed"


def test_who_may_only_look_sees_no_forms_and_may_not_act(seat):
    reader = seat.client("steward")
    reader.page("/sources/web/systems", 403)
    assert seat.client("engineer").send(f"{PAGE}/secrets", page="/sources/web", secret=SECRET).status_code in (303, 403)


def test_unknown_systems_and_sources_are_not_found(seat):
    client = seat.client()
    client.page("/sources/web/systems/amazon", 404)
    client.page("/sources/nobody/systems", 404)
    client.page("/sources/nobody/systems/stripe", 404)
