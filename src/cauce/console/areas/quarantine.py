"""Quarantine: what may not enter, why, and how it is mended, replayed or dropped."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from cauce.app.mending import PORTION_ENTRIES, TRIED_ENTRIES_MAX, Mending
from cauce.console import charts
from cauce.console.areas import quarantine_parts as parts
from cauce.console.areas.quarantine_words import STATE_OF_ONE, STATES, STEPS, said_of
from cauce.console.frame import Answer, Area, Led, Page, Sent, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from cauce.identity.api import text_of
from cauce.model import DAY, Reason
from cauce.quality.api import Entry, Trend, Which
from cauce.quality.codes import SOFT
from cauce.quality.mending import Outcome, suggestion

NAME = "quarantine"
READ, WRITE = "quarantine.read", "quarantine.write"

GROUPS_SHOWN = 200
TREND_DAYS = 14
PAGE_ENTRIES = 50
EDITED_CHARACTERS_MAX = 200_000
WHY_CHARACTERS_MAX = 500


# -- looking ----------------------------------------------------------------------------------------------------


def groups(visit: Visit) -> Answer:
    """Open entries by reason, place, source and event, with their trend."""
    which = parts.which_of(visit.query)
    quality = visit.platform.quality
    trends = _trends(visit)
    wanted = [trend for trend in trends if _is_wanted(trend, which)]
    days = range(_today() - TREND_DAYS + 1, _today() + 1)
    return {
        "states": [(code, visit.say(STATES[code]), count) for code, count in quality.states().items()],
        "facets": quality.facets(),
        "codes": _codes(visit, trends),
        "which": which,
        "asked": parts.asked(which),
        "is_filtered": bool(parts.asked(which)),
        "groups": [_group(visit, trend, days) for trend in wanted[:GROUPS_SHOWN]],
        "count": len(wanted),
        "events": sum(trend.group.count for trend in wanted),
        "trend_days": TREND_DAYS,
    }


def entries(visit: Visit) -> Answer:
    """The entries of a choice, newest first."""
    which = parts.which_of(visit.query)
    before = _whole(visit.query.get("before", "0"))
    found = visit.platform.quality.page(which, before=before, limit=PAGE_ENTRIES + 1)
    shown = found[:PAGE_ENTRIES]
    more = parts.asked(which, before=shown[-1].position) if len(found) > PAGE_ENTRIES else ""
    said = said_of(which.reason) if which.reason else None
    count = visit.platform.quality.count(which)
    return {
        "which": which,
        "asked": parts.asked(which),
        "facets": visit.platform.quality.facets(),
        "states": [(code, visit.say(text)) for code, text in STATES.items()],
        "codes": _codes(visit, _trends(visit)),
        "said": {"name": visit.say(said.name), "wrong": visit.say(said.wrong), "mend": visit.say(said.mend)}
        if said
        else None,
        "rows": [_row(visit, entry) for entry in shown],
        "count": count,
        "more": more,
        "can_mend": count > 0 and which.state == "open" and visit.may(WRITE),
    }


def entry(visit: Visit) -> Answer:
    """One entry: the event with its faults, what would mend it, and what became of it."""
    found = _entry_of(visit)
    visit.look("quarantine.seen", str(found.position))
    return _shown(visit, found, parts.pretty(found))


def raw(visit: Visit) -> Answer:
    """The item as it was sent, as a file."""
    found = _entry_of(visit)
    visit.look("quarantine.seen", str(found.position))
    media, ending = ("application/json", "json") if found.form == "json" else ("text/plain", "txt")
    return Sent(found.raw.encode(), media, f"quarantine-{found.position}.{ending}")


# -- one entry --------------------------------------------------------------------------------------------------


def check(visit: Visit) -> Answer:
    """Whether the edited item would pass now: a part of the entry's page, asked while somebody writes."""
    found = _entry_of(visit)
    try:
        item = _item(visit, found)
    except DefinitionInvalid as fault:
        return {"verdict": None, "fault": visit.said(fault.message), "entry": found}
    return {"verdict": _verdict(visit, Mending(visit.platform).try_item(found, item)), "fault": "", "entry": found}


def replay(visit: Visit) -> Answer:
    """Sends one entry through the river again, as it was edited."""
    found = _entry_of(visit)
    _only_open(visit, found)
    try:
        item = _item(visit, found)
    except DefinitionInvalid as fault:
        return Shown(
            "quarantine/entry.html", _shown(visit, found, visit.form.get("raw", ""), visit.said(fault.message)), 422
        )
    request = visit.platform.quality.request_of([(found, item)])
    visit.platform.replay_quarantined(request, visit.actor.name)
    visit.note("quarantine.replayed", str(found.position), entries=1)
    address = f"/quarantine/{found.position}"
    after = visit.platform.quality.entry(found.position)
    if after.state == "open":
        return Led(address, visit.say("The event still breaks its contract, and stays in quarantine."), "warn")
    if Mending(visit.platform).landing(after) is None:
        return Led(address, visit.say("Replayed: an event of this id was there already, so it counts once."))
    return Led(address, visit.say("Replayed: the event has taken its place."))


