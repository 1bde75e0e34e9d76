"""What the pages of the pick-up desk show of an order, and what their forms say."""

from __future__ import annotations

import secrets
from typing import Any

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.catalogue.api import Place
from cauce.commerce.fulfilment import api
from cauce.console.areas.pickups_words import DELIVERIES, ENDS, KINDS, PROOFS, STATES
from cauce.console.visit import Visit
from cauce.errors import CauceError, DefinitionInvalid, Unreadable

AMOUNT_MAX = 10**9


# -- the desk ---------------------------------------------------------------------------------------------------


def place_of(visit: Visit) -> Place | None:
    """The store of this account; the only one there is when it has chosen none."""
    places = places_of(visit)
    chosen = api.desk_of(visit.platform.commerce, visit.actor.name)
    found = next((place for place in places if place.id == chosen), None)
    return found or (places[0] if len(places) == 1 else None)


def needed_place(visit: Visit) -> Place:
    place = place_of(visit)
    if place is None:
        raise DefinitionInvalid("expected a store to be chosen first", hint="Choose it at the top of the page")
    return place


def places_of(visit: Visit) -> list[Place]:
    """Where somebody may work: places that hand over, and those that only send."""
    found = catalogue.places(visit.platform.commerce.reader)
    return [place for place in found if {"picks_up", "ships"} & set(place.roles)]


def frame(visit: Visit, place: Place | None, tab: str) -> dict[str, Any]:
    """What stands at the top of every page of the desk."""
    counts = api.counts(visit.platform.commerce, place.id) if place else {"to_pick": 0, "ready": 0, "waiting": 0}
    return {
        "place": place,
        "places": [(each.id, each.name or each.id) for each in places_of(visit)],
        "tab": tab,
        "counts": counts,
        "deliveries": DELIVERIES,
    }


def fresh_key() -> str:
    """The key of a form: sent twice, it is done once."""
    return secrets.token_hex(12)


def command_key(visit: Visit, who: str = "") -> str:
    sent = visit.form.get("key", "")[:64]
    return f"console:{who or visit.actor.name}:{sent}"[:200] if sent else ""


def said(visit: Visit, fault: CauceError) -> str:
    hint = visit.said(fault.hint)
    return visit.said(fault.message) + (f". {hint}" if hint else "")


# -- what is shown ----------------------------------------------------------------------------------------------


def amount_told(visit: Visit, thousandths: int, unit: str = "") -> str:
    """An amount as people read it; pieces without their unit."""
    text = visit.words.number(thousandths / 1_000, digits=3)
    return text if not unit or catalogue.is_whole(unit) else f"{text} {unit}"


def place_name(visit: Visit, id_: str) -> str:
    place = catalogue.place(visit.platform.commerce.reader, id_)
    return place.name or id_ if place else id_


def pickup_told(visit: Visit, seen: api.PickupSeen) -> dict[str, Any]:
    """An order that somebody comes for."""
    lines = [
        {
            "line": line.line,
            "name": line.name,
            "sku": line.sku,
            "unit": line.unit,
            "amount": amount_told(visit, line.amount, line.unit),
            "waiting": amount_told(visit, line.waiting, line.unit) if line.waiting else "",
            "on_way": amount_told(visit, line.on_way, line.unit) if line.on_way else "",
            "ready": amount_told(visit, line.ready, line.unit) if line.ready else "",
            "ready_units": f"{line.ready / 1_000:g}",
            "step": "1" if not line.unit or catalogue.is_whole(line.unit) else "0.001",
            "collected": amount_told(visit, line.collected, line.unit) if line.collected else "",
            "cancelled": amount_told(visit, line.cancelled, line.unit) if line.cancelled else "",
        }
        for line in seen.lines
    ]
    return {
        "order": seen.order,
        "person": seen.person,
        "state": visit.say(STATES[seen.state]),
        "is_ended": seen.state == "ended",
        "kind": KINDS[seen.state],
        "delivery": visit.say(DELIVERIES[seen.delivery]),
        "is_curbside": seen.delivery == "curbside",
        "placed": seen.at,
        "promised": seen.promised or None,
        "ready_since": seen.ready or None,
        "due": seen.due or None,
        "is_late": 0 < seen.due <= visit.platform.commerce.now,
        "arrived": seen.arrived or None,
        "bay": seen.bay,
        "vehicle": seen.vehicle,
        "has_code": seen.has_code,
        "pays_here": seen.is_paid_here,
        "total": visit.words.money(seen.total / 10 ** catalogue.exponent(seen.currency), seen.currency),
        "lines": lines,
        "ready": sum(line.ready for line in seen.lines),
        "waiting": sum(line.waiting for line in seen.lines),
        "pieces": amount_told(visit, sum(line.ready for line in seen.lines)),
        "on_way": [
            {
                "place": each.place,
                "name": place_name(visit, each.place),
                "amount": amount_told(visit, each.amount),
                "key": secrets.token_hex(12),
            }
            for each in seen.on_way
        ],
        "ended": seen.ended or None,
        "why": visit.say(ENDS[seen.why]) if seen.why in ENDS else seen.why,
    }


