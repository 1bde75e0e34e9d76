"""A person: everything known of one customer, as of today or of any past day, and what may be decided about them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cauce.app.dossier import dossier, json_of, zip_of
from cauce.console.areas import person_decisions as decisions
from cauce.console.areas import person_identity as identity
from cauce.console.areas import person_parts as parts
from cauce.console.areas.person_parts import Subject, opened
from cauce.console.frame import Answer, Area, Led, Page, Sent, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import DefinitionInvalid, NotFound, TooLarge
from cauce.events.sql import Limits
from cauce.profiles.api import Profile

NAME = "person"

EXPORT_LIMITS = Limits(seconds=120.0, memory_mb=1_024)
EVENT_NAMES_MAX = 200


def person(visit: Visit) -> Answer:
    """The page: what matters at once; identifiers and shopping follow by themselves."""
    subject = opened(visit)
    if visit.path["key"] != subject.text:
        return Led(subject.address(""))
    frame = _frame(subject)
    try:
        profile, today = _profiles(subject)
    except (NotFound, TooLarge) as fault:
        if subject.moment is None:
            raise
        return Shown("person/unknown.html", {**frame, **_not_then(subject, fault)})
    links = identity.links_of(subject, profile)
    currency = parts.currency_of(subject)
    computed, without = parts.computed(subject, profile, today, currency)
    return {
        **frame,
        **parts.head(subject, profile, links, currency),
        **_since(subject, profile, today),
        "golden": parts.golden(subject, profile, today),
        "computed": computed,
        "without": without,
        "consent_list": parts.consents(subject, profile),
        "belongings": parts.belongings(subject, profile),
        "filters": _filters(subject, profile),
        **parts.timeline(subject),
    }


def _frame(subject: Subject) -> dict[str, Any]:
    words = subject.visit.words
    return {
        "subject": subject,
        "id": subject.text,
        "home": subject.home,
        "as_of": subject.as_of,
        "as_of_day": words.written_day(parts.day_of(subject.as_of, "as_of")) if subject.as_of else "",
        "today": words.local(_now()).date().isoformat(),
        "personal": subject.personal,
        "may_explain": subject.visit.may("identity.read"),
        "may_decide": subject.moment is None and subject.personal and subject.visit.may("identity.write"),
        "may_export": subject.visit.may("people.export"),
        "may_erase": subject.visit.may("people.erase"),
    }


def _profiles(subject: Subject) -> tuple[Profile, Profile | None]:
    """The profile as of the moment, and today's to compare it with; None when the moment is today."""
    profiles = subject.visit.platform.profiles
    if subject.moment is None:
        return profiles.profile(subject.id), None
    return profiles.profile(subject.id, as_of=subject.moment), profiles.profile(subject.id)


def _not_then(subject: Subject, fault: NotFound | TooLarge) -> dict[str, Any]:
    """What is said when nothing was known at that moment, or too much hangs together to look back."""
    today = subject.visit.platform.profiles.profile(subject.id)
    known = min(member.known_since for member in today.identifiers)
    return {
        "name": parts.name_of(subject, today),
        "too_large": isinstance(fault, TooLarge),
        "known_since": subject.visit.words.day(known),
        "slider": _slider(subject, today),
    }


def _since(subject: Subject, profile: Profile, today: Profile | None) -> dict[str, Any]:
    """The slider of days, and which identifiers came or went since the moment."""
    now = today or profile
    then_ids = {member.id: member for member in profile.identifiers}
    now_ids = {member.id: member for member in now.identifiers}
    return {
        "slider": _slider(subject, now),
        "came": [subject.shown(str(now_ids[id])) for id in now_ids.keys() - then_ids.keys()],
        "went": [subject.shown(str(then_ids[id])) for id in then_ids.keys() - now_ids.keys()],
        "events_since": subject.visit.words.number(now.events - profile.events) if now.events > profile.events else "",
    }


def _slider(subject: Subject, today: Profile) -> dict[str, Any]:
    """Days from when they were first heard of to today, for a range of days back."""
    words = subject.visit.words
    first = words.local(min(member.known_since for member in today.identifiers)).date()
    last = words.local(_now()).date()
    chosen = parts.day_of(subject.as_of, "as_of") if subject.as_of else last
    return {
        "first": first.isoformat(),
        "last": last.isoformat(),
        "days": max(1, (last - first).days),
        "chosen": max(0, min((chosen - first).days, (last - first).days)),
    }


def _filters(subject: Subject, profile: Profile) -> dict[str, Any]:
    """What the timeline can be filtered by: their own channels, and event names of these."""
    counted = subject.visit.kept("event names", lambda platform: list(platform.quality.events()), seconds=30.0)
    names = {row["name"] for row in counted if row["channel"] in profile.channels and row["name"] and row["stored"]}
    return {
        "channels": [(name, subject.visit.words.channel(name)) for name in sorted(profile.channels)],
        "events": sorted(((name, subject.visit.words.event(name)) for name in names), key=lambda each: each[1])[
            :EVENT_NAMES_MAX
        ],
    }


