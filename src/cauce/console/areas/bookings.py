"""Bookings: a day with what is free, who has what, who waits, and what can be booked."""

from __future__ import annotations

import secrets
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace

from cauce.commerce.bookings import api, rules
from cauce.commerce.bookings.booking import Attend, Book, CancelBooking, ConfirmBooking, MoveBooking, StopWaiting, Wait
from cauce.commerce.bookings.calendar import MEDIA
from cauce.commerce.bookings.nouns import Booking, Resource
from cauce.commerce.bookings.resources import PutResource, RetireResource
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.transact.carrier import Command
from cauce.console.areas import bookings_parts as parts
from cauce.console.frame import ANYBODY, Answer, Area, Led, Page, Sent, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, DefinitionInvalid, NotFound, Unreadable
from cauce.http.api.bookings import link_of, opened_calendar
from cauce.http.api.owners import identifiers_of, normalised
from cauce.http.api.sight import sight_of
from cauce.model.time import DAY

NAME = "bookings"
SERVE, WRITE = "commerce.serve", "commerce.write"
COLUMNS_MAX = 12
MOVE_DAYS = 14
NEW = Resource(id="", name="")


# -- looking ----------------------------------------------------------------------------------------------------------


def day(visit: Visit) -> Answer:
    """A day: hours by resource, and its bookings."""
    reader = visit.platform.commerce.reader
    known = api.resources_of(reader)
    places = list(dict.fromkeys(resource.place for resource in known))
    place = visit.query.get("place", places[0] if places else "")
    shown = [resource for resource in known if resource.place == place][:COLUMNS_MAX]
    zone = shown[0].zone if shown else "UTC"
    chosen = _day(visit, zone)
    first, last = api.bounds_of(zone, chosen)
    found = api.bookings(reader, first, last, place=place) if place else _of_all(visit, shown, first, last)
    if found:
        visit.look("person.listed", "bookings")
    return {
        "resources": shown,
        "rows": parts.grid(visit, shown, chosen),
        "bookings": parts.several(visit, found, shown),
        "places": [(each, _place_name(visit, each)) for each in places],
        "place": place,
        "day": chosen.isoformat(),
        "day_said": visit.words.written_day(chosen),
        "before": _address(chosen - timedelta(days=1), place),
        "after": _address(chosen + timedelta(days=1), place),
        "waiting": len(api.waiting(reader)),
        "has_resources": bool(known),
    }


def slot(visit: Visit) -> Answer:
    """One slot: who has it, and a form to book it, or to wait for it."""
    resource = api.resource(visit.platform.commerce.reader, visit.query.get("resource", ""))
    return _slot(visit, resource, _moment(visit.query.get("start", "")), {}, "")


def booking(visit: Visit) -> Answer:
    """One booking: who has it, and what may be done with it."""
    found = _found(visit, visit.path["id"])
    visit.look("booking.seen", str(found.id))
    return _booking(visit, found)


def waiting(visit: Visit) -> Answer:
    """Who waits, the longest first."""
    reader, sight = visit.platform.commerce.reader, sight_of(visit.actor)
    named = {resource.id: resource for resource in api.resources_of(reader, retired=True)}
    rows = [
        {
            "id": each.id,
            "resource": named[each.resource].name,
            "day": parts.day_name(visit, named[each.resource], each.start),
            "clock": catalogue.clock_at(named[each.resource], each.start),
            "party": each.party,
            "who": [visit.words.identifier(sight.key(owner)) for owner in each.owners],
            "since": each.at,
            "address": "/bookings/slot?" + urlencode({"resource": each.resource, "start": each.start}),
        }
        for each in api.waiting(reader)
    ]
    if rows:
        visit.look("person.listed", "waiting")
    return {"rows": rows}


def resources(visit: Visit) -> Answer:
    """What can be booked."""
    found = api.resources_of(visit.platform.commerce.reader, retired=True)
    return {"rows": [{"resource": each, "place": _place_name(visit, each.place)} for each in found]}


def new(visit: Visit) -> Answer:
    return parts.form(visit, NEW, parts.written(NEW), "", is_new=True)


def edit(visit: Visit) -> Answer:
    found = api.resource(visit.platform.commerce.reader, visit.query.get("id", ""))
    return parts.form(visit, found, parts.written(found), "", is_new=False)


# -- booking ----------------------------------------------------------------------------------------------------------


