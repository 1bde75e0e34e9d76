"""Definitions: contracts, computed traits and survivorship, with their versions and who changed what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cauce.app.definitions import SORTS as ALL_SORTS
from cauce.app.definitions import (
    UNKNOWN,
    Definitions,
    Version,
    as_yaml,
    contract_document,
    difference,
    survivorship_document,
    trait_document,
)
from cauce.app.questions import showing_of, shows
from cauce.console.areas import definitions_words as told
from cauce.console.areas.definitions_text import Fault, Read, read_text
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from cauce.identity.api import text_of
from cauce.profiles.definitions import read_definitions, read_survivorship
from cauce.profiles.masking import masked_trait
from cauce.quality.contract import parse

NAME = "definitions"
READ, WRITE = "definitions.read", "definitions.write"

WRITABLE = ("contract", "trait", "survivorship")
STARTS = {
    "contract": (
        "event: Something Happened\n"
        "mode: quarantine\n"
        "identifiers: any\n"
        "description: What it means that it happened.\n"
        "properties:\n"
        "  type: object\n"
        "  required: [number]\n"
        "  properties:\n"
        "    number: {type: string, description: Number of the thing.}\n"
        "    amount: {type: number, minimum: 0, x-currency: currency}\n"
        "    currency: {type: string, x-currency: true}\n"
        "example: {number: A1, amount: 9.5, currency: EUR}\n"
    ),
    "trait": (
        "name: orders_90_days\n"
        "compute: count\n"
        "events: [Order Completed, Receipt Issued]\n"
        "window_days: 90\n"
        "description: Purchases in all channels within 90 days\n"
    ),
    "survivorship": "default: latest\ntraits:\n  email: {rule: source_order, sources: [crm, web]}\n",
}


# -- looking ----------------------------------------------------------------------------------------------------


def overview(visit: Visit) -> Answer:
    """All definitions in force."""
    platform, words = visit.platform, visit.words
    wanted = visit.query.get("q", "").strip()[:100]
    contracts = [
        {
            "key": each.key,
            "event": each.contract.event or each.contract.type,
            "type": each.contract.type,
            "source": each.contract.source,
            "mode": each.contract.mode,
            "description": visit.said(each.contract.description),
            "version": each.version,
            "decided": each.decided or None,
            "by": each.decided_by,
            "address": address_of("contract", each.key),
        }
        for each in platform.quality.contracts()
        if wanted.casefold() in f"{each.key} {visit.said(each.contract.description)}".casefold()
    ]
    breaches: dict[str, int] = {}
    for breach in platform.quality.breaches():
        breaches[breach.contract] = breaches.get(breach.contract, 0) + breach.count
    return {
        "q": wanted,
        "own": [each for each in contracts if each["version"]],
        "starters": [each for each in contracts if not each["version"]],
        "unknown": sorted(platform.quality.unknown().items()),
        "breaches": breaches,
        "traits": [
            {
                "name": each.name,
                "told": told.trait_told(each, words),
                "address": address_of("trait", each.name),
            }
            for each in platform.profiles.definitions()
        ],
        "survivorship": told.survivorship_told(platform.profiles.survivorship(), words),
    }


def show(visit: Visit) -> Answer:
    """One definition: in words, as text to edit, and all its versions."""
    sort, name = visit.path["sort"], visit.path["name"]
    versions = _versions(visit, sort, name)
    number = _whole(visit.query.get("version", str(versions[-1].number)))
    shown = next((each for each in versions if each.number == number), None)
    if shown is None:
        raise NotFound(f"there is no version {number} of {name!r}")
    return _values(visit, versions, shown)


def new(visit: Visit) -> Answer:
    """A form for a definition that there is not yet."""
    sort = visit.query.get("sort", "contract")
    if sort not in STARTS:
        raise NotFound(f"there are no definitions of sort {sort!r}")
    return _editor(visit, sort, STARTS[sort])


# -- writing ----------------------------------------------------------------------------------------------------


def check(visit: Visit) -> Answer:
    """What a text means, or what is wrong in which line; asked while somebody writes."""
    sort = _sort(visit)
    return {**_checked(visit, sort, _text(visit)), "sort": sort}


def apply(visit: Visit) -> Answer:
    """Applies a definition: a decision in the log, from which its next version comes."""
    sort, text = _sort(visit), _text(visit)
    found = read_text(sort, text)
    if not found.faults:
        changed = _changed_meanwhile(visit, sort)
        if changed:
            found = Read((Fault(1, changed),))
    if found.faults:
        return Shown("definitions/edit.html", _editor(visit, sort, text), 422)
    _decide(visit, sort, found)
    names = found.names or [sort if sort == "survivorship" else UNKNOWN]
    note = visit.say("Applied: %(names)s.", names=", ".join(names[:5]))
    return Led(address_of(sort, names[0]) if len(names) == 1 and names[0] != UNKNOWN else "/definitions", note)


def restore(visit: Visit) -> Answer:
    """Applies an older version again, as a new one."""
    sort, name = _sort(visit), visit.form.get("name", "")
    number = _whole(visit.form.get("version", ""))
    version = next((each for each in _versions(visit, sort, name) if each.number == number), None)
    if version is None or version.document is None:
        raise NotFound(f"there is no version {number} of {name!r} that could be applied again")
    found = read_text(sort, version.text)
    if found.faults:
        raise DefinitionInvalid(found.faults[0].message, hint="This release reads definitions more strictly")
    _decide(visit, sort, found)
    return Led(address_of(sort, name), visit.say("Version %(number)s is in force again.", number=number))


def remove(visit: Visit) -> Answer:
    """Removes a contract or a computed trait; its versions stay."""
    sort, name = _sort(visit), visit.form.get("name", "")
    _versions(visit, sort, name)
    if sort == "contract":
        if name not in {each.key for each in visit.platform.quality.contracts()}:
            raise Conflict(f"{name!r} is not in force")
        visit.platform.decide("contract.removed", {"contracts": [name]}, visit.actor.name)
    elif sort == "trait":
        visit.platform.profiles.validate("trait.removed", {"names": [name]})
        visit.platform.decide("trait.removed", {"names": [name]}, visit.actor.name)
    else:
        raise DefinitionInvalid("survivorship can be changed, not removed")
    visit.note("definition.removed", f"{sort}:{name}"[:200])
    return Led("/definitions", visit.say("Removed: %(name)s.", name=name))


def sample(visit: Visit) -> Answer:
    """What a trait would say of a few people, before it is applied."""
    found = read_text("trait", _text(visit))
    if found.faults or not found.traits:
        return {"faults": found.faults, "samples": [], "name": ""}
    definition = found.traits[0]
    is_open = visit.may("people.personal") or shows(showing_of(visit.platform), definition)
    in_force = {each.name for each in visit.platform.profiles.definitions()}
    samples = []
    for each in Definitions(visit.platform).sample(definition):
        now = visit.platform.profiles.values_of(each.person, [definition.name]) if definition.name in in_force else {}
        value, before = each.value, now.get(definition.name)
        if not is_open:
            value, before = masked_trait(definition.name, value), masked_trait(definition.name, before)
        person = text_of(each.person)
        visit.look("person.seen", person)
        samples.append({
            "person": person, "value": visit.words.value(value), "before": visit.words.value(before) if now else "",
            "events": each.events, "is_cut": each.is_cut,
        })  # fmt: skip
    return {"faults": (), "samples": samples, "name": definition.name}


# -- parts ------------------------------------------------------------------------------------------------------


def address_of(sort: str, name: str) -> str:
    """The page of a definition."""
    return f"/definitions/{sort}/{quote(name, safe=':@')}"


def _versions(visit: Visit, sort: str, name: str) -> list[Version]:
    if sort not in ALL_SORTS:
        raise NotFound(f"there are no definitions of sort {sort!r}")
    try:
        return Definitions(visit.platform).of(sort, name)
    except NotFound:
        if sort == "survivorship" and name == sort:  # nobody decided anything: the latest value wins
            return [Version(sort, name, 0, 0, "", {"default": "latest"})]
        raise


def _values(visit: Visit, versions: list[Version], shown: Version) -> dict[str, Any]:
    """The values of a definition's page."""
    present = versions[-1]
    before = next((each for each in reversed(versions) if each.number < shown.number), None)
    is_setting = shown.name.partition("@")[0] == UNKNOWN
    return {
        "sort": shown.sort,
        "sort_text": visit.say(told.SORTS[shown.sort]),
        "name": shown.name,
        "shown": shown,
        "is_present": shown.number == present.number,
        "in_force": present.document is not None,
        "reading": _reading(visit, shown),
        "versions": [
            {
                "number": each.number,
                "moment": each.moment or None,
                "by": each.by,
                "removed": each.document is None,
                "address": f"{address_of(each.sort, each.name)}?version={each.number}",
                "is_shown": each.number == shown.number,
            }
            for each in reversed(versions)
        ],
        "before": before.number if before else None,
        "difference": difference(before.text, shown.text) if before else [],
        "text": shown.text or (before.text if before else ""),
        "version": present.number,
        "can_write": visit.may(WRITE) and shown.sort in WRITABLE,
        "can_remove": visit.may(WRITE) and present.document is not None and shown.sort in ("contract", "trait")
        and not is_setting,
        "can_sample": visit.may(WRITE) and visit.may("people.read") and shown.sort == "trait",
        **_checked(visit, shown.sort, shown.text),
    }  # fmt: skip


