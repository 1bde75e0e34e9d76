"""What each page shows, as plain values: all formatting by language happens here, all layout in the templates."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from markupsafe import Markup, escape
from starlette.requests import Request

from cauce.errors import CauceError, NotFound
from cauce.identity.api import text_of
from cauce.model import MINUTE, SECOND
from cauce.model.time import to_datetime

if TYPE_CHECKING:
    from cauce.app import Platform

COLORS = 10
PEOPLE_SHOWN = 12
GRAPH_NODES_MAX = 18
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}


def number_format(language: str) -> Callable[[float], str]:
    """Formats numbers as the language does: 1,234.5 or 1.234,5."""

    def shown(value: float) -> str:
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")
        return text.translate(str.maketrans(",.", ".,")) if language == "es" else text

    return shown


def day_of(moment: int, language: str) -> str:
    """21 November 2026 / 21 de noviembre de 2026."""
    day = to_datetime(moment)
    month = MONTHS[language].split()[day.month - 1]
    return f"{day.day} de {month} de {day.year}" if language == "es" else f"{day.day} {month} {day.year}"


def color_of(channel: str) -> int:
    """The color number of a channel: the same on every page."""
    known = ("web", "pos", "app", "call_center", "email", "whatsapp", "store", "crm", "social", "survey")
    return known.index(channel) if channel in known else sum(channel.encode()) % COLORS


def overview(platform: Platform, _request: Request, language: str) -> dict[str, Any]:
    """The count that adds up, who is known, and what flows."""
    status = platform.status()
    latest = status["last_stored"]
    return {
        "page": "overview",
        "totals": status["totals"],
        "adds_up": status["adds_up"],
        "sources": status["sources"],
        "people": status["people"],
        "identifiers": status["identifiers"],
        "links": status["links"],
        "waiting": status["lag_records"],
        "freshness": None if latest is None else _ago(latest, language),
        "chart": bars(_names(platform), number_format(language)),
        "best_people": best_people(platform),
    }


def people(platform: Platform, request: Request, _language: str) -> dict[str, Any]:
    """Search by identifier; what is found is shown at once."""
    query = request.query_params.get("q", "").strip()[:600]
    if query:
        with suppress(CauceError):
            return {"redirect": f"/people/{platform.people.locate(query).text}"}
    return {"page": "people", "query": query, "best_people": best_people(platform)}


def best_people(platform: Platform) -> list[dict[str, Any]]:
    """Some people who were seen in several channels, most channels first."""
    found = []
    for id, _ in platform.people.clusters(PEOPLE_SHOWN):
        profile = platform.profiles.profile(id)
        found.append(
            {
                "id": text_of(id),
                "name": name_of(profile),
                "channels": [{"name": name, "color": color_of(name)} for name in sorted(profile.channels)],
            }
        )
    return sorted(found, key=lambda one: (-len(one["channels"]), one["name"]))


def name_of(profile: Any) -> str:
    """The name to call a person by: full name, first and last name, e-mail, or the oldest identifier."""
    values = {name: trait.value for name, trait in profile.traits.items() if isinstance(trait.value, str)}
    full = values.get("name") or " ".join(part for part in (values.get("firstName"), values.get("lastName")) if part)
    if full:
        return str(full)
    kinds = {member.kind: member.value for member in profile.identifiers}
    return str(kinds.get("email") or kinds.get("phone") or next(iter(kinds.values()), "?"))


def person(platform: Platform, request: Request, language: str) -> dict[str, Any]:
    """The 360° page."""
    id = platform.people.locate(request.path_params["key"]).id
    query = request.query_params
    as_of = query.get("as_of", "")
    profile = platform.profiles.profile(id, as_of=_end_of_day(as_of)) if as_of else platform.profiles.profile(id)
    page = platform.profiles.timeline(id, cursor=query.get("cursor", ""), limit=50)
    links = platform.people.links(id)
    shown = number_format(language)
    return {
        "page": "people",
        "id": text_of(id),
        "name": name_of(profile),
        "events": profile.events,
        "first_seen": day_of(profile.first_seen, language) if profile.first_seen is not None else "–",
        "last_seen": day_of(profile.last_seen, language) if profile.last_seen is not None else "–",
        "channels": [
            {"name": name, "count": count, "color": color_of(name)} for name, count in sorted(profile.channels.items())
        ],
        "identifiers": profile.identifiers,
        "as_of": as_of,
        "today": datetime.now(UTC).date().isoformat(),
        "traits": [_trait(name, trait, language) for name, trait in profile.traits.items()],
        "computed": [
            {"name": name.replace("_", " "), "value": _value(value, shown)} for name, value in profile.computed.items()
        ],
        "consents": [
            {
                "purpose": consent.purpose,
                "channel": consent.channel,
                "given": consent.granted,
                "since": day_of(consent.word.occurred, language),
            }
            for consent in profile.consents
        ],
        "links": [_link(link, language) for link in links],
        "graph": graph(profile.identifiers, links),
        "days": _days([entry.event for entry in page.events], language),
        "cursor": quote(page.cursor),
    }


def _names(platform: Platform) -> list[tuple[str, str, int]]:
    """Stored events by channel and name, all days together."""
    totals: dict[tuple[str, str], int] = {}
    for row in platform.quality.events():
        key = (row["channel"], row["name"])
        totals[key] = totals.get(key, 0) + row["stored"]
    return [(channel, name, count) for (channel, name), count in totals.items()]


def _trait(name: str, trait: Any, language: str) -> dict[str, Any]:
    return {
        "name": name,
        "value": _value(trait.value, number_format(language)),
        "why": trait.why,
        "others": [
            f"{_value(other.value, str)} · {other.source} · {day_of(other.occurred, language)}"
            for other in trait.others
        ],
    }


def _value(value: Any, shown: Callable[[Any], str]) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, int | float):
        return shown(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _link(link: Any, language: str) -> dict[str, Any]:
    return {
        "a": link.a,
        "b": link.b,
        "evidence": f"{link.source} · {day_of(link.occurred, language)} · ×{link.support}",
        "joined": link.joined,
        "why": f"{link.why} {link.detail}".strip(),
    }


def _days(events: Sequence[Any], language: str) -> list[dict[str, Any]]:
    days: list[dict[str, Any]] = []
    for event in events:
        day = day_of(event.occurred, language)
        if not days or days[-1]["day"] != day:
            days.append({"day": day, "events": []})
        moment = to_datetime(event.occurred)
        days[-1]["events"].append(
            {
                "time": f"{moment:%H:%M}",
                "iso": moment.isoformat(),
                "channel": event.channel,
                "color": color_of(event.channel),
                "name": event.name or event.type,
                "details": details_of(event, number_format(language)),
            }
        )
    return days


def details_of(event: Any, shown: Callable[[float], str]) -> str:
    """The few properties that say most about an event, in one line."""
    properties = event.properties
    parts: list[str] = []
    products = properties.get("products")
    if isinstance(products, list) and products:
        named = [
            str(product.get("name") or product.get("sku") or "") for product in products if isinstance(product, dict)
        ]
        parts.append(", ".join(name for name in named[:3] if name) + (" …" if len(named) > 3 else ""))
    for key in ("name", "title", "store_id", "subject", "reason", "campaign", "rating", "score", "outcome"):
        value = properties.get(key)
        if isinstance(value, str | int | float) and str(value) != event.name:
            parts.append(str(value))
    total = properties.get("total", properties.get("revenue"))
    if isinstance(total, int | float):
        parts.append(f"{shown(float(total))} {properties.get('currency', '')}".strip())
    if event.type == "identify":
        parts.append(", ".join(f"{name}: {_value(value, str)}" for name, value in list(event.traits.items())[:4]))
    return " · ".join(part for part in parts if part)[:240]


def bars(names: Sequence[tuple[str, str, int]], shown: Callable[[float], str]) -> Markup | None:
    """Stored events by channel as bars with a segment per event name. `names` are (channel, name, count)."""
    channels: dict[str, list[tuple[int, str]]] = {}
    for channel, name, count in names:
        channels.setdefault(channel, []).append((count, name))
    if not channels:
        return None
    totals = {channel: sum(count for count, _ in found) for channel, found in channels.items()}
    widest = max(totals.values())
    rows = []
    for channel in sorted(channels, key=lambda one: -totals[one]):
        segments = "".join(
            f'<span style="width:{100 * count / widest:.2f}%;opacity:{max(0.35, 1 - 0.13 * rank):.2f}" '
            f'title="{escape(name)}: {shown(count)}"></span>'
            for rank, (count, name) in enumerate(sorted(channels[channel], reverse=True))
        )
        top = ", ".join(name for _, name in sorted(channels[channel], reverse=True)[:3])
        rows.append(
            f'<li style="--c:var(--c{color_of(channel)})"><span class="of">{escape(channel)}</span>'
            f'<span class="bar">{segments}</span><b>{shown(totals[channel])}</b>'
            f'<small class="soft">{escape(top)}</small></li>'
        )
    return Markup(f'<ul class="bars">{"".join(rows)}</ul>')  # noqa: S704 - every part is escaped above


def graph(identifiers: Sequence[Any], links: Sequence[Any]) -> Markup:
    """The identifiers of a person in a ring, and the evidence between them: thick where it was seen often."""
    nodes = list(identifiers)[:GRAPH_NODES_MAX]
    width, height = 640, 150 + 26 * len(nodes) if len(nodes) > 6 else 300
    height = min(height, 460)
    places: dict[str, tuple[float, float]] = {}
    for index, node in enumerate(nodes):
        angle = 2 * math.pi * index / max(len(nodes), 1) - math.pi / 2
        places[str(node)] = (width / 2 + math.cos(angle) * width * 0.31, height / 2 + math.sin(angle) * height * 0.38)
    lines = []
    for link in links:
        if link.a in places and link.b in places:
            (x1, y1), (x2, y2) = places[link.a], places[link.b]
            dashed = "" if link.joined else ' stroke-dasharray="4 5"'
            lines.append(
                f'<line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}" stroke="var(--river)" '
                f'stroke-opacity=".55" stroke-width="{1 + min(link.support, 8) * 0.6:.1f}"{dashed}/>'
            )
    dots = []
    for node in nodes:
        x, y = places[str(node)]
        anchor = "middle" if abs(x - width / 2) < 40 else "start" if x > width / 2 else "end"
        shift = 0 if anchor == "middle" else 12 if anchor == "start" else -12
        above = -14 if y < height / 2 else 28
        text = node.value if len(node.value) <= 26 else node.value[:12] + "…" + node.value[-11:]
        dots.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="7" fill="var(--river)"/>'
            f'<text x="{x + shift:.0f}" y="{y + (above if anchor == "middle" else 0):.0f}" text-anchor="{anchor}">'
            f'{escape(text)}</text><text class="kind" x="{x + shift:.0f}" '
            f'y="{y + (above if anchor == "middle" else 0) + 13:.0f}" text-anchor="{anchor}">{escape(node.kind)}</text>'
        )
    title = ", ".join(f"{node.kind} {node.value}" for node in nodes)
    return Markup(  # noqa: S704 - every text is escaped above
        f'<svg class="graph" viewBox="-60 -10 {width + 120} {height + 30}" role="img" aria-label="{escape(title)}">'
        f"{''.join(lines)}{''.join(dots)}</svg>"
    )


def _ago(moment: int, language: str) -> str:
    seconds = max(0, (time.time_ns() // 1_000 - moment) // SECOND)
    minutes = seconds * SECOND // MINUTE
    text = f"{seconds} s" if seconds < 60 else f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"
    if minutes >= 48 * 60:
        text = f"{minutes // 1440} d"
    return f"hace {text}" if language == "es" else f"{text} ago"


def _end_of_day(day: str) -> int:
    try:
        return int(datetime.fromisoformat(f"{day}T23:59:59+00:00").timestamp()) * SECOND
    except ValueError:
        raise NotFound(f"expected a day such as 2026-11-21, got {day!r}") from None
