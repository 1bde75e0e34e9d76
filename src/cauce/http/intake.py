"""Events in: bare ASGI, because every event passes here.

A request is answered with 200 only after its bytes are durable. A body must be JSON (or gzip of it) and its key must be
known; whatever else is wrong with an event is found out downstream, event by event, because server SDKs drop a whole
batch that is refused. What a shop's webhook sends is known by its signature instead of a key.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

import msgspec

from cauce import registry
from cauce.connectors.reading import GZIP_MAGIC, ZSTD_MAGIC, Unusable, open_body, read_items
from cauce.connectors.webhooks import Delivery, Fact, framed
from cauce.errors import Busy, CauceError, NotFound, TooLarge, Unauthorised, Unreadable
from cauce.events.connections import Lock
from cauce.events.intake import GroupCommit
from cauce.events.sources import Sources
from cauce.http import browser, cors, credentials
from cauce.http.asgi import Message, Receive, Scope, Send, answer
from cauce.http.health import LOOK_SECONDS, Health
from cauce.http.metrics import Metrics
from cauce.http.patience import Patience
from cauce.http.problems import JSON, Headers, MethodNotAllowed, Overloaded, body_of, headers_of, status_of
from cauce.model import Source
from cauce.settings import Settings

logger = logging.getLogger(__name__)

BODY_SECONDS_MAX = 30.0
"""How long a client may take to send its body."""
DRAINED_BODIES_MAX = 4
"""A refused body is read on up to this many times the largest allowed one, so that the client can read the answer."""
MAGICS = (GZIP_MAGIC, ZSTD_MAGIC)
BACKLOG_RETRY_SECONDS = 5
CUT_IN_LOOP_BYTES_MAX = 65_536
FAILURE = b'{"code":"internal_error","message":"this request failed; the reason stands in the log of the door"}'
SUCCESS = b'{"success":true}'
SUCCESS_HEADERS: Headers = [JSON, (b"content-length", str(len(SUCCESS)).encode())]

_LONG = {name: f"tracking:{name}" for name in ("identify", "track", "page", "screen", "group", "alias")}
_PATHS = {f"/v1/{name}": connector for name, connector in _LONG.items()}
_PATHS |= {f"/v1/{name[0]}": connector for name, connector in _LONG.items()}
_PATHS |= dict.fromkeys(("/v1/batch", "/v1/b", "/v1/import"), "tracking")
_PATHS |= dict.fromkeys(("/batch", "/capture", "/e", "/i/v0/e", "/track"), "posthog")
_PATHS |= {"/v1/epcis/capture": "epcis:capture"}
_ACCEPTED = frozenset(("/v1/epcis/capture",))
"""Paths whose protocol wants 202: what was sent is durable, and has its effect a little later."""
_CHANNELS = "/v1/channels/"
_METRICS = "/v1/m"
"""Where browser SDKs report on themselves: answered, not kept."""
_SETTINGS = "/v1/projects/"
_SOURCE_CONFIG = "/sourceConfig"


class Envelope(msgspec.Struct):
    """As much of a body as the door must know: the rest is only checked to be JSON."""

    batch: list[msgspec.Raw] = []
    writeKey: str | None = None  # noqa: N815 - the protocol's name
    api_key: str | None = None
    token: str | None = None


_peek = msgspec.json.Decoder(Envelope).decode


class Gone(Exception):
    """The client went away; nobody reads an answer."""


class Intake:
    """Receives, checks, makes durable, answers; one per process."""

    def __init__(
        self, sources: Sources, commit: GroupCommit, settings: Settings, health: Health, metrics: Metrics
    ) -> None:
        self._sources = sources
        self._commit = commit
        self._health = health
        self._metrics = metrics
        self._body_bytes_max: int = settings.request_bytes_max
        self._events_max: int = settings.request_events_max
        self._backlog_bytes_max: int = settings.backlog_bytes_max
        self._backlog_bytes = 0
        self._backlog_looked = float("-inf")
        self._connectors = registry.find("cauce.connectors", role="decode")
        self._signed = registry.find("cauce.connectors", role="verify")
        self._patience = Patience(BODY_SECONDS_MAX)

    def serves(self, path: str) -> bool:
        """Whether a path belongs to the intake."""
        return (
            path in _PATHS
            or path.rstrip("/") in _PATHS
            or path.startswith(_CHANNELS)
            or path.rstrip("/") == _METRICS
            or _is_question(path)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        method: str = scope["method"]
        path: str = scope["path"]
        kind, size, status = _kind_of(path), 0, 200
        allowed = cors.headers_for(headers.get(b"origin", b""))
        try:
            if method == "POST" and kind != "settings":
                size = await self._take(scope, headers, path, receive)
                status = 202 if path.rstrip("/") in _ACCEPTED else 200
                await send({"type": "http.response.start", "status": status, "headers": [*SUCCESS_HEADERS, *allowed]})
                await send({"type": "http.response.body", "body": SUCCESS})
            elif method == "OPTIONS":
                methods = b"GET, HEAD" if kind == "settings" else b"POST"
                await answer(send, 200, cors.preflight(headers, methods))
            elif method in ("GET", "HEAD") and kind == "settings":
                # RudderStack's ad-blocker check asks HEAD without a key
                body = b"" if method == "HEAD" else msgspec.json.encode(self._answer_browser(scope, headers, path))
                await answer(send, 200, [JSON, (b"cache-control", b"private, max-age=60"), *allowed], body)
            else:
                expected = "GET, HEAD, OPTIONS" if kind == "settings" else "POST, OPTIONS"
                raise MethodNotAllowed(method, expected)
        except Gone:
            return
        except CauceError as fault:
            status = status_of(fault)
            await answer(send, status, [*headers_of(fault), *allowed], body_of(fault))
        except Exception:
            status = 500  # every client sends again
            logger.exception("a request to %s failed", path)
            await answer(send, status, [JSON, *allowed], FAILURE)
        self._metrics.answered("preflight" if method == "OPTIONS" else kind, status, size)

    # -- events -------------------------------------------------------------------------------------------------

    async def _take(self, scope: Scope, headers: dict[bytes, bytes], path: str, receive: Receive) -> int:
        """Makes one request durable; its size as received."""
        if path.startswith(_CHANNELS) and (webhook := self._webhook_of(path)):
            return await self._take_webhook(*webhook, headers, receive)
        connector = self._connector_of(path)
        source = self._source_of(_told_keys(scope, headers))
        body = await self._body(headers, receive)
        if connector == _METRICS:
            return 0
        await self._check_backlog()
        stored = plain = _opened(headers, body, self._body_bytes_max)
        if hasattr(self._connectors[connector.partition(":")[0]], "frame"):
            return await self._take_framed(source, connector, plain)
        keys = await self._check(plain, wants_keys=source is None)
        source = source or self._source_of(keys)
        if source is None:
            raise Unauthorised("expected the write key of a source", hint="`cauce sources add` gives one")
        reads_compressed = getattr(self._connectors[connector.partition(":")[0]], "READS_COMPRESSED", False)
        if reads_compressed and body.startswith(MAGICS):
            stored = body
        received = time.time_ns() // 1_000
        is_plain = stored is plain
        await self._commit.append(source.name, connector, received, stored, compress=reads_compressed and is_plain)
        return len(body)

    async def _take_framed(self, source: Source | None, connector: str, plain: bytes) -> int:
        """Makes a document durable that is no list of events, as the records that its connector makes of it.

        When only a part of them can be made durable the sender sends again, and the events are known by their ids.
        """
        if source is None:
            raise Unauthorised("expected the write key of a source", hint="`cauce sources add` gives one")
        name, _, manner = connector.partition(":")
        bodies = await asyncio.to_thread(self._connectors[name].frame, plain, manner)
        received = time.time_ns() // 1_000
        await asyncio.gather(
            *(self._commit.append(source.name, connector, received, one, compress=True) for one in bodies)
        )
        return len(plain)

    def _connector_of(self, path: str) -> str:
        connector = _PATHS.get(path) or _PATHS.get(path.rstrip("/"))
        if connector:
            return connector
        if path.rstrip("/") == _METRICS:
            return _METRICS
        name = path.removeprefix(_CHANNELS).strip("/")
        base = name.partition(":")[0]
        if base in self._signed:
            raise NotFound(
                f"{base} says by its address which source it is",
                hint=f"Send to {_CHANNELS}{base}/SOURCE; its signature takes the place of a key",
            )
        if base not in self._connectors:
            raise NotFound(f"there is no channel {name!r}", hint=registry.nearest(name, list(self._connectors)))
        return name

    # -- webhooks -----------------------------------------------------------------------------------------------

    def _webhook_of(self, path: str) -> tuple[str, str] | None:
        """Connector and source of an address that a shop's webhooks go to, None when it is none."""
        connector, mark, source = path.removeprefix(_CHANNELS).strip("/").partition("/")
        return (connector, source) if mark and connector in self._signed else None

    async def _take_webhook(self, connector: str, name: str, headers: dict[bytes, bytes], receive: Receive) -> int:
        """Makes a signed request durable; Unauthorised, and nothing is kept, when its signature is wrong."""
        module = self._signed[connector]
        body = await self._body(headers, receive)
        lock = self._sources.connections.lock(name, connector)
        delivery = Delivery(headers, body, lock.public_url if lock else "", time.time_ns() // 1_000)
        if (is_ping := getattr(module, "is_ping", None)) and is_ping(delivery):
            return len(body)
        await self._check_backlog()
        if len(body) <= CUT_IN_LOOP_BYTES_MAX:
            stored = _verified(module, lock, delivery)
        else:
            stored = await asyncio.to_thread(_verified, module, lock, delivery)
        assert lock is not None
        await self._commit.append(lock.source.name, connector, delivery.now, stored, compress=True)
        return len(body)

    def _source_of(self, keys: Iterable[str]) -> Source | None:
        """The source of the first key that is one's."""
        for key in keys:
            if key and (source := self._sources.authenticate(key)) is not None:
                return source
        return None

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The whole body; TooLarge when it is longer than allowed, Busy when it takes too long to come."""
        try:
            with self._patience.limit():
                told = headers.get(b"content-length", b"")
                if told.isdigit() and int(told) > self._body_bytes_max:
                    await self._drain(receive, 0, True)
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                if message.get("more_body"):
                    return await self._parts(message, receive)
                body: bytes = message.get("body", b"")
        except TimeoutError:
            seconds = self._patience.seconds_max
            raise Busy(f"the body did not come within {seconds:g} s", retry_after_seconds=1) from None
        if len(body) > self._body_bytes_max:
            raise self._too_large()
        return body

    async def _parts(self, message: Message, receive: Receive) -> bytes:
        parts = [message.get("body", b"")]
        size = len(parts[0])
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > self._body_bytes_max:
                parts.clear()
                await self._drain(receive, size, message.get("more_body", False))
        return b"".join(parts)

    async def _drain(self, receive: Receive, size: int, more: bool) -> NoReturn:
        """Reads on without keeping anything, within bounds, so that the client gets to read why it is refused."""
        while more and size < self._body_bytes_max * DRAINED_BODIES_MAX:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        raise self._too_large()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"expected a body of at most {self._body_bytes_max} bytes", hint="Send fewer events at once")

    async def _check(self, plain: bytes, *, wants_keys: bool) -> Iterable[str]:
        """Keys that the body carries, of the first event only when wanted.

        Unreadable when it is not JSON, TooLarge when it holds too many events.
        """
        try:
            envelope = _peek(plain)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if len(plain) <= CUT_IN_LOOP_BYTES_MAX:
                opened = read_items(plain)
            else:
                opened = await asyncio.to_thread(read_items, plain)
            count, keys = len(opened.items), list(credentials.of_items(opened.envelope, opened.items))
        else:
            count, keys = len(envelope.batch), [envelope.writeKey or "", envelope.api_key or "", envelope.token or ""]
            if wants_keys and count and not any(keys):
                keys = list(_keys_of_first(envelope.batch[0]))
        if count > self._events_max:
            raise TooLarge(f"expected at most {self._events_max} events, got {count}", hint="Send fewer at once")
        return keys

    async def _check_backlog(self) -> None:
        """Overloaded while more of the log than allowed waits for the runner."""
        if not self._backlog_bytes_max:
            return
        now = time.monotonic()
        if now - self._backlog_looked >= LOOK_SECONDS:
            self._backlog_looked = now
            seen = await self._health.ask(self._health.look)
            self._backlog_bytes = int(seen.get("lag_bytes", 0))
        if self._backlog_bytes > self._backlog_bytes_max:
            raise Overloaded(
                f"{self._backlog_bytes} bytes wait to be processed, at most {self._backlog_bytes_max} may",
                retry_after_seconds=BACKLOG_RETRY_SECONDS,
            )

    # -- browsers -----------------------------------------------------------------------------------------------

    def _answer_browser(self, scope: Scope, headers: dict[bytes, bytes], path: str) -> dict[str, Any]:
        """Settings for the SDK that asks; Unauthorised when its key is nobody's."""
        scheme, host = browser.base_of(scope["scheme"], headers, scope.get("server"))
        asks_segment = path.startswith(_SETTINGS)
        told = _told_keys(scope, headers)
        keys = [path.removeprefix(_SETTINGS).partition("/")[0]] if asks_segment else told[::-1]
        for key in filter(None, keys):
            source = self._sources.authenticate(key)
            if source is not None:
                if asks_segment:
                    return browser.segment_settings(key, scheme, host)
                return browser.rudder_config(source, key, scheme, host)
        raise Unauthorised("expected the write key of a source", hint="`cauce sources add` gives one")


def _verified(module: Any, lock: Lock | None, delivery: Delivery) -> bytes:
    """The record of a delivery whose signature is right; Unauthorised when it is not, Unreadable when it is no JSON.

    An unknown source is refused as a wrong signature is, so that nobody finds out which there are.
    """
    if lock is None or not module.verify(delivery, lock.secrets):
        raise Unauthorised(
            "expected a signature with a secret of this source",
            hint="`cauce sources secret` takes it; docs/howto/connect-shops.md says where each shop shows it",
        )
    read = read_items(delivery.body).items
    # JSON in shape goes on, and is kept with the reason why it cannot be taken in.
    is_usable = not any(isinstance(item, Unusable) for item in read)
    facts = [Fact("unreadable", delivery.body)]
    if is_usable:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            facts = module.facts(delivery)
    said = module.sender(delivery) if hasattr(module, "sender") else {}
    return framed(facts, said)


def _is_question(path: str) -> bool:
    """Whether a browser SDK asks for its settings; RudderStack's may put any prefix before its path."""
    if path.startswith(_SETTINGS):
        return path.rstrip("/").endswith("/settings")
    return path.rstrip("/").endswith(_SOURCE_CONFIG)


def _kind_of(path: str) -> str:
    """The kind of a path for the metrics: one of few."""
    if _is_question(path):
        return "settings"
    connector = _PATHS.get(path) or _PATHS.get(path.rstrip("/"), "")
    if connector == "tracking":
        return "batch"
    return connector.partition(":")[2] or connector or "channel"


def _told_keys(scope: Scope, headers: dict[bytes, bytes]) -> tuple[str, str]:
    """Keys in the Authorization header and in the query, empty where there is none."""
    return credentials.of_header(headers.get(b"authorization", b"")), credentials.of_query(scope["query_string"])


def _keys_of_first(item: msgspec.Raw) -> Iterable[str]:
    try:
        return list(credentials.of_items({}, [msgspec.json.decode(item)]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()


def _opened(headers: dict[bytes, bytes], body: bytes, bytes_max: int) -> bytes:
    """The body without its compression: known by its first bytes, except for deflate, which the header must tell."""
    if body.startswith(MAGICS):
        return open_body(body, bytes_max)
    if headers.get(b"content-encoding", b"").strip().lower() != b"deflate":
        return body
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(body, bytes_max + 1)
    except zlib.error as fault:
        raise Unreadable(f"the body is no deflate stream: {fault}") from None
    if len(plain) > bytes_max:
        raise TooLarge(f"the body has more than {bytes_max} bytes after decompression")
    if not inflater.eof:
        raise Unreadable("the body is no complete deflate stream", hint="Send it again")
    return plain
