"""Where orders come from: the rules, checked as they are written, and a dry run with the reason for every place."""

from __future__ import annotations

from typing import Any

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment import api
from cauce.commerce.orders.rules import DELIVERIES as ALL_DELIVERIES
from cauce.console.areas.fulfilment_words import reason_told, rule_told
from cauce.console.areas.pickups_parts import amount_told, thousandths
from cauce.console.areas.pickups_words import DELIVERIES
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, Conflict, NotFound, Unreadable

NAME = "fulfilment"
READ, WRITE = "commerce.read", "commerce.write"
CHOICES_SHOWN = 20
LINES_TRIED_MAX = 20


# -- looking ----------------------------------------------------------------------------------------------------


def overview(visit: Visit) -> Answer:
    """The rules in words, a dry run, and the latest decisions."""
    rows = visit.platform.commerce
    found = api.in_force(rows)
    return {
        "version": found.version,
        "rules": [rule_told(visit, rule) for rule in found.rules],
        "choices": [_choice(visit, each) for each in api.choices(rows, limit=CHOICES_SHOWN)],
        **_trial_form(visit),
    }


def rules(visit: Visit) -> Answer:
    """The rules as text, to be changed; or an earlier version."""
    rows = visit.platform.commerce
    versions = api.versions(rows)
    wanted = visit.query.get("version", "")
    shown = next((each for each in versions if str(each.version) == wanted), None)
    if wanted and shown is None:
        raise NotFound(f"there is no version {wanted[:20]} of the sourcing rules")
    text = api.as_yaml(api.read_rules(shown.document) if shown else api.in_force(rows).rules)
    return _editor(visit, text)


def tried(visit: Visit) -> Answer:
    """Where a wish would come from now, and why: a part of the page."""
    try:
        wish = _wish(visit)
        supposed = _supposed(visit)
        found = api.sourced(visit.platform.commerce, wish, visit.platform.commerce.now, supposed)
    except CauceError as fault:
        return {"fault": visit.said(fault.message), "found": None}
    return {"fault": "", "found": _sourced(visit, found)}


def choice(visit: Visit) -> Answer:
    """One decision that was made, with its reasons."""
    number = visit.path["id"]
    found = api.choice(visit.platform.commerce, int(number)) if number.isdigit() and len(number) < 19 else None
    if found is None:
        raise NotFound(f"there is no decision {number[:20]}")
    return {
        "choice": _choice(visit, found),
        "found": _sourced(visit, found.sourced),
        "fault": "",
        "wished": [
            {"sku": line.sku, "name": _name(visit, line.sku), "amount": amount_told(visit, line.amount)}
            for line in found.wish.lines
        ],
    }


# -- writing ----------------------------------------------------------------------------------------------------


def check(visit: Visit) -> Answer:
    """What a text means, or what is wrong in which line; asked while somebody writes."""
    return _checked(visit, _text(visit))


def apply(visit: Visit) -> Answer:
    """Puts rules in force."""
    text, seen = _text(visit), visit.form.get("seen", "")
    read, faults = api.checked(text)
    if faults:
        return Shown("fulfilment/rules.html", _editor(visit, text), 422)
    command = api.ApplyRules(
        document=text,
        by=visit.actor.name,
        why=visit.form.get("why", "")[:2_000],
        seen=int(seen) if seen.isdigit() and len(seen) < 10 else -1,
    )
    try:
        applied = visit.platform.commerce.do(command)
    except Conflict as fault:
        return Shown("fulfilment/rules.html", _editor(visit, text, visit.said(fault.message)), 409)
    visit.note("fulfilment.rules_applied", f"version {applied.version}", rules=len(read))
    return Led("/fulfilment", visit.say("Version %(number)s is in force.", number=applied.version))


# -- parts ------------------------------------------------------------------------------------------------------


def _editor(visit: Visit, text: str, meanwhile: str = "") -> dict[str, Any]:
    rows = visit.platform.commerce
    present = api.in_force(rows)
    return {
        "text": text,
        "version": present.version,
        "meanwhile": meanwhile,
        "versions": [
            {"number": each.version, "at": each.at, "by": each.by, "why": each.why} for each in api.versions(rows)
        ],
        "deliveries": [(code, visit.say(DELIVERIES[code])) for code in ALL_DELIVERIES],
        **_checked(visit, text),
        **_trial_form(visit),
    }