def task_told(visit: Visit, task: api.PickTask) -> dict[str, Any]:
    """What is taken from the shelf for an order."""
    lines = [
        {
            "order": task.order,
            "line": line.line,
            "name": line.name,
            "sku": line.sku,
            "gtin": line.gtin,
            "category": " › ".join(line.category),
            "left": amount_told(visit, line.to_pick, line.unit) if line.to_pick else "",
            "left_units": f"{line.to_pick / 1_000:g}",
            "picked": amount_told(visit, line.picked, line.unit) if line.picked else "",
            "is_done": not line.to_pick,
            "step": "1" if not line.unit or catalogue.is_whole(line.unit) else "0.001",
            "keys": {name: secrets.token_hex(12) for name in ("pick", "unpick", "short")},
        }
        for line in task.lines
    ]
    return {
        "order": task.order,
        "id": f"task-{task.order_id}",
        "person": task.person,
        "placed": task.at,
        "promised": task.promised or None,
        "is_late": 0 < task.promised <= visit.platform.commerce.now,
        "delivery": visit.say(DELIVERIES[task.delivery]),
        "here": task.here,
        "desk": place_name(visit, task.desk) if task.desk else "",
        "lines": lines,
        "left": sum(1 for line in task.lines if line.to_pick),
        "is_done": not task.left,
        "keys": {name: secrets.token_hex(12) for name in ("ready", "send")},
    }


def shelves_of(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All lines by category, in the order in which one walks past."""
    found: dict[str, list[dict[str, Any]]] = {}
    for task in tasks:
        for line in task["lines"]:
            found.setdefault(line["category"], []).append(line)
    ordered = sorted(found.items())
    return [
        {"category": category, "lines": sorted(lines, key=lambda line: (line["name"], line["order"]))}
        for category, lines in ordered
    ]


def hand_over_told(visit: Visit, seen: api.PickupSeen, handed: api.HandOverSeen) -> dict[str, Any]:
    names = {line.line: line.name for line in seen.lines}
    taken = [f"{amount_told(visit, amount)} × {names.get(line, '')}" for line, amount in handed.lines]
    return {
        "at": handed.at,
        "by": handed.by,
        "proof": visit.say(PROOFS[handed.proof]),
        "initials": handed.initials,
        "receipt": handed.receipt,
        "taken": visit.words.list(taken),
    }


def opening_told(visit: Visit, place: Place | None) -> dict[str, Any]:
    """Whether a place is open, until when, or when it opens."""
    if place is None:
        return {"is_open": False, "until": None, "from": None}
    now = visit.platform.commerce.now
    if catalogue.open_at(place, now):
        return {"is_open": True, "until": catalogue.closing(place, now), "from": None}
    return {"is_open": False, "until": None, "from": catalogue.next_opening(place, now)}


def taken_lines(visit: Visit, seen: api.PickupSeen) -> tuple[tuple[int, int], ...]:
    """What a form says is taken; () when it is all that is ready."""
    found = []
    for line in seen.lines:
        text = visit.form.get(f"take-{line.line}")
        if text is not None and (amount := thousandths(visit, text)):
            found.append((line.line, amount))
    return tuple(found)


def thousandths(_visit: Visit, text: str) -> int:
    """An amount in units, as a number field sends it."""
    try:
        amount = round(float(text.replace(",", ".")) * 1_000)
    except (ValueError, OverflowError):
        raise Unreadable(f"expected an amount, got {text[:40]!r}") from None
    if not 0 <= amount <= AMOUNT_MAX:
        raise Unreadable(f"expected an amount from 0 to {AMOUNT_MAX // 1_000}, got {text[:40]!r}")
    return amount


def whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise Unreadable(f"expected {name} to be a number, got {text[:40]!r}")
    return int(text)
