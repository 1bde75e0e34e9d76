"""The store's pick-up desk, made for a phone in one hand; and the page that shows a person their code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.catalogue.api import Place
from cauce.commerce.fulfilment import api
from cauce.console.areas import pickups_parts as parts
from cauce.console.areas import pickups_returns as back
from cauce.console.areas.pickups_words import SHORT
from cauce.console.frame import ANYBODY, Answer, Area, Led, Page, Sent, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, DefinitionInvalid, NotFound
from cauce.http.api.fulfilment import counter_of

NAME = "pickups"
SERVE = "commerce.serve"
WAITING_MAX = 50
READY_MAX = 200
PICTURES = {"code.svg": ("svg", "image/svg+xml"), "code.png": ("png", "image/png")}


# -- looking ----------------------------------------------------------------------------------------------------


def desk(visit: Visit) -> Answer:
    """Type or scan a code; who waits, and since when."""
    return _desk(visit, code=visit.query.get("code", "")[:200])


def _desk(visit: Visit, *, code: str = "", fault: str = "") -> dict[str, Any]:
    place = parts.place_of(visit)
    shown = parts.frame(visit, place, "desk")
    return {**shown, "code": code, "fault": fault, "key": parts.fresh_key(), "people": _people(visit, place)}


def waiting(visit: Visit) -> Answer:
    """The people who wait, asked for again and again."""
    return {"people": _people(visit, parts.place_of(visit))}


def pick_list(visit: Visit) -> Answer:
    """What to take from the shelf: by order, or by the way through the store."""
    place = parts.place_of(visit)
    by = "shelf" if visit.query.get("by") == "shelf" else "order"
    tasks = api.pick_list(visit.platform.commerce, place.id, visit.words.language) if place else []
    shown = [parts.task_told(visit, task) for task in tasks]
    if shown:
        visit.look("person.listed", "pickups")
    return {
        **parts.frame(visit, place, "pick"),
        "by": by,
        "tasks": shown,
        "shelves": parts.shelves_of(shown) if by == "shelf" else [],
        "left": sum(task["left"] for task in shown),
        "short_reasons": [(code, visit.say(text)) for code, text in SHORT.items()],
    }


def ready_list(visit: Visit) -> Answer:
    """What waits at the desk, and what is on its way to it."""
    place = parts.place_of(visit)
    found: list[api.PickupSeen] = []
    if place:
        found = api.pickups(visit.platform.commerce, place.id, limit=READY_MAX)
    told = [parts.pickup_told(visit, seen) for seen in found]
    if told:
        visit.look("person.listed", "pickups")
    return {
        **parts.frame(visit, place, "ready"),
        "ready": [each for each in told if each["ready"]],
        "on_way": [each for each in told if each["on_way"]],
        "later": [each for each in told if not each["ready"] and not each["on_way"]],
    }


def order(visit: Visit) -> Answer:
    """One order at the desk."""
    return _order(visit, visit.path["order"])


def _order(visit: Visit, number: str, *, code: str = "", fault: str = "") -> dict[str, Any]:
    rows = visit.platform.commerce
    seen = api.pickup(rows, number)
    place = parts.place_of(visit)
    visit.look("order.seen", seen.order)
    return {
        **parts.frame(visit, place, "order"),
        "seen": parts.pickup_told(visit, seen),
        "elsewhere": "" if place and seen.desk == place.id else parts.place_name(visit, seen.desk),
        "code": code,
        "fault": fault,
        "keys": {name: parts.fresh_key() for name in ("hand_over", "by_id", "ready", "missed", "renew")},
        "hand_overs": [parts.hand_over_told(visit, seen, each) for each in api.hand_overs(rows, seen.order_id)],
        "parcels": api.parcels(rows, seen.order_id),
    }


def by_place(visit: Visit) -> Answer:
    """Where the QR of a code leads who scans it with any phone: to the desk, with the code filled in."""
    return Led("/pickups?" + urlencode({"code": visit.query.get("pickup", "")[:200]}))


# -- doing ------------------------------------------------------------------------------------------------------


def choose(visit: Visit) -> Answer:
    """The store of this account from now on."""
    chosen = visit.form.get("place", "")
    visit.platform.commerce.do(api.ChooseDesk(by=visit.actor.name, desk=chosen))
    visit.note("pickup.desk_chosen", chosen[:200])
    return Led("/pickups")


def find(visit: Visit) -> Answer:
    """The order that a code opens, so that its goods can be fetched; with a product's barcode that of the goods."""
    place, code = parts.place_of(visit), visit.form.get("code", "")[:500]
    try:
        if place is None:
            raise DefinitionInvalid("expected a store to be chosen first")
        goods = _with_goods(visit, place.id, code)
        if goods:
            return Led(f"/pickups/orders/{quote(goods[0])}" if len(goods) == 1 else "/pickups/ready")
        counter = counter_of(visit.platform)
        seen = counter.present(place.id, code, by=visit.actor.name, key=parts.command_key(visit))
    except CauceError as fault:
        return Shown("pickups/desk.html", _desk(visit, code=code, fault=parts.said(visit, fault)), 422)
    visit.note("pickup.presented", seen.order)
    return Shown("pickups/order.html", _order(visit, seen.order, code=code))


