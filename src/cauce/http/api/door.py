"""Carries operations out: who asks, may they, how often, what exactly; then the answer, or a refusal of one form."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from cauce.access.api import Actor, Allowance, require
from cauce.client.refusals import PreconditionFailed, PreconditionRequired
from cauce.errors import Busy, CauceError, DefinitionInvalid, NotFound, TooLarge, Unreadable, Unsupported
from cauce.http.api import reading
from cauce.http.api.cursors import Cursors
from cauce.http.api.operation import AnyCall, Call, Lane, Operation
from cauce.http.api.repetition import KEY_CHARACTERS_MAX, Answered, Repetition
from cauce.http.api.streams import Stream, Streams
from cauce.http.guard import Visitor, visitor_of
from cauce.http.problems import MethodNotAllowed, response_of

if TYPE_CHECKING:
    from cauce.app import Platform

logger = logging.getLogger(__name__)

T = TypeVar("T")
BODY_BYTES_MAX = 1_048_576
BODY_SECONDS_MAX = 30.0
COMMAND_KEY_CHARACTERS_MAX = 200
"""Longer keys stand for their hash in a command."""
THREADS: dict[Lane, int] = {"read": 4, "heavy": 2, "write": 4}
"""Threads of each lane: a long question or a decision that waits for the river does not hold up the quick ones."""
WAITING_MAX = 64
"""Calls of a lane that may wait for a thread; further ones are asked to come again."""
HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
GREEDY = {"key", "contract"}
"""Parts of a path whose value may hold a slash that was not encoded."""


class Lanes:
    """Threads that carry operations out, each with readers of its own."""

    def __init__(self) -> None:
        self._pools = {lane: ThreadPoolExecutor(count, f"api-{lane}") for lane, count in THREADS.items()}
        self._waiting = dict.fromkeys(THREADS, 0)

    async def ask(self, lane: Lane, question: Callable[[], T]) -> T:
        """What a question answers; Busy when too many wait already. For one event loop."""
        if self._waiting[lane] >= WAITING_MAX + THREADS[lane]:
            raise Busy(f"{self._waiting[lane]} calls of this kind are waiting", retry_after_seconds=1)
        self._waiting[lane] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pools[lane], question)
        finally:
            self._waiting[lane] -= 1

    def close(self) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)


class Door:
    """One per application. Close it."""

    def __init__(self, platform: Platform, operations: Sequence[Operation]) -> None:
        self.platform = platform
        self.operations = operations
        self._lanes = Lanes()
        self._cursors = Cursors(platform.secret)
        self._repetition = Repetition(platform.control, platform.secret)
        self._streams = Streams(platform.settings.streams_max, platform.settings.token_streams_max)
        self._changing = threading.Lock()

    def close(self) -> None:
        self._lanes.close()

    def routes(self) -> list[Route]:
        """A route for each path, the more particular ones first; they match paths as they were sent (`raw`)."""
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in self.operations:
            by_path.setdefault(operation.path, {})[operation.method] = operation
        ordered = sorted(
            by_path, key=lambda path: (-path.count("/"), [part.startswith("{") for part in path.split("/")])
        )
        return [self._route(path, by_path[path]) for path in ordered]

    def _route(self, path: str, by_method: Mapping[str, Operation]) -> Route:
        async def endpoint(request: Request) -> Response:
            operation = by_method.get(request.method)
            headers: dict[str, str] = {}
            try:
                if operation is None:
                    raise MethodNotAllowed(request.method, ", ".join(by_method))
                response = await self._answered(operation, request, headers)
            except CauceError as fault:
                response = response_of(fault, request)
            except Exception as fault:
                # Where it failed and how it is called: the exception's text may hold what somebody sent.
                frames = "".join(traceback.format_tb(fault.__traceback__))
                logger.error("%s failed with %s\n%s", path, type(fault).__name__, frames)
                response = response_of(Failed(), request)
            response.headers.update({**HEADERS, **headers})
            return response

        greedy = path
        for name in GREEDY:
            greedy = greedy.replace(f"{{{name}}}", f"{{{name}:path}}")
        return Route(greedy, endpoint, methods=list(METHODS))

    # -- one request --------------------------------------------------------------------------------------------

    async def _answered(self, operation: Operation, request: Request, headers: dict[str, str]) -> Response:
        visitor = visitor_of(request)
        actor = self._admitted(operation, visitor, headers)
        query = reading.parameters(request.scope["query_string"], operation.query)
        raw = await self._body(request) if operation.method != "GET" else b""
        body = reading.body(raw, operation.body) if operation.body else None
        path = {name: part_of(name, value) for name, value in request.path_params.items()}
        question = question_of(operation, path, query)
        call = Call(
            platform=self.platform,
            actor=actor,
            path=path,
            query=query,
            body=body,
            place=self._cursors.read(question, getattr(query, "cursor", "")),
            cursor_at=lambda place: self._cursors.write(question, place),
            key=key_of(actor, request.headers.get("idempotency-key", "")) if operation.changes else "",
            headers=request.headers,
        )
        if operation.lane == "now":
            answer = await answered_now(operation, call)
            if isinstance(answer, Stream):
                return self._streams.admitted(answer, actor.token or actor.name)
            return answer
        conditions = Conditions(request.headers.get("if-match", ""), request.headers.get("if-none-match", ""))
        key = request.headers.get("idempotency-key", "") if operation.changes else ""
        fingerprint = blake2b(f"{question}\0{conditions}\0".encode("utf-8", "surrogatepass") + raw).digest()

        def carried_out() -> Response:
            if not key:
                return self._carry_out(operation, call, conditions, visitor.address)
            who = actor.token or actor.name
            kept = operation.kept
            before = self._repetition.begin(who, key, fingerprint, kept)
            if before is not None:
                return Response(before.body, before.status, {**before.headers, "idempotent-replayed": "true"})
            try:
                response = self._carry_out(operation, call, conditions, visitor.address)
            except BaseException:
                self._repetition.give_up(who, key, kept)
                raise
            answer = Answered(response.status_code, dict(response.headers), bytes(response.body))
            self._repetition.end(who, key, answer, kept)
            return response

        return await self._lanes.ask(operation.lane, carried_out)

    def _admitted(self, operation: Operation, visitor: Visitor, headers: dict[str, str]) -> Actor:
        """Who asks, when they may. What is left of their token's bucket goes into the headers."""
        actor = visitor.actor
        if actor is None or operation.permission:
            actor = require(actor, operation.permission)
        if actor.token:
            headers.update(rate_of(self.platform.access.allowance(actor)))
        return actor

    async def _body(self, request: Request) -> bytes:
        told = request.headers.get("content-length", "")
        if told.isdigit() and int(told[:20]) > BODY_BYTES_MAX:
            raise TooLarge(f"expected a body of at most {BODY_BYTES_MAX} bytes, got {told[:20]}")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                async for part in request.stream():
                    size += len(part)
                    if size > BODY_BYTES_MAX:
                        raise TooLarge(f"expected a body of at most {BODY_BYTES_MAX} bytes")
                    parts.append(part)
        except TimeoutError:
            raise Busy(f"the body did not come within {BODY_SECONDS_MAX:g} s", retry_after_seconds=1) from None
        except ClientDisconnect:
            raise Unreadable("the body ended before it was whole") from None
        return b"".join(parts)

    # -- in a thread --------------------------------------------------------------------------------------------

    def _carry_out(self, operation: Operation, call: AnyCall, conditions: Conditions, address: str) -> Response:
        try:
            if operation.guard is not None and operation.changes:
                with self._changing:
                    conditions.check(tag_of(operation.guard, call))
                    answer = operation.handle(call)
                tag = tag_of(operation.guard, call)
            else:
                answer = operation.handle(call)
                tag = fingerprint_of(answer) if operation.guard is not None else ""
        except DefinitionInvalid as fault:
            if operation.method != "GET":
                raise
            raise Unreadable(fault.message, hint=fault.hint) from None  # a question holds no definition
        except Unsupported as fault:
            raise DefinitionInvalid(fault.message, hint=fault.hint) from None
        self._note(operation, call, answer, address)
        headers = {"etag": tag} if tag else {}
        if tag and not operation.changes and conditions.has(tag):
            return Response(status_code=304, headers=headers)
        content = b"" if operation.answer is None else encoded(answer)
        return Response(content, operation.status, headers, "application/json" if content else None)

    def _note(self, operation: Operation, call: AnyCall, answer: Any, address: str) -> None:
        if not operation.audit:
            return
        subject = operation.subject(call, answer) if operation.subject else "/".join(call.path.values())
        audit = self.platform.audit
        if operation.is_look:
            audit.look(call.actor, operation.audit, subject, address=address)
        else:
            tried = getattr(call.body, "dry_run", False) is True
            audit.note(call.actor, operation.audit, subject, {"dry_run": True} if tried else {}, address=address)


