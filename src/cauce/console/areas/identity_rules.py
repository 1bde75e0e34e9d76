"""The rules of identity as pages: read, compared, edited, tried on the history, applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from cauce.app.trials import Trial
from cauce.console.frame import Answer, Led, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, Conflict, DefinitionInvalid, NotFound
from cauce.identity.api import Difference, Rules, Version
from cauce.profiles.masking import masked_text

TEXT_CHARACTERS_MAX = 100_000
VERSIONS_SHOWN = 50
BLOCKED_SHOWN = 6
IDENTIFIERS_SHOWN = 6
LINE_CHARACTERS = 160
_UNSAID = {
    field: value
    for field, value in msgspec.to_builtins(
        Rules.from_dict({"defaults": False, "kinds": {"any": {}}}).kinds["any"]
    ).items()
    if field not in ("name", "priority", "limit")
}
"""What a kind is when its rules do not say it."""

NORMALISERS = {
    "text": marked("as written"),
    "lower": marked("small letters"),
    "email": marked("e-mail address"),
    "phone": marked("phone number (E.164)"),
    "number": marked("number without blanks and dashes"),
    "handle": marked("social handle"),
}
POLICIES = {
    "nobody": marked("nobody's"),
    "last_authenticated": marked("of whoever signed in there last, within %(minutes)s minutes"),
}
CHANGES = {"merge": marked("would become one"), "split": marked("would fall apart")}


def frame(visit: Visit, tab: str) -> dict[str, Any]:
    """What all pages of the area share: the tabs and what may be done."""
    tabs = (
        ("queue", "/identity", visit.say("To decide")),
        ("clusters", "/identity/clusters", visit.say("Largest")),
        ("changes", "/identity/changes", visit.say("Merges and splits")),
        ("rules", "/identity/rules", visit.say("Rules")),
    )
    return {
        "tab": tab,
        "tabs": tabs,
        "may_write": visit.may("identity.write"),
        "personal": visit.may("people.personal"),
    }


# -- reading ----------------------------------------------------------------------------------------------------------


def rules(visit: Visit) -> Answer:
    """The rules in force, readable, and all versions before them."""
    people = visit.platform.people
    awaited = visit.query.get("awaits", "")
    waits = awaited.isascii() and awaited.isdigit() and len(awaited) < 20 and people.rules_position < int(awaited)
    return {
        **frame(visit, "rules"),
        "kinds": [_kind(visit, kind) for kind in sorted(people.rules.kinds.values(), key=lambda one: -one.priority)],
        "general": _general(visit, people.rules),
        "blocked": list(people.rules.blocked),
        "versions": [_version(visit, one) for one in people.versions(VERSIONS_SHOWN)],
        "trials": [_trial(visit, one) for one in visit.platform.trials.list()],
        "awaits": awaited if waits else "",
    }


def _kind(visit: Visit, kind: Any) -> dict[str, Any]:
    words = visit.words
    limit = visit.say("any number")
    if kind.unique:
        limit = visit.say("one, always")
    elif kind.limit and kind.window_days:
        limit = visit.count(
            "%(limit)s within a day", "%(limit)s within %(num)s days", kind.window_days, limit=words.number(kind.limit)
        )
    elif kind.limit:
        limit = words.number(kind.limit)
    return {
        "name": kind.name,
        "title": words.kind(kind.name),
        "priority": kind.priority,
        "limit": limit,
        "reads": visit.say(NORMALISERS[kind.normaliser]),
        "merges": kind.merges,
        "device": kind.device,
        "blocked": list(kind.blocked[:BLOCKED_SHOWN]),
        "blocked_more": max(0, len(kind.blocked) - BLOCKED_SHOWN),
        "pattern": kind.pattern,
        "check_digit": kind.check_digit,
    }


def _general(visit: Visit, found: Rules) -> list[tuple[str, str]]:
    providers = found.email_providers
    shared = visit.say(
        POLICIES[found.shared_device.policy], minutes=visit.words.number(found.shared_device.window_minutes)
    )
    none = visit.say("none")
    return [
        (visit.say("Phone numbers without a country are of"), found.default_region),
        (visit.say("Later anonymous events of a shared device are"), shared),
        (visit.say("Mail providers that ignore dots"), ", ".join(providers.ignore_dots) or none),
        (visit.say("Mail providers that ignore +tags"), ", ".join(providers.ignore_plus) or none),
        (visit.say("Sources with habits of their own"), ", ".join(sorted(found.sources)) or none),
    ]


def _version(visit: Visit, found: Version) -> dict[str, Any]:
    return {
        "position": found.position,
        "by": found.author or "–",
        "when": visit.words.moment(found.occurred),
        "iso": visit.words.iso(found.occurred),
    }


def version(visit: Visit) -> Answer:
    """One version: who applied it when, and what it changed."""
    found = visit.platform.people.versions(VERSIONS_SHOWN)
    place = next((at for at, one in enumerate(found) if str(one.position) == visit.path["position"]), None)
    if place is None:
        raise NotFound("there is no such version of the rules")
    before = found[place + 1].rules if place + 1 < len(found) else None
    return {
        **frame(visit, "rules"),
        **_version(visit, found[place]),
        "present": place == 0,
        "difference": [] if before is None else _difference(before, found[place].rules),
        "first": before is None,
        "text": written(found[place].rules),
    }


def written(found: Rules) -> str:
    """Rules as YAML to edit, a kind on a line; of a kind only what is not as it is without a word."""
    document = found.as_dict()
    for kind in document["kinds"].values():
        for field, unsaid in _UNSAID.items():
            if kind[field] == unsaid:
                del kind[field]
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, default_flow_style=None, width=LINE_CHARACTERS)


def _difference(before: Rules, after: Rules) -> list[dict[str, Any]]:
    """Every setting that differs: its place, what it was and what it is; None where it is not there."""
    old, new = _settings(before), _settings(after)
    return [
        {"place": place, "before": old.get(place), "after": new.get(place)}
        for place in dict.fromkeys((*new, *old))
        if old.get(place) != new.get(place)
    ]


def _settings(found: Rules) -> dict[str, str]:
    """Rules as places (`kinds.email.limit`) and texts; each value of a list is a place of its own."""
    places: dict[str, str] = {}

    def add(place: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                add(f"{place}.{name}" if place else str(name), inner)
        elif isinstance(value, list | tuple):
            places.update((f"{place}: {inner}", str(inner)) for inner in value)
        else:
            places[place] = str(value).lower() if isinstance(value, bool) else str(value)

    document = found.as_dict()
    del document["defaults"]
    add("", document)
    return places


# -- editing ----------------------------------------------------------------------------------------------------------


def edit(visit: Visit) -> Answer:
    """The rules as text; those in force, an older version, or those of a trial."""
    return _editing(visit, _text_to_edit(visit))


def _text_to_edit(visit: Visit) -> str:
    people = visit.platform.people
    if trial := visit.query.get("trial", ""):
        return written(Rules.from_dict(visit.platform.trials.get(trial).rules))
    wanted = visit.query.get("from", "")
    chosen = [one.rules for one in people.versions(VERSIONS_SHOWN) if str(one.position) == wanted]
    return written(chosen[0] if chosen else people.rules)


def _editing(visit: Visit, text: str) -> dict[str, Any]:
    return {**frame(visit, "rules"), "text": text, "most": TEXT_CHARACTERS_MAX, **_verdict(visit, text)}


def check(visit: Visit) -> Answer:
    """Whether the text makes sense, and what it would change."""
    return _verdict(visit, visit.form.get("text", ""))


def _verdict(visit: Visit, text: str) -> dict[str, Any]:
    try:
        found = _read(visit, text)
    except DefinitionInvalid as fault:
        return {"faults": _faults(visit, fault), "difference": [], "changed": False}
    present = visit.platform.people.rules
    return {"faults": [], "difference": _difference(present, found), "changed": found != present}


def _faults(visit: Visit, fault: CauceError) -> list[str]:
    """The single faults of a message that lists several."""
    return [visit.said(part) for part in fault.message.split("; ")]


def _read(visit: Visit, text: str) -> Rules:
    """The rules of a text; DefinitionInvalid lists every fault."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise DefinitionInvalid(visit.say("expected at most %(most)s characters", most=TEXT_CHARACTERS_MAX))
    found = Rules.from_yaml(text)
    visit.platform.people.validate("identity.rules_applied", {"rules": found.as_dict()})
    return found