def _with_goods(visit: Visit, desk: str, code: str) -> list[str]:
    """Orders that lie ready with the product whose barcode was scanned; NotFound when none does. [] for no barcode.

    Goods prove nothing: whoever takes them shows a code or an id still.
    """
    rows = visit.platform.commerce
    gtin = catalogue.gtin_or_none(code.strip()) or catalogue.gtin_in(code)
    if not gtin or api.codes.is_one(code):  # a code may look like a short barcode
        return []
    sku = catalogue.resolve(rows.reader, "", gtin)
    found = [
        seen.order
        for seen in api.pickups(rows, desk, state="ready", limit=READY_MAX)
        if any(line.sku == sku and line.ready for line in seen.lines)
    ]
    if not found:
        raise NotFound(f"nothing with the barcode {gtin} lies ready here", hint="Scan the code of the person")
    return found


def hand_over(visit: Visit) -> Answer:
    """Goods are given to the person."""
    number, code = visit.form.get("order", ""), visit.form.get("code", "")[:500]
    seen = api.pickup(visit.platform.commerce, number)
    try:
        handed = counter_of(visit.platform).hand_over(
            seen.desk,
            by=visit.actor.name,
            code=code,
            order=number,
            initials=visit.form.get("initials", ""),
            receipt=visit.form.get("receipt", "")[:200],
            lines=parts.taken_lines(visit, seen),
            cancel_rest=visit.form.get("rest") == "cancel",
            key=parts.command_key(visit),
        )
    except CauceError as fault:
        return Shown("pickups/order.html", _order(visit, number, code=code, fault=parts.said(visit, fault)), 422)
    visit.note("pickup.handed_over", handed.order, lines=len(handed.lines))
    if handed.left:
        note = visit.say("Handed over. What is left of %(order)s waits on, with a new code.", order=handed.order)
        return Led(f"/pickups/orders/{quote(handed.order)}", note, "warn")
    return Led("/pickups", visit.say("Handed over: %(order)s", order=handed.order))


def ready(visit: Visit) -> Answer:
    """An order lies at the desk."""
    number = visit.form.get("order", "")
    origins = [place for place in visit.form.getlist("origin") if place]
    partial = visit.form.get("partial") == "yes"
    counter_of(visit.platform).ready(
        number, by=visit.actor.name, origins=origins, partial=partial, channel="store", key=parts.command_key(visit)
    )
    visit.note("pickup.ready", number[:200])
    return Led(_back(visit, number), visit.say("%(order)s is ready. The person hears of it.", order=number))


