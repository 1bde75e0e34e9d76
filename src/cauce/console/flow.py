"""What flows: counts that the overview and the sources show, asked of counters and never of the events themselves."""

from __future__ import annotations

import time
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.console.catalogues import marked
from cauce.model import DAY, HOUR, Fate

if TYPE_CHECKING:
    from cauce.app import Platform
    from cauce.identity.api import Growth
    from cauce.model import Source

FATES = tuple(str(fate) for fate in Fate)
COUNTED = ("received", *FATES)
RATE_SECONDS = 60
SAMPLES_MAX = 90
QUARANTINED_SHARE_WARNED = 0.05
QUIET_AFTER = DAY
STATES = {
    "well": ("good", marked("flows")),
    "new": ("river", marked("no event yet")),
    "quiet": ("warn", marked("quiet")),
    "dirty": ("warn", marked("much in quarantine")),
    "off": ("", marked("switched off")),
}
"""How a source may do: the kind of its badge, and what it says."""


class Flow(msgspec.Struct, frozen=True):
    """Items by fate in all and by source, and how far the river has come."""

    totals: dict[str, int]
    adds_up: bool
    sources: list[dict[str, Any]]
    waiting: int
    runner: bool
    newest: int | None
    per_minute: float
    pulse: list[float]


class Pulse:
    """Remembers totals as they are seen, to tell how much comes in at the moment. For one thread at a time."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=SAMPLES_MAX)

    def beat(self, received: int, now: float) -> None:
        self._seen.append((now, received))

    def per_minute(self) -> float:
        """Items per minute over the last minute; 0 until there are two looks."""
        if len(self._seen) < 2:
            return 0.0
        now, last = self._seen[-1]
        since, first = next(seen for seen in self._seen if seen[0] >= now - RATE_SECONDS or seen is self._seen[-2])
        return max(0.0, 60 * (last - first) / max(now - since, 1e-3))

    def rates(self) -> list[float]:
        """Items per second between one look and the next, the latest last."""
        return [
            max(0.0, (after[1] - before[1]) / max(after[0] - before[0], 1e-3)) for before, after in pairwise(self._seen)
        ]


class Settled(msgspec.Struct, frozen=True):
    """Items by source and fate of all hours before `until`: what hardly changes any more, and is dear to add up."""

    until: int
    sources: dict[str, dict[str, int]]


def settled(platform: Platform) -> Settled:
    """Adds up every hour there ever was, so it is asked off the page; the last two hours are left out."""
    until = time.time_ns() // 1_000 // HOUR * HOUR - HOUR
    with platform.reader.snapshot():
        found = {}
        for row in platform.quality.balance():
            lately = _summed(platform.quality.hours(row.source, until))
            found[row.source] = {kind: getattr(row, kind) - lately[kind] for kind in COUNTED}
    return Settled(until, found)


def _summed(hours: list[dict[str, int]]) -> dict[str, int]:
    return {kind: sum(hour[kind] for hour in hours) for kind in COUNTED}


def flow(platform: Platform, before: Settled, pulse: Pulse) -> Flow:
    """The sum by source: what settled, and the hours since, which are looked up by key."""
    rows: list[dict[str, Any]] = []
    with platform.reader.snapshot():
        names = sorted({*before.sources, *(source.name for source in platform.sources.list())})
        for name in names:
            base = before.sources.get(name, dict.fromkeys(COUNTED, 0))
            lately = _summed(platform.quality.hours(name, before.until))
            counts = {kind: base[kind] + lately[kind] for kind in COUNTED}
            if counts["received"] or any(counts.values()):
                adds_up = counts["received"] == sum(counts[fate] for fate in FATES)
                rows.append({"source": name, **counts, "adds_up": adds_up})
        health = platform.health()
    totals = {kind: sum(row[kind] for row in rows) for kind in COUNTED}
    pulse.beat(totals["received"], time.monotonic())
    records = platform.log.get([health["offset"]]) if health["offset"] else []
    return Flow(
        totals=totals,
        adds_up=all(row["adds_up"] for row in rows),
        sources=rows,
        waiting=health["lag_records"],
        runner=health["runner"],
        newest=records[0].received if records else None,
        per_minute=pulse.per_minute(),
        pulse=pulse.rates(),
    )


class Wellbeing(msgspec.Struct, frozen=True):
    """How a source does: *new* (nothing came yet), *off*, *dirty* (much in quarantine), *quiet* (for a day) or *well*.

    `last_hour` is the beginning of the hour in which its last items came; the numbers are those of the last day.
    """

    source: str
    channel: str
    state: str
    last_hour: int | None
    received: int
    quarantined: int
    hours: list[int]

    @property
    def share(self) -> float:
        return self.quarantined / self.received if self.received else 0.0


def wellbeing(platform: Platform) -> list[Wellbeing]:
    """Every source by name: two look-ups by key each."""
    return [how(platform, source) for source in platform.sources.list()]


def how(platform: Platform, source: Source) -> Wellbeing:
    """How one source does, asked of its own counters."""
    now = time.time_ns() // 1_000
    since = now // HOUR * HOUR - DAY + HOUR
    hours = {row["hour"]: row for row in platform.quality.hours(source.name, since)}
    last = platform.quality.last_hour(source.name)
    received = sum(row["received"] for row in hours.values())
    quarantined = sum(row["quarantined"] for row in hours.values())
    if not source.enabled:
        state = "off"
    elif last is None:
        state = "new"
    elif received and quarantined / received > QUARANTINED_SHARE_WARNED:
        state = "dirty"
    elif now - last > QUIET_AFTER + HOUR:
        state = "quiet"
    else:
        state = "well"
    columns = [hours[at]["received"] if at in hours else 0 for at in range(since, since + DAY, HOUR)]
    return Wellbeing(source.name, source.channel, state, last, received, quarantined, columns)


def growth(platform: Platform) -> Growth:
    """People, and how they grew within a day: looks at every identifier, so it is asked off the page."""
    return platform.people.growth(time.time_ns() // 1_000 - DAY)


def names_today(platform: Platform) -> list[tuple[str, str, int, int]]:
    """(channel, name, stored in all, stored today in UTC) of all events by name."""
    return platform.quality.names(time.time_ns() // 1_000)


class Hourly(msgspec.Struct, frozen=True):
    """Events by hour (or day) of occurrence and channel: `counts[channel][beginning]`."""

    counts: dict[str, dict[int, int]]


HOURS_STATEMENT = """
select epoch_us(date_trunc('hour', occurred)), channel, count(*)
from events where type <> 'decision' and occurred >= now() - interval 31 days and occurred <= now() + interval 1 day
group by all
"""
DAYS_STATEMENT = """
select epoch_us(date_trunc('day', occurred)), channel, count(*)
from events where type <> 'decision' and occurred >= now() - interval 366 days and occurred <= now() + interval 1 day
group by all
"""
ROWS_MAX = 200_000


def over_time(platform: Platform, statement: str) -> Hourly:
    """The events of the history by time and channel; takes seconds at many millions, so it is asked off the page."""
    counts: dict[str, dict[int, int]] = {}
    for at, channel, count in platform.sql(statement, rows_max=ROWS_MAX).rows:
        counts.setdefault(channel, {})[int(at)] = int(count)
    return Hourly(counts)