def apply(visit: Visit) -> Answer:
    """Applies rules: everybody is put together anew, which the page waits for without keeping anybody waiting."""
    text = visit.form.get("text", "")
    try:
        found = _read(visit, text)
    except DefinitionInvalid:
        return Shown("identity/edit.html", _editing(visit, text), 422)
    if found == visit.platform.people.rules:
        return Led("/identity/rules", visit.say("These rules are already in force."), "warn")
    properties = {"rules": found.as_dict()}
    position = visit.platform.decide("identity.rules_applied", properties, by=visit.actor.name, wait=False)
    visit.note("identity.rules_applied", "rules", position=position)
    return Led(f"/identity/rules?awaits={position}", visit.say("Decided: everybody is being put together anew."))


# -- trying -----------------------------------------------------------------------------------------------------------


def begin_trial(visit: Visit) -> Answer:
    """Begins to try rules on the recorded history."""
    text = visit.form.get("text", "")
    try:
        found = _read(visit, text)
        id = visit.platform.trials.start(found, visit.actor.name)
    except (DefinitionInvalid, Conflict) as fault:
        return Shown("identity/edit.html", {**_editing(visit, text), "faults": _faults(visit, fault)}, _status(fault))
    visit.note("identity.rules_tried", "rules", trial=id)
    return Led(f"/identity/trials/{id}")


