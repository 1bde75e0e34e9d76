"""Sign-in through an OpenID provider: authorisation code with PKCE, state and nonce (OpenID Connect 1.0, RFC 9700).

Nothing is stored between the two halves: state, nonce and code verifier are derived from a random value that travels in
the state and from the cookie of the browser that began, so another browser cannot end what it did not begin.
"""

from __future__ import annotations

import secrets
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from hmac import compare_digest, digest
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec

from cauce.access.rules import ROLES, account_name
from cauce.errors import Busy, DefinitionInvalid, Forbidden, MissingExtra, SettingInvalid, Unauthorised

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signatures that are believed: asymmetric ones only, so that nobody signs with what a client knows."""
STATE_SECONDS = 600
WAIT_SECONDS = 10.0
LEEWAY_SECONDS = 60
KEYS_SECONDS = 60
"""How often, at most, keys are fetched again because a signature names an unknown one."""
KNOWN_SECONDS = 3_600
ANSWER_BYTES_MAX = 1_000_000
MICROSECONDS = 1_000_000


class Outside(msgspec.Struct, frozen=True):
    """An OpenID provider and how its claims become accounts.

    `roles` maps a value of the claim `role_claim` (dots lead into objects) to a role; the first that fits counts.
    """

    issuer: str
    client: str
    roles: tuple[tuple[str, str], ...]
    client_secret: str = ""
    scopes: str = "openid email profile"
    name_claim: str = "email"
    role_claim: str = "roles"

    def __post_init__(self) -> None:
        faults = []
        url = urlsplit(self.issuer)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in ("127.0.0.1", "::1", "localhost")):
            faults.append(f"expected oidc_issuer to be an https address, got {self.issuer!r}")
        if not self.client:
            faults.append("expected oidc_client to name this installation as the provider knows it, got ''")
        if "openid" not in self.scopes.split():
            faults.append(f"expected oidc_scopes to hold 'openid', got {self.scopes!r}")
        if not self.roles:
            faults.append("expected oidc_roles to say which value of the claim gives which role, got ''")
        faults += [
            f"expected oidc_roles to lead to {', '.join(ROLES)}, got {role!r}"
            for _, role in self.roles
            if role not in ROLES
        ]
        if faults:
            raise SettingInvalid("; ".join(faults), hint="See docs/howto/accounts.md")


def roles_read(text: str) -> tuple[tuple[str, str], ...]:
    """The setting `oidc_roles`: *cdp-admins=owner, care=agent*; SettingInvalid for what is no such list."""
    pairs = [part.strip().rpartition("=") for part in text.split(",") if part.strip()]
    wrong = [found for found in pairs if not found[0].strip() or not found[2].strip()]
    if wrong:
        raise SettingInvalid(f"expected oidc_roles to be like 'group=role, group=role', got {text!r}")
    return tuple((value.strip(), role.strip()) for value, _, role in pairs)


class Vouched(msgspec.Struct, frozen=True):
    """Somebody whom the provider vouches for: who it is for ever, today's name and role, and where to lead."""

    outside: str
    name: str
    role: str
    wanted: str