def book(visit: Visit) -> Answer:
    """A place for somebody, or a place in the waiting list of a full slot."""
    form = visit.form
    resource = api.resource(visit.platform.commerce.reader, form.get("resource", ""))
    start = _moment(form.get("start", ""))
    given = {name: form.get(name, "")[:600] for name in ("owner", "party", "slots", "note")}
    try:
        owners = _owners(visit, given["owner"].strip())
        party = parts.whole(given["party"] or "1", "party")
        if form.get("what") == "wait":
            command: Command = Wait(
                key=_key(visit), resource=resource.id, start=start, party=party, owners=owners, channel="store"
            )
        else:
            command = Book(
                key=_key(visit),
                resource=resource.id,
                start=start,
                party=party,
                slots=parts.whole(given["slots"] or "1", "slots"),
                owners=owners,
                channel="store",
                note=given["note"],
            )
        done = visit.platform.commerce.do(command)
    except CauceError as fault:
        return Shown("bookings/slot.html", _slot(visit, resource, start, given, parts.said(visit, fault)), 422)
    if isinstance(done, Booking):
        visit.note("booking.booked", str(done.id))
        return Led(f"/bookings/at/{done.id}", visit.say("Booked."))
    visit.note("booking.waiting_joined", str(done.id))
    return Led("/bookings/waiting", visit.say("They wait. The next free place is offered to them."))


def confirm(visit: Visit) -> Answer:
    id_ = _whole(visit.form.get("id", ""))
    return _done(visit, ConfirmBooking(key=_key(visit), booking=id_), "booking.confirmed", marked("Confirmed."))


def cancel(visit: Visit) -> Answer:
    id_, why = _whole(visit.form.get("id", "")), visit.form.get("why", "")[:200]
    command = CancelBooking(key=_key(visit), booking=id_, why=why)
    return _done(visit, command, "booking.cancelled", marked("Cancelled. Its places are free again."))


def move(visit: Visit) -> Answer:
    id_, start = _whole(visit.form.get("id", "")), _moment(visit.form.get("start", ""))
    command = MoveBooking(key=_key(visit), booking=id_, start=start)
    return _done(visit, command, "booking.moved", marked("Moved."))


def attend(visit: Visit) -> Answer:
    id_, came = _whole(visit.form.get("id", "")), visit.form.get("came") == "yes"
    text = marked("They came.") if came else marked("They did not come.")
    return _done(visit, Attend(key=_key(visit), booking=id_, came=came), "booking.attended", text)


def leave(visit: Visit) -> Answer:
    id_ = _whole(visit.form.get("id", ""))
    visit.platform.commerce.do(StopWaiting(waiting=id_))
    visit.note("booking.waiting_left", str(id_))
    return Led("/bookings/waiting", visit.say("They wait no longer."))


def link(visit: Visit) -> Answer:
    """The address of a person's calendar, for the person alone."""
    found = _found(visit, visit.form.get("id", ""))
    owners = [each for owner in found.owners for each in identifiers_of(visit.platform, owner)]
    address = link_of(visit.platform, owners)
    visit.note("booking.calendar_linked", str(found.id))
    whole = address if address.startswith("http") else f"{visit.asked.base_url}{address}"
    return Shown("bookings/booking.html", {**_booking(visit, found), "link": whole})


def calendar(visit: Visit) -> Answer:
    """What a calendar program reads behind a person's link."""
    return Sent(opened_calendar(visit.platform, visit.path["link"]), MEDIA)


# -- resources --------------------------------------------------------------------------------------------------------


def save(visit: Visit) -> Answer:
    """Puts a resource in, new or as it was read; what is wrong is said above the form as it was written."""
    form, is_new = visit.form, "is_new" in visit.form
    id_ = form.get("id", "").strip()
    present = NEW if is_new else api.resource(visit.platform.commerce.reader, id_)
    given = {name: form.get(name, "") for name in parts.written(NEW)}
    present = replace(present, id=id_)
    try:
        wanted = parts.wanted(present, given)
        if wanted.place and catalogue.place(visit.platform.commerce.reader, wanted.place) is None:
            raise DefinitionInvalid(f"expected place to be one that there is, got {wanted.place!r}")
        expected = 0 if is_new else parts.whole(form.get("version", ""), "version")
        visit.platform.commerce.do(PutResource(resource=wanted, expected=expected))
    except CauceError as fault:
        shown = parts.form(visit, present, given, parts.said(visit, fault), is_new=is_new)
        return Shown("bookings/edit.html", shown, 422)
    visit.note("booking.resource_put", id_)
    return Led("/bookings/resources", visit.say("The resource has been saved."))


def retire(visit: Visit) -> Answer:
    id_, retired = visit.form.get("id", ""), visit.form.get("retired") == "yes"
    visit.platform.commerce.do(RetireResource(id=id_, retired=retired))
    visit.note("booking.resource_retired", id_, retired=retired)
    text = marked("It cannot be booked any more.") if retired else marked("It can be booked again.")
    return Led("/bookings/resources", visit.say(text))


# -- parts ------------------------------------------------------------------------------------------------------------