def _status(fault: CauceError) -> int:
    return 409 if isinstance(fault, Conflict) else 422


def trial(visit: Visit) -> Answer:
    """How far a trial is, or what it found; its live part asks for itself."""
    found = visit.platform.trials.get(visit.path["id"])
    return {
        **frame(visit, "rules"),
        "trial": _trial(visit, found),
        "difference": _difference(visit.platform.people.rules, Rules.from_dict(found.rules)),
        "text": written(Rules.from_dict(found.rules)),
    }


def stop_trial(visit: Visit) -> Answer:
    """Ends a trial that is not wanted any more."""
    visit.platform.trials.stop(visit.path["id"])
    return Led(f"/identity/trials/{visit.path['id']}", visit.say("Stopped."), "warn")


def _trial(visit: Visit, found: Trial) -> dict[str, Any]:
    words, report = visit.words, found.report
    return {
        "id": found.id,
        "by": found.by,
        "when": words.moment(found.started),
        "state": found.state,
        "events": words.number(found.events),
        "events_total": words.number(found.events_total),
        "percent": round(100 * found.share),
        "fault": visit.said(found.fault),
        "took": words.span(found.seconds),
        "figures": [] if report is None else _figures(visit, report),
        "summary": "" if report is None else _summary(visit, report),
        "worst": [] if report is None else [_worst(visit, each) for each in report.worst],
    }


def _summary(visit: Visit, report: Any) -> str:
    merged = visit.count(
        "%(num)s person would become one with others",
        "%(num)s people would become one with others",
        report.people_merged,
    )
    split = visit.count("%(num)s person would fall apart", "%(num)s people would fall apart", report.people_split)
    return visit.words.list([merged, split])


def _figures(visit: Visit, report: Any) -> list[dict[str, str]]:
    pairs = (
        (visit.say("People"), report.people_before, report.people_after),
        (visit.say("Identifiers of the largest person"), report.largest_before, report.largest_after),
        (visit.say("Shared identifiers"), report.shared_before, report.shared_after),
    )
    number = visit.words.number
    return [
        {"name": name, "before": number(before), "after": number(after), "changes": before != after}
        for name, before, after in pairs
    ]


def _worst(visit: Visit, found: Difference) -> dict[str, Any]:
    personal = visit.may("people.personal")
    shown = found.identifiers[:IDENTIFIERS_SHOWN]
    named = [text if personal else masked_text(text) for text in shown]
    return {
        "change": visit.say(CHANGES[found.change]),
        "kind": found.change,
        "people": list(found.before[:IDENTIFIERS_SHOWN]),
        "people_more": max(0, len(found.before) - IDENTIFIERS_SHOWN),
        "parts": len(found.before) if found.change == "merge" else len(found.after),
        "identifiers": [(visit.words.kind(kind), value) for kind, _, value in (text.partition(":") for text in named)],
        "more": max(0, found.identifiers_total - len(shown)),
        "total": visit.words.number(found.identifiers_total),
    }