def renew(visit: Visit) -> Answer:
    """Another code, because the one before was lost or seen."""
    number = visit.form.get("order", "")
    counter_of(visit.platform).new_code(number, by=visit.actor.name, key=parts.command_key(visit))
    visit.note("pickup.code_renewed", number[:200])
    note = visit.say("The code before does not count any more. The new one stands under the link of the message.")
    return Led(f"/pickups/orders/{quote(number)}", note)


def missed(visit: Visit) -> Answer:
    """Nobody comes for it."""
    number = visit.form.get("order", "")
    command = api.NotCollected(
        key=parts.command_key(visit),
        order=number,
        why=visit.form.get("why", "")[:200],
        by=visit.actor.name,
        channel="store",
    )
    visit.platform.commerce.do(command)
    visit.note("pickup.not_collected", number[:200])
    return Led("/pickups/ready", visit.say("%(order)s goes back to the shelf.", order=number))


def pick(visit: Visit) -> Answer:
    """A line was taken from the shelf, is put back, or is not there."""
    number, place = visit.form.get("order", ""), parts.needed_place(visit)
    line = parts.whole(visit.form.get("line", ""), "line")
    who, key = visit.actor.name, parts.command_key(visit)
    what = visit.form.get("what", "picked")
    if what == "unpick":
        command: Any = api.Unpick(key=key, order=number, place=place.id, lines=(line,), by=who)
    else:
        amount = parts.thousandths(visit, visit.form.get("amount", ""))
        taken = (
            api.Taken(line=line, short=amount, why=visit.form.get("why", "not_found"))
            if what == "short"
            else api.Taken(line=line, picked=amount)
        )
        command = api.Pick(key=key, order=number, place=place.id, lines=(taken,), by=who, channel="store")
    answer: api.Picked = visit.platform.commerce.do(command)
    visit.note("fulfilment.unpicked" if what == "unpick" else "fulfilment.picked", number[:200], line=line)
    return _picked(visit, place, number, answer)


def send(visit: Visit) -> Answer:
    """What is picked is given to a carrier."""
    number, place = visit.form.get("order", ""), parts.needed_place(visit)
    command = api.Send(
        key=parts.command_key(visit),
        order=number,
        place=place.id,
        carrier=visit.form.get("carrier", "")[:200],
        tracking=visit.form.get("tracking", "")[:200],
        by=visit.actor.name,
        channel="store",
    )
    visit.platform.commerce.do(command)
    visit.note("fulfilment.sent", number[:200])
    return Led("/pickups/pick", visit.say("%(order)s is on its way.", order=number))


def _picked(visit: Visit, place: Place, number: str, answer: api.Picked) -> Answer:
    """The order as it stands on the list now; the list itself where there is no script."""
    told = ""
    if answer.elsewhere:
        names = visit.words.list([parts.place_name(visit, each) for each in answer.elsewhere])
        told = visit.say("What is short of %(order)s comes from %(places)s now.", order=number, places=names)
    elif answer.cancelled:
        told = visit.say("What is short of %(order)s is cancelled: nobody else has it.", order=number)
    if not visit.asked.is_partial or told:
        return Led(_back(visit, number, "/pickups/pick"), told, "warn")
    tasks = api.pick_list(visit.platform.commerce, place.id, visit.words.language)
    task = next((each for each in tasks if each.order == number), None)
    shown = parts.task_told(visit, task) if task else None
    reasons = [(code, visit.say(text)) for code, text in SHORT.items()]
    return Shown("pickups/task_part.html", {"task": shown, "short_reasons": reasons})


# -- the person -------------------------------------------------------------------------------------------------


def collect(visit: Visit) -> Answer:
    """What a person sees of their order: the code, until when, and a button that says that they are here."""
    return _collect(visit)


