"""Requests and answers: retries, errors as exceptions, records out of JSON."""

from __future__ import annotations

import inspect
import random
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cauce.client.refusals import PreconditionFailed
from cauce.client.types.basics import Error, Page
from cauce.errors import Busy, CauceError, MissingExtra, Unreadable

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
TRIES_MAX = 5
WAIT_SECONDS_MAX = 60.0
FIRST_WAIT_SECONDS = 0.2
TRY_AGAIN = frozenset({429, 502, 503, 504})
TAGS_MAX = 10_000


def known_errors(kind: type[CauceError] = CauceError) -> dict[str, type[CauceError]]:
    """Errors by code; where one inherits its code, that of its parent."""
    found = {kind.code: kind}
    for child in kind.__subclasses__():
        found = known_errors(child) | found
    return found


def error_of(status: int, body: bytes, retry_after_seconds: int) -> CauceError:
    """The exception that the door answered with: by its code, or a `CauceError` with a code that is not known here."""
    try:
        said = msgspec.json.decode(body, type=Error)
    except msgspec.MsgspecError:
        return CauceError(
            f"expected Cauce to answer, got status {status}", hint="Is it the address of an installation?"
        )
    hint = said.details.hint
    message = said.message.removesuffix(f". {hint}") if hint else said.message
    kind = known_errors().get(said.code)
    if kind is not None and issubclass(kind, Busy):
        return kind(message, hint=hint, retry_after_seconds=retry_after_seconds)
    parameters = inspect.signature(kind).parameters if kind is not None else {}
    if kind is not None and "details" in parameters:
        return kind(message, hint=hint, details=said.details.about)  # type: ignore[call-arg]
    if kind is not None and "hint" in parameters:
        return kind(message, hint=hint)
    fault = CauceError(message, hint=hint)
    fault.code = said.code
    return fault


class Transport:
    """One connection pool to one installation. Close it.

    What may have been done already is not done twice: every change carries an Idempotency-Key, so that it can be sent
    again when the answer did not come. `wait` and `chance` are for tests.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_seconds: float = 30.0,
        tries_max: int = TRIES_MAX,
        transport: Any = None,
        wait: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._httpx = _httpx()
        self._tags: dict[str, str] = {}
        self._tries_max = tries_max
        self._wait = wait
        self._chance = chance
        self._client: httpx.Client = self._httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {token}", "accept": "application/json", "user-agent": "cauce-client"},
            timeout=timeout_seconds,
            transport=transport,
            verify=_trust(url),
        )

    def ask(
        self, method: str, path: str, answer: type[T], *, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> T:
        """Carries out one request that has an answer; raises what the door refuses it with."""
        return self._read(path, self._sent(method, path, query or {}, body, ""), answer)

    def whole(self, path: str, query: Mapping[str, Any]) -> bytes:
        """An answer that is no JSON, as it came."""
        return self._sent("GET", path, query, None, "").content

    def _read(self, path: str, response: httpx.Response, answer: type[T]) -> T:
        try:
            return msgspec.json.decode(response.content, type=answer)
        except msgspec.MsgspecError as fault:
            raise Unreadable(
                f"the answer of {path} is not what this client expects: {fault}",
                hint="Use the client of the same release as the installation",
            ) from None

    def change(self, method: str, path: str, answer: type[T], *, body: Any = None, overwrite: bool = False) -> T:
        """Changes what was read before with this client, unless somebody changed it since (PreconditionFailed).

        PreconditionRequired when it was never read; `overwrite` changes it whatever it is.
        """
        response = self._changed(method, path, body, overwrite)
        return self._read(path, response, answer)

    def remove(self, path: str, *, overwrite: bool = False) -> None:
        """Removes something; for definitions as in `change`."""
        self._changed("DELETE", path, None, overwrite)
        self._tags.pop(path, None)

    def _changed(self, method: str, path: str, body: Any, overwrite: bool) -> httpx.Response:
        if not overwrite:
            return self._sent(method, path, {}, body, self._tags.get(path, ""))
        try:
            return self._sent(method, path, {}, body, "*")
        except PreconditionFailed:  # there is nothing yet to overwrite
            return self._sent(method, path, {}, body, "")

    def pages(self, path: str, answer: type[Page[T]], query: Mapping[str, Any]) -> Iterator[T]:
        """The items of all pages of a list, asked for as they are needed."""
        cursor = ""
        while True:
            page = self.ask("GET", path, answer, query={**query, "cursor": cursor})
            yield from page.items
            cursor = page.cursor
            if not cursor:
                return

    def _sent(self, method: str, path: str, query: Mapping[str, Any], body: Any, tag: str) -> httpx.Response:
        headers: dict[str, str] = {} if method == "GET" else {"idempotency-key": str(uuid.uuid4())}
        if tag:
            headers["if-match"] = tag
        content = None
        if body is not None:
            content = msgspec.json.encode(body)
            headers["content-type"] = "application/json"
        asked = {name: value for name, value in query.items() if value not in (None, "", [], ())}
        for tried in range(1, self._tries_max + 1):
            try:
                response = self._client.request(method, path, params=asked, content=content, headers=headers)
            except self._httpx.TransportError as fault:
                if tried == self._tries_max:
                    raise Busy(f"{self._client.base_url} does not answer: {fault}") from None
                self._wait(self._pause(tried, 0))
                continue
            if response.status_code < 400:
                self._keep_tag(path, response.headers.get("etag", ""))
                return response
            seconds = _seconds(response.headers.get("retry-after", ""))
            if response.status_code not in TRY_AGAIN or tried == self._tries_max:
                raise error_of(response.status_code, response.content, seconds or 1)
            self._wait(self._pause(tried, seconds))
        raise AssertionError("unreachable")

    def _keep_tag(self, path: str, tag: str) -> None:
        if tag:
            if len(self._tags) >= TAGS_MAX:
                self._tags.clear()
            self._tags[path] = tag

    def _pause(self, tried: int, seconds: int) -> float:
        """How long to wait: as the door says, or longer and longer; never all clients at once."""
        wanted = float(seconds) if seconds else FIRST_WAIT_SECONDS * 2**tried
        return min(WAIT_SECONDS_MAX, wanted * (1 + self._chance() / 4))

    def close(self) -> None:
        self._client.close()


def _seconds(text: str) -> int:
    return int(text[:6]) if text.isascii() and text.isdigit() else 0


def _trust(url: str) -> ssl.SSLContext | bool:
    """Whom to trust: for a plain address nobody, because to read all authorities takes longer than many a request."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.startswith("http://") else True


def _httpx() -> ModuleType:
    """httpx, which only the client needs."""
    try:
        import httpx  # noqa: PLC0415 (an optional extra)
    except ModuleNotFoundError:
        raise MissingExtra("the client needs httpx", hint="pip install 'cauce[client]'") from None
    return httpx
