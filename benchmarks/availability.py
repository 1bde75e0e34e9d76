"""availability and availability.feed: what may be promised of one product everywhere, and of everything at once.

The floor of each is the bare question to the same file: the rows of stock and accounts, decoded by nobody.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from benchmarks.harness import Figure, folder, percentile
from cauce.app import Platform
from cauce.commerce.stock import feed
from cauce.commerce.stock.api import Entry, availability
from cauce.commerce.stock.keeping import Receive
from cauce.engines.api import Reader
from cauce.settings import Settings

LINES = 500
BARE = (
    "select s.sku, s.place, a.posted - a.pending - s.safety from stock s join account a on a.id = s.id where s.sku = ?"
)
BARE_ALL = "select s.sku, s.place, a.posted - a.pending - s.safety from stock s join account a on a.id = s.id"


def fill(platform: Platform, skus: int, places: int) -> None:
    """Puts every product into every place."""
    pairs = [(f"SKU-{sku:05d}", f"P{place:04d}") for sku in range(skus) for place in range(places)]
    chance = random.Random(1)
    for first in range(0, len(pairs), LINES):
        lines = tuple(Entry(*pair, 1_000 * chance.randrange(1, 40)) for pair in pairs[first : first + LINES])
        platform.commerce.do(Receive(lines=lines))


def timed(ask: Callable[[str], object], skus: int, rounds: int) -> list[float]:
    """Seconds of each question."""
    chance = random.Random(2)
    found = []
    for _ in range(rounds):
        sku = f"SKU-{chance.randrange(skus):05d}"
        started = time.perf_counter()
        ask(sku)
        found.append(time.perf_counter() - started)
    return found


def whole(reader: Reader) -> int:
    """Reads the feed from its beginning, as JSON; how many stocks it told."""
    cursor, count, more = None, 0, True
    while more:
        found = feed.changes(reader, cursor, 1_000)
        msgspec.json.encode(found.items)
        cursor, more, count = found.cursor, found.more, count + len(found.items)
    return count


def run(*, skus: int = 200, places: int = 500, questions: int = 400) -> Iterator[Figure]:
    """p99 of one product in all places, and the seconds in which the whole goes out as a feed."""
    with folder() as scratch, Platform.open(Settings({"data": str(scratch / "data")})) as platform:
        fill(platform, skus, places)
        reader = platform.commerce.reader
        bare = opened(scratch / "data" / "commerce.db")
        ours = timed(lambda sku: availability(reader, sku, near=(40.42, -3.7)), skus, questions)
        floors = timed(lambda sku: bare.execute(BARE, (sku,)).fetchall(), skus, questions)
        value, floor = 1e3 * percentile(ours, 0.99), 1e3 * percentile(floors, 0.99)
        parameters = {"places": places, "products": skus, "median_ms": round(1e3 * percentile(ours, 0.5), 3)}
        yield Figure(
            name="availability", value=value, unit="ms", floor=floor, ratio=value / floor, p99_ms=value,
            parameters=parameters,
        )  # fmt: skip
        seconds, told = min(measured(lambda: whole(reader)) for _ in range(3))
        bare_seconds, _ = min(measured(lambda: len(bare.execute(BARE_ALL).fetchall())) for _ in range(3))
        assert told == skus * places, (told, skus * places)
        yield Figure(
            name="availability.feed", value=seconds, unit="s", floor=bare_seconds, ratio=seconds / bare_seconds,
            parameters={"pairs": told},
        )  # fmt: skip
        bare.close()


def opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def measured(work: Callable[[], int]) -> tuple[float, int]:
    started = time.perf_counter()
    count = work()
    return time.perf_counter() - started, count
