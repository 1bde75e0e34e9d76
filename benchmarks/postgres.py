"""postgres.river, postgres.read and postgres.runners: the river and its readers over PostgreSQL, beside SQLite.

The server is a private one on the same machine, with its own defaults for durability. Both engines process the same
log, so the floor of each figure is the embedded installation.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure, folder, percentile
from benchmarks.river import EVENTS_PER_REQUEST, fill_log
from cauce.app import Platform
from cauce.runner import settled
from cauce.settings import Settings
from cauce.testing.postgres import PrivateServer

DURABLE: dict[str, Any] = {"fsync": "on", "full_page_writes": "on", "max_wal_size": "4GB", "shared_buffers": "512MB"}
READS = 2_000


def flow(platform: Platform) -> dict[str, Any]:
    """Drains the log and says at which rate, and how often each batch waited for the engine."""
    trips: list[int] = []
    with platform.running() as runner:
        started, processor, done = time.perf_counter(), time.process_time(), 0
        while True:
            before = _trips(runner.tables) + _trips(runner.log)
            records = runner.run_once()
            if not records:
                break
            trips.append(_trips(runner.tables) + _trips(runner.log) - before)
            done += records * EVENTS_PER_REQUEST
        seconds = time.perf_counter() - started
        share = (time.process_time() - processor) / seconds
    ordered = sorted(trips)
    return {
        "events_per_second": round(done / seconds),
        "cpu_share": round(share, 2),
        "batches": len(trips),
        "round_trips_per_batch_median": ordered[len(ordered) // 2],
        "round_trips_per_batch_max": ordered[-1],
        "round_trips_per_event": round(sum(trips) / max(done, 1), 5),
    }


def _trips(engine: Any) -> int:
    return int(getattr(engine, "round_trips", 0))


def reads(platform: Platform) -> list[float]:
    """Seconds of reading one profile each, people drawn at random."""
    chance = random.Random(1)
    found: list[float] = []
    while len(found) < READS:
        rows = platform.reader.select(
            "select id from identifier where id >= ? order by id limit 1", (chance.getrandbits(63),)
        )
        for (id,) in rows:
            started = time.perf_counter()
            person = platform.people.person(id)
            assert person is not None
            platform.profiles.profile(person.id)
            found.append(time.perf_counter() - started)
    return found


def run(*, events: int = 300_000, identifiers: int = 100_000) -> Iterator[Figure]:
    """Events a second of one runner, and the p99 of reading a profile, on PostgreSQL and on SQLite."""
    with folder() as scratch:
        scratch.chmod(0o755)
        embedded, bare = measured(scratch / "embedded", "embedded", events, identifiers)
        with PrivateServer.started(scratch, **DURABLE) as server:
            found, latencies = measured(scratch / "postgres", server.fresh_database(), events, identifiers)
    size = {"events": events, "identifiers": identifiers}
    value, floor = found["events_per_second"], embedded["events_per_second"]
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    yield Figure(
        name="postgres.river", value=value, unit="events/s", floor=floor, ratio=value / floor, rss_mb=rss_mb,
        parameters={**size, **found},
    )  # fmt: skip
    value, floor = (percentile(seconds, 0.99) * 1e3 for seconds in (latencies, bare))
    yield Figure(
        name="postgres.read", value=value, unit="ms", floor=floor, ratio=value / floor, p99_ms=value, rss_mb=rss_mb,
        parameters={**size, "reads": READS, "median_ms": round(percentile(latencies, 0.5) * 1e3, 3)},
    )  # fmt: skip


def runners(*, events: int = 200_000, identifiers: int = 50_000) -> Iterator[Figure]:
    """Events a second of 1, 2 and 4 runner processes over one log each; the floor is one embedded runner."""
    with folder() as scratch:
        scratch.chmod(0o755)
        embedded, _ = measured(scratch / "embedded", "embedded", events, identifiers)
        floor = embedded["events_per_second"]
        with PrivateServer.started(scratch, **DURABLE) as server:
            for count in (1, 2, 4):
                rate = crewed(scratch / f"runners{count}", server.fresh_database(), count, events, identifiers)
                yield Figure(
                    name="postgres.runners", value=rate, unit="events/s", floor=floor, ratio=rate / floor,
                    rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
                    parameters={"runners": count, "events": events, "identifiers": identifiers},
                )  # fmt: skip


def crewed(data: Path, tables: str, count: int, events: int, identifiers: int) -> float:
    """Events a second of `count` runner processes, once all are at work, until the log is done."""
    with Platform.open(Settings({"data": str(data), "tables": tables})) as platform:
        fill_log(platform, events, identifiers)
        command = [sys.executable, "-m", "cauce", "--data", str(data), "runner"]
        environment = {**os.environ, "CAUCE_TABLES": tables}
        crew = [subprocess.Popen(command, env=environment) for _ in range(count)]
        try:
            end = platform.log.end()
            begun, started = end // 5, 0.0
            while (done := settled(platform.reader)) < end:
                if not started and done >= begun:
                    begun, started = done, time.perf_counter()
                time.sleep(0.01)
            return (end - begun) * EVENTS_PER_REQUEST / (time.perf_counter() - started)
        finally:
            for process in crew:
                process.terminate()
            for process in crew:
                process.wait()


def measured(data: Path, tables: str, events: int, identifiers: int) -> tuple[dict[str, Any], list[float]]:
    """(what `flow` says, seconds of each read) of a fresh installation."""
    with Platform.open(Settings({"data": str(data), "tables": tables})) as platform:
        started = time.perf_counter()
        fill_log(platform, events, identifiers)
        seconds = time.perf_counter() - started
        found = flow(platform)
        found["log_events_per_second"] = round(events / seconds)
        return found, reads(platform)
