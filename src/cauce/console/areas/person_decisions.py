"""What is decided on a person's page, and what a split or a join would change before it is decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.console.areas import person_words as said
from cauce.console.areas.person_identity import located
from cauce.console.areas.person_parts import Subject, computed_text, currency_of, name_of
from cauce.console.frame import marked
from cauce.errors import DefinitionInvalid
from cauce.identity.api import Person, text_of
from cauce.identity.supposed import Preview, preview, supposing
from cauce.profiles.api import Profile

if TYPE_CHECKING:
    from cauce.app import Platform

SIDES_MAX = 4
"""People that a preview compares on each side; it says how many more there are."""
LISTED_MAX = 12
"""Identifiers of one person that a preview lists."""
REASON_CHARACTERS_MAX = 500
VERBS = {
    "split": "identity.refused",
    "join": "identity.joined",
    "unsplit": "identity.unrefused",
    "unjoin": "identity.unjoined",
}
NOTES = {"split": "person.split", "join": "person.joined", "unsplit": "person.unsplit", "unjoin": "person.unjoined"}
DONE = {
    "split": marked("Decided: they are not the same person."),
    "join": marked("Decided: they are the same person."),
    "unsplit": marked("Taken back: the evidence decides again whether they are one person."),
    "unjoin": marked("Taken back: the evidence decides again whether they are one person."),
}
NOTHING = marked("Decided, and remembered; nobody changes for now.")


class Foreseen(msgspec.Struct, frozen=True):
    """A preview with the profiles of everybody concerned, in the order of its people."""

    preview: Preview
    before: tuple[Profile, ...]
    after: tuple[Profile, ...]


def foreseen(platform: Platform, name: str, properties: dict[str, Any], now: int) -> Foreseen:
    """What a decision about a pair would do to people and to their profiles at `now`; changes nothing."""
    with platform.reader.snapshot():
        supposed = supposing(platform.people, name, properties)
        found = preview(platform.people, supposed, name, properties)
        later = platform.profiles.supposing(supposed)
        return Foreseen(
            found,
            tuple(platform.profiles.profile(person.id, now=now) for person in found.before[:SIDES_MAX]),
            tuple(later.profile(person.id, now=now) for person in found.after[:SIDES_MAX]),
        )


def previewed(subject: Subject, now: int) -> dict[str, Any]:
    """A preview for people to read: who goes where, and which numbers change."""
    query = subject.visit.query
    verb = query.get("do", "split")
    name, properties = asked(subject, verb, query.get("a", ""), query.get("b", ""))
    found = foreseen(subject.visit.platform, name, properties, now)
    one, other = located(subject, query.get("a", "")), located(subject, query.get("b", ""))
    return {
        "verb": verb,
        "a": subject.shown(properties["a"]),
        "b": subject.shown(properties["b"]),
        "a_id": text_of(one.id),
        "b_id": text_of(other.id),
        "changes": found.preview.changes,
        "before": _people(subject, found.preview.before, found.before),
        "after": _people(subject, found.preview.after, found.after),
        "before_more": max(0, len(found.preview.before) - SIDES_MAX),
        "after_more": max(0, len(found.preview.after) - SIDES_MAX),
        "numbers": _numbers(subject, found),
    }


def asked(subject: Subject, verb: str, a: str, b: str) -> tuple[str, dict[str, Any]]:
    """Name and properties of the decision that a form asks for; the identifiers as they are kept, not as ids."""
    if verb not in VERBS:
        raise DefinitionInvalid(f"expected do to be one of {', '.join(VERBS)}, got {verb[:40]!r}")
    properties = {"a": str(located(subject, a)), "b": str(located(subject, b))}
    if properties["a"] == properties["b"]:
        raise DefinitionInvalid(subject.visit.say("expected two different identifiers"))
    return VERBS[verb], properties


def _people(subject: Subject, people: Sequence[Person], profiles: Sequence[Profile]) -> list[dict[str, Any]]:
    words = subject.visit.words
    return [
        {
            "id": person.text,
            "name": name_of(subject, profile),
            "identifiers": [
                {"kind": words.kind(member.kind), "value": subject.value_of(member), "shared": member.shared}
                for member in person.identifiers[:LISTED_MAX]
            ],
            "more": max(0, len(person.identifiers) - LISTED_MAX),
        }
        for person, profile in zip(people, profiles, strict=False)
    ]


def _numbers(subject: Subject, found: Foreseen) -> list[dict[str, Any]]:
    """Rows of numbers, one cell per person before and after; those first that are not the same for everybody."""
    words = subject.visit.words
    definitions = {each.name: each for each in subject.visit.platform.profiles.definitions()}
    currency = currency_of(subject)

    def row(name: str, read: Any, write: Any) -> dict[str, Any]:
        before, after = [read(each) for each in found.before], [read(each) for each in found.after]
        return {
            "name": name,
            "before": [write(value) for value in before],
            "after": [{"text": write(value), "new": value not in before} for value in after],
            "changes": any(value not in before for value in after),
        }

    rows = [
        row(words.say("events"), lambda profile: profile.events, words.number),
        row(words.say("first seen"), lambda profile: profile.first_seen, words.short_day),
        row(words.say("last seen"), lambda profile: profile.last_seen, words.short_day),
    ]
    for name in sorted(_all_names(found), key=said.computed_rank):
        definition = definitions.get(name)
        rows.append(
            row(
                said.computed_name(words, name),
                lambda profile, name=name: profile.computed.get(name),
                lambda value, definition=definition: computed_text(subject, value, definition, currency),
            )
        )
    return [each for each in rows if each["changes"]]


def _all_names(found: Foreseen) -> Iterable[str]:
    return {name for profile in (*found.before, *found.after) for name in profile.computed}


def decided(subject: Subject) -> tuple[str, str]:
    """Carries out what a form asks for; (where to go on, what to say)."""
    visit = subject.visit
    verb = visit.form.get("do", "")
    name, properties = asked(subject, verb, visit.form.get("a", ""), visit.form.get("b", ""))
    why = reason_of(subject)
    platform = visit.platform
    platform.people.validate(name, properties)
    before = [platform.people.locate(properties[side]) for side in ("a", "b")]
    platform.decide(name, {**properties, "why": why}, by=visit.actor.name)
    after = [platform.people.locate(properties[side]) for side in ("a", "b")]
    visit.note(NOTES[verb], before[0].text, other=before[1].text, now=after[0].text, other_now=after[1].text)
    return after[0].text, visit.say(DONE[verb] if before != after else NOTHING)


def reason_of(subject: Subject) -> str:
    """The reason that a form gives; DefinitionInvalid when it gives none."""
    why = subject.visit.form.get("why", "").strip()
    if not why or len(why) > REASON_CHARACTERS_MAX:
        raise DefinitionInvalid(
            subject.visit.say("expected a reason of 1 to %(most)s characters", most=REASON_CHARACTERS_MAX)
        )
    return why


def trait_set(subject: Subject) -> str:
    """Sets a value of the golden record by hand, or takes such a word back; what to say."""
    visit = subject.visit
    trait = visit.form.get("trait", "").strip()
    if not trait or len(trait) > 200:
        raise DefinitionInvalid(visit.say("expected the name of a trait"))
    profile = visit.platform.profiles.profile(subject.id)
    present = profile.traits.get(trait)
    taken_back = visit.form.get("do") == "take_back"
    value = None if taken_back else _typed(subject, visit.form.get("value", ""), present.value if present else None)
    properties = {
        "identifier": str(profile.identifiers[0]),
        "trait": trait,
        "value": value,
        "why": reason_of(subject),
    }
    visit.platform.profiles.validate("trait.set", properties)
    visit.platform.decide("trait.set", properties, by=visit.actor.name)
    visit.note("person.trait_set", subject.text, trait=trait, taken_back=taken_back)
    name = said.trait_name(visit.words, trait)
    return visit.say("Taken back: %(trait)s", trait=name) if taken_back else visit.say("Set: %(trait)s", trait=name)


def _typed(subject: Subject, text: str, present: Any) -> Any:
    """What was written, of the type that the value has: a number stays a number, a list stays a list."""
    text = text.strip()
    if not text or len(text) > 4_000:
        raise DefinitionInvalid(subject.visit.say("expected a value of 1 to %(most)s characters", most=4_000))
    if present is None or isinstance(present, str):
        return text
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    same = isinstance(value, type(present)) or (isinstance(value, int | float) and isinstance(present, int | float))
    if not same or isinstance(value, bool) != isinstance(present, bool):
        raise DefinitionInvalid(
            subject.visit.say("expected a value like the present one, %(present)s", present=_written(present))
        )
    return value


def _written(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:100]


def erased(subject: Subject) -> str:
    """Erases the person when the form names them as they are called here; what to say."""
    visit = subject.visit
    profile = visit.platform.profiles.profile(subject.id)
    if visit.form.get("confirm", "").strip() != subject.text:
        raise DefinitionInvalid(
            visit.say("expected the id of the person, %(id)s, to be written as confirmation", id=subject.text)
        )
    properties = {
        "identifiers": [str(member) for member in profile.identifiers],
        "suppress": visit.form.get("suppress") == "yes",
    }
    visit.platform.people.validate("person.erased", properties)
    visit.platform.decide("person.erased", properties, by=visit.actor.name)
    visit.note("person.erased", subject.text, identifiers=len(profile.identifiers), suppress=properties["suppress"])
    return visit.count(
        "Erased: %(num)s identifier and everything stored by it.",
        "Erased: %(num)s identifiers and everything stored by them.",
        len(profile.identifiers),
    )
