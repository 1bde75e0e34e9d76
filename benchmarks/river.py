"""river.1m and replay: the whole river on one core, and rebuilding everything from the log.

The floor is a bare loop over the same log that does the least such a program must do: decode the bytes, keep an
identity dictionary and a counter for each identifier, and put one row per event into SQLite, committed per batch.
"""

from __future__ import annotations

import resource
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from benchmarks.harness import Figure, folder, kept_folder
from cauce.app import Platform
from cauce.engines.sqlite import SqliteLog
from cauce.model import Source
from cauce.settings import Settings
from cauce.testing.world import load

EVENTS_PER_REQUEST = 20
FLOOR_EVENTS = 200_000


def fill(data: Path, events: int, identifiers: int, *, seed: int = 1) -> None:
    """Puts events into the log of the installation in a folder."""
    with Platform.open(Settings({"data": str(data)})) as platform:
        fill_log(platform, events, identifiers, seed=seed)


def fill_log(platform: Platform, events: int, identifiers: int, *, seed: int = 1) -> None:
    """Puts `events` events of about 1 KB into the log, as the intake would."""
    compress = zstandard.ZstdCompressor(level=1).compress
    if not any(source.name == "bench" for source in platform.sources.list()):
        platform.sources.add(Source("bench", "web"))
    waiting: list[bytes] = []
    for body in load(events=events, identifiers=identifiers, seed=seed, events_per_request=EVENTS_PER_REQUEST):
        waiting.append(compress(body))
        if len(waiting) == 1_000:
            platform.append("bench", "tracking", waiting)
            waiting = []
    if waiting:
        platform.append("bench", "tracking", waiting)


def floor(data: Path, events: int) -> float:
    """Events a second of the bare loop over the first `events` events of the log."""
    log = SqliteLog(data / "log.db")
    decompress = zstandard.ZstdDecompressor().decompress
    decode = msgspec.json.decode
    tables = sqlite3.connect(data / "floor.db", isolation_level=None)
    tables.execute("pragma journal_mode = wal")
    tables.execute("pragma synchronous = normal")
    tables.execute("create table event (id text, who integer, name text, at text)")
    identity: dict[str, int] = {}
    counters: dict[int, int] = {}
    done = offset = 0
    started = time.perf_counter()
    while done < events:
        records = log.read(offset, records_max=500, bytes_max=10**8)
        if not records:
            break
        rows = []
        for record in records:
            if record.source != "bench":
                continue
            for event in decode(decompress(record.body))["batch"]:
                who = identity.setdefault(event.get("userId") or event.get("anonymousId") or "", len(identity))
                counters[who] = counters.get(who, 0) + 1
                rows.append((event["messageId"], who, event.get("event", ""), event.get("timestamp", "")))
        tables.execute("begin")
        tables.executemany("insert into event values (?, ?, ?, ?)", rows)
        tables.execute("commit")
        offset = records[-1].offset
        done += len(rows)
    rate = done / (time.perf_counter() - started)
    tables.close()
    log.close()
    (data / "floor.db").unlink()
    return rate


def flow(data: Path, *, step: int = 500_000) -> tuple[list[float], list[float], float]:
    """Drains the log: events a second of each `step` events, seconds of each batch, CPU share of the whole."""
    rates: list[float] = []
    batches: list[float] = []
    with Platform.open(Settings({"data": str(data)})) as platform, platform.running() as runner:
        wall, cpu = time.perf_counter(), time.process_time()
        step_started, done = wall, 0
        while True:
            batch_started = time.perf_counter()
            records = runner.run_once()
            if not records:
                break
            batches.append(time.perf_counter() - batch_started)
            done += records * EVENTS_PER_REQUEST
            if done >= step:
                now = time.perf_counter()
                rates.append(done / (now - step_started))
                step_started, done = now, 0
        if done > step // 2 or not rates:  # a short rest would say more of closing than of flowing
            rates.append(done / (time.perf_counter() - step_started))
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return rates, batches, share


def run(*, events: int = 10_000_000, identifiers: int = 1_000_000) -> Iterator[Figure]:
    """The river over `events` events of `identifiers` identifiers; the rate of every half million shows the growth."""
    with kept_folder(identifiers, events) as scratch:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        fill(scratch, events, identifiers)
        bare = floor(scratch, min(events, FLOOR_EVENTS))
        rates, batches, share = flow(scratch, step=min(500_000, max(events // 4, 1)))
        yield figure("river.1m", rates, batches, bare, parameters(scratch, events, identifiers, rates, share))


def replay(*, events: int = 1_000_000, identifiers: int = 200_000) -> Iterator[Figure]:
    """Rebuilds the state of an installation from its log and compares it with what is there."""
    with folder() as scratch:
        fill(scratch, events, identifiers)
        bare = floor(scratch, min(events, FLOOR_EVENTS))
        rates, _, share = flow(scratch, step=events)
        with Platform.open(Settings({"data": str(scratch)})) as platform:
            started = time.perf_counter()
            report = platform.replay()
            seconds = time.perf_counter() - started
        assert report.equal, report
        measured = parameters(scratch, events, identifiers, rates, share)
        measured["river_events_per_second"] = round(rates[0])
        measured["compare_included_events_per_second"] = round(events / seconds)
        yield figure("replay", [events / report.rebuild_seconds], [], bare, measured)


def figure(name: str, rates: list[float], batches: list[float], bare: float, measured: dict[str, Any]) -> Figure:
    total = len(rates) / sum(1 / rate for rate in rates)
    return Figure(
        name=name,
        value=total,
        unit="events/s",
        floor=bare,
        ratio=total / bare,
        p99_ms=sorted(batches)[int(len(batches) * 0.99)] * 1e3 if batches else None,
        rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        parameters=measured,
    )


def parameters(scratch: Path, events: int, identifiers: int, rates: list[float], share: float) -> dict[str, Any]:
    sizes = {path.name: round(path.stat().st_size / 1e6) for path in scratch.glob("*.db")}
    sizes["history"] = round(sum(path.stat().st_size for path in scratch.rglob("*.parquet")) / 1e6)
    return {
        "events": events,
        "identifiers": identifiers,
        "computed_traits": 20,
        "rates_by_step": [round(rate) for rate in rates],
        "last_to_first": round(rates[-1] / rates[0], 2),
        "cpu_share": round(share, 2),
        "sizes_mb": sizes,
    }
