"""What flows: counts that the overview and the sources show, asked of counters and never of the events themselves."""

from __future__ import annotations

import time
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.console.catalogues import marked
from cauce.model import DAY, HOUR, SECOND, Fate

if TYPE_CHECKING:
    from cauce.app import Platform
    from cauce.identity.api import Growth
    from cauce.model import Source

FATES = tuple(str(fate) for fate in Fate)
RATE_SECONDS = 60
SAMPLES_MAX = 90
QUARANTINED_SHARE_WARNED = 0.05
QUIET_AFTER = DAY
STATES = {
    "well": ("good", marked("flows")),
    "new": ("river", marked("waits for its first event")),
    "quiet": ("warn", marked("quiet for a day")),
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


def flow(platform: Platform, pulse: Pulse) -> Flow:
    """Asked every two seconds at most, whoever looks."""
    rows = [msgspec.to_builtins(row) for row in platform.quality.balance()]
    totals = {fate: sum(row[fate] for row in rows) for fate in ("received", *FATES)}
    health = platform.health()
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
    today = time.strftime("%Y-%m-%d", time.gmtime())
    found: dict[tuple[str, str], list[int]] = {}
    for row in platform.quality.events():
        counts = found.setdefault((row["channel"], row["name"]), [0, 0])
        counts[0] += row["stored"]
        counts[1] += row["stored"] if row["day"] == today else 0
    return [(channel, name, total, lately) for (channel, name), (total, lately) in found.items()]


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


def seconds_ago(moment: int | None) -> float:
    """Seconds since a moment, 0 for never."""
    return 0.0 if moment is None else max(0.0, (time.time_ns() // 1_000 - moment) / SECOND)
