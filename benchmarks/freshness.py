"""freshness: from sending an event to seeing it in the profile, at a steady rate of events.

Probes are identify calls with a new value; after each answer the profile is read until the value shows. The floor is
the intake alone: from sending to the durable answer.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import Figure, MemoryWatch, cauce_up, folder, percentile
from benchmarks.intake import drive
from cauce.app import Platform
from cauce.model import Source
from cauce.settings import Settings


def run(*, rate: int = 3_000, seconds: float = 60.0) -> Iterator[Figure]:
    """p99 in milliseconds from sent to visible, beside `rate` events a second of other traffic."""
    with folder() as scratch:
        with Platform.open(Settings({"data": str(scratch)})) as platform:
            key = platform.sources.add(Source("bench", "web"))
            access = platform.access.tokens.add("bench", ["people.read", "people.personal"]).secret
        with cauce_up(scratch) as (process, url), MemoryWatch(process.pid) as watch:
            traffic: dict[str, Any] = {}
            other = threading.Thread(target=lambda: traffic.update(drive(url, key, seconds, 20, rate=rate)))
            other.start()
            time.sleep(1.0)
            accepted, visible = probe(url, key, access, time.perf_counter() + seconds - 2)
            other.join()
        yield Figure(
            name="freshness",
            value=percentile(visible, 0.99) * 1e3,
            unit="ms",
            floor=percentile(accepted, 0.99) * 1e3,
            ratio=percentile(visible, 0.99) / percentile(accepted, 0.99),
            p99_ms=percentile(visible, 0.99) * 1e3,
            rss_mb=watch.peak_mb,
            parameters={
                "events_per_second_asked": rate,
                "events_per_second": round(traffic["events_per_second"]),
                "seconds": seconds,
                "probes": len(visible),
                "median_ms": round(percentile(visible, 0.5) * 1e3, 1),
                "max_ms": round(max(visible) * 1e3, 1),
            },
        )


def probe(url: str, key: str, access: str, until: float) -> tuple[list[float], list[float]]:
    """Seconds from sending to the durable answer, and to visible in the profile, probe after probe."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    basic = base64.b64encode(f"{key}:".encode()).decode()
    accepted: list[float] = []
    visible: list[float] = []
    number = 0
    while time.perf_counter() < until:
        number += 1
        user = f"probe-{number % 50}"
        started = time.perf_counter()
        body = {"type": "identify", "userId": user, "traits": {"probe": number}, "messageId": f"probe-{number}"}
        connection.request("POST", "/v1/identify", json.dumps(body), {"Authorization": f"Basic {basic}"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        accepted.append(time.perf_counter() - started)
        while not shows(connection, access, user, number):
            time.sleep(0.005)
        visible.append(time.perf_counter() - started)
    return accepted, visible


def shows(connection: http.client.HTTPConnection, access: str, user: str, number: int) -> bool:
    """Whether the person's trait `probe` has the value that was sent."""
    connection.request("GET", f"/v1/people/user_id:{user}/traits", headers={"Authorization": f"Bearer {access}"})
    answer = connection.getresponse()
    found = json.loads(answer.read())
    return answer.status == 200 and found.get("traits", {}).get("probe", {}).get("value") == number
