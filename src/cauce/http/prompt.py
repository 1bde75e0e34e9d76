"""Operations that must be quick: bare ASGI, answered in the event loop, without a thread or a framework in between.

Only what programs send in the plainest way is answered here (a token, a body, no parameters); everything else of the
same address takes the way of all operations, and is answered alike.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.access.api import Actor, require
from cauce.client.types.basics import Nothing
from cauce.errors import Busy, CauceError, TooLarge, Unreadable
from cauce.http.api import reading
from cauce.http.api.door import BODY_BYTES_MAX, BODY_SECONDS_MAX, HEADERS, Failed, encoded, key_of, rate_of
from cauce.http.api.operation import Call, Operation
from cauce.http.asgi import ASGI, Receive, Scope, Send, answer
from cauce.http.patience import Patience
from cauce.http.problems import JSON, Headers, body_of, headers_of, status_of

if TYPE_CHECKING:
    from cauce.app import Platform

logger = logging.getLogger(__name__)

SCHEME = b"bearer "
PLAIN: Headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
NOTHING = Nothing()
NO_PARTS: Mapping[str, str] = MappingProxyType({})
UNUSUAL = frozenset({b"cookie", b"content-encoding", b"expect"})


class Prompt:
    """The short way to operations of the lane *now* whose address has no variable parts."""

    def __init__(self, platform: Platform, operations: Sequence[Operation], rest: ASGI) -> None:
        self._platform = platform
        self._rest = rest
        self._patience = Patience(BODY_SECONDS_MAX)
        self._operations: dict[str, tuple[Operation, type[msgspec.Struct], msgspec.json.Decoder[Any]]] = {
            one.path: (one, one.body, msgspec.json.Decoder(one.body))
            for one in operations
            if one.lane == "now" and one.method == "POST" and one.body is not None and not one.path_names
        }

    def serves(self, scope: Scope) -> bool:
        """Whether a request may take the short way."""
        return scope["path"] in self._operations and scope["method"] == "POST"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if _is_unusual(scope, headers):
            await self._rest(scope, receive, send)
            return
        operation, shape, decoder = self._operations[scope["path"]]
        told: Headers = []
        try:
            actor = self._actor(scope, headers, operation)
            rate = rate_of(self._platform.access.allowance(actor))
            told = [(name.encode(), value.encode()) for name, value in rate.items()]
            raw = await self._body(receive)
            try:
                body = decoder.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                body = reading.body(raw, shape)  # says what is wrong, and where
            call = _call(self._platform, actor, body, headers)
            status, content = operation.status, encoded(await operation.handle(call))
        except CauceError as fault:
            await answer(send, status_of(fault), [*headers_of(fault), *PLAIN, *told], body_of(fault))
        except Exception as fault:
            logger.error("%s failed with %s", operation.path, type(fault).__name__, exc_info=fault)
            await answer(send, 500, [JSON, *PLAIN, *told], body_of(Failed()))
        else:
            await answer(send, status, [JSON, *PLAIN, *told], content)

    def _actor(self, scope: Scope, headers: dict[bytes, bytes], operation: Operation) -> Actor:
        """Who asks; tokens are known in memory, so this waits for nothing."""
        token = headers[b"authorization"][len(SCHEME) :].strip().decode("latin-1")
        actor = require(self._platform.access.by_token(token), operation.permission)
        client = scope.get("client")
        return msgspec.structs.replace(actor, address=client[0]) if client else actor

    async def _body(self, receive: Receive) -> bytes:
        """The whole body; Unreadable when it ends before, Busy when it takes too long."""
        raw: bytes = b""
        try:
            with self._patience.limit():
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Unreadable("the body ended before it was whole")
                    raw += message.get("body", b"")
                    if len(raw) > BODY_BYTES_MAX:
                        raise TooLarge(f"expected a body of at most {BODY_BYTES_MAX} bytes")
                    if not message.get("more_body"):
                        return raw
        except TimeoutError:
            raise Busy(f"the body did not come within {BODY_SECONDS_MAX:g} s", retry_after_seconds=1) from None


def _is_unusual(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether a request has something that only the long way understands."""
    return (
        bool(scope["query_string"])
        or headers.get(b"authorization", b"")[: len(SCHEME)].lower() != SCHEME
        or b"problem" in headers.get(b"accept", b"")
        or not UNUSUAL.isdisjoint(headers)
    )


def _call(platform: Platform, actor: Actor, body: Any, headers: dict[bytes, bytes]) -> Call[Nothing, Any]:
    sent = headers.get(b"idempotency-key")
    return Call(
        platform=platform,
        actor=actor,
        path=NO_PARTS,
        query=NOTHING,
        body=body,
        place=(),
        cursor_at=_nowhere,
        key=key_of(actor, sent.decode("latin-1")) if sent else "",
    )


def _nowhere(_place: tuple[Any, ...]) -> str:
    """There is no further page."""
    return ""
