"""A small HTTP load generator: prepared requests over kept connections, one in flight on each.

    python -m benchmarks.load URL KEY SECONDS CONNECTIONS EVENTS_PER_REQUEST [EVENTS_PER_SECOND]

Prints JSON: events acknowledged per second and the latency percentiles. With a rate it is an open loop: latency counts
from the moment a request was due, so that a stall is not hidden by the requests that it kept from being sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.harness import percentile
from cauce.testing.world import load


def requests(url: str, key: str, bodies: Iterator[bytes]) -> Iterator[bytes]:
    """Whole HTTP/1.1 requests for `POST /v1/batch`."""
    host = urlsplit(url).netloc
    authorization = base64.b64encode(f"{key}:".encode()).decode()
    for body in bodies:
        head = (
            f"POST /v1/batch HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Authorization: Basic {authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


class Connection(asyncio.Protocol):
    """Sends one request after the other and tells `done(status, seconds)` for each answer."""

    def __init__(
        self, next_request: Callable[[], tuple[bytes, float] | None], done: Callable[[int, float], None]
    ) -> None:
        self._next, self._done = next_request, done
        self._buffer = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self.send()

    def send(self) -> None:
        request = self._next()
        if request is None:
            self._transport.close()
            return
        body, self._due = request
        delay = self._due - time.perf_counter()
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._transport.write, body)
        else:
            self._transport.write(body)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        self._done(int(head[9:12]), time.perf_counter() - self._due)
        self.send()


async def drive(
    url: str, prepared: list[bytes], *, seconds: float, connections: int, interval: float = 0.0
) -> dict[str, float]:
    """Sends `prepared` requests in a circle for `seconds`, one every `interval` seconds; 0: as fast as it goes."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    state = {"sent": 0, "good": 0, "bad": 0}
    latencies: list[float] = []

    def next_request() -> tuple[bytes, float] | None:
        now = time.perf_counter()
        due = started + state["sent"] * interval if interval else now
        if max(now, due) - started > seconds:
            return None
        state["sent"] += 1
        return prepared[state["sent"] % len(prepared)], due

    def done(status: int, latency: float) -> None:
        state["good" if 200 <= status < 300 else "bad"] += 1
        latencies.append(latency)

    address = urlsplit(url)
    open_connections = [
        await loop.create_connection(lambda: Connection(next_request, done), address.hostname, address.port)
        for _ in range(connections)
    ]
    while any(not transport.is_closing() for transport, _ in open_connections):
        await asyncio.sleep(0.02)
    wall = time.perf_counter() - started
    return {
        "requests_per_second": state["good"] / wall,
        "refused": state["bad"],
        "median_ms": percentile(latencies, 0.5) * 1e3,
        "p99_ms": percentile(latencies, 0.99) * 1e3,
    }


def main() -> None:
    url, key = sys.argv[1:3]
    seconds, connections, events = float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
    rate = float(sys.argv[6]) if len(sys.argv) > 6 else 0.0
    bodies = load(events=events * 3_000, identifiers=100_000, seed=3, events_per_request=events)
    prepared = list(requests(url, key, (body for body in bodies)))
    result = uvloop.run(
        drive(url, prepared, seconds=seconds, connections=connections, interval=events / rate if rate else 0.0)
    )
    result["events_per_second"] = result["requests_per_second"] * events
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