class Provider:
    """Talks with the provider; blocks while it does. `clock` gives microseconds UTC."""

    def __init__(self, outside: Outside, secret: bytes, clock: Callable[[], int]) -> None:
        self.outside = outside
        self._secret = digest(secret, b"sign-in outside", sha256)
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[dict[str, Any], int] = ({}, 0)
        self._keys: tuple[KeySet | None, int] = (None, 0)

    @property
    def host(self) -> str:
        """What people know the provider by."""
        return urlsplit(self.outside.issuer).hostname or ""

    def begin(self, cookie: str, back: str, wanted: str) -> str:
        """The provider's address that asks who the browser with this cookie is, and leads `back` here."""
        said = msgspec.json.encode((self._clock(), secrets.token_urlsafe(16), wanted))
        state = f"{_text(said)}.{self._derived('state', cookie, said)}"
        challenge = _text(sha256(self._derived("verifier", cookie, said).encode()).digest())
        query = {
            "response_type": "code",
            "client_id": self.outside.client,
            "redirect_uri": back,
            "scope": self.outside.scopes,
            "state": state,
            "nonce": self._derived("nonce", cookie, said),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        address = str(self._configuration()["authorization_endpoint"])
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"

    def finish(self, cookie: str, back: str, answer: Mapping[str, str]) -> Vouched:
        """Who it is, by the parameters with which the provider led back.

        Unauthorised when they are not believed, Forbidden when no role fits, Busy when the provider does not answer.
        """
        said, wanted = self._state(cookie, answer.get("state", ""))
        if "error" in answer or not answer.get("code"):
            raise Unauthorised(f"the provider refused: {answer.get('error', 'no code')[:100]}")
        if answer.get("iss", self.outside.issuer) != self.outside.issuer:
            raise Unauthorised("the answer is of another provider")
        verifier = self._derived("verifier", cookie, said)
        token = self._token(answer["code"], verifier, back)
        claims = self._claims(token, nonce=self._derived("nonce", cookie, said))
        return Vouched(f"{self.outside.issuer}|{claims['sub']}", self._name(claims), self._role(claims), wanted)

    # -- what the claims say ------------------------------------------------------------------------------------

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self.outside.name_claim)
        if not isinstance(name, str):
            raise Unauthorised(f"expected the claim {self.outside.name_claim!r} to name the person, found none")
        if self.outside.name_claim == "email" and claims.get("email_verified") is False:
            raise Unauthorised("the provider has not verified this e-mail address")
        try:
            return account_name(name)
        except DefinitionInvalid as fault:
            raise Unauthorised(fault.message) from None

    def _role(self, claims: Mapping[str, Any]) -> str:
        found: Any = claims
        for part in self.outside.role_claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        values = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        held = {value for value in values if isinstance(value, str)}
        for value, role in self.outside.roles:
            if value in held:
                return role
        raise Forbidden(f"none of the values of {self.outside.role_claim!r} gives a role here")

    # -- talking with the provider ------------------------------------------------------------------------------

    def _token(self, code: str, verifier: str, back: str) -> str:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        secret = self.outside.client_secret
        if not secret:
            form["client_id"] = self.outside.client
        auth = (self.outside.client, secret) if secret else None
        answer = self._ask("POST", str(self._configuration()["token_endpoint"]), data=form, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Unauthorised(f"the provider gave no id token: {str(answer.get('error', 'none'))[:100]}")
        return token

    def _claims(self, token: str, *, nonce: str) -> dict[str, Any]:
        """The claims of an id token whose signature, issuer, audience, time and nonce are right."""
        from joserfc import jwt  # noqa: PLC0415 an optional extra
        from joserfc.errors import JoseError  # noqa: PLC0415 an optional extra

        try:
            try:
                claims = jwt.decode(token, self._key_set(renew=False), algorithms=ALGORITHMS).claims
            except (JoseError, ValueError):
                claims = jwt.decode(token, self._key_set(renew=True), algorithms=ALGORITHMS).claims
            registry = jwt.JWTClaimsRegistry(
                now=self._clock() // MICROSECONDS,
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self.outside.issuer},
                aud={"essential": True, "value": self.outside.client},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            )
            registry.validate(claims)
        except (JoseError, ValueError) as fault:
            raise Unauthorised(f"the id token is not believed: {type(fault).__name__}") from None
        if not compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise Unauthorised("the id token answers another sign-in")
        if claims.get("azp", self.outside.client) != self.outside.client:
            raise Unauthorised("the id token is for another client")
        return dict(claims)

    def _configuration(self) -> dict[str, Any]:
        """What the provider says of itself, an hour old at most."""
        with self._lock:
            found, since = self._known
            if found and self._clock() - since < KNOWN_SECONDS * MICROSECONDS:
                return found
            address = self.outside.issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = self._ask("GET", address)
            if found.get("issuer") != self.outside.issuer:
                raise Unauthorised(f"the provider calls itself {str(found.get('issuer'))[:200]!r}")
            missing = [name for name in ("authorization_endpoint", "token_endpoint", "jwks_uri") if name not in found]
            if missing:
                raise Unauthorised(f"the provider does not say its {', '.join(missing)}")
            self._known = (found, self._clock())
            return found

    def _key_set(self, *, renew: bool) -> KeySet:
        """The provider's keys; `renew` fetches them again unless that was done a moment ago."""
        from joserfc.jwk import KeySet  # noqa: PLC0415 an optional extra

        address = str(self._configuration()["jwks_uri"])
        with self._lock:
            keys, since = self._keys
            age = self._clock() - since
            if keys is None or age > KNOWN_SECONDS * MICROSECONDS or (renew and age > KEYS_SECONDS * MICROSECONDS):
                keys = KeySet.import_key_set(self._ask("GET", address))  # type: ignore[arg-type]
                self._keys = (keys, self._clock())
            return keys

    def _ask(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        httpx = _httpx()
        try:
            with httpx.Client(timeout=WAIT_SECONDS, headers={"accept": "application/json"}) as client:
                answer = client.request(method, address, **options)
            found = msgspec.json.decode(answer.content[:ANSWER_BYTES_MAX])
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as fault:
            raise Busy(f"the provider {self.host} does not answer: {type(fault).__name__}") from None
        if not isinstance(found, dict):
            raise Busy(f"the provider {self.host} gave no JSON object")
        return found

    # -- between the halves -------------------------------------------------------------------------------------

    def _derived(self, what: str, cookie: str, said: bytes) -> str:
        bound = sha256(cookie.encode("utf-8", "surrogatepass")).digest()
        return _text(digest(self._secret, what.encode() + b"\0" + bound + said, sha256))

    def _state(self, cookie: str, state: str) -> tuple[bytes, str]:
        """(what was derived from, where to lead) of a state that this browser was given and that is not old."""
        body, _, seal = state.partition(".")
        try:
            said = urlsafe_b64decode(body + "=" * (-len(body) % 4))
        except ValueError:
            said = b""
        expected = self._derived("state", cookie, said).encode()
        if not cookie or not compare_digest(expected, seal.encode("utf-8", "replace")):
            raise Unauthorised("this sign-in was not begun with this browser")
        began, _, wanted = msgspec.json.decode(said, type=tuple[int, str, str])
        if self._clock() - began > STATE_SECONDS * MICROSECONDS:
            raise Unauthorised("this sign-in was begun too long ago")
        return said, wanted


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _httpx() -> Any:
    try:
        import httpx  # noqa: PLC0415 an optional extra
        import joserfc  # noqa: F401, PLC0415 an optional extra
    except ImportError:
        raise MissingExtra(
            "sign-in through an OpenID provider needs further packages", hint="pip install 'cauce[oidc]'"
        ) from None
    return httpx
