"""profile.read, timeline.read and memory.1m: what a large installation answers over HTTP, and what it costs in memory.

All three use one prepared installation; set BENCH_PREPARED to a folder to keep it between runs.
The floor is the same server answering `/health/live`: HTTP alone, no question asked of the state.
"""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from benchmarks.harness import Figure, MemoryWatch, cauce_up, kept_folder, percentile
from benchmarks.intake import drive
from benchmarks.river import fill, flow
from cauce.app import Platform
from cauce.settings import Settings


@contextmanager
def prepared(people: int, events: int) -> Iterator[tuple[Path, list[str], list[str], str, str]]:
    """An installation of that size: its folder, identifiers, busy people, an access key and a write key."""
    with kept_folder(people, events) as data:
        if not (data / "state.db").exists():
            data.mkdir(parents=True, exist_ok=True)
            fill(data, events, people)
            flow(data)
        with Platform.open(Settings({"data": str(data)})) as platform:
            suffix = str(time.time_ns())
            key = platform.access.tokens.add(f"bench-{suffix}", ["people.read", "people.personal"]).secret
            write_key = platform.sources.rotate("bench")
            some = sample(platform, 20_000)
            busy = sample(platform, 2_000, busy=True)
        yield data, some, busy, key, write_key


def sample(platform: Platform, count: int, *, busy: bool = False) -> list[str]:
    """Random identifiers as `kind:value`; `busy`: those of people with at least 50 events, most events first."""
    if busy:
        rows = platform.reader.select(
            "select i.kind, i.value from (select subject, count(*) as events from ("
            + " union all ".join(
                f"select subject from timeline_run_{run}"
                for (run,) in platform.reader.select("select run from run where owner = 'timeline'")
            )
            + ") group by subject order by events desc limit ?) t join identifier i on i.id = t.subject",
            (count,),
        )
    else:
        chance = random.Random(1)
        rows = []
        while len(rows) < count:
            rows += platform.reader.select(
                "select kind, value from identifier where id >= ? order by id limit 1", (chance.getrandbits(63),)
            )
    return [f"{kind}:{value}" for kind, value in rows]


def measure(url: str, paths: list[str], key: str, *, seconds: float, clients: int) -> tuple[list[float], float]:
    """Latencies in seconds of GETs by `clients` at once, and answers a second; every answer must be 200."""
    address = urlsplit(url)
    deadline = time.perf_counter() + seconds

    def client(number: int) -> list[float]:
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        latencies: list[float] = []
        index = number
        while time.perf_counter() < deadline:
            started = time.perf_counter()
            connection.request("GET", paths[index % len(paths)], headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            body = answer.read()
            latencies.append(time.perf_counter() - started)
            assert answer.status == 200, (answer.status, body[:300], paths[index % len(paths)])
            index += clients
        connection.close()
        return latencies

    with ThreadPoolExecutor(clients) as pool:
        latencies = [latency for found in pool.map(client, range(clients)) for latency in found]
    return latencies, len(latencies) / seconds


def reading(name: str, paths: list[str], data: Path, key: str, parameters: dict[str, Any]) -> Figure:
    with cauce_up(data, "--no-runner") as (process, url), MemoryWatch(process.pid) as watch:
        measure(url, paths, key, seconds=1.0, clients=1)
        alone, rate = measure(url, paths, key, seconds=6.0, clients=1)
        several, rate_several = measure(url, paths, key, seconds=6.0, clients=4)
        bare, _ = measure(url, ["/health/live"], key, seconds=2.0, clients=1)
    floor = percentile(bare, 0.99) * 1e3
    value = percentile(alone, 0.99) * 1e3
    parameters |= {
        "clients": 1,
        "median_ms": round(percentile(alone, 0.5) * 1e3, 3),
        "reads_per_second": round(rate),
        "four_clients_p99_ms": round(percentile(several, 0.99) * 1e3, 2),
        "four_clients_reads_per_second": round(rate_several),
    }
    return Figure(
        name=name, value=value, unit="ms", floor=floor, ratio=value / floor, p99_ms=value, rss_mb=watch.peak_mb,
        parameters=parameters,
    )  # fmt: skip


def profile(*, people: int = 1_000_000, events: int = 10_000_000) -> Iterator[Figure]:
    """p99 of `GET /v1/people/{kind:value}` for random identifiers."""
    with prepared(people, events) as (data, some, _, key, _write):
        paths = [f"/v1/people/{quote(one)}" for one in some]
        yield reading("profile.read", paths, data, key, {"identifiers": people, "events": events})


def timeline(*, people: int = 1_000_000, events: int = 10_000_000) -> Iterator[Figure]:
    """p99 of one page of 50 events of the busiest people."""
    with prepared(people, events) as (data, _, busy, key, _write):
        paths = [f"/v1/people/{quote(one)}/timeline?limit=50" for one in busy]
        yield reading("timeline.read", paths, data, key, {"identifiers": people, "events": events, "page": 50})


def memory(*, people: int = 1_000_000, events: int = 10_000_000) -> Iterator[Figure]:
    """Peak memory of the whole process group while it takes events in, processes them and answers questions."""
    with prepared(people, events) as (data, some, _, key, write_key):
        paths = [f"/v1/people/{quote(one)}" for one in some]
        with cauce_up(data) as (process, url), MemoryWatch(process.pid) as watch:
            drive(url, write_key, 10.0, 20, rate=5_000)
            measure(url, paths, key, seconds=5.0, clients=4)
        yield Figure(
            name="memory.1m", value=watch.peak_mb, unit="MB", rss_mb=watch.peak_mb,
            parameters={"identifiers": people, "events": events, "measure": "proportional set size of all processes"},
        )  # fmt: skip