def drop(visit: Visit) -> Answer:
    """Gives one entry up, with a reason."""
    found = _entry_of(visit)
    _only_open(visit, found)
    why = _why(visit)
    visit.platform.decide("quarantine.dropped", {"positions": [found.position], "why": why}, visit.actor.name)
    visit.note("quarantine.dropped", str(found.position), entries=1)
    return Led(f"/quarantine/{found.position}", visit.say("Dropped."))


# -- many -------------------------------------------------------------------------------------------------------


def mend(visit: Visit) -> Answer:
    """A form of changes for all open entries of a choice; begins with what the reason suggests."""
    which = parts.which_of(visit.query)
    return _mending(visit, which, None)


def preview(visit: Visit) -> Answer:
    """What the changes of the form would do, or the form with one more row."""
    which = parts.which_of(visit.form)
    rows = parts.rows_of(visit.form)
    if "add" in visit.form:
        return Shown("quarantine/mend.html", _mending(visit, which, [*rows, parts.row_of(None)]))
    try:
        changes = parts.mend_of(visit.form)
    except DefinitionInvalid as fault:
        return Shown("quarantine/mend.html", _mending(visit, which, rows, fault=visit.said(fault.message)), 422)
    found = Mending(visit.platform).preview(which, changes)
    shown = {
        "chosen": found.chosen,
        "tried": found.tried,
        "passing": found.passing,
        "is_sample": found.tried < found.chosen,
        "failing": [
            {"name": visit.say(said_of(code).name), "code": code, "path": path, "count": count}
            for code, path, count in found.failing
        ],
        "shown": [_tried(visit, each) for each in found.shown],
    }
    return Shown("quarantine/mend.html", _mending(visit, which, rows, preview=shown))


def mend_replay(visit: Visit) -> Answer:
    """Changes and replays one portion of a choice; the page that it gives goes on by itself until all are through."""
    which = parts.which_of(visit.form)
    try:
        changes = parts.mend_of(visit.form)
    except DefinitionInvalid as fault:
        return Shown(
            "quarantine/mend.html",
            _mending(visit, which, parts.rows_of(visit.form), fault=visit.said(fault.message)),
            422,
        )
    also_failing = visit.form.get("also_failing", "") == "yes"
    after, replayed, left = (_whole(visit.form.get(name, "0")) for name in ("after", "replayed", "left"))
    portion = Mending(visit.platform).replay_portion(
        which, changes, visit.actor.name, after=after, also_failing=also_failing
    )
    if portion.replayed:
        visit.note("quarantine.replayed", _subject(which), entries=portion.replayed, changes=len(changes.steps))
    replayed, left = replayed + portion.replayed, left + portion.left
    if portion.after:
        values = {**_form(visit, which), "after": portion.after, "replayed": replayed, "left": left}
        return Shown("quarantine/working.html", {**values, "doing": "replay", "also_failing": also_failing})
    note = visit.count("%(num)s event replayed.", "%(num)s events replayed.", replayed)
    if left:
        note += " " + visit.count(
            "%(num)s left as it was: it would still break its contract.",
            "%(num)s left as they were: they would still break their contract.",
            left,
        )
    return Led("/quarantine", note, "good" if replayed else "warn")


def drop_many(visit: Visit) -> Answer:
    """Drops one portion of a choice, and goes on as `mend_replay` does."""
    which, why = parts.which_of(visit.form), _why(visit)
    after, dropped = (_whole(visit.form.get(name, "0")) for name in ("after", "replayed"))
    portion = Mending(visit.platform).drop_portion(which, why, visit.actor.name, after=after)
    if portion.replayed:
        visit.note("quarantine.dropped", _subject(which), entries=portion.replayed)
    dropped += portion.replayed
    if portion.after:
        values = {**_form(visit, which), "after": portion.after, "replayed": dropped, "left": 0}
        return Shown("quarantine/working.html", {**values, "doing": "drop", "also_failing": False})
    return Led("/quarantine", visit.count("%(num)s event dropped.", "%(num)s events dropped.", dropped))


# -- parts ------------------------------------------------------------------------------------------------------


def _trends(visit: Visit) -> list[Trend]:
    """The groups: as they are now, unless there are so many entries that counting them takes long."""
    found: list[Trend] = visit.kept(f"{NAME}.trends", lambda platform: platform.quality.trends(), seconds=0.0)
    return found


