"""The audit trail: who did what, and who looked at whom."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from cauce.access.api import Entry, Filter
from cauce.console.areas.audit_words import ACTIONS, action_said, detail_said
from cauce.console.frame import Answer, Area, Page, marked
from cauce.console.visit import Visit
from cauce.model.time import from_datetime

NAME = "audit"
ENTRIES_SHOWN = 50
FIELDS = ("actor", "action", "subject", "from", "to")
CHARACTERS_MAX = 200
PERSON = re.compile(r"p_[0-9a-z]{13}")
"""The id of a person, which leads to their page."""


def trail(visit: Visit) -> Answer:
    """A page of entries, newest first, as the fields above choose them."""
    asked = {name: visit.query.get(name, "").strip()[:CHARACTERS_MAX] for name in FIELDS}
    first, last = _day(asked["from"]), _day(asked["to"])
    wanted = Filter(
        actor=asked["actor"],
        action=asked["action"],
        subject=asked["subject"],
        after=_midnight(visit, first) if first else 0,
        before=_midnight(visit, last + timedelta(days=1)) if last and last < date.max else 0,
    )
    cursor = visit.query.get("cursor", "")
    place = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else 0
    page = visit.platform.audit.entries(wanted, cursor=place, limit=ENTRIES_SHOWN)
    chosen = {name: value for name, value in asked.items() if value}
    return {
        "asked": asked,
        "is_filtered": bool(chosen),
        "faults": {
            name: visit.say("Expected a day.") for name in ("from", "to") if asked[name] and not _day(asked[name])
        },
        "actions": _actions(visit, asked["action"]),
        "entries": [_row(visit, entry) for entry in page.entries],
        "older": urlencode({**chosen, "cursor": page.cursor}) if page.cursor else "",
        "is_first": not place,
    }


def _actions(visit: Visit, chosen: str) -> list[tuple[str, str]]:
    """What can be chosen: what was ever noted, in words where there are some."""
    noted = visit.kept("audit.actions", lambda platform: platform.audit.actions(), 10.0)
    known = sorted({*noted, *([chosen] if chosen else ())})
    shown = sorted(((code, action_said(visit.words, code) or code) for code in known), key=lambda each: each[1])
    return [("", visit.say("everything")), *shown]


def _row(visit: Visit, entry: Entry) -> dict[str, Any]:
    return {
        "happened": entry.happened,
        "actor": entry.actor,
        "kind": entry.kind,
        "action": entry.action,
        "said": action_said(visit.words, entry.action),
        "is_refusal": entry.action == "session.refused",
        "subject": entry.subject,
        "person": entry.subject if PERSON.fullmatch(entry.subject) else "",
        "details": [detail_said(visit.words, name, value) for name, value in entry.details.items() if value != ""],
        "address": entry.address,
    }


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _midnight(visit: Visit, day: date) -> int:
    """The beginning of a day in the visitor's zone."""
    return from_datetime(datetime.combine(day, time(), visit.words.zone))


assert all("." in action for action in ACTIONS)

AREA = Area(
    title=marked("Audit trail"),
    home="/audit",
    permission="audit.read",
    icon="audit",
    place=90,
    pages=(Page("/audit", trail, "audit/trail.html"),),
)
