"""console.paint: when a real browser shows something of each console page, over an installation of a million people.

First contentful paint in milliseconds since the navigation began (W3C Paint Timing), Chromium without a window, on the
same two cores as the server. The floor is the sign-in page, which asks no data. The very first overview after a start
is measured apart.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import sync_playwright

from benchmarks.harness import Figure, cauce_up, group_rss_mb, percentile
from benchmarks.reads import prepared
from cauce.app import Platform
from cauce.settings import Settings

PAGES = ("/overview", "/people", "/identity", "/sources", "/quarantine", "/data", "/stock", "/orders", "/loyalty")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
INDEX_SECONDS_MAX = 1_200
PAINTED = """() => new Promise(done => {
  const found = () => performance.getEntriesByName('first-contentful-paint')[0];
  if (found()) { done(found().startTime); return; }
  new PerformanceObserver(() => { if (found()) done(found().startTime); }).observe({type: 'paint', buffered: true});
})"""


def run(*, people: int = 1_600_000, events: int = 2_500_000, rounds: int = 15) -> Iterator[Figure]:
    """One figure for each kind of page; `people` is the number of identifiers, of which five make three people."""
    with prepared(people, events) as (data, some, _busy, _key, _write):
        with Platform.open(Settings({"data": str(data)})) as platform:
            account = platform.access.accounts.find("bench") or platform.access.accounts.add("bench", "owner", by="b")
            cookie = platform.access.sessions.start(account).cookie
            there = platform.people.counts()["people"]
        with cauce_up(data) as (process, url), browsing(url, cookie) as page:
            first = painted(page, "/overview")
            indexed(data)
            size = {"people": there, "identifiers": people, "events": events, "rounds": rounds}
            names = (*PAGES, "/people/…", "/people/search")
            for name in names:  # what is new after a start is told by the first figure
                painted(page, address(name, some[0]))
            floor = percentile([painted(page, "/sign-in") for _ in range(rounds)], 0.5)
            yield Figure(name="console.paint.first", value=first, unit="ms", floor=floor, parameters=size)
            chance = random.Random(3)
            for name in names:
                times = [painted(page, address(name, chance.choice(some))) for _ in range(rounds)]
                memory = group_rss_mb(process.pid)
                yield Figure(
                    name="console.paint", value=percentile(times, 0.5), unit="ms", floor=floor,
                    ratio=percentile(times, 0.5) / floor, p99_ms=max(times), rss_mb=memory,
                    parameters={"page": name, **size},
                )  # fmt: skip


def address(name: str, identifier: str) -> str:
    """Where a page is; a person's by one of their identifiers, a search by a part of one."""
    if name == "/people/…":
        return f"/people/{quote(identifier)}"
    return f"{name}?q={quote(identifier.partition(':')[2][:9])}" if name == "/people/search" else name


def painted(page: Any, path: str) -> float:
    """Milliseconds until something of a page was seen."""
    answer = page.goto(path, wait_until="load")
    assert answer.status == 200, f"{path} was answered with {answer.status}"
    return float(page.evaluate(PAINTED))


def indexed(data: Path) -> None:
    """Returns when the search index knows everybody."""
    deadline = time.monotonic() + INDEX_SECONDS_MAX
    with Platform.open(Settings({"data": str(data)})) as platform:
        while not (standing := platform.search.standing()).complete or standing.behind:
            if time.monotonic() > deadline:
                raise TimeoutError("the search index was not complete in time")
            time.sleep(1)


@contextmanager
def browsing(url: str, cookie: str) -> Iterator[Any]:
    """A page of a fresh Chromium that is signed in."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        raise FileNotFoundError("expected Chromium (command chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": "cauce_session", "value": cookie, "url": url}])
        yield context.new_page()
        browser.close()