def _codes(visit: Visit, trends: list[Trend]) -> list[tuple[str, str]]:
    """The reasons that open entries have, with their names, by name."""
    codes = {trend.group.code for trend in trends}
    return sorted(((code, visit.say(said_of(code).name)) for code in codes), key=lambda each: each[1])


def _is_wanted(trend: Trend, which: Which) -> bool:
    group = trend.group
    asked_for = ((which.source, group.source), (which.name, group.name), (which.reason, group.code))
    return all(not wanted or wanted == has for wanted, has in asked_for)


def _group(visit: Visit, trend: Trend, days: range) -> dict[str, Any]:
    group = trend.group
    said = said_of(group.code)
    which = Which(source=group.source, reason=group.code, path=group.path, name=group.name)
    return {
        "name": visit.say(said.name),
        "code": group.code,
        "path": group.path,
        "expected": parts.in_words(group.expected, visit.words),
        "source": group.source,
        "event": group.name,
        "count": group.count,
        "last": trend.last,
        "spark": charts.spark([trend.days.get(day, 0) for day in days]),
        "address": f"/quarantine/entries?{parts.asked(which)}",
    }


def _row(visit: Visit, found: Entry) -> dict[str, Any]:
    return {
        "position": found.position,
        "source": found.source,
        "event": found.name,
        "received": found.received,
        "occurred": found.occurred or None,
        "state": found.state,
        "state_text": visit.say(STATE_OF_ONE[found.state]),
        "reasons": [
            {"name": visit.say(said_of(reason.code).name), "path": reason.path} for reason in found.reasons[:3]
        ],
        "more_reasons": max(0, len(found.reasons) - 3),
    }


def _shown(visit: Visit, found: Entry, text: str, fault: str = "") -> dict[str, Any]:
    """The values of an entry's page."""
    mending = Mending(visit.platform)
    is_open = found.state == "open"
    verdict = _verdict(visit, mending.try_item(found, found.document())) if is_open else None
    landing = mending.landing(found)
    return {
        "entry": found,
        "state_text": visit.say(STATE_OF_ONE[found.state]),
        "reasons": parts.told(found.reasons, visit.words),
        "lines": parts.lines_of(found.document(), found.reasons),
        "text": text if len(text) <= EDITED_CHARACTERS_MAX else "",
        "fault": fault,
        "verdict": None if fault else verdict,
        "can_edit": is_open and visit.may(WRITE) and len(found.raw) <= EDITED_CHARACTERS_MAX and found.form != "base64",
        "can_decide": is_open and visit.may(WRITE),
        "history": [
            {"what": step.what, "moment": step.moment or None, "by": step.by, "why": step.why}
            for step in mending.history(found)
        ],
        "landing": None
        if landing is None
        else {
            "person": text_of(landing.person) if landing.person else "",
            "occurred": landing.event.occurred,
            "name": landing.event.name or landing.event.type,
        },
        "similar": [
            {"name": visit.say(said_of(reason.code).name), "asked": parts.asked(_like(found, reason))}
            for reason in found.reasons[:3]
        ],
    }


def _like(found: Entry, reason: Reason) -> Which:
    """The group that an entry is in by one of its reasons."""
    place = "/".join("*" if step.isdigit() else step for step in reason.path.split("/"))
    return Which(source=found.source, reason=reason.code, path=place, name=found.name)


def _verdict(visit: Visit, outcome: Outcome) -> dict[str, Any]:
    breaking = [reason for reason in outcome.reasons if reason.code not in SOFT]
    observed = [reason for reason in (*outcome.reasons, *outcome.observed) if reason not in breaking]
    return {
        "passes": outcome.passes,
        "reasons": parts.told(breaking, visit.words),
        "observed": parts.told(observed, visit.words),
    }


def _tried(visit: Visit, tried: Any) -> dict[str, Any]:
    """One entry of a preview: what changes in it, line by line, and what would become of it."""
    before, after = tried.entry.document(), tried.after
    return {
        "position": tried.entry.position,
        "passes": tried.outcome.passes,
        "refused": visit.said(tried.refused),
        "reasons": [
            {"name": visit.say(said_of(reason.code).name), "path": reason.path} for reason in tried.outcome.reasons[:5]
        ],
        "changes": _differences(before, after),
    }


def _differences(before: Any, after: Any) -> list[dict[str, str]]:
    """Places of two documents that differ, with the value on each side; at most twenty."""
    old, new = ({line.pointer: line.text.rstrip(",") for line in _leaves(each)} for each in (before, after))
    places = [*old, *(place for place in new if place not in old)]
    changed = [place for place in places if old.get(place) != new.get(place)]
    return [{"place": place, "before": old.get(place, ""), "after": new.get(place, "")} for place in changed[:20]]


def _leaves(document: Any) -> list[parts.Line]:
    return [line for line in parts.lines_of(document, ()) if line.pointer and line.text not in ("{", "[")]


