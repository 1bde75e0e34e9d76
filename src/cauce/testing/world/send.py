"""Sending a world over real HTTP, as its clients would: keep-alive, in order per source, until it is accepted."""

from __future__ import annotations

import base64
import http.client
import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from cauce.errors import Busy, NotFound, StorageBroken, Unauthorised
from cauce.testing.world.generator import Batch

_QUEUE_REQUESTS_MAX = 16
_RETRY_SECONDS_MAX = 30.0
_TIMEOUT_SECONDS = 30.0


class Delivery(msgspec.Struct, frozen=True):
    """What was sent: `retries` counts answers 429 and 503 and broken connections; nothing is lost by them."""

    events: int
    requests: int
    retries: int
    seconds: float


OnProgress = Callable[[Delivery], None]
"""Called with what has been accepted so far, from a sending thread, one call at a time."""


class _Target(NamedTuple):
    scheme: str
    host: str
    port: int
    path: str


class _Tally:
    """Counts shared by the sending threads, and the first thing that went wrong for good."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self.events = self.requests = self.retries = 0
        self.failure: BaseException | None = None
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._on_progress = on_progress

    def accepted(self, events: int) -> None:
        with self._lock:
            self.events += events
            self.requests += 1
            if self._on_progress:
                self._on_progress(self.delivery())

    def delivery(self) -> Delivery:
        return Delivery(self.events, self.requests, self.retries, time.monotonic() - self._began)

    def again(self) -> None:
        with self._lock:
            self.retries += 1

    def failed(self, failure: BaseException) -> None:
        with self._lock:
            self.failure = self.failure or failure


def send_http(
    url: str,
    keys: Mapping[str, str],
    batches: Iterable[Batch],
    on_progress: OnProgress | None = None,
    *,
    connections: int = 2,
    patience_seconds: float = 60.0,
) -> Delivery:
    """Sends all batches to the installation at `url`, each with the write key of its source.

    Every request carries the present as `sentAt`, so that the server's correction of the clock leaves the events at
    their own times. A source always uses the same connection, so its batches arrive in order.
    429, 503 and broken connections are tried again with the same message ids, after `Retry-After`, for at most
    `patience_seconds` per request; then Busy is raised. Any other answer but 200 ends the sending: Unauthorised for 401
    and 403, StorageBroken for the rest. NotFound when a source has no key.
    """
    target = _target(url)
    tally = _Tally(on_progress)
    queues: list[queue.Queue[Batch | None]] = [queue.Queue(_QUEUE_REQUESTS_MAX) for _ in range(max(1, connections))]
    threads = [
        threading.Thread(target=_work, args=(target, keys, waiting, tally, patience_seconds), daemon=True)
        for waiting in queues
    ]
    for thread in threads:
        thread.start()
    try:
        lanes: dict[str, int] = {}
        for batch in batches:
            if batch.source not in keys:
                raise NotFound(f"no write key was given for source {batch.source!r}", hint=f"Given: {', '.join(keys)}")
            lane = lanes.setdefault(batch.source, len(lanes) % len(queues))
            if tally.failure is not None:
                break
            queues[lane].put(batch)
    finally:
        for waiting in queues:
            waiting.put(None)
        for thread in threads:
            thread.join()
    if tally.failure is not None:
        raise tally.failure
    return tally.delivery()


def _target(url: str) -> _Target:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected url to begin with http:// or https:// and a host, got {url!r}")
    return _Target(
        parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/")
    )


def _work(
    target: _Target, keys: Mapping[str, str], waiting: queue.Queue[Batch | None], tally: _Tally, patience_seconds: float
) -> None:
    """Sends what comes through the queue until None comes; after a failure only empties the queue."""
    line = _Line(target)
    while (batch := waiting.get()) is not None:
        if tally.failure is None:
            try:
                line.deliver(batch, keys[batch.source], tally, patience_seconds)
            except Exception as failure:
                # Whatever it is, the queue must go on being emptied, or the sender would wait for ever.
                tally.failed(failure)
    line.close()


class _Line:
    """One keep-alive connection."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._connection: http.client.HTTPConnection | None = None

    def deliver(self, batch: Batch, key: str, tally: _Tally, patience_seconds: float) -> None:
        """Sends one batch until it is accepted; raises when it never will be."""
        path = self._target.path + batch.endpoint
        token = base64.b64encode(f"{key}:".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {token}"}
        give_up = time.monotonic() + patience_seconds
        wait_seconds = 0.1
        while True:
            body = msgspec.json.encode(batch.sent_at(time.time_ns() // 1_000))
            status, retry_after, text = self._post(path, body, headers)
            if status == 200:
                tally.accepted(len(batch.truth))
                return
            if status in (401, 403):
                raise Unauthorised(f"the key of source {batch.source!r} was refused with {status}: {text}")
            if status not in (0, 429, 503):
                raise StorageBroken(f"expected 200 for a batch of source {batch.source!r}, got {status}: {text}")
            tally.again()
            wait_seconds = min(retry_after or wait_seconds * 2, _RETRY_SECONDS_MAX)
            if time.monotonic() + wait_seconds > give_up:
                raise Busy(
                    f"a batch of source {batch.source!r} was refused for {patience_seconds:g} seconds: {status} {text}",
                    retry_after_seconds=int(wait_seconds) + 1,
                )
            time.sleep(wait_seconds)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, float, str]:
        """(status, seconds to wait, what was answered); status 0 when the connection broke."""
        try:
            if self._connection is None:
                self._connection = self._open()
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
            text = answer.read(2_000).decode("utf-8", "replace")
            if answer.will_close:
                self.close()
            return answer.status, _seconds(answer.headers.get("Retry-After")), text
        except (OSError, http.client.HTTPException) as fault:
            self.close()
            return 0, 0.0, f"{type(fault).__name__}: {fault}"

    def _open(self) -> http.client.HTTPConnection:
        if self._target.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._target.host, self._target.port, timeout=_TIMEOUT_SECONDS, context=context
            )
        return http.client.HTTPConnection(self._target.host, self._target.port, timeout=_TIMEOUT_SECONDS)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _seconds(retry_after: str | None) -> float:
    """Seconds of a `Retry-After`; 0 when there is none, or none that is a number."""
    try:
        return max(0.0, float(retry_after or 0))
    except ValueError:
        return 0.0