def _editor(visit: Visit, sort: str, text: str) -> dict[str, Any]:
    """The values of the form in which a definition is written."""
    return {
        "sort": sort,
        "sort_text": visit.say(told.SORTS[sort]),
        "sorts": [(each, visit.say(told.SORTS[each])) for each in WRITABLE],
        "name": visit.form.get("name", ""),
        "text": text,
        "version": visit.form.get("version", ""),
        "can_sample": visit.may("people.read") and sort == "trait",
        **_checked(visit, sort, text, meanwhile=_changed_meanwhile(visit, sort) if visit.form else ""),
    }


def _checked(visit: Visit, sort: str, text: str, meanwhile: str = "") -> dict[str, Any]:
    """What a text means: its faults, its reading, and how it differs from what is in force."""
    if sort not in WRITABLE or not text:
        return {"faults": (), "readings": [], "changes": []}
    found = read_text(sort, text)
    faults = (Fault(1, meanwhile), *found.faults) if meanwhile else found.faults
    lines = text.splitlines()
    marked_faults = [
        {
            "line": fault.line,
            "message": visit.said(fault.message),
            "text": lines[fault.line - 1] if fault.line <= len(lines) else "",
        }
        for fault in faults
    ]
    readings = [] if faults else _readings(visit, found)
    return {"faults": marked_faults, "readings": readings, "changes": [] if faults else _changes(visit, sort, found)}


