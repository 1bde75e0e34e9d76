"""Who is behind each request, and whether a request that changes something comes from our own pages.

An ASGI wrapper around everything but the intake, so that no route can forget it. Programs send `Authorization: Bearer
TOKEN` to addresses under `/v1/`; people have a session cookie. A browser adds the cookie to whatever any page of the
web makes it send, so an unsafe request with a cookie must also carry the token that only our pages know.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request, cookie_parser

from cauce.access.api import Access, Account, Actor, Origin, Session, Started, require
from cauce.errors import CauceError, Forbidden, TooLarge
from cauce.http.asgi import ASGI, Message, Receive, Scope, Send
from cauce.http.problems import response_of

if TYPE_CHECKING:
    from cauce.app import Platform

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PROGRAMS = "/v1/"
"""Addresses below are for programs: only there tokens count."""
OPEN = ("/health/", "/metrics", "/static/")
"""Addresses that ask for nobody."""
REFUSED = "/refused"
"""The page that tells who looks with a browser why a request was not let through."""
COOKIE = "cauce_session"
HOST_COOKIE = f"__Host-{COOKIE}"
"""Under https no other host of the domain can set a cookie of this name."""
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
FORM = "application/x-www-form-urlencoded"
FORM_BYTES_MAX = 1_048_576
FORM_FIELDS_MAX = 1_000


class Visitor:
    """Who asks, if anybody; the token that forms carry; where the request comes from.

    `signs_in` and `signs_out` change the browser's cookie with the answer.
    """

    def __init__(
        self,
        access: Access,
        origin: Origin,
        cookie: str = "",
        *,
        actor: Actor | None = None,
        signed_in: tuple[Session, Account] | None = None,
    ) -> None:
        self._access = access
        self.origin = origin
        who = signed_in[1].actor if signed_in else actor
        self.actor = msgspec.structs.replace(who, address=origin.address) if who else None
        self.account = signed_in[1] if signed_in else None
        self.session = signed_in[0].id if signed_in else ""
        self.cookie = cookie
        self.sent = cookie
        """What the browser has; differs from `cookie` when the answer must change it."""
        self.refusal: CauceError | None = None
        """Why the request was not let through, for the page that says so."""

    @property
    def address(self) -> str:
        return self.origin.address

    @property
    def csrf(self) -> str:
        """What forms must carry; a browser without a cookie gets one for it, which signs nobody in."""
        self.cookie = self.cookie or secrets.token_urlsafe(32)
        return self._access.csrf_of(self.cookie)

    def signs_in(self, started: Started) -> None:
        """The browser gets the cookie of a fresh session in the place of what it had."""
        self.cookie = started.cookie

    def signs_out(self) -> None:
        self.cookie = ""


def visitor_of(request: HTTPConnection) -> Visitor:
    """Who the guard found behind a request."""
    found = request.scope["state"]["visitor"]
    assert isinstance(found, Visitor)
    return found


def permitted(request: Request, permission: str) -> Actor:
    """Who asks, when it may; Unauthorised when nobody asks, Forbidden when it may not."""
    return require(visitor_of(request).actor, permission)


class Guard:
    """Puts a `Visitor` into the state of each request, and refuses what does not come from our own pages."""

    def __init__(self, app: ASGI, platform: Platform) -> None:
        self._app = app
        self._access = platform.access
        self._longest = platform.settings.session_seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(OPEN):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        visitor: Visitor | None = None
        try:
            if "cookie" in headers or "authorization" in headers:  # then the database is asked
                visitor = await run_in_threadpool(self._visitor, scope, headers)
            else:
                visitor = self._visitor(scope, headers)
            if scope["method"] not in SAFE and not _is_program(scope, headers, visitor):
                _from_our_pages(headers)
                receive = await self._checked(visitor, headers, receive)
        except CauceError as fault:
            if visitor is None or scope["path"].startswith(PROGRAMS) or "text/html" not in headers.get("accept", ""):
                await response_of(fault, Request(scope))(scope, receive, send)
                return
            visitor.refusal = fault
            scope = {**scope, "method": "GET", "path": REFUSED, "raw_path": REFUSED.encode(), "query_string": b""}
        scope["state"] = {**scope.get("state", {}), "visitor": visitor}
        await self._app(scope, receive, self._sending(scope, visitor, send))

    def _sending(self, scope: Scope, visitor: Visitor, send: Send) -> Send:
        """Sends an answer, and with it the cookie that has changed."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and visitor.cookie != visitor.sent:
                line = _set_cookie(visitor.cookie, is_secure=scope["scheme"] == "https", seconds=self._longest)
                message["headers"] = [*message["headers"], (b"set-cookie", line.encode())]
            await send(message)

        return sending

    def _visitor(self, scope: Scope, headers: Headers) -> Visitor:
        """Who asks; Unauthorised for a token that is nobody's, Throttled for one that asks too often. Blocks."""
        client = scope.get("client")
        origin = Origin(client[0] if client else "", headers.get("user-agent", "")[:200])
        if (token := bearer(headers)) and scope["path"].startswith(PROGRAMS):
            return Visitor(self._access, origin, actor=self._access.by_token(token))
        cookies = cookie_parser(headers.get("cookie", ""))
        cookie = cookies.get(HOST_COOKIE if scope["scheme"] == "https" else COOKIE, "")
        # A page that stands open asks for its live parts for ever: that keeps nobody signed in.
        is_use = headers.get("hx-request-type") != "partial"
        return Visitor(self._access, origin, cookie, signed_in=self._access.sessions.find(cookie, is_use=is_use))

    async def _checked(self, visitor: Visitor, headers: Headers, receive: Receive) -> Receive:
        """Forbidden without the token of our pages; otherwise what gives the application the body that was read."""
        said = headers.get(CSRF_HEADER, "")
        if not said and headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
            body = await _body(receive)
            receive = _again(body, receive)
            said = _field(body)
        if not self._access.is_csrf(visitor.sent, said):
            raise Forbidden(
                "this form has not the token of a page that was opened with this browser",
                hint="Open the page again and send it once more; cookies must be allowed",
            )
        return receive


def bearer(headers: Mapping[str, str]) -> str:
    """The token of an Authorization header, "" when there is none."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


def _is_program(scope: Scope, headers: Headers, visitor: Visitor) -> bool:
    """Whether no browser adds by itself what identifies the request: a token, or nothing at an address for programs."""
    if not scope["path"].startswith(PROGRAMS):
        return False
    return bool(bearer(headers)) or visitor.actor is None


def _from_our_pages(headers: Headers) -> None:
    """Forbidden when the browser says that another site made it send this."""
    site = headers.get("sec-fetch-site", "")
    origin = headers.get("origin", "")
    if site:
        ours = site in ("same-origin", "none")
    else:
        ours = not origin or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    if not ours:
        raise Forbidden(f"this request comes from another site: {(origin or site)[:200]!r}")


async def _body(receive: Receive) -> bytes:
    """The whole body; TooLarge when it is longer than any form of ours."""
    parts, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > FORM_BYTES_MAX:
            raise TooLarge(f"expected a form of at most {FORM_BYTES_MAX} bytes")
        if not message.get("more_body"):
            break
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read already, then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received


def _field(body: bytes) -> str:
    try:
        found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        return ""
    return found.get(CSRF_FIELD, [""])[0]


def _set_cookie(value: str, *, is_secure: bool, seconds: int) -> str:
    name, secure = (HOST_COOKIE, "; Secure") if is_secure else (COOKIE, "")
    lasting = f"; Max-Age={seconds}" if value else "; Max-Age=0"
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{lasting}"
