"""How connectors ask a system's own API what changed: pages, rate limits, and what a poll tells the log.

What a poll finds goes through the same decoder as the system's webhooks and is known by the same ids, so whatever
came already is a duplicate, and asking twice about the same time changes nothing. A poll that is interrupted has told
part of it; the next one begins where the last complete one began, and a little before, because clocks differ and
changes show late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self
from urllib.parse import urljoin, urlsplit

import msgspec

from cauce.connectors.webhooks import Fact, encoded, framed
from cauce.errors import Busy, MissingExtra, Unauthorised, Unreadable
from cauce.model import DAY, HOUR

if TYPE_CHECKING:
    import httpx

WAIT_SECONDS = 30.0
ATTEMPTS_MAX = 8
PATIENCE_SECONDS_MAX = 120.0
"""Longest wait that a system may ask for before the poll gives up and says so."""
ANSWER_BYTES_MAX = 67_108_864
PAGES_MAX = 100_000
RECORD_BYTES = 1_048_576
"""Size at which a record of the log is full; it holds at least one fact."""
OVERLAP = HOUR
FIRST_DAYS = 30
"""How far back the first poll of a connection looks, unless it is told otherwise."""

Page = list[Fact]


class Answer(NamedTuple):
    """A page of an API: its JSON, and where the next one is, "" after the last."""

    body: Any
    next_url: str


class Api:
    """A system's API at one address, asked as its rate limits allow. Close it.

    `headers` go with every request; nothing is ever sent to another host than that of `base_url`.
    """

    def __init__(
        self, base_url: str, credential: str, *, now: int = 0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """`now` is the moment at which the poll began, in microseconds UTC."""
        self.credential = credential
        self.now = now
        self.headers: dict[str, str] = {"accept": "application/json", "user-agent": "cauce"}
        self._base = base_url.rstrip("/") + "/"
        self._sleep = sleep
        self._httpx = _httpx()
        self._client: httpx.Client = self._httpx.Client(timeout=WAIT_SECONDS, follow_redirects=False)

    def get(self, url: str, query: Mapping[str, Any] | None = None) -> Answer:
        """A page; Unauthorised, Busy or Unreadable when there is none to be had."""
        return self._asked("GET", url, params=dict(query) if query else None)

    def post(self, url: str, body: Any) -> Answer:
        """The answer to a question that is too long for an address."""
        return self._asked("POST", url, json=body)

    def _asked(self, method: str, url: str, **request: Any) -> Answer:
        target = urljoin(self._base, url.lstrip("/") if url.startswith("/") else url)
        if urlsplit(target)[:2] != urlsplit(self._base)[:2]:
            raise Unreadable(f"{self._host} leads to another host, {urlsplit(target).netloc!r}, which is not followed")
        said = "no answer"
        for attempt in range(ATTEMPTS_MAX):
            wait_seconds = float(2**attempt)
            try:
                response = self._client.request(method, target, headers=self.headers, **request)
            except self._httpx.TransportError as fault:
                said = type(fault).__name__
            else:
                if response.status_code != 429 and response.status_code < 500:
                    return self._read(response)
                said = f"status {response.status_code}"
                wait_seconds = _told_seconds(response.headers.get("retry-after", ""), wait_seconds)
            if wait_seconds > PATIENCE_SECONDS_MAX or attempt == ATTEMPTS_MAX - 1:
                break
            self._sleep(wait_seconds)
        raise Busy(f"{self._host} gave {said} for {urlsplit(target).path}", retry_after_seconds=60)

    def _read(self, response: httpx.Response) -> Answer:
        path, status = response.request.url.path, response.status_code
        if status in (401, 403):
            raise Unauthorised(
                f"{self._host} refused the credential (status {status} for {path})",
                hint="Give it the rights that docs/howto/connect-shops.md names, or a new one",
            )
        if status != 200:
            raise Unreadable(
                f"{self._host} answered {path} with status {status}", hint="Check the address of its API (api_url)"
            )
        if len(response.content) > ANSWER_BYTES_MAX:
            raise Unreadable(f"{self._host} answered {path} with more than {ANSWER_BYTES_MAX} bytes")
        try:
            body = msgspec.json.decode(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise Unreadable(f"{self._host} answered {path} with something that is no JSON: {fault}") from None
        return Answer(body, str(response.links.get("next", {}).get("url", "")))

    @property
    def _host(self) -> str:
        return urlsplit(self._base).netloc

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        self.close()


def _told_seconds(text: str, otherwise: float) -> float:
    """Seconds of a `Retry-After` header, which may be a fraction; `otherwise` when it says none."""
    try:
        seconds = float(text)
    except ValueError:
        return otherwise
    return max(0.0, seconds) if seconds == seconds else otherwise  # noqa: PLR0124 (not a number)


def _httpx() -> Any:
    try:
        import httpx  # noqa: PLC0415 (an optional extra)
    except ImportError:
        raise MissingExtra("asking a shop's API needs httpx", hint="pip install 'cauce[shops]'") from None
    return httpx


# -- what a poll tells ----------------------------------------------------------------------------------------------


class Marks(Protocol):
    """What a poll asks of the sources' connections."""

    def connection(self, name: str, connector: str) -> Any: ...
    def credential(self, name: str, connector: str) -> str: ...
    def mark(self, name: str, connector: str, reconciled: int) -> None: ...


