"""People: find one by anything that is known of them, or look at who was here last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import msgspec

from cauce.console.areas.people_parts import called
from cauce.console.charts import color_of
from cauce.console.frame import Answer, Area, Led, Page, marked
from cauce.console.visit import Visit
from cauce.errors import NotFound
from cauce.http.api.fitting import Fitting
from cauce.identity.api import Member, text_of
from cauce.model import DAY, DECISION
from cauce.profiles.masking import masked, masked_name
from cauce.search.api import BEGINNING, EXACT, SIMILAR, Hit

NAME = "people"

PEOPLE_SHOWN = 20
HITS_LOOKED_AT = 100
"""People found who are looked through for those that a filter lets pass."""
EVENTS_LOOKED_AT = 3_000
EVENTS_PER_LOOK = 200
CHANNELS_SHOWN = 4
TEXT_CHARACTERS_MAX = 200
KINDS_FIRST = ("phone", "email", "loyalty")
"""What an agent on a call compares first."""

SINCE = {"": marked("any time"), "1": marked("24 hours"), "7": marked("7 days"), "30": marked("30 days"),
         "365": marked("12 months")}  # fmt: skip
WHY = {EXACT: marked("exactly this"), BEGINNING: marked("begins so"), SIMILAR: marked("sounds or looks like it")}


class Wanted(msgspec.Struct, frozen=True):
    """What the form asks for: a text and filters."""

    text: str
    channel: str
    since: str
    kind: str
    cursor: str

    @classmethod
    def of(cls, visit: Visit) -> Wanted:
        query = visit.query
        since = query.get("since", "")
        return cls(
            query.get("q", "").strip()[:TEXT_CHARACTERS_MAX],
            query.get("channel", "")[:64],
            since if since in SINCE else "",
            query.get("kind", "")[:64],
            query.get("cursor", "")[:20],
        )

    @property
    def filters(self) -> bool:
        return bool(self.channel or self.since or self.kind)

    @property
    def not_before(self) -> int:
        """Moment in microseconds, 0 for any."""
        return time.time_ns() // 1_000 - int(self.since) * DAY if self.since else 0

    @property
    def fitting(self) -> Fitting:
        return Fitting(self.channel, self.not_before, self.kind)

    def address(self, path: str, **changed: str) -> str:
        asked = {"q": self.text, "channel": self.channel, "since": self.since, "kind": self.kind, **changed}
        kept = urlencode({name: value for name, value in asked.items() if value})
        return path + (f"?{kept}" if kept else "")


def people(visit: Visit) -> Answer:
    """The whole page; who is known by exactly what was asked for is shown at once."""
    wanted = Wanted.of(visit)
    if wanted.text and not wanted.filters and not wanted.cursor:
        sure = [hit for hit in visit.platform.search.find(wanted.text, 2, exact=True).hits if hit.why == EXACT]
        if len(sure) == 1:
            visit.look("person.searched", "people")
            return Led(f"/people/{sure[0].text}")
    return {
        "wanted": wanted,
        "channels": _channels(visit),
        "since": [(days, visit.say(text)) for days, text in SINCE.items()],
        "kinds": _kinds(visit),
        **found(visit),
    }


def found(visit: Visit) -> dict[str, Any]:
    """Who fits, or who was here last when nothing is asked for."""
    wanted = Wanted.of(visit)
    personal = visit.may("people.personal")
    frame: dict[str, Any] = {"wanted": wanted, "personal": personal, "more": "", "too_many": False, "partly": False}
    if not wanted.text:
        rows, partly = _recent(visit, wanted)
        if rows:
            visit.look("person.listed", "people")
        return {**frame, "rows": rows, "partly": partly and wanted.filters}
    visit.look("person.searched", "people")
    limit = HITS_LOOKED_AT if wanted.filters else PEOPLE_SHOWN
    answer = visit.platform.search.find(wanted.text, limit, wanted.cursor, exact=not personal)
    rows = []
    for hit in answer.hits:
        row = _row(visit, hit.person, wanted, hit)
        if row is not None and len(rows) < PEOPLE_SHOWN:
            rows.append(row)
    return {
        **frame,
        "rows": rows,
        "more": wanted.address("/people", cursor=answer.cursor) if answer.cursor else "",
        "too_many": answer.more and not answer.cursor,
    }


def _recent(visit: Visit, wanted: Wanted) -> tuple[list[dict[str, Any]], bool]:
    """Who told something last; and whether the search for them was given up early."""
    rows: list[dict[str, Any]] = []
    seen: set[int] = set()
    looked_at = 0
    for subjects in _subjects(visit, wanted):
        looked_at += len(subjects)
        owners = visit.platform.people.owners(subjects)
        for person in dict.fromkeys(owners[subject] for subject in subjects if subject in owners):
            if person in seen:
                continue
            seen.add(person)
            row = _row(visit, person, wanted, None)
            if row is not None:
                rows.append(row)
            if len(rows) == PEOPLE_SHOWN:
                return rows, False
    return rows, True


def _subjects(visit: Visit, wanted: Wanted) -> Iterator[list[int]]:
    """Subjects of the latest events, newest first, some at a time."""
    newest = islice(visit.platform.archive.newest(), EVENTS_LOOKED_AT)
    while chunk := list(islice(newest, EVENTS_PER_LOOK)):
        yield [
            stored.subject
            for stored in chunk
            if stored.subject
            and stored.event.type != DECISION
            and (not wanted.channel or stored.event.channel == wanted.channel)
        ]


def _row(visit: Visit, person: int, wanted: Wanted, hit: Hit | None) -> dict[str, Any] | None:
    """One person of the list; None when a filter keeps them out, or they are gone."""
    profile = None
    with suppress(NotFound):  # erased between the two questions
        profile = visit.platform.profiles.profile(person)
    if profile is None or not wanted.fitting.lets_pass(profile):
        return None
    words, personal = visit.words, visit.may("people.personal")
    members = _members(visit, profile.identifiers)
    channels = sorted(profile.channels, key=lambda name: (-profile.channels[name], name))
    return {
        "id": text_of(profile.person),
        "name": called(visit, profile),
        "members": [(words.kind(one.kind), one.value if personal else masked(one.value)) for one in members],
        "channels": [(words.channel(name), color_of(name)) for name in channels[:CHANNELS_SHOWN]],
        "channels_more": max(0, len(channels) - CHANNELS_SHOWN),
        "last_seen": words.ago(profile.last_seen),
        "last_iso": words.iso(profile.last_seen),
        "events": words.number(profile.events),
        "count": profile.events,
        **_matched(visit, hit, personal),
    }


def _matched(visit: Visit, hit: Hit | None, personal: bool) -> dict[str, str]:
    """Why somebody was found: the kind of what matched, its text, and how well."""
    if hit is None:
        return {"why": "", "matched_kind": "", "matched": ""}
    hidden = (
        hit.matched if hit.kind == "person" else masked_name(hit.matched) if hit.kind == "name" else masked(hit.matched)
    )
    kinds = {"name": visit.say("Name"), "person": visit.say("Person id")}
    return {
        "why": visit.say(WHY[hit.why]),
        "matched_kind": kinds.get(hit.kind) or visit.words.kind(hit.kind),
        "matched": hit.matched if personal else hidden,
    }


def _members(visit: Visit, members: tuple[Member, ...]) -> list[Member]:
    """The first phone, e-mail and loyalty card; else the most personal identifier."""
    first: dict[str, Member] = {}
    for member in members:
        first.setdefault(member.kind, member)
    chosen = [first[kind] for kind in KINDS_FIRST if kind in first]
    rules = visit.platform.people.rules
    return chosen or sorted(members, key=lambda member: (-rules.kind(member.kind).priority, member.id))[:1]


def _channels(visit: Visit) -> list[tuple[str, str]]:
    names = sorted({source.channel for source in visit.platform.sources.list()})
    return [("", visit.say("all channels")), *((name, visit.words.channel(name)) for name in names)]


def _kinds(visit: Visit) -> list[tuple[str, str]]:
    """Kinds of identifiers that belong to people, as a choice."""
    kinds = [kind for kind in visit.platform.people.rules.kinds.values() if kind.merges and not kind.device]
    ordered = sorted(kinds, key=lambda kind: (-kind.priority, kind.name))
    named = [(kind.name, visit.words.kind(kind.name)) for kind in ordered if kind.name not in ("other", "record")]
    return [("", visit.say("anything")), *named]


AREA = Area(
    title=marked("People"),
    home="/people",
    permission="people.read",
    icon="people",
    place=20,
    pages=(
        Page("/people", people, "people/people.html"),
        Page("/people/search", found, "people/found.html"),
    ),
)