def _slot(visit: Visit, resource: Resource, start: int, given: dict[str, str], fault: str) -> dict[str, Any]:
    commerce = visit.platform.commerce
    shown = next((each for each in api.slots(commerce.reader, resource, start, start + 1) if each.start == start), None)
    if shown is None:
        raise NotFound(f"{resource.name} has no slot that begins then")
    found = api.bookings(commerce.reader, start - DAY, shown.end, resource_id=resource.id)
    here = [each for each in found if each.end > start and each.state in rules.TAKING]
    if here:
        visit.look("person.listed", "bookings")
    try:
        rules.refuse_out_of_time(resource, start, commerce.now)
        closed = ""
    except CauceError as reason:
        closed = visit.said(reason.message)
    return {
        "resource": resource,
        "start": start,
        "slot": parts.slot_told(resource, shown, commerce.now),
        "day": parts.day_name(visit, resource, start),
        "back": _address(api.day_of(resource.zone, start), resource.place),
        "bookings": parts.several(visit, here, [resource]),
        "closed": closed,
        "given": {"owner": "", "party": "1", "slots": "1", "note": "", **given},
        "fault": fault,
        "key": secrets.token_hex(12),
    }


def _booking(visit: Visit, found: Booking, fault: str = "") -> dict[str, Any]:
    commerce = visit.platform.commerce
    resource = api.resource(commerce.reader, found.resource)
    shown = parts.told(visit, found, resource)
    since = max(found.start - DAY, commerce.now)
    can_move = shown["can_move"] and not resource.retired
    starts = parts.free_starts(visit, resource, since, since + MOVE_DAYS * DAY, found.party) if can_move else []
    return {
        "booking": shown,
        "starts": starts,
        "back": _address(api.day_of(resource.zone, found.start), resource.place),
        "fault": fault,
        "link": "",
        "key": secrets.token_hex(12),
    }


def _done(visit: Visit, command: Any, action: str, text: str) -> Answer:
    try:
        found: Booking = visit.platform.commerce.do(command)
    except NotFound:
        raise
    except CauceError as fault:
        present = api.find(visit.platform.commerce.reader, command.booking)
        return Shown("bookings/booking.html", _booking(visit, present, parts.said(visit, fault)), 422)
    visit.note(action, str(found.id))
    return Led(f"/bookings/at/{found.id}", visit.say(text))


def _found(visit: Visit, text: str) -> Booking:
    return api.find(visit.platform.commerce.reader, _whole(text))


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise NotFound(f"there is no booking {text[:40]!r}")
    return int(text)


def _moment(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise Unreadable("expected start to be a moment", hint="Choose a slot in the calendar")
    return int(text)


def _owners(visit: Visit, typed: str) -> tuple[str, ...]:
    """Whom it is for: an identifier as `kind:value`, a bare e-mail address, or a telephone number; or nobody."""
    if not typed:
        return ()
    if ":" not in typed:
        typed = f"email:{typed}" if "@" in typed else f"phone:{typed}"
    return (normalised(visit.platform, typed),)


def _of_all(visit: Visit, shown: list[Resource], first: int, last: int) -> list[Booking]:
    """Bookings of resources that are in no place."""
    reader = visit.platform.commerce.reader
    found = [each for one in shown for each in api.bookings(reader, first, last, resource_id=one.id)]
    return sorted(found, key=lambda each: (each.start, each.id))


def _day(visit: Visit, zone: str) -> date:
    try:
        return date.fromisoformat(visit.query["day"])
    except (KeyError, ValueError):
        return api.day_of(zone, visit.platform.commerce.now)


def _place_name(visit: Visit, id_: str) -> str:
    found = catalogue.place(visit.platform.commerce.reader, id_) if id_ else None
    return (found.name if found else "") or id_ or visit.say("no place")


def _address(on: date, place: str) -> str:
    return "/bookings?" + urlencode({"day": on.isoformat(), "place": place})


def _key(visit: Visit) -> str:
    sent = visit.form.get("key", "")[:64]
    return f"console:{visit.actor.name}:{sent}"[:200] if sent else ""


def _post(path: str, view: Any, permission: str = SERVE) -> Page:
    return Page(path, view, method="POST", permission=permission)


AREA = Area(
    title=marked("Bookings"),
    home="/bookings",
    permission="commerce.read",
    icon="clock",
    place=43,
    pages=(
        Page("/bookings", day, "bookings/day.html"),
        Page("/bookings/slot", slot, "bookings/slot.html"),
        Page("/bookings/at/{id}", booking, "bookings/booking.html"),
        Page("/bookings/waiting", waiting, "bookings/waiting.html"),
        Page("/bookings/resources", resources, "bookings/resources.html"),
        Page("/bookings/resources/new", new, "bookings/edit.html", permission=WRITE),
        Page("/bookings/resources/edit", edit, "bookings/edit.html", permission=WRITE),
        _post("/bookings/resources/edit", save, WRITE),
        _post("/bookings/resources/retire", retire, WRITE),
        _post("/bookings/book", book),
        _post("/bookings/confirm", confirm),
        _post("/bookings/cancel", cancel),
        _post("/bookings/move", move),
        _post("/bookings/attend", attend),
        _post("/bookings/leave", leave),
        _post("/bookings/link", link),
        Page("/calendar/{link}", calendar, permission=ANYBODY),
    ),
)