class Target(Protocol):
    """What a poll needs of an installation."""

    def append(self, source: str, connector: str, bodies: Sequence[bytes]) -> int: ...


class Poller(Protocol):
    """A connector that can be polled; `API_URL` is where, when the connection does not say."""

    NAME: str

    def changes(self, api: Api, since: int) -> Iterator[Page]: ...


class PollReport(msgspec.Struct, frozen=True):
    """What a poll did: pages read, facts told, and the time that it asked about (microseconds UTC)."""

    source: str
    connector: str
    since: int
    until: int
    pages: int
    facts: int


def poll(
    target: Target,
    marks: Marks,
    poller: Any,
    source: str,
    *,
    now: int,
    since: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
    on_page: Callable[[int, int], None] | None = None,
) -> PollReport:
    """Tells the log everything that changed since the last complete poll, or since `since` (microseconds UTC).

    Unauthorised, Busy or Unreadable when the system cannot be asked; what was told until then stays and does no harm.
    `on_page` is called with (pages, facts).
    """
    connection = marks.connection(source, poller.NAME)
    base_url = connection.api_url or getattr(poller, "API_URL", "")
    if not base_url:
        raise Unreadable(
            f"it is not known where the API of {poller.NAME} for source {source!r} is",
            hint=f"`cauce sources connect {source} {poller.NAME} --api-url https://…` tells it",
        )
    start = since if since is not None else connection.reconciled - OVERLAP if connection.reconciled else 0
    start = start or now - FIRST_DAYS * DAY
    pages = facts = 0
    with Api(base_url, marks.credential(source, poller.NAME), now=now, sleep=sleep) as api:
        for page in poller.changes(api, start):
            for body in _records(page):
                target.append(source, poller.NAME, [body])
            pages, facts = pages + 1, facts + len(page)
            if on_page:
                on_page(pages, facts)
            if pages >= PAGES_MAX:
                raise Unreadable(f"{base_url} gave more than {PAGES_MAX} pages", hint="Poll a shorter time (--since)")
    marks.mark(source, poller.NAME, now)
    return PollReport(source, poller.NAME, start, now, pages, facts)


def _records(page: Page) -> Iterator[bytes]:
    """Bodies of records that hold the facts of a page, in order."""
    held: list[Fact] = []
    size = 0
    for fact in page:
        body = fact.body if isinstance(fact.body, bytes) else encoded(fact.body)
        if held and size + len(body) > RECORD_BYTES:
            yield framed(held)
            held, size = [], 0
        held.append(Fact(fact.topic, body))
        size += len(body)
    if held:
        yield framed(held)