def _suggested(example: Entry, which: Which) -> list[dict[str, str]]:
    """The first row of the form: what mends the reason of the choice, if anything does."""
    for reason in example.reasons if which.reason else ():
        if reason.code == which.reason and _like(example, reason).path == (which.path or reason.path):
            return [parts.row_of(suggestion(reason))]
    return [parts.row_of(None)]


def _mending(visit: Visit, which: Which, rows: list[dict[str, str]] | None, **more: Any) -> dict[str, Any]:
    """The values of the page on which many are mended; without `rows` it begins with what the reason suggests."""
    which = msgspec.structs.replace(which, state="open")
    found = visit.platform.quality.page(which, limit=1)
    if not found:
        raise NotFound("no open entry of the quarantine matches", hint="See the quarantine")
    said = said_of(which.reason) if which.reason else None
    example = found[0]
    return {
        **_form(visit, which),
        "rows": _suggested(example, which) if rows is None else rows or [parts.row_of(None)],
        "steps": [(code, visit.say(text)) for code, text in STEPS.items()],
        "sorts": [("text", visit.say("as text")), ("number", visit.say("as number")), ("json", visit.say("as JSON"))],
        "patch": visit.form.get("patch", ""),
        "count": visit.platform.quality.count(which),
        "said": {"name": visit.say(said.name), "mend": visit.say(said.mend)} if said else None,
        "lines": parts.lines_of(example.document(), example.reasons),
        "places": sorted({line.pointer for line in _leaves(example.document())})[:300],
        "most_tried": TRIED_ENTRIES_MAX,
        "portion": PORTION_ENTRIES,
        "preview": None,
        "fault": "",
        **more,
    }


def _form(visit: Visit, which: Which) -> dict[str, Any]:
    """The choice and the changes as hidden fields of the next form."""
    return {
        "which": which,
        "asked": parts.asked(which),
        "carried": [
            (name, value)
            for name, value in visit.form.multi_items()
            if name in ("do", "at", "value", "sort", "patch", "why")
        ],
    }


def _entry_of(visit: Visit) -> Entry:
    return visit.platform.quality.entry(_whole(visit.path["position"]))


def _only_open(visit: Visit, found: Entry) -> None:
    if found.state != "open":
        state, by = visit.say(STATES[found.state]), found.decided_by or visit.say("somebody")
        raise Conflict(
            visit.say(
                "Entry %(position)s is %(state)s: %(by)s was faster.", position=found.position, state=state, by=by
            )
        )


def _item(visit: Visit, found: Entry) -> Any:
    """The item of the form: JSON, or the text itself where the entry was no JSON and still is none."""
    if "raw" not in visit.form:
        return found.document()
    text = visit.form["raw"]
    if len(text) > EDITED_CHARACTERS_MAX:
        raise DefinitionInvalid(f"expected at most {EDITED_CHARACTERS_MAX} characters, got {len(text)}")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as fault:
        if isinstance(found.document(), str) and found.form != "base64":
            return text
        raise DefinitionInvalid(f"{visit.say('this is no JSON')}: {fault}") from None


def _why(visit: Visit) -> str:
    why = " ".join(visit.form.get("why", "").split())
    if not 1 <= len(why) <= WHY_CHARACTERS_MAX:
        raise DefinitionInvalid(visit.say("Expected a reason of at most %(most)s characters.", most=WHY_CHARACTERS_MAX))
    return why


def _subject(which: Which) -> str:
    """What a decision about many is about, for the audit trail: the choice, which names no person."""
    return parts.asked(which)[:200] or "all"


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise DefinitionInvalid(f"expected a whole number, got {text[:40]!r}")
    return int(text)


def _today() -> int:
    return time.time_ns() // 1_000 // DAY


AREA = Area(
    title=marked("Quarantine"),
    home="/quarantine",
    permission=READ,
    icon="quarantine",
    place=60,
    pages=(
        Page("/quarantine", groups, "quarantine/groups.html"),
        Page("/quarantine/entries", entries, "quarantine/entries.html"),
        Page("/quarantine/mend", mend, "quarantine/mend.html", permission=WRITE),
        Page("/quarantine/mend", preview, method="POST", permission=WRITE),
        Page("/quarantine/mend/replay", mend_replay, method="POST", permission=WRITE),
        Page("/quarantine/drop", drop_many, method="POST", permission=WRITE),
        Page("/quarantine/{position:int}", entry, "quarantine/entry.html"),
        Page("/quarantine/{position:int}/raw", raw),
        Page("/quarantine/{position:int}/check", check, "quarantine/verdict.html", method="POST", permission=WRITE),
        Page("/quarantine/{position:int}/replay", replay, method="POST", permission=WRITE),
        Page("/quarantine/{position:int}/drop", drop, method="POST", permission=WRITE),
    ),
)