def _checked(visit: Visit, text: str) -> dict[str, Any]:
    read, faults = api.checked(text)
    lines = text.splitlines()
    return {
        "faults": [
            {
                "line": fault.line,
                "message": visit.said(fault.message),
                "text": lines[fault.line - 1] if fault.line <= len(lines) else "",
            }
            for fault in faults
        ],
        "rules": [] if faults else [rule_told(visit, rule) for rule in read],
    }


def _text(visit: Visit) -> str:
    return visit.form.get("text", "").replace("\r\n", "\n")


def _trial_form(visit: Visit) -> dict[str, Any]:
    """What the form of the dry run offers."""
    rows = visit.platform.commerce
    places = catalogue.places(rows.reader)
    return {
        "deliveries": [(code, visit.say(DELIVERIES[code])) for code in ALL_DELIVERIES],
        "places": [("", "–"), *((place.id, place.name or place.id) for place in places)],
    }


def _wish(visit: Visit) -> api.Wish:
    """What somebody would order: lines such as `SKU`, `SKU 2` or `GTIN 0.5`, one below the other."""
    rows = visit.platform.commerce
    lines = []
    written = [line.split() for line in visit.form.get("lines", "")[:4_000].splitlines() if line.strip()]
    if not 0 < len(written) <= LINES_TRIED_MAX:
        raise Unreadable(f"expected 1 to {LINES_TRIED_MAX} products, one in each line")
    for words in written:
        amount = thousandths(visit, words[1]) if len(words) > 1 else 1_000
        sku = catalogue.resolve(rows.reader, visit.form.get("channel", ""), words[0]) or words[0]
        lines.append(api.Wanted(sku, amount))
    return api.Wish(
        delivery=visit.form.get("delivery", ""),
        lines=tuple(lines),
        channel=visit.form.get("channel", "")[:80],
        destination=visit.form.get("place", ""),
    )


def _supposed(visit: Visit) -> api.InForce | None:
    """The rules that are being written, when the dry run stands beside them."""
    text = _text(visit)
    return api.InForce(0, api.read_rules(text)) if text else None


def _sourced(visit: Visit, found: api.Sourced) -> dict[str, Any]:
    choice = found.choice
    return {
        "rule": visit.said(found.rule),
        "version": found.version,
        "is_found": bool(choice.taken),
        "promised": found.promised or None,
        "is_exact": choice.is_exact,
        "places_min": choice.places_min,
        "short": [
            {"sku": sku, "name": _name(visit, sku), "amount": amount_told(visit, amount)}
            for sku, amount in choice.short.items()
        ],
        "verdicts": [
            {
                "place": _place_name(visit, verdict.place),
                "is_chosen": verdict.code == "chosen",
                "why": reason_told(visit, verdict),
                "takes": [
                    f"{amount_told(visit, amount)} × {_name(visit, sku)}" for sku, amount in verdict.amounts.items()
                ],
                "score": visit.words.number(verdict.score, digits=1) if verdict.amounts else "",
                "ready": verdict.ready or None,
            }
            for verdict in choice.verdicts
        ],
    }


def _choice(visit: Visit, each: api.ChoiceSeen) -> dict[str, Any]:
    taken = each.sourced.choice.taken
    return {
        "id": each.id,
        "at": each.at,
        "by": each.by,
        "rule": visit.said(each.sourced.rule),
        "version": each.sourced.version,
        "delivery": visit.say(DELIVERIES[each.wish.delivery]),
        "places": [_place_name(visit, place) for place in taken],
        "products": sum(len(amounts) for amounts in taken.values()),
    }


def _place_name(visit: Visit, id_: str) -> str:
    place = catalogue.place(visit.platform.commerce.reader, id_)
    return place.name or id_ if place else id_


def _name(visit: Visit, sku: str) -> str:
    found = catalogue.product(visit.platform.commerce.reader, sku)
    return found.name(visit.words.language) if found else sku


AREA = Area(
    title=marked("Sourcing"),
    home="/fulfilment",
    permission=READ,
    icon="split",
    place=48,
    pages=(
        Page("/fulfilment", overview, "fulfilment/overview.html"),
        Page("/fulfilment/rules", rules, "fulfilment/rules.html"),
        Page("/fulfilment/choices/{id}", choice, "fulfilment/choice.html"),
        Page("/fulfilment/try", tried, "fulfilment/tried.html", method="POST", permission="commerce.serve"),
        Page("/fulfilment/check", check, "fulfilment/checked.html", method="POST", permission=WRITE),
        Page("/fulfilment/apply", apply, method="POST", permission=WRITE),
    ),
)
