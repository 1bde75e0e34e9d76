"""What each page shows, as plain values: all formatting by language happens here, all layout in the templates."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request

from cauce.errors import CauceError, DefinitionInvalid, NotFound
from cauce.http.pages.cached import Cached
from cauce.http.pages.drawings import NODES_MAX, arcs, bars, color_of
from cauce.http.pages.words import Words, joined
from cauce.identity.api import text_of
from cauce.model import SECOND, Fate
from cauce.model.time import to_datetime

if TYPE_CHECKING:
    from cauce.app import Platform

PEOPLE_SHOWN = 12
PEOPLE_LOOKED_AT = 200
EVENTS_SHOWN = 50
MONEY = frozenset({"total", "subtotal", "revenue", "value", "price", "amount"})
ADDING = frozenset({"sum", "average", "min", "max"})
TOLD = (
    "query", "text", "name", "title", "path", "store_name", "store_id", "subject", "topic", "reason", "resolution",
    "campaign", "purpose", "rating", "score", "comment", "step", "points", "outcome",
)  # fmt: skip
"""Properties that say most about an event, in the order in which they are shown."""


class Shared:
    """What all visitors see alike and what is dear at a million people: computed now and then, by one thread."""

    def __init__(self, platform: Platform) -> None:
        self.status = Cached(lambda: _status(platform), seconds=1.5)
        self.names = Cached(lambda: _names(platform), seconds=1.5)
        self.best_people = Cached(lambda: best_people(platform), seconds=10)


class Visit:
    """One request for a page: who asks for what, in which language, over which installation."""

    def __init__(self, platform: Platform, shared: Shared, request: Request, words: Words) -> None:
        self.platform = platform
        self.shared = shared
        self.words = words
        self.query = request.query_params
        self.key = str(request.path_params.get("key", ""))


def overview(visit: Visit) -> dict[str, Any]:
    """The count that adds up, who is known, and what flows."""
    status, words = {**visit.shared.status.get(), **_flow(visit.platform)}, visit.words
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
        "runner": status["runner"],
        "freshness": None if latest is None else words.ago(latest),
        "chart": bars(visit.shared.names.get(), words),
        "best_people": _listed(visit),
    }


def _status(platform: Platform) -> dict[str, Any]:
    """Counts of everything: dear at a million people. Asked of the platform only when somebody wants to see it."""
    return platform.status()


def _flow(platform: Platform) -> dict[str, Any]:
    """What changes with every event and costs nothing to ask, so that it is never old."""
    rows = [msgspec.to_builtins(row) for row in platform.quality.balance()]
    totals = {fate: sum(row[fate] for row in rows) for fate in ("received", *map(str, Fate))}
    return {"sources": rows, "totals": totals, "adds_up": all(row["adds_up"] for row in rows), **platform.health()}


def people(visit: Visit) -> dict[str, Any]:
    """Search by identifier; what is found is shown at once."""
    query = visit.query.get("q", "").strip()[:600]
    if query:
        with suppress(CauceError):
            return {"redirect": f"/people/{visit.platform.people.locate(query).text}"}
    return {"page": "people", "query": query, "best_people": _listed(visit)}


def best_people(platform: Platform) -> list[dict[str, Any]]:
    """People who were really met in several channels, most channels first, those with a name before bare ids."""
    found: list[dict[str, Any]] = []
    for id, _ in platform.people.clusters(PEOPLE_LOOKED_AT):
        with suppress(NotFound):  # erased between the two questions
            profile = platform.profiles.profile(id)
            name, named = name_of(profile)
            found.append({"id": text_of(id), "name": name, "named": named, "channels": sorted(profile.channels)})
    found.sort(key=lambda one: (-len(one["channels"]), not one["named"], one["name"], one["id"]))
    return found[:PEOPLE_SHOWN]


def _listed(visit: Visit) -> list[dict[str, Any]]:
    return [
        {**one, "channels": [_channel(name, visit.words) for name in one["channels"]]}
        for one in visit.shared.best_people.get()
    ]


def name_of(profile: Any) -> tuple[str, bool]:
    """What to call a person: full name, first and last name, e-mail, phone, or the oldest identifier; and if named."""
    values = {name: trait.value for name, trait in profile.traits.items() if isinstance(trait.value, str)}
    full = values.get("name") or " ".join(part for part in (values.get("firstName"), values.get("lastName")) if part)
    if full:
        return full, True
    kinds: dict[str, str] = {}
    for member in profile.identifiers:
        kinds.setdefault(member.kind, member.value)
    return kinds.get("email") or kinds.get("phone") or next(iter(kinds.values()), "?"), False


def person(visit: Visit) -> dict[str, Any]:
    """The 360° page: today, or as it was known at the end of `?as_of=` a day."""
    platform, words = visit.platform, visit.words
    id = platform.people.locate(visit.key).id
    as_of = visit.query.get("as_of", "")
    moment = _end_of_day(as_of) if as_of else None
    frame = {"page": "people", "id": text_of(id), "as_of": as_of, "today": datetime.now(UTC).date().isoformat()}
    try:
        profile = platform.profiles.profile(id, as_of=moment)
    except NotFound:
        if moment is None:
            raise
        name, _ = name_of(platform.profiles.profile(id))
        return {**frame, "name": name, "unknown_then": words.day(moment)}
    try:
        page = platform.profiles.timeline(id, cursor=visit.query.get("cursor", ""), limit=EVENTS_SHOWN)
    except DefinitionInvalid:  # a cursor that no page gave
        page = platform.profiles.timeline(id, limit=EVENTS_SHOWN)
    links = [link for link in platform.people.links(id) if moment is None or link.known_since <= moment]
    events = [entry.event for entry in page.events if moment is None or entry.event.received <= moment]
    computed, without = _computed(visit, id, profile.computed)
    return {
        **frame,
        "name": name_of(profile)[0],
        "events": words.count("events", profile.events),
        "first_seen": words.day(profile.first_seen),
        "last_seen": words.day(profile.last_seen),
        "channels": [
            {**_channel(name, words), "count": count}
            for name, count in sorted(profile.channels.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        "traits": [_trait(name, trait, words) for name, trait in profile.traits.items()],
        "computed": computed,
        "without": without,
        "consents": [_consent(consent, words) for consent in profile.consents],
        "identifiers": [_identifier(member, words) for member in profile.identifiers[:NODES_MAX]],
        "identifiers_more": [str(member) for member in profile.identifiers[NODES_MAX:]],
        "links": [_link(link, words) for link in links],
        "arcs": arcs(profile.identifiers, links),
        "days": _days(events, words),
        "cursor": quote(page.cursor),
    }


def _names(platform: Platform) -> list[tuple[str, str, int]]:
    """Stored events by channel and name, all days together."""
    totals: dict[tuple[str, str], int] = {}
    for row in platform.quality.events():
        key = (row["channel"], row["name"])
        totals[key] = totals.get(key, 0) + row["stored"]
    return [(channel, name, count) for (channel, name), count in totals.items()]


def _channel(name: str, words: Words) -> dict[str, Any]:
    return {"name": words.channel(name), "color": color_of(name)}


def _identifier(member: Any, words: Words) -> dict[str, Any]:
    return {
        "kind": words.kind(member.kind),
        "value": member.value,
        "since": words.short_day(member.first_occurred),
        "shared": member.shared,
    }


def _trait(name: str, trait: Any, words: Words) -> dict[str, Any]:
    same = sorted({other.source for other in trait.others if other.value == trait.value} - {trait.source})
    return {
        "name": words.trait(name),
        "value": words.value(trait.value) if trait.value is not None else words.t["deleted"],
        "why": words.why(trait),
        "also": ", ".join(same),
        "others": [
            f"{words.value(other.value)} · {other.source} · {words.day(other.occurred)}"
            for other in trait.others
            if other.value != trait.value
        ],
    }


def _computed(visit: Visit, id: int, values: dict[str, Any]) -> tuple[list[dict[str, str]], str]:
    """Computed traits that have a value, and the names of those that have none."""
    platform, words = visit.platform, visit.words
    definitions = {each.name: each for each in platform.profiles.definitions()}
    currency = _currency(platform, id, definitions.values())
    shown, without = [], []
    for name in sorted(values, key=words.computed_rank):
        value, definition = values[name], definitions.get(name)
        if value is None or value == []:
            without.append(words.computed(name))
            continue
        if definition is not None and _is_money(definition) and isinstance(value, int | float):
            text = words.money(value, currency)
        elif definition is not None and definition.property == "event.channel" and isinstance(value, str):
            text = words.channel(value)
        else:
            text = words.value(value)
        shown.append({"name": words.computed(name), "value": text})
    return shown, ", ".join(without)


def _is_money(definition: Any) -> bool:
    return definition.compute in ADDING and (definition.property or "").rpartition(".")[2] in MONEY


def _currency(platform: Platform, id: int, definitions: Any) -> str:
    """The one currency of a person's latest purchases; empty when there are none, or several."""
    names = {name for each in definitions if _is_money(each) for name in each.events}
    if not names:
        return ""
    page = platform.profiles.timeline(id, limit=10, events=names)
    found = {entry.event.properties.get("currency") for entry in page.events}
    (currency,) = found if len(found) == 1 else ("",)
    return currency if isinstance(currency, str) else ""


