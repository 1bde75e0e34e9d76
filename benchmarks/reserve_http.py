"""reserve.http: durable reservations over HTTP (`POST /v1/stock/holds`), 64 connections with one request in flight.

    python -m benchmarks.reserve_http URL TOKEN SECONDS KEYS      the load generator, in a process of its own

The floor is a bare handler that appends the same bodies to a file with the same syncs, under the same load.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.harness import Figure, MemoryWatch, cauce_up, folder
from benchmarks.intake import bare
from benchmarks.load import drive
from cauce.app import Platform
from cauce.commerce.stock.api import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.settings import Settings

CONNECTIONS = 64
PER_SECOND_MAX = 8_000
"""So many requests are prepared for each second; further ones would repeat a key, and be answered from memory."""
PLENTY = 10**12
PLACE = "store-1"


def run(*, seconds: float = 8.0, rounds: int = 3, skus: int = 100) -> Iterator[Figure]:
    """Bare and Cauce in turn, the load generator beside them: medians of the rounds."""
    floors, values, memory = [], [], 0.0
    for _ in range(rounds):
        with folder() as scratch:
            with bare(scratch) as url:
                floors.append(driven(url, "none", seconds, "bare"))
            with Platform.open(Settings({"data": str(scratch / "data")})) as platform:
                platform.commerce.do(
                    Receive(lines=tuple(Entry(f"sku-{number}", PLACE, PLENTY) for number in range(skus)))
                )
                token = platform.access.tokens.add("bench", ["commerce.serve"]).secret
            with cauce_up(scratch / "data", "--no-runner") as (process, url), MemoryWatch(process.pid) as watch:
                driven(url, token, seconds / 2, "first")  # pages are compiled beside the first requests
                values.append(driven(url, token, seconds, "then"))
        memory = max(memory, watch.peak_mb)
    assert not any(one["refused"] for one in values), values
    middle = sorted(values, key=lambda one: one["requests_per_second"])[len(values) // 2]
    floor = sorted(one["requests_per_second"] for one in floors)[len(floors) // 2]
    yield Figure(
        name="reserve.http", value=middle["requests_per_second"], unit="reservations/s", floor=floor,
        ratio=middle["requests_per_second"] / floor, p99_ms=middle["p99_ms"], rss_mb=memory,
        parameters={
            "connections": CONNECTIONS, "skus": skus, "median_ms": round(middle["median_ms"], 2),
            "rates": [round(one["requests_per_second"]) for one in values],
        },
    )  # fmt: skip


def driven(url: str, token: str, seconds: float, keys: str) -> dict[str, Any]:
    """What the load generator measured, in a process of its own on the other core; `keys` begin with a word."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reserve_http", url, token, str(seconds), keys],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def requests(url: str, token: str, keys: str, count: int, skus: int = 100) -> Iterator[bytes]:
    """Whole HTTP/1.1 requests, each with a key of its own."""
    host = urlsplit(url).netloc
    for number in range(count):
        line = {"sku": f"sku-{number % skus}", "place": PLACE, "amount": 1}
        body = json.dumps({"lines": [line], "channel": "web"}).encode()
        head = (
            f"POST /v1/stock/holds HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nIdempotency-Key: {keys}-{number}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


def main() -> None:
    url, token, seconds, keys = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
    prepared = list(requests(url, token, keys, int(PER_SECOND_MAX * seconds)))
    sys.stdout.write(json.dumps(uvloop.run(drive(url, prepared, seconds=seconds, connections=CONNECTIONS))) + "\n")


if __name__ == "__main__":
    main()
