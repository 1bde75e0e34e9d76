"""A day of bookings as it is drawn, bookings and resources as they are shown, and the form of a resource."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from msgspec.structs import replace

from cauce.commerce.bookings import api, rules
from cauce.commerce.bookings.nouns import Booking, Resource, Slot
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.catalogue.rules.hours import (
    read_hours,
    read_special_days,
    written_hours,
    written_special_days,
)
from cauce.console.areas.places_week import weekday, weekday_and_day
from cauce.console.frame import marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, DefinitionInvalid
from cauce.http.api.sight import sight_of

PIPS_MAX = 8
"""Places of a slot that are drawn one by one; of more, the number alone is told."""
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
STATES = {
    rules.HELD: (marked("held"), "warn"),
    rules.OFFERED: (marked("offered"), "warn"),
    rules.CONFIRMED: (marked("confirmed"), "good"),
    rules.ATTENDED: (marked("came"), "good"),
    rules.NO_SHOW: (marked("did not come"), "bad"),
    rules.CANCELLED: (marked("cancelled"), ""),
    rules.EXPIRED: (marked("ran out"), ""),
}
NUMBERS = ("minutes", "capacity", "most", "notice_minutes", "horizon_days", "hold_minutes", "offer_minutes")


# -- a day ------------------------------------------------------------------------------------------------------------


def grid(visit: Visit, resources: list[Resource], day: date) -> list[dict[str, Any]]:
    """Hours of a day, each with the slots that begin in it, by resource; hours of the clock where the resource is."""
    reader, now = visit.platform.commerce.reader, visit.platform.commerce.now
    hours: dict[str, list[list[dict[str, Any]]]] = {}
    for column, resource in enumerate(resources):
        first, last = api.bounds_of(resource.zone, day)
        for slot in api.slots(reader, resource, first, last):
            told = slot_told(resource, slot, now)
            cells = hours.setdefault(f"{told['clock'][:2]}:00", [[] for _ in resources])
            cells[column].append(told)
    return [{"hour": hour, "cells": hours[hour]} for hour in sorted(hours)]


def slot_told(resource: Resource, slot: Slot, now: int) -> dict[str, Any]:
    taken = slot.capacity - slot.free
    return {
        "clock": catalogue.clock_at(resource, slot.start),
        "until": catalogue.clock_at(resource, slot.end),
        "free": slot.free,
        "capacity": slot.capacity,
        "pips": "●" * taken + "○" * slot.free if slot.capacity <= PIPS_MAX else "",
        "is_over": slot.end <= now,
        "address": "/bookings/slot?" + urlencode({"resource": resource.id, "start": slot.start}),
    }


# -- bookings ---------------------------------------------------------------------------------------------------------


def told(visit: Visit, booking: Booking, resource: Resource) -> dict[str, Any]:
    """A booking; who may not see personal values sees them masked."""
    sight = sight_of(visit.actor)
    state, kind = STATES[booking.state]
    now = visit.platform.commerce.now
    return {
        "id": booking.id,
        "address": f"/bookings/at/{booking.id}",
        "resource": resource.name,
        "day": day_name(visit, resource, booking.start),
        "clock": catalogue.clock_at(resource, booking.start),
        "until": catalogue.clock_at(resource, booking.end),
        "state": visit.say(state),
        "kind": kind,
        "party": booking.party,
        "who": [visit.words.identifier(sight.key(owner)) for owner in booking.owners],
        "person": "/people/" + quote(booking.owners[0], safe=":@") if booking.owners else "",
        "note": sight.why(booking.note, free=True) if booking.note else "",
        "document": booking.document,
        "channel": visit.words.channel(booking.channel) if booking.channel else "",
        "due": booking.due,
        "can_confirm": booking.state in (rules.HELD, rules.OFFERED),
        "can_cancel": booking.state in (rules.HELD, rules.OFFERED, rules.CONFIRMED),
        "can_move": booking.state in (rules.HELD, rules.CONFIRMED),
        "can_come": booking.state == rules.CONFIRMED,
        "can_miss": booking.state == rules.CONFIRMED and booking.start <= now,
    }


def several(visit: Visit, bookings: Iterable[Booking], resources: Iterable[Resource]) -> list[dict[str, Any]]:
    named = {resource.id: resource for resource in resources}
    reader = visit.platform.commerce.reader
    return [told(visit, each, named.get(each.resource) or api.resource(reader, each.resource)) for each in bookings]


def day_name(visit: Visit, resource: Resource, moment: int) -> str:
    return weekday_and_day(visit, api.day_of(resource.zone, moment))


def free_starts(visit: Visit, resource: Resource, first: int, last: int, party: int) -> list[tuple[str, str]]:
    """(start, how it is called) of the slots that so many can have."""
    commerce = visit.platform.commerce
    found = api.free_slots(commerce.reader, resource, first, last, commerce.now)
    return [
        (str(slot.start), f"{day_name(visit, resource, slot.start)}, {catalogue.clock_at(resource, slot.start)}")
        for slot in found
        if slot.free >= party
    ]


# -- resources --------------------------------------------------------------------------------------------------------


def written(one: Resource) -> dict[str, str]:
    """A resource as its form holds it: the hours of each weekday in a line of their own."""
    week = {
        code: written_hours(tuple(each for each in one.hours if each.weekday == number)).partition(" ")[2]
        for number, code in enumerate(DAYS, start=1)
    }
    return {
        "name": one.name,
        "kind": one.kind,
        "place": one.place,
        "zone": one.zone,
        **{name: str(getattr(one, name)) for name in NUMBERS},
        **{f"hours_{code}": spans.replace(",", ", ") for code, spans in week.items()},
        "special_days": written_special_days(one.special_days).replace("; ", "\n"),
        "confirms": "yes" if one.confirms else "",
    }


def wanted(present: Resource, given: dict[str, str]) -> Resource:
    """The resource that a form describes; DefinitionInvalid says what of it makes no sense."""
    spans = [f"{day} {given[f'hours_{day}']}" for day in DAYS if given[f"hours_{day}"].strip()]
    return replace(
        present,
        name=given["name"].strip(),
        kind=given["kind"].strip(),
        place=given["place"],
        zone=given["zone"].strip(),
        hours=read_hours("; ".join(spans)),
        special_days=read_special_days(";".join(given["special_days"].splitlines())),
        confirms=bool(given["confirms"]),
        **{name: whole(given[name], name) for name in NUMBERS},
    )


def whole(text: str, name: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise DefinitionInvalid(f"expected {name} to be a whole number, got {text[:40]!r}")
    return int(text)


def form(visit: Visit, one: Resource, given: dict[str, str], fault: str, *, is_new: bool) -> dict[str, Any]:
    places = catalogue.places(visit.platform.commerce.reader)
    return {
        "resource": one,
        "is_new": is_new,
        "version": one.version,
        "given": given,
        "places": [("", "–"), *((each.id, each.name or each.id) for each in places)],
        "weekdays": [(code, weekday(visit, number)) for number, code in enumerate(DAYS)],
        "zones": catalogue.zones(),
        "fault": fault,
    }


def said(visit: Visit, fault: CauceError) -> str:
    hint = visit.said(fault.hint)
    return visit.said(fault.message) + (f". {hint}" if hint else "")
