"""The overview: what flows, what became of it, whether the count adds up, and how each source does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from babel.dates import format_date, format_skeleton, format_time

from cauce.console.charts import Series, bars, color_of, columns, spark
from cauce.console.flow import (
    DAYS_STATEMENT,
    HOURS_STATEMENT,
    STATES,
    Flow,
    Pulse,
    flow,
    growth,
    names_today,
    over_time,
    settled,
    wellbeing,
)
from cauce.console.frame import Answer, Area, Page, marked
from cauce.console.visit import Visit

if TYPE_CHECKING:
    from cauce.app import Platform
    from cauce.console.words import Words

NAME = "overview"
CHANNELS_MAX = 9
NAMES_SHOWN = 3
SETTLED_SECONDS = 60.0


class Range(msgspec.Struct, frozen=True):
    """A choice of how far back the chart looks: so many steps, and how a step begins and is called."""

    title: str
    steps: int
    statement: str
    seconds: float
    begin: Callable[[datetime, int], datetime]
    label: Callable[[datetime, Words], str]


def _hours_back(now: datetime, back: int) -> datetime:
    # Counted in UTC: an hour is skipped or comes twice where the clocks change.
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return (hour - timedelta(hours=back)).astimezone(now.tzinfo)


def _days_back(now: datetime, back: int) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=back)


def _months_back(now: datetime, back: int) -> datetime:
    year, month = divmod(now.year * 12 + now.month - 1 - back, 12)
    return now.replace(year=year, month=month + 1, day=1, hour=0, minute=0, second=0, microsecond=0)


RANGES = {
    "day": Range(
        marked("24 hours"), 24, HOURS_STATEMENT, 20, _hours_back,
        lambda at, words: format_time(at, "short", tzinfo=words.zone, locale=words.locale),
    ),
    "month": Range(
        marked("30 days"), 30, HOURS_STATEMENT, 20, _days_back,
        lambda at, words: format_skeleton("MMMd", at, tzinfo=words.zone, locale=words.locale),
    ),
    "year": Range(
        marked("12 months"), 12, DAYS_STATEMENT, 120, _months_back,
        lambda at, words: format_date(at.date(), "MMM yy", locale=words.locale),
    ),
}  # fmt: skip


def overview(visit: Visit) -> Answer:
    """The whole page; its live part asks for itself every two seconds."""
    flows = _flow(visit)
    chosen = visit.query.get("range", "month")
    chosen = chosen if chosen in RANGES else "month"
    return {
        "flow": flows,
        "tiles": _tiles(visit, flows),
        "parts": _parts(visit, flows),
        "chosen": chosen,
        "ranges": [(name, visit.say(each.title)) for name, each in RANGES.items()],
        "chart": _chart(visit, RANGES[chosen]),
        "channels": _channels(visit),
        "sources": _sources(visit, flows),
        "may_quarantine": visit.may("quarantine.read"),
        "may_sources": visit.may("sources.read"),
    }


def _flow(visit: Visit) -> Flow | None:
    """The sum as it stands; None until the hours that settled have been added up once."""
    desk = visit.desk
    if visit.soon("overview.settled", settled, SETTLED_SECONDS) is None:
        return None
    pulse = visit.kept("overview.pulse", lambda _platform: Pulse(), seconds=float("inf"))

    def compute(platform: Platform) -> Flow:
        before = desk.soon("overview.settled", settled, SETTLED_SECONDS)
        assert before is not None, "what was known once is known"
        return flow(platform, before, pulse)

    return visit.kept("overview.flow", compute, seconds=1.5)


def _parts(visit: Visit, flows: Flow | None) -> list[dict[str, Any]]:
    """The sum, term by term, with the share of each."""
    if flows is None:
        return []
    received = flows.totals["received"]
    return [
        {
            "fate": fate,
            "name": visit.words.fate(fate),
            "count": visit.words.number(flows.totals[fate]),
            "share": visit.words.percent(flows.totals[fate] / received if received else 0.0),
            "width": 100 * flows.totals[fate] / received if received else 0.0,
        }
        for fate in ("stored", "quarantined", "duplicate", "suppressed")
    ]


def _tiles(visit: Visit, flows: Flow | None) -> list[dict[str, Any]]:
    return [*_people_tiles(visit), *_flow_tiles(visit, flows)]


def _people_tiles(visit: Visit) -> list[dict[str, Any]]:
    words, known = visit.words, visit.soon("overview.growth", growth, seconds=10)
    more = None if known is None else known.people_new
    return [
        {
            "name": visit.say("People"),
            "value": None if known is None else words.number(known.people),
            "under": "" if more is None else visit.count("%(num)s new in 24 hours", "%(num)s new in 24 hours", more),
        },
        {
            "name": visit.say("Identities put together"),
            "value": None if known is None else words.number(known.identifiers - known.people),
            "under": ""
            if known is None
            else visit.count("%(num)s in 24 hours", "%(num)s in 24 hours", known.joined_new),
        },
    ]


def _flow_tiles(visit: Visit, flows: Flow | None) -> list[dict[str, Any]]:
    words = visit.words
    return [
        {
            "name": visit.say("Events per minute, now"),
            "value": None if flows is None else words.number(round(flows.per_minute)),
            "under": spark(flows.pulse) if flows and len(flows.pulse) > 1 else "",
        },
        {
            "name": visit.say("Latest event"),
            "value": None if flows is None else words.ago(flows.newest),
            "under": visit.say("taken in and visible"),
        },
        {
            "name": visit.say("Waiting in the log"),
            "value": None if flows is None else words.number(flows.waiting),
            "under": visit.say("requests not processed yet"),
        },
    ]


def _chart(visit: Visit, chosen: Range) -> dict[str, Any] | None:
    """The chart of events over time by channel with the same as a table; None while it is counted the first time."""
    found = visit.soon(
        f"overview.{chosen.statement}", lambda platform: over_time(platform, chosen.statement), seconds=chosen.seconds
    )
    if found is None:
        return None
    words = visit.words
    now = datetime.now(words.zone)
    begins = [chosen.begin(now, back) for back in range(chosen.steps - 1, -1, -1)]
    edges = [round(begin.timestamp() * 1_000_000) for begin in begins]
    totals = {channel: _folded(counts, edges) for channel, counts in found.counts.items()}
    ordered = sorted((name for name in totals if any(totals[name])), key=lambda name: (-sum(totals[name]), name))
    series = [Series(words.channel(name), color_of(name), totals[name]) for name in ordered[:CHANNELS_MAX]]
    if len(ordered) > CHANNELS_MAX:
        rest = [sum(column) for column in zip(*(totals[name] for name in ordered[CHANNELS_MAX:]), strict=True)]
        series.append(Series(visit.say("others"), 7, rest))
    labels = [chosen.label(begin, words) for begin in begins]
    return {
        "is_empty": not series,
        "drawing": columns(labels, series, words, visit.say("Events by channel over time")),
        "legend": [{"name": one.name, "color": one.color} for one in series],
        "names": [one.name for one in series],
        "rows": [(label, [words.number(one.values[at] or 0) for one in series]) for at, label in enumerate(labels)],
    }


def _folded(counts: dict[int, int], edges: list[int]) -> list[int]:
    """Counts by moment, gathered into the steps that begin at `edges`."""
    found = [0] * len(edges)
    for moment, count in counts.items():
        step = next((at for at in range(len(edges) - 1, -1, -1) if moment >= edges[at]), None)
        if step is not None:
            found[step] += count
    return found


def _channels(visit: Visit) -> list[dict[str, Any]]:
    """Channels with what they told, most first."""
    words = visit.words
    by_channel: dict[str, list[tuple[int, str, int]]] = {}
    for channel, name, total, today in visit.kept("overview.names", names_today, seconds=2):
        by_channel.setdefault(channel, []).append((total, name, today))
    ordered = sorted(by_channel, key=lambda name: (-sum(each[0] for each in by_channel[name]), name))
    rows = []
    for channel in ordered:
        told = sorted(by_channel[channel], reverse=True)
        rows.append(
            (words.channel(channel), color_of(channel), [(words.event(name), float(total)) for total, name, _ in told])
        )
    return [
        {
            "name": name,
            "color": color,
            "drawing": drawing,
            "count": words.number(sum(value for _, value in parts), 0),
            "today": words.number(sum(each[2] for each in by_channel[channel])),
            "top": ", ".join(event for event, _ in parts[:NAMES_SHOWN]),
        }
        for channel, (name, color, parts), drawing in zip(ordered, rows, bars(rows, words), strict=True)
    ]


def _sources(visit: Visit, flows: Flow | None) -> list[dict[str, Any]]:
    words = visit.words
    balance = {row["source"]: row for row in (flows.sources if flows else [])}
    found = []
    for one in visit.kept("overview.sources", wellbeing, seconds=2):
        kind, said = STATES[one.state]
        row = balance.get(one.source, {"adds_up": True})
        found.append(
            {
                "name": one.source,
                "channel": words.channel(one.channel),
                "color": color_of(one.channel),
                "kind": kind,
                "state": visit.say(said),
                "last": "" if one.state in ("well", "new") else visit.words.ago(one.last_hour),
                "lately": words.number(one.received),
                "share": words.percent(one.share),
                "adds_up": row["adds_up"],
            }
        )
    return found


AREA = Area(
    title=marked("Overview"),
    home="/overview",
    permission="status.read",
    icon="overview",
    place=10,
    pages=(
        Page("/overview", overview, "overview/overview.html"),
        Page("/overview/live", overview, "overview/live.html"),
    ),
)