async def answered_now(operation: Operation, call: AnyCall) -> Response:
    """What an operation answers in the event loop."""
    answer = await operation.handle(call)
    if isinstance(answer, Response):
        return answer
    content = b"" if operation.answer is None else encoded(answer)
    return Response(content, operation.status, media_type="application/json" if content else None)


def key_of(actor: Actor, sent: str) -> str:
    """The key of a command: what the caller sent, apart from what others send; "" for none."""
    if not sent:
        return ""
    if not sent.isprintable() or len(sent) > KEY_CHARACTERS_MAX:
        raise Unreadable(f"expected Idempotency-Key to have 1–{KEY_CHARACTERS_MAX} printable characters")
    who = actor.token or actor.name
    key = f"{who}:{sent}"
    return key if len(key) <= COMMAND_KEY_CHARACTERS_MAX else f"{who[:60]}:{blake2b(key.encode()).hexdigest()}"


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")


class Failed(CauceError):
    """Something in Cauce broke; the reason is in the log, because it may hold what somebody sent."""

    code = "internal_error"

    def __init__(self) -> None:
        super().__init__("this request failed; the reason stands in the log of the door")


class Conditions(msgspec.Struct, frozen=True):
    """What a request expects to be there: `If-Match` and `If-None-Match`."""

    match: str
    none_match: str

    def check(self, present: str) -> None:
        """Refuses a change of something that is not as the caller saw it, or whose state they did not name."""
        if self.none_match.strip() == "*" and present:
            raise PreconditionFailed("expected it not to be there yet", hint="Leave out If-None-Match to change it")
        if not present:
            if self.match:
                raise PreconditionFailed("expected something that can be matched, and there is nothing")
            return
        if not self.match:
            raise PreconditionRequired(
                "expected If-Match with the ETag of what is to be changed",
                hint="Read it first, so that nobody's change is overwritten unseen; `If-Match: *` overwrites anything",
            )
        if self.match.strip() != "*" and present not in listed(self.match):
            raise PreconditionFailed("somebody changed it since", hint="Read it again, and repeat your change on that")

    def has(self, tag: str) -> bool:
        """Whether the caller has this state already."""
        return bool(self.none_match) and (self.none_match.strip() == "*" or tag in listed(self.none_match))