def timeline(visit: Visit) -> Answer:
    """More events, or other ones."""
    subject = opened(visit)
    return {**_frame(subject), **parts.timeline(subject)}


def shopping(visit: Visit) -> Answer:
    """What they looked at, baskets, purchases, returns."""
    subject = opened(visit)
    return {**_frame(subject), **_whole(visit), **parts.shopping(subject)}


def identifiers(visit: Visit) -> Answer:
    """How identifiers hang together."""
    subject = opened(visit)
    frame = _frame(subject)
    profile, _ = _profiles(subject)
    links = identity.links_of(subject, profile) if frame["may_explain"] else []
    return {**frame, **_whole(visit), **identity.identifiers(subject, profile, links)}


def explain(visit: Visit) -> Answer:
    """Why two identifiers are one person, or what keeps them apart."""
    subject = opened(visit)
    return {**_frame(subject), **_whole(visit), **identity.explained(subject)}


def preview(visit: Visit) -> Answer:
    """What a split or a join would change."""
    subject = _today(visit)
    return {**_frame(subject), **_whole(visit), **decisions.previewed(subject, _now())}


def _whole(visit: Visit) -> dict[str, Any]:
    """Whether an answer is shown as a page of its own: to browsers without script."""
    return {"layout": "person/part.html" if visit.asked.is_partial else "person/alone.html"}


def decide(visit: Visit) -> Answer:
    """Splits, joins, or takes one of these back."""
    subject = _today(visit)
    person_id, note = decisions.decided(subject)
    return Led(f"/people/{person_id}#identifiers", note)


def set_trait(visit: Visit) -> Answer:
    """Sets a value of the golden record by hand."""
    subject = _today(visit)
    return Led(f"{subject.home}#golden", decisions.trait_set(subject))


def export(visit: Visit) -> Answer:
    """Everything known of the person, to hand over."""
    subject = opened(visit)
    form = visit.query.get("format", "json")
    packers: dict[str, tuple[Callable[[dict[str, Any]], bytes], str]] = {
        "json": (json_of, "application/json"),
        "zip": (zip_of, "application/zip"),
    }
    if form not in packers:
        raise DefinitionInvalid(f"expected format to be json or zip, got {form[:20]!r}")
    visit.require("people.personal")
    document = dossier(visit.platform, subject.text, EXPORT_LIMITS)
    pack, media = packers[form]
    visit.note("person.exported", subject.text, events=len(document["events"]), format=form)
    return Sent(pack(document), media, f"{subject.text}.{form}")


def ask_erase(visit: Visit) -> Answer:
    """Asks for a confirmation that names the person."""
    subject = _today(visit)
    return {**_frame(subject), **_about_to_go(subject)}


def _about_to_go(subject: Subject) -> dict[str, Any]:
    profile = subject.visit.platform.profiles.profile(subject.id)
    return {
        "name": parts.name_of(subject, profile),
        "count": len(profile.identifiers),
        "events": profile.events,
        "fault": "",
    }


def erase(visit: Visit) -> Answer:
    """Erases the person, once the form names them."""
    subject = _today(visit)
    try:
        return Led("/people", decisions.erased(subject))
    except DefinitionInvalid as fault:
        return Shown("person/erase.html", {**_frame(subject), **_about_to_go(subject), "fault": fault.message}, 422)


def _today(visit: Visit) -> Subject:
    """The person today: the past cannot be decided about."""
    subject = opened(visit)
    return Subject(visit, subject.id, subject.text, personal=subject.personal)


def _now() -> int:
    return time.time_ns() // 1_000


AREA = Area(
    title=marked("A person"),
    home="/people",
    permission="people.read",
    icon="person",
    pages=(
        Page("/people/{key}/timeline", timeline, "person/timeline_more.html"),
        Page("/people/{key}/shopping", shopping, "person/shopping.html"),
        Page("/people/{key}/identifiers", identifiers, "person/identifiers.html"),
        Page("/people/{key}/explain", explain, "person/explain.html", permission="identity.read"),
        Page("/people/{key}/preview", preview, "person/preview.html", permission="identity.write"),
        Page("/people/{key}/decide", decide, method="POST", permission="identity.write"),
        Page("/people/{key}/traits", set_trait, method="POST", permission="identity.write"),
        Page("/people/{key}/export", export, permission="people.export"),
        Page("/people/{key}/erase", ask_erase, "person/erase.html", permission="people.erase"),
        Page("/people/{key}/erase", erase, method="POST", permission="people.erase"),
        Page("/people/{key:path}", person, "person/person.html"),
    ),
)
