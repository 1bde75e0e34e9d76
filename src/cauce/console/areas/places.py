"""Places: stores, warehouses and counters; what they do, where they are, when they are open."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from cauce.commerce.catalogue import api
from cauce.commerce.catalogue.nouns import Address, Opening, Place, Position
from cauce.commerce.catalogue.places import PutPlace, RetirePlace
from cauce.commerce.catalogue.rules.hours import (
    read_hours,
    read_special_days,
    written_hours,
    written_special_days,
)
from cauce.console.areas.places_week import day_of_year, drawn, weekday, weekday_and_day
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, DefinitionInvalid

NAME = "places"
KINDS = {
    "store": marked("store"),
    "warehouse": marked("warehouse"),
    "counter": marked("counter"),
    "dark_store": marked("dark store"),
}
ROLES = {
    "sells": marked("sells"),
    "picks_up": marked("hands over pick-ups"),
    "ships": marked("ships parcels"),
}
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
ADDRESS = ("street", "postal_code", "city", "region", "country")
DAYS_SHOWN = 7
NEW = Place(id="")


# -- looking ----------------------------------------------------------------------------------------------------------


def places(visit: Visit) -> Answer:
    """All places, and which of them are open now."""
    role, kind, retired = visit.query.get("role", ""), visit.query.get("kind", ""), "retired" in visit.query
    role, kind = role if role in ROLES else "", kind if kind in KINDS else ""
    found = api.places(visit.platform.commerce, role, kind=kind, retired=retired)
    return {
        "rows": [_row(visit, place) for place in found],
        "role": role,
        "kind": kind,
        "retired": retired,
        "roles": [("", visit.say("everything")), *((code, visit.say(text)) for code, text in ROLES.items())],
        "kinds": [("", visit.say("all kinds")), *((code, visit.say(text)) for code, text in KINDS.items())],
        "is_filtered": bool(role or kind or retired),
    }


def place(visit: Visit) -> Answer:
    """Everything about one place, with its week drawn."""
    found = api.need_place(visit.platform.commerce, visit.path["id"])
    now = visit.platform.commerce.now
    names = {day.date: day.name for day in found.special_days}
    today = api.day_at(found, now)
    week = [today + timedelta(days=step) for step in range(DAYS_SHOWN)]
    return {
        "place": found,
        **_row(visit, found),
        "lines": _address_lines(found.address),
        "map": _map(found.position),
        "days": [
            {
                "name": _day_name(visit, day),
                "spans": [f"{opens}–{closes}" for opens, closes in api.opens_on(found, day)],
                "special": _special(names, day),
                "drawn": drawn(found, day, now),
                "is_today": day == today,
            }
            for day in week
        ],
        "has_hours": bool(found.hours or found.special_days),
        "special_days": [_special_day(visit, day) for day in found.special_days],
        "local_time": _local_time(visit, found, now),
        "changed": visit.words.moment(found.changed),
    }


def new(visit: Visit) -> Answer:
    return _form(visit, NEW, _written(NEW), "", is_new=True)


def edit(visit: Visit) -> Answer:
    found = api.need_place(visit.platform.commerce, visit.query.get("id", ""))
    return _form(visit, found, _written(found), "", is_new=False)


# -- changing ---------------------------------------------------------------------------------------------------------


def save(visit: Visit) -> Answer:
    """Puts a place in, new or as it was read; what is wrong is said above the form as it was written."""
    form, is_new = visit.form, "is_new" in visit.form
    id_ = form.get("id", "").strip()
    present = NEW if is_new else api.need_place(visit.platform.commerce, id_)
    written = {name: form.get(name, "") for name in _written(NEW)}
    written["roles"] = " ".join(role for role in ROLES if f"role_{role}" in form)
    version = form.get("version", "0")
    try:
        wanted = _wanted(replace(present, id=id_), written)
        expected = int(version) if version.isascii() and version.isdigit() and len(version) < 18 else -1
        visit.platform.commerce.do(PutPlace(place=wanted, by=visit.actor.name, expected=expected))
    except CauceError as fault:
        said = visit.said(str(fault))
        return Shown("places/edit.html", _form(visit, replace(present, id=id_), written, said, is_new=is_new), 422)
    visit.note("catalogue.place_put", id_)
    return Led(_address(id_), visit.say("The place has been saved."))


def retire(visit: Visit) -> Answer:
    id_, retired = visit.form.get("id", ""), visit.form.get("retired") == "yes"
    visit.platform.commerce.do(RetirePlace(id=id_, retired=retired, by=visit.actor.name))
    visit.note("catalogue.place_retired", id_, retired=retired)
    said = marked("It is closed for good.") if retired else marked("It is in use again.")
    return Led(_address(id_), visit.say(said))


# -- as it is shown ---------------------------------------------------------------------------------------------------


def _row(visit: Visit, one: Place) -> dict[str, Any]:
    now = visit.platform.commerce.now
    is_open = api.open_at(one, now)
    return {
        "id": one.id,
        "address": _address(one.id),
        "name": one.name,
        "kind": visit.say(KINDS[one.kind]),
        "city": one.address.city,
        "roles": [visit.say(ROLES[role]) for role in one.roles],
        "retired": one.retired,
        "is_open": is_open,
        "state": _state(visit, one, now, is_open=is_open),
    }


def _state(visit: Visit, one: Place, now: int, *, is_open: bool) -> str:
    """*open until 21:00*, *opens Monday 10:00*, as clocks there show it."""
    if is_open:
        closes = api.closing(one, now)
        return visit.say("open until %(time)s", time=api.clock_at(one, closes)) if closes else visit.say("always open")
    opens = api.next_opening(one, now)
    if opens is None:
        return visit.say("no opening hours")
    day = api.day_at(one, opens)
    if day == api.day_at(one, now):
        return visit.say("opens at %(time)s", time=api.clock_at(one, opens))
    return visit.say("opens %(day)s at %(time)s", day=_day_name(visit, day), time=api.clock_at(one, opens))


def _local_time(visit: Visit, one: Place, now: int) -> str:
    return f"{_day_name(visit, api.day_at(one, now))}, {api.clock_at(one, now)}"


def _day_name(visit: Visit, day: date) -> str:
    return weekday_and_day(visit, day)


def _special(names: dict[str, str], day: date) -> str | None:
    """The name of a special day, None for an ordinary one."""
    text = day.isoformat()
    return names.get(text, names.get(text[5:]))


def _special_day(visit: Visit, day: api.SpecialDay) -> dict[str, str]:
    is_yearly = len(day.date) == len("12-25")
    on = date.fromisoformat(f"2024-{day.date}" if is_yearly else day.date)
    return {
        "date": day_of_year(visit, on) if is_yearly else visit.words.written_day(on),
        "every": visit.say("every year") if is_yearly else "",
        "name": day.name,
        "spans": visit.words.list([f"{span.opens}–{span.closes}" for span in day.spans]) if day.spans else "",
    }


def _address_lines(told: Address) -> list[str]:
    town = " ".join(part for part in (told.postal_code, told.city) if part)
    return [line for line in (told.street, town, told.region, told.country) if line]


def _map(position: Position | None) -> str:
    """The position on OpenStreetMap."""
    if position is None:
        return ""
    latitude, longitude = position.latitude, position.longitude
    return f"https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=17/{latitude}/{longitude}"


# -- forms ------------------------------------------------------------------------------------------------------------


def _written(one: Place) -> dict[str, str]:
    """A place as its form holds it: the hours of each weekday in a line of their own."""
    week = dict(zip(DAYS, _weekdays(one.hours), strict=True))
    return {
        "name": one.name,
        "kind": one.kind,
        "gln": one.gln,
        **{name: getattr(one.address, name) for name in ADDRESS},
        "latitude": str(one.position.latitude) if one.position else "",
        "longitude": str(one.position.longitude) if one.position else "",
        "zone": one.zone,
        **{f"hours_{day}": spans for day, spans in week.items()},
        "special_days": written_special_days(one.special_days).replace("; ", "\n"),
        "roles": " ".join(one.roles),
        "bays": ", ".join(one.bays),
    }


def _weekdays(hours: tuple[Opening, ...]) -> list[str]:
    """Spans of each weekday as they are typed."""
    days = [tuple(opening for opening in hours if opening.weekday == day) for day in range(1, len(DAYS) + 1)]
    return [written_hours(spans).partition(" ")[2].replace(",", ", ") for spans in days]


def _wanted(present: Place, written: dict[str, str]) -> Place:
    rules = [f"{day} {written[f'hours_{day}']}" for day in DAYS if written[f"hours_{day}"].strip()]
    return replace(
        present,
        name=written["name"],
        kind=written["kind"],
        gln=written["gln"].strip(),
        address=Address(**{name: written[name] for name in ADDRESS}),
        position=_position(written["latitude"], written["longitude"]),
        zone=written["zone"].strip(),
        hours=read_hours("; ".join(rules)),
        special_days=read_special_days(";".join(written["special_days"].splitlines())),
        roles=tuple(written["roles"].split()),
        bays=tuple(bay.strip() for bay in written["bays"].split(",") if bay.strip()),
    )


def _position(latitude: str, longitude: str) -> Position | None:
    if not latitude.strip() and not longitude.strip():
        return None
    try:
        return Position(float(latitude.replace(",", ".")), float(longitude.replace(",", ".")))
    except ValueError:
        raise DefinitionInvalid(
            f"expected latitude and longitude in degrees such as 40.42 and -3.70, got {latitude!r} and {longitude!r}"
        ) from None


def _form(visit: Visit, one: Place, written: dict[str, str], fault: str, *, is_new: bool) -> dict[str, Any]:
    return {
        "place": one,
        "is_new": is_new,
        "version": one.version,
        "given": written,
        "kinds": [(code, visit.say(text)) for code, text in KINDS.items()],
        "roles": [(code, visit.say(text), code in written["roles"].split()) for code, text in ROLES.items()],
        "weekdays": [(day, weekday(visit, number)) for number, day in enumerate(DAYS)],
        "zones": api.zones(),
        "fault": fault,
        "address": _address(one.id) if one.id and not is_new else "/places",
    }


def _address(id_: str) -> str:
    return f"/places/at/{quote(id_, safe='')}"


AREA = Area(
    title=marked("Places"),
    home="/places",
    permission="commerce.read",
    icon="place",
    place=47,
    pages=(
        Page("/places", places, "places/places.html"),
        Page("/places/at/{id:path}", place, "places/place.html"),
        Page("/places/new", new, "places/edit.html", permission="commerce.write"),
        Page("/places/edit", edit, "places/edit.html", permission="commerce.write"),
        Page("/places/edit", save, method="POST", permission="commerce.write"),
        Page("/places/retire", retire, method="POST", permission="commerce.write"),
    ),
)