def _collect(visit: Visit, fault: str = "") -> dict[str, Any]:
    link = visit.path["link"]
    counter = counter_of(visit.platform)
    seen = counter.opened(link)
    place = catalogue.place(visit.platform.commerce.reader, seen.desk)
    return {
        "seen": parts.pickup_told(visit, seen),
        "code": api.codes.shown(counter.code(seen)) if seen.has_code and seen.state == "ready" else "",
        "place": place or Place(id=seen.desk, name=seen.desk),
        "bays": [("", "–"), *((bay, bay) for bay in place.bays)] if place and place.bays else [],
        "link": link,
        "key": parts.fresh_key(),
        "is_curbside": seen.delivery == "curbside",
        "fault": fault,
        "opens": parts.opening_told(visit, place),
    }


def here(visit: Visit) -> Answer:
    """The person has arrived."""
    link = visit.path["link"]
    try:
        counter_of(visit.platform).arrive(
            link,
            bay=visit.form.get("bay", ""),
            vehicle=visit.form.get("vehicle", ""),
            key=parts.command_key(visit, link),
        )
    except NotFound:
        raise
    except CauceError as fault:
        return Shown("pickups/collect.html", _collect(visit, parts.said(visit, fault)), 422)
    return Led(f"/collect/{link}", visit.say("Thank you. Somebody comes to you."))


def picture(visit: Visit) -> Answer:
    """The QR of the code, for the person's mail."""
    if visit.path["file"] not in PICTURES:
        raise NotFound(f"there is no picture {visit.path['file'][:80]!r}")
    kind, media = PICTURES[visit.path["file"]]
    counter = counter_of(visit.platform)
    return Sent(counter.picture(counter.opened(visit.path["link"]), kind), media)


# -- parts ------------------------------------------------------------------------------------------------------


def _people(visit: Visit, place: Place | None) -> list[dict[str, Any]]:
    if place is None:
        return []
    found = api.pickups(visit.platform.commerce, place.id, state="waiting", limit=WAITING_MAX)
    told = [parts.pickup_told(visit, seen) for seen in found]
    return sorted(told, key=lambda each: each["arrived"])


def _back(visit: Visit, number: str, otherwise: str = "") -> str:
    """Where a form was sent from, as far as it is a page of the desk."""
    asked = visit.form.get("back", "")
    return asked if asked in BACK else otherwise or f"/pickups/orders/{quote(number)}"


BACK = frozenset(("/pickups", "/pickups/pick", "/pickups/pick?by=shelf", "/pickups/ready"))
"""Pages that a form may say it was sent from."""


def _post(path: str, view: Callable[[Visit], Answer], template: str = "") -> Page:
    return Page(path, view, template, method="POST")


AREA = Area(
    title=marked("Pick-ups"),
    home="/pickups",
    permission=SERVE,
    icon="shop",
    place=42,
    pages=(
        Page("/pickups", desk, "pickups/desk.html"),
        Page("/pickups/waiting", waiting, "pickups/waiting.html"),
        Page("/pickups/pick", pick_list, "pickups/pick.html"),
        Page("/pickups/ready", ready_list, "pickups/ready.html"),
        Page("/pickups/orders/{order}", order, "pickups/order.html"),
        Page(back.RETURNS, back.returns, "pickups/returns.html"),
        _post("/pickups/store", choose),
        _post("/pickups/find", find),
        _post("/pickups/hand-over", hand_over),
        _post("/pickups/ready", ready),
        _post("/pickups/code", renew),
        _post("/pickups/missed", missed),
        _post("/pickups/pick", pick),
        _post("/pickups/send", send),
        _post(back.RETURNS, back.take_back),
        _post(f"{back.RETURNS}/paper", back.take_back_paper),
        Page("/414/{gln}", by_place),
        Page("/collect/{link}", collect, "pickups/collect.html", permission=ANYBODY),
        Page("/collect/{link}/here", here, method="POST", permission=ANYBODY),
        Page("/collect/{link}/{file}", picture, permission=ANYBODY),
    ),
)