def rate_of(allowance: Allowance) -> dict[str, str]:
    """`RateLimit` and its policy, as the IETF's draft has them."""
    return {
        "ratelimit-policy": f'"token";q={allowance.per_minute};w=60',
        "ratelimit": f'"token";r={allowance.left};t={allowance.seconds}',
    }


def listed(header: str) -> list[str]:
    """The ETags of a header, weak ones as strong: a proxy that compresses makes them weak."""
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]


def tag_of(guard: Callable[[AnyCall], Any], call: AnyCall) -> str:
    """The ETag of what is there now, "" when there is nothing."""
    try:
        return fingerprint_of(guard(call))
    except NotFound:
        return ""


def fingerprint_of(answer: Any) -> str:
    return f'"{blake2b(encoded(answer), digest_size=12).hexdigest()}"'


def encoded(answer: Any) -> bytes:
    """JSON of an answer; half characters, which JSON cannot hold, become question marks."""
    try:
        return msgspec.json.encode(answer)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(answer)
        return msgspec.json.encode(mended(plain))


def mended(value: Any) -> Any:
    """A value without half characters."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {mended(key): mended(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mended(inner) for inner in value]
    return value


def copied(response: Response, headers: Mapping[str, str] | None = None) -> Response:
    """The same answer once more."""
    return Response(bytes(response.body), response.status_code, {**response.headers, **(headers or {})})


def part_of(name: str, sent: str) -> str:
    """A variable part of a path; NotFound for what no name holds, and what not every engine can look for."""
    value = unquote(sent)
    if "\0" in value:
        raise NotFound(f"there is no {name} with the character NUL in it")
    return value


def question_of(operation: Operation, path: Mapping[str, str], query: Any) -> str:
    """What is asked, without page and size: what a cursor belongs to."""
    asked = {name: value for name, value in msgspec.to_builtins(query).items() if name not in ("cursor", "limit")}
    return msgspec.json.encode([operation.name, dict(path), asked], order="sorted").decode("utf-8", "replace")


def raw(request_path: str, raw_path: bytes | None) -> str:
    """The path as it was sent, so that a slash of a value (%2F) is told from one of the address."""
    sent = raw_path if raw_path is not None else quote(request_path).encode()
    return sent.partition(b"?")[0].decode("latin-1")