def _readings(visit: Visit, found: Read) -> list[dict[str, Any]]:
    words = visit.words
    readings: list[dict[str, Any]] = [
        {"sort": "contract", "name": each.key, "told": told.contract_told(each, words)} for each in found.contracts
    ]
    readings += [{"sort": "trait", "name": each.name, "told": told.trait_told(each, words)} for each in found.traits]
    if found.survivorship is not None:
        readings.append({"sort": "survivorship", "name": "", "told": told.survivorship_told(found.survivorship, words)})
    return readings


def _reading(visit: Visit, shown: Version) -> dict[str, Any] | None:
    """A version in plain words; None for what has none (identity rules have their own page)."""
    document = shown.document
    try:
        if not isinstance(document, Mapping) or "unknown" in document:
            return None
        if shown.sort == "contract":
            return told.contract_told(parse(document), visit.words)
        if shown.sort == "trait":
            return told.trait_told(read_definitions(document)[0], visit.words)
        if shown.sort == "survivorship":
            return told.survivorship_told(read_survivorship(document), visit.words)
    except DefinitionInvalid:
        return None
    return None


def _changes(visit: Visit, sort: str, found: Read) -> list[dict[str, Any]]:
    """What would change: for each definition the difference to the one in force."""
    versions = Definitions(visit.platform).versions(sort)
    after: dict[str, Any] = {}
    for version in _as_versions(sort, found):
        after[version[0]] = version[1]
    changes = []
    for name, document in after.items():
        known = versions.get(name, [])
        before = known[-1].text if known else ""
        lines = difference(before, as_yaml(document))
        changes.append({"name": name, "is_new": not before, "lines": lines})
    return changes


def _as_versions(sort: str, found: Read) -> list[tuple[str, Any]]:
    from_contracts = [(each.key, contract_document(each)) for each in found.contracts]
    from_traits = [(each.name, trait_document(each)) for each in found.traits]
    if found.survivorship is not None:
        return [(sort, survivorship_document(found.survivorship))]
    return [*from_contracts, *from_traits]


def _changed_meanwhile(visit: Visit, sort: str) -> str:
    """Why a form is out of date: somebody applied another version since it was opened; empty when nobody did."""
    name, version = visit.form.get("name", ""), visit.form.get("version", "")
    if not name or not version:
        return ""
    present = _versions(visit, sort, name)[-1]
    if present.number == _whole(version):
        return ""
    return visit.say(
        "Version %(number)s was applied by %(who)s meanwhile. Open it again to begin from there.",
        number=present.number,
        who=present.by,
    )


def _decide(visit: Visit, sort: str, found: Read) -> None:
    """The decision, and its note in the audit trail."""
    name = {"contract": "contract.applied", "trait": "trait.applied", "survivorship": "survivorship.applied"}[sort]
    if sort != "contract":
        visit.platform.profiles.validate(name, found.request)
    visit.platform.decide(name, found.request, visit.actor.name)
    subject = f"{sort}:{found.names[0]}" if found.names else sort
    visit.note("definition.applied", subject[:200], definitions=max(1, len(found.names)))


def _sort(visit: Visit) -> str:
    sort = visit.form.get("sort", "")
    if sort not in WRITABLE:
        raise DefinitionInvalid(f"expected sort to be one of {', '.join(WRITABLE)}, got {sort[:40]!r}")
    return sort


def _text(visit: Visit) -> str:
    return visit.form.get("text", "").replace("\r\n", "\n")


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise DefinitionInvalid(f"expected a whole number, got {text[:40]!r}")
    return int(text)


AREA = Area(
    title=marked("Definitions"),
    home="/definitions",
    permission=READ,
    icon="definitions",
    place=64,
    pages=(
        Page("/definitions", overview, "definitions/overview.html"),
        Page("/definitions/new", new, "definitions/edit.html", permission=WRITE),
        Page("/definitions/check", check, "definitions/checked.html", method="POST", permission=WRITE),
        Page("/definitions/sample", sample, "definitions/sample.html", method="POST", permission=WRITE),
        Page("/definitions/apply", apply, method="POST", permission=WRITE),
        Page("/definitions/restore", restore, method="POST", permission=WRITE),
        Page("/definitions/remove", remove, method="POST", permission=WRITE),
        Page("/definitions/{sort}/{name:path}", show, "definitions/show.html"),
    ),
)
