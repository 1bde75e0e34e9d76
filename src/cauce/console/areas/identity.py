"""Identity: what stewards must look at, the largest people, who became one lately, and the rules behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cauce.console.areas import identity_rules as ruling
from cauce.console.areas import person_words as said
from cauce.console.areas.people_parts import called
from cauce.console.frame import Answer, Area, Led, Page, marked
from cauce.console.visit import Visit
from cauce.errors import DefinitionInvalid, NotFound
from cauce.identity.api import Decision, Evidence, Meeting, Member, QueueEntry, text_of
from cauce.model import DECISION
from cauce.profiles.masking import masked, masked_text

if TYPE_CHECKING:
    from cauce.app import Platform

NAME = "identity"

CASES_SHOWN = 20
CLUSTERS_SHOWN = 20
SHARED_SHOWN = 20
MEETINGS_SHOWN = 20
DECISIONS_SHOWN = 50
IDENTIFIERS_SHOWN = 8
REASON_CHARACTERS_MAX = 500
SECONDS = 15.0
"""How old a list may be that looks at everybody; what was decided since is left out of it at once."""

VERBS = {
    "join": ("identity.joined", "person.joined", marked("Decided: they are the same person.")),
    "split": ("identity.refused", "person.split", marked("Decided: they are not the same person.")),
    "unjoin": ("identity.unjoined", "person.unjoined", marked("Taken back: the evidence decides again.")),
    "unsplit": ("identity.unrefused", "person.unsplit", marked("Taken back: the evidence decides again.")),
}
SAID = {
    "identity.joined": marked("joined"),
    "identity.refused": marked("kept apart"),
    "identity.unjoined": marked("a join was taken back"),
    "identity.unrefused": marked("a split was taken back"),
    "link.retracted": marked("evidence does not count"),
    "link.restored": marked("evidence counts again"),
    "identity.rules_applied": marked("rules applied"),
}
UNDO = {"joined": "unjoin", "refused": "unsplit"}


# -- the queue --------------------------------------------------------------------------------------------------------


def queue(visit: Visit) -> Answer:
    """Pairs that only a person can decide, and groups that are too large."""
    entries = visit.soon("identity.queue", lambda platform: platform.people.queue(2 * CASES_SHOWN), SECONDS)
    decided = {frozenset((decision.low, decision.high)) for decision in visit.platform.people.decisions()}
    cases, groups = [], []
    for entry in entries or ():
        if entry.reason == "oversize":
            groups.append(_group(visit, entry))
        else:
            cases += [
                case for case in _cases(visit, entry) if entry.reason == "overruled" or case["pair"] not in decided
            ]
    if cases or groups:
        visit.look("person.listed", "queue")
    return {
        **_frame(visit, "queue"),
        "ready": entries is not None,
        "cases": cases[:CASES_SHOWN],
        "cases_more": max(0, len(cases) - CASES_SHOWN),
        "groups": groups,
    }


def _cases(visit: Visit, entry: QueueEntry) -> list[dict[str, Any]]:
    """One case per pair that the rules kept apart, or that two decisions contradict."""
    if entry.reason == "overruled":
        pairs: list[tuple[str, str, Evidence | None]] = [(entry.identifiers[0], entry.identifiers[1], None)]
    else:
        pairs = [(evidence.a, evidence.b, evidence) for evidence in entry.evidence]
    found = [_case(visit, entry.reason, a, b, evidence) for a, b, evidence in pairs]
    return [case for case in found if case is not None]


def _case(visit: Visit, reason: str, a: str, b: str, evidence: Evidence | None) -> dict[str, Any] | None:
    """A pair with both people; None when one of them is gone."""
    try:
        sides = [visit.platform.people.identifier(text) for text in (a, b)]
    except NotFound:
        return None
    owners = visit.platform.people.owners(side.id for side in sides)
    if evidence is not None and len(set(owners.values())) == 1:
        return None  # they have become one since
    words = visit.words
    detail = "" if evidence is None else said.kept_apart(words, evidence, _shown(visit, evidence.detail))
    shown = [_side(visit, side, owners[side.id], by_itself=evidence is None) for side in sides]
    return {
        "reason": reason,
        "pair": frozenset(side["number"] for side in shown),
        "sides": shown,
        "evidence": "" if evidence is None else said.evidence_in_words(words, evidence),
        "why": detail,
    }


def _side(visit: Visit, member: Member, person: int, *, by_itself: bool) -> dict[str, Any]:
    """One of two people, and the identifier that a decision names: their most personal one.

    A word about what merely links them would move that identifier and leave two people.
    `by_itself`: the identifier as it was named, because a word about it is to be taken back.
    """
    personal = visit.may("people.personal")
    profile = visit.platform.profiles.profile(person)
    rules = visit.platform.people.rules
    named = member
    if not by_itself:
        named = min(profile.identifiers, key=lambda one: (-rules.kind(one.kind).priority, one.first_occurred, one.id))
    return {
        "number": named.id,
        "id": text_of(named.id),
        "kind": visit.words.kind(member.kind),
        "value": member.value if personal else masked(member.value),
        "person": text_of(profile.person),
        "name": called(visit, profile),
        "count": len(profile.identifiers),
        "last_seen": visit.words.ago(profile.last_seen),
    }


def _group(visit: Visit, entry: QueueEntry) -> dict[str, Any]:
    """Identifiers that hang together and are too many to be solved."""
    return {
        "total": entry.identifiers_total,
        "identifiers": [_shown(visit, text) for text in entry.identifiers[:IDENTIFIERS_SHOWN]],
        "more": max(0, entry.identifiers_total - IDENTIFIERS_SHOWN),
    }


def decide(visit: Visit) -> Answer:
    """One word about one pair: together or apart, or such a word taken back."""
    verb = visit.form.get("do", "")
    if verb not in VERBS:
        raise DefinitionInvalid(f"expected do to be one of {', '.join(VERBS)}, got {verb[:40]!r}")
    why = visit.form.get("why", "").strip()
    if not why or len(why) > REASON_CHARACTERS_MAX:
        raise DefinitionInvalid(visit.say("expected a reason of 1 to %(most)s characters", most=REASON_CHARACTERS_MAX))
    name, action, told = VERBS[verb]
    people = visit.platform.people
    # As `kind:value`, so that the word still holds when rules give identifiers other ids.
    properties = {side: str(people.identifier(visit.form.get(side, ""))) for side in ("a", "b")}
    people.validate(name, properties)
    before = [people.locate(properties[side]).text for side in ("a", "b")]
    visit.platform.decide(name, {**properties, "why": why}, by=visit.actor.name)
    after = [people.locate(properties[side]).text for side in ("a", "b")]
    visit.note(action, before[0], other=before[1], now=after[0], other_now=after[1])
    back = visit.form.get("back", "")
    return Led("/identity/changes" if back == "changes" else "/identity", visit.say(told))


# -- the largest ------------------------------------------------------------------------------------------------------


class Largest(msgspec.Struct, frozen=True):
    """What looks at everybody and is asked for together."""

    clusters: list[tuple[int, int]]
    crowds: list[Any]
    shared: list[Member]


def _largest(platform: Platform) -> Largest:
    people = platform.people
    return Largest(people.clusters(CLUSTERS_SHOWN), people.crowded(CLUSTERS_SHOWN), people.shared(SHARED_SHOWN))


def clusters(visit: Visit) -> Answer:
    """The people with most identifiers, those at a limit, and identifiers that several people share."""
    found = visit.soon("identity.largest", _largest, SECONDS)
    personal, words = visit.may("people.personal"), visit.words
    if found is not None and found.clusters:
        visit.look("person.listed", "clusters")
    return {
        **_frame(visit, "clusters"),
        "ready": found is not None,
        "clusters": [] if found is None else [_person(visit, person, count) for person, count in found.clusters],
        "crowds": []
        if found is None
        else [
            {
                **_person(visit, crowd.person, crowd.count),
                "kind": words.kind(crowd.kind),
                "limit": words.number(crowd.limit),
            }
            for crowd in found.crowds
        ],
        "shared": []
        if found is None
        else [
            {
                "id": text_of(member.id),
                "kind": words.kind(member.kind),
                "value": member.value if personal else masked(member.value),
                "since": words.short_day(member.first_occurred),
            }
            for member in found.shared
        ],
    }


def _person(visit: Visit, person: int, count: int) -> dict[str, Any]:
    """A person of a list; without a name when they are gone since."""
    try:
        profile = visit.platform.profiles.profile(person)
    except NotFound:
        return {
            "person": text_of(person),
            "name": "–",
            "count": visit.words.number(count),
            "events": "",
            "last_seen": "",
        }
    return {
        "person": text_of(profile.person),
        "name": called(visit, profile),
        "count": visit.words.number(count),
        "events": visit.words.number(profile.events),
        "last_seen": visit.words.ago(profile.last_seen),
    }


# -- changes ----------------------------------------------------------------------------------------------------------


def changes(visit: Visit) -> Answer:
    """Who became one lately and why, and what people decided, which can be taken back."""
    meetings = visit.soon("identity.meetings", lambda platform: platform.people.meetings(MEETINGS_SHOWN), SECONDS)
    holding = {(decision.what, decision.position): decision for decision in visit.platform.people.decisions()}
    by_position = {position: decision for (_, position), decision in holding.items()}
    audit = visit.platform.archive.audit(limit=10 * DECISIONS_SHOWN)
    decisions = [event for event in audit if event.type == DECISION and event.name in SAID][:DECISIONS_SHOWN]
    if meetings or decisions:
        visit.look("person.listed", "changes")
    return {
        **_frame(visit, "changes"),
        "ready": meetings is not None,
        "meetings": [row for each in meetings or () if (row := _meeting(visit, each)) is not None],
        "decisions": [_decision(visit, event, by_position.get(event.position)) for event in decisions],
    }


def _meeting(visit: Visit, meeting: Meeting) -> dict[str, Any] | None:
    members = visit.platform.people.identifiers_of((meeting.low, meeting.high))
    if len(members) < 2:
        return None
    words, evidence = visit.words, meeting.evidence
    return {
        **_person(visit, meeting.person, 0),
        "a": _shown(visit, evidence.a),
        "b": _shown(visit, evidence.b),
        "evidence": said.evidence_in_words(words, evidence),
        "when": words.moment(evidence.known_since),
        "iso": words.iso(evidence.known_since),
    }


def _decision(visit: Visit, event: Any, holds: Decision | None) -> dict[str, Any]:
    words, properties = visit.words, event.properties
    a, b = (str(properties.get(side, "")) for side in ("a", "b"))
    undo = UNDO.get(holds.what, "") if holds is not None else ""
    return {
        "what": visit.say(SAID[event.name]),
        "a": _shown(visit, a) if a else "",
        "b": _shown(visit, b) if b else "",
        "why": str(properties.get("why", "")) if visit.may("people.personal") else "",  # anybody wrote anything there
        "by": str(event.context.get("by", "")),
        "when": words.moment(event.occurred),
        "iso": words.iso(event.occurred),
        "undo": undo,
        "a_id": text_of(holds.low) if holds is not None and undo else "",
        "b_id": text_of(holds.high) if holds is not None and undo else "",
        "rules": event.position if event.name == "identity.rules_applied" else 0,
    }


# -- all pages --------------------------------------------------------------------------------------------------------


def _shown(visit: Visit, text: str) -> str:
    """`kind:value` as far as it may be shown, with the name of the kind in words."""
    return visit.words.identifier(text if visit.may("people.personal") else masked_text(text))


def _frame(visit: Visit, tab: str) -> dict[str, Any]:
    return {**ruling.frame(visit, tab), "may_decide": visit.may("identity.write") and visit.may("people.personal")}


AREA = Area(
    title=marked("Identity"),
    home="/identity",
    permission="identity.read",
    icon="identity",
    place=30,
    pages=(
        Page("/identity", queue, "identity/queue.html"),
        Page("/identity/clusters", clusters, "identity/clusters.html"),
        Page("/identity/changes", changes, "identity/changes.html"),
        Page("/identity/decide", decide, method="POST", permission="identity.write"),
        Page("/identity/rules", ruling.rules, "identity/rules.html"),
        Page("/identity/rules/{position:int}", ruling.version, "identity/version.html"),
        Page("/identity/rules/edit", ruling.edit, "identity/edit.html", permission="identity.write"),
        Page(
            "/identity/rules/check", ruling.check, "identity/verdict.html", method="POST", permission="identity.write"
        ),
        Page("/identity/rules/try", ruling.begin_trial, method="POST", permission="identity.write"),
        Page("/identity/rules/apply", ruling.apply, method="POST", permission="identity.write"),
        Page("/identity/trials/{id}", ruling.trial, "identity/trial.html"),
        Page("/identity/trials/{id}/live", ruling.trial, "identity/trial_live.html"),
        Page("/identity/trials/{id}/stop", ruling.stop_trial, method="POST", permission="identity.write"),
    ),
)