def _consent(consent: Any, words: Words) -> dict[str, Any]:
    return {
        "purpose": consent.purpose,
        "channel": words.channel(consent.channel),
        "given": consent.granted,
        "since": words.day(consent.word.occurred),
        "source": consent.word.source,
    }


def _link(link: Any, words: Words) -> dict[str, Any]:
    return {
        "a": link.a,
        "b": link.b,
        "evidence": words.evidence(link),
        "joined": link.joined,
        "why": "" if link.joined else words.kept_apart(link),
    }


def _days(events: Sequence[Any], words: Words) -> list[dict[str, Any]]:
    days: list[dict[str, Any]] = []
    for event in events:
        day = words.day(event.occurred)
        if not days or days[-1]["day"] != day:
            days.append({"day": day, "events": []})
        moment = to_datetime(event.occurred)
        days[-1]["events"].append(
            {
                "time": f"{moment:%H:%M}",
                "iso": moment.isoformat(),
                "channel": words.channel(event.channel),
                "color": color_of(event.channel),
                "name": event.name or words.t["types"].get(event.type, event.type),
                "type": words.t["types"].get(event.type, "") if event.name and event.type != "track" else "",
                "details": details_of(event, words),
            }
        )
    return days


def details_of(event: Any, words: Words) -> str:
    """The few properties that say most about an event, in one line."""
    properties = event.properties
    parts: list[str] = []
    products = properties.get("products")
    if isinstance(products, list) and products:
        named = [product.get("name") or product.get("sku") for product in products if isinstance(product, dict)]
        parts.append(", ".join(str(name) for name in named[:3] if name) + (" …" if len(named) > 3 else ""))
    known = {event.name.casefold()}
    for key in TOLD:
        value = properties.get(key)
        if not isinstance(value, str | int | float) or isinstance(value, bool) or len(parts) >= 4:
            continue
        text = words.value(value)
        # A page's title mostly repeats its name.
        if text.casefold() in known or (event.name and text.casefold().startswith(event.name.casefold())):
            continue
        known.add(text.casefold())
        parts.append(f"{words.t['told'][key]} {text}" if key in words.t["told"] else text)
    amount = next((properties[key] for key in ("total", "revenue", "value", "price") if key in properties), None)
    if isinstance(amount, int | float) and not isinstance(amount, bool):
        parts.append(words.money(float(amount), str(properties.get("currency") or "")))
    if event.type == "identify":
        told = list(event.traits.items())[:4]
        parts.append(", ".join(f"{words.trait(name)}: {words.value(value)}" for name, value in told))
    return joined(parts)[:240]


def _end_of_day(day: str) -> int:
    try:
        return (int(datetime.fromisoformat(f"{day}T23:59:59+00:00").timestamp()) + 1) * SECOND - 1
    except ValueError:
        raise NotFound(f"expected a day such as 2026-11-21, got {day!r}") from None
