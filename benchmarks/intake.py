"""intake.http20: events a second over HTTP, durable before the answer, against a bare handler with the same syncs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure, MemoryWatch, cauce_up, folder
from cauce.app import Platform
from cauce.model import Source
from cauce.settings import Settings

CONNECTIONS = 64


def run(*, seconds: float = 8.0, events_per_request: int = 20, rounds: int = 3) -> Iterator[Figure]:
    """Bare and Cauce in turn, the load generator beside them: the best round of each, and the median ratio."""
    floors, values, ratios, memory = [], [], [], 0.0
    for _ in range(rounds):
        with folder() as scratch:
            with bare(scratch) as url:
                floor = drive(url, "none", seconds, events_per_request)
            with Platform.open(Settings({"data": str(scratch / "data")})) as platform:
                key = platform.sources.add(Source("bench", "web"))
            with cauce_up(scratch / "data", "--no-runner") as (process, url), MemoryWatch(process.pid) as watch:
                value = drive(url, key, seconds, events_per_request)
        assert value["refused"] == 0, value
        floors.append(floor)
        values.append(value)
        ratios.append(value["events_per_second"] / floor["events_per_second"])
        memory = max(memory, watch.peak_mb)
    best = max(values, key=lambda one: one["events_per_second"])
    yield Figure(
        name=f"intake.http{events_per_request}",
        value=best["events_per_second"],
        unit="events/s",
        floor=max(one["events_per_second"] for one in floors),
        ratio=sorted(ratios)[len(ratios) // 2],
        p99_ms=best["p99_ms"],
        rss_mb=memory,
        parameters={
            "connections": CONNECTIONS,
            "events_per_request": events_per_request,
            "seconds": seconds,
            "rounds": rounds,
            "median_ms": round(best["median_ms"], 2),
            "runner": False,
        },
    )


@contextmanager
def bare(scratch: Path) -> Iterator[str]:
    """The bare handler in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare", str(scratch)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()


def drive(url: str, key: str, seconds: float, events_per_request: int, rate: float = 0.0) -> dict[str, Any]:
    """The load generator in a process of its own, on the other core."""
    arguments = [url, key, str(seconds), str(CONNECTIONS), str(events_per_request), *([str(rate)] if rate else [])]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout))
