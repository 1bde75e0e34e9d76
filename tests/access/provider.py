"""A small OpenID provider on loopback: authorisation code with PKCE, signed id tokens, a key set."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, CLIENT_SECRET = "cauce", "s3cret of the client"


@cache
def _first_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one"})


class SmallProvider:
    """`claims` is who stands in front of it; `changes` spoils what it says in an id token."""

    def __init__(self) -> None:
        self.issuer = ""
        self.claims: dict[str, Any] = {"sub": "7", "email": "bea@tienda.es", "roles": ["care", "other"]}
        self.changes: dict[str, Any] = {}
        self.key: Any = _first_key()
        self.algorithm = "RS256"
        self.signing_key: Any = None
        self.is_public = False
        self._codes: dict[str, dict[str, str]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/openid-configuration", self.configuration),
            Route("/authorize", self.authorize),
            Route("/token", self.token, methods=["POST"]),
            Route("/keys", self.keys),
        ]

    def rotate(self) -> None:
        self.key, self.algorithm = ECKey.generate_key("P-256", {"kid": "two"}), "ES256"

    async def configuration(self, _request: Request) -> Response:
        home = self.issuer
        return JSONResponse({
            "issuer": self.changes.get("issuer", home),
            "authorization_endpoint": f"{home}/authorize",
            "token_endpoint": f"{home}/token",
            "jwks_uri": f"{home}/keys",
        })  # fmt: skip

    async def keys(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def token(self, request: Request) -> Response:
        form = {key: str(value) for key, value in (await _form(request)).items()}
        asked = self._codes.pop(form.get("code", ""), None)  # a code works once
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
            or not self._is_client(request, form)
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            **self.claims, **self.changes,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.signing_key or self.key
        header = {"alg": self.algorithm, "kid": self.key.kid}
        if self.algorithm == "none":  # no library signs that any more
            parts = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
            return JSONResponse({"id_token": ".".join((*parts, ""))})
        return JSONResponse({"id_token": jwt.encode(header, claims, key, algorithms=[self.algorithm])})

    def _is_client(self, request: Request, form: dict[str, str]) -> bool:
        if self.is_public:
            return form.get("client_id") == CLIENT and "authorization" not in request.headers
        told = b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        return told == f"{CLIENT}:{CLIENT_SECRET}"


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


@contextmanager
def providing(small: SmallProvider) -> Iterator[SmallProvider]:
    """The provider on a port of its own; ends it in order."""
    config = uvicorn.Config(Starlette(routes=small.routes()), host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    bound = config.bind_socket()
    bound.listen(16)
    small.issuer = f"http://127.0.0.1:{bound.getsockname()[1]}"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield small
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        bound.close()
