"""Sign-in through an OpenID provider: a real one on loopback, honest and otherwise."""

from __future__ import annotations

import time

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey

from cauce.access.outside import Outside, Provider, roles_read
from cauce.errors import Busy, Forbidden, SettingInvalid, Unauthorised
from tests.access.house import SECRET
from tests.access.provider import CLIENT, CLIENT_SECRET, SmallProvider, providing

pytestmark = pytest.mark.soak

BACK = "http://cauce.test/sign-in/outside/back"
COOKIE = "of the browser that began"
ROLES = (("cdp-admins", "owner"), ("care", "agent"))


class Clock:
    """Real time, moved on by `later` seconds."""

    later = 0.0

    def __call__(self):
        return int((time.time() + self.later) * 1_000_000)


@pytest.fixture
def small():
    with providing(SmallProvider()) as found:
        yield found


def provider_of(small, **changes):
    values = {"issuer": small.issuer, "client": CLIENT, "roles": ROLES, "client_secret": CLIENT_SECRET, **changes}
    clock = Clock()
    found = Provider(Outside(**values), SECRET, clock)
    found.test_clock = clock
    return found


def led(provider, wanted="/people", cookie=COOKIE):
    """What the provider leads back with, for a browser with this cookie."""
    answer = httpx.get(provider.begin(cookie, BACK, wanted))
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(BACK)
    return dict(httpx.URL(answer.headers["location"]).params)


def test_who_comes_back_is_who_the_provider_says(small):
    provider = provider_of(small)
    vouched = provider.finish(COOKIE, BACK, led(provider))
    assert vouched.outside == f"{small.issuer}|7"
    assert (vouched.name, vouched.role, vouched.wanted) == ("bea@tienda.es", "agent", "/people")


def test_a_public_client_proves_itself_by_pkce_alone(small):
    small.is_public = True
    provider = provider_of(small, client_secret="")
    assert provider.finish(COOKIE, BACK, led(provider)).role == "agent"


def test_keys_that_were_changed_are_fetched_again(small):
    provider = provider_of(small)
    provider.finish(COOKIE, BACK, led(provider))
    small.rotate()
    answer = led(provider)
    with pytest.raises(Unauthorised, match="not believed"):
        provider.finish(COOKIE, BACK, answer)  # fetched a moment ago: an attacker cannot make us ask all the time
    provider.test_clock.later = 61
    assert provider.finish(COOKIE, BACK, led(provider)).name == "bea@tienda.es"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "another"}, "not believed"),
        ({"iss": "https://evil.example"}, "not believed"),
        ({"exp": 1_000_000_000}, "not believed"),
        ({"exp": None}, "not believed"),
        ({"sub": None}, "not believed"),
        ({"iat": int(time.time()) + 86_400}, "not believed"),
        ({"nonce": "of another sign-in"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"azp": "another"}, "another client"),
        ({"email": None}, "claim 'email'"),
        ({"email": "no name <b>"}, "expected a name"),
        ({"email_verified": False}, "not verified"),
    ],
)
def test_an_id_token_that_is_not_right_lets_nobody_in(small, changes, why):
    provider = provider_of(small)
    small.changes = changes
    with pytest.raises(Unauthorised, match=why):
        provider.finish(COOKIE, BACK, led(provider))


@pytest.mark.parametrize("forged", ["other key", "client secret as key", "none"])
def test_a_signature_that_is_not_the_providers_is_not_believed(small, forged):
    provider = provider_of(small)
    if forged == "other key":
        small.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
    elif forged == "client secret as key":
        small.signing_key, small.algorithm = OctKey.import_key(CLIENT_SECRET), "HS256"
    else:
        small.signing_key, small.algorithm = OctKey.import_key("x" * 16), "none"
    with pytest.raises(Unauthorised, match="not believed"):
        provider.finish(COOKIE, BACK, led(provider))


def test_only_the_browser_that_began_ends_it_once_and_soon(small):
    provider = provider_of(small)
    answer = led(provider)
    for cookie in ("", "another", COOKIE + "x"):
        with pytest.raises(Unauthorised, match="not begun with this browser"):
            provider.finish(cookie, BACK, answer)
    body, _, seal = answer["state"].partition(".")
    for state in ("", ".", "x", body, f"{body}.", f".{seal}", f"{body}x.{seal}", f"{body}.{seal}x", "é.ñ"):
        with pytest.raises(Unauthorised, match="not begun with this browser"):
            provider.finish(COOKIE, BACK, {**answer, "state": state})
    provider.finish(COOKIE, BACK, answer)
    with pytest.raises(Unauthorised, match="invalid_grant"):
        provider.finish(COOKIE, BACK, answer)
    late = led(provider)
    provider.test_clock.later = 601
    with pytest.raises(Unauthorised, match="too long ago"):
        provider.finish(COOKIE, BACK, late)


def test_a_code_of_another_sign_in_is_worthless(small):
    provider = provider_of(small)
    mine, stolen = led(provider), led(provider, cookie="of the victim")
    with pytest.raises(Unauthorised, match="invalid_grant"):
        provider.finish(COOKIE, BACK, {**mine, "code": stolen["code"]})


def test_refusals_of_the_provider_are_told(small):
    provider = provider_of(small)
    state = led(provider)["state"]
    with pytest.raises(Unauthorised, match="refused: access_denied"):
        provider.finish(COOKIE, BACK, {"state": state, "error": "access_denied"})
    with pytest.raises(Unauthorised, match="another provider"):
        provider.finish(COOKIE, BACK, {"state": state, "code": "x", "iss": "https://evil.example"})


@pytest.mark.parametrize(
    ("roles", "claim", "role"),
    [
        (["care", "cdp-admins"], "roles", "owner"),
        ("care", "roles", "agent"),
        ({"here": ["care"]}, "roles.here", "agent"),
    ],
)
def test_the_first_role_that_fits_counts(small, roles, claim, role):
    small.claims = {**small.claims, "roles": roles}
    provider = provider_of(small, role_claim=claim)
    assert provider.finish(COOKIE, BACK, led(provider)).role == role


@pytest.mark.parametrize("roles", [[], ["others"], None, 7, {"care": 1}, [["care"]], "carecare"])
def test_who_has_no_role_does_not_get_in(small, roles):
    small.claims = {**small.claims, "roles": roles}
    provider = provider_of(small)
    with pytest.raises((Forbidden, Unauthorised)):
        provider.finish(COOKIE, BACK, led(provider))


def test_a_provider_that_is_gone_or_another_is_told(small):
    provider = provider_of(small, issuer="http://127.0.0.1:9")
    with pytest.raises(Busy, match="does not answer"):
        provider.begin(COOKIE, BACK, "/")
    small.changes = {"issuer": "https://evil.example"}
    with pytest.raises(Unauthorised, match="calls itself"):
        provider_of(small).begin(COOKIE, BACK, "/")


def test_settings_that_make_no_sense_are_told_all_at_once():
    with pytest.raises(SettingInvalid) as caught:
        Outside(issuer="http://id.example", client="", roles=(("x", "king"),), scopes="email")
    for part in ("oidc_issuer", "oidc_client", "oidc_scopes", "'king'"):
        assert part in caught.value.message
    assert roles_read(" cdp = owner, a=b=agent ,") == (("cdp", "owner"), ("a=b", "agent"))
    for text in ("owner", "=owner", "x="):
        with pytest.raises(SettingInvalid, match="group=role"):
            roles_read(text)
