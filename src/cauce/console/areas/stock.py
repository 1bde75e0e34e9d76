"""Stock: what may be promised of every product in every place, counts, goods on their way, and what is owed."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.stock import api, counting, keeping, limits, moving, questions
from cauce.commerce.stock.api import Entry
from cauce.console.areas.products_words import account_said, amount_said, why_said
from cauce.console.areas.stock_parts import (
    Matrix,
    amount_of,
    channels,
    day_of,
    matrix_of,
    moment_of,
    name_of,
    place_name,
    unit_of,
)
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, NotFound

NAME = "stock"
ROWS = 40
COUNTED_ROWS = 60
MOVEMENTS = 30
TASKS = 200
TASKS_UNFOLDED = 12
"""So many tasks are shown at once; more are folded up by place."""
STATES = {"in": marked("in stock"), "low": marked("low"), "out": marked("out")}
SHIPMENT_STATES = {"sent": marked("on its way"), "partly": marked("partly here"), "arrived": marked("here")}
SAFETY, LOW = "safety", "low"


# -- looking ----------------------------------------------------------------------------------------------------------


def overview(visit: Visit) -> Answer:
    """The matrix with its filters."""
    return {**_tabs(visit, "matrix"), **_matrix(visit)}


def matrix(visit: Visit) -> Answer:
    """The matrix alone, asked for while the page stands open."""
    return _matrix(visit)


def shelf(visit: Visit) -> Answer:
    """One product in one place."""
    return _shelf(visit, visit.query.get("sku", ""), visit.query.get("place", ""), {})


def counts(visit: Visit) -> Answer:
    """Where what was counted is written down, and what counts found."""
    return _counts(visit, visit.query.get("place", ""), {}, "")


def transit(visit: Visit) -> Answer:
    """Goods on their way, and what is expected of suppliers."""
    reader = visit.platform.commerce.reader
    sent = questions.shipments(reader, limit=100)
    expected = questions.expectations(reader, since=visit.words.local(visit.platform.commerce.now).date().isoformat())
    return {
        **_tabs(visit, "transit"),
        "shipments": [
            {
                "id": one.id,
                "origin": place_name(visit, one.origin),
                "destination": place_name(visit, one.destination),
                "state": visit.say(SHIPMENT_STATES[one.state]),
                "is_partly": one.state == moving.PARTLY,
                "on": day_of(visit, one.on),
                "lines": [(name_of(visit, line.sku), _said(visit, line.sku, line.left)) for line in one.lines],
            }
            for one in sent
        ],
        "expected": [
            {
                "on": day_of(visit, one.on),
                "sku": one.sku,
                "name": name_of(visit, one.sku),
                "place": place_name(visit, one.place),
                "left": _said(visit, one.sku, one.left),
                "reference": one.reference,
            }
            for one in expected
        ],
        "can_change": visit.may("commerce.write"),
    }


def tasks(visit: Visit) -> Answer:
    """What was sold and was not there, by place; one place alone, or few tasks, are unfolded."""
    done, chosen = "done" in visit.query, visit.query.get("place", "")[:200]
    said = visit.query.get("after", "")
    after = int(said) if said.isascii() and said.isdigit() and len(said) < 19 else 0
    found = questions.tasks(visit.platform.commerce.reader, done=done, after=after, limit=TASKS + 1)
    by_place: dict[str, list[dict[str, Any]]] = {}
    for one in found[:TASKS]:
        by_place.setdefault(one.place, []).append(
            {
                "id": one.id,
                "sku": one.sku,
                "name": name_of(visit, one.sku),
                "amount": _said(visit, one.sku, one.amount),
                "since": one.since,
                "done": one.done,
                "by": one.by,
            }
        )
    is_short = len(by_place) == 1 or len(found) <= TASKS_UNFOLDED
    more = {**({"done": "yes"} if done else {}), "after": found[TASKS - 1].id} if len(found) > TASKS else {}
    return {
        **_tabs(visit, "tasks"),
        "done": done,
        "places": [
            {"id": id_, "name": place_name(visit, id_), "tasks": listed, "is_open": is_short or id_ == chosen}
            for id_, listed in by_place.items()
        ],
        "more": f"/stock/tasks?{urlencode(more)}" if more else "",
        "can_finish": visit.may("commerce.serve"),
    }


# -- changing ---------------------------------------------------------------------------------------------------------


def change(visit: Visit) -> Answer:
    """Receives, adjusts or bounds a product in a place, from its page."""
    form = visit.form
    sku, place, what = form.get("sku", ""), form.get("place", ""), form.get("what", "")
    given = {name: form.get(name, "") for name in ("amount", "why", "reference")}
    try:
        said = _changed(visit, what, sku, place, given)
    except CauceError as fault:
        return Shown("stock/shelf.html", _shelf(visit, sku, place, {what: visit.said(str(fault)), **given}), 422)
    visit.note(f"stock.set_{what}" if what in (SAFETY, LOW) else f"stock.{what}", f"{sku} {place}")
    return Led("/stock/shelf?" + urlencode({"sku": sku, "place": place}), said)


def count(visit: Visit) -> Answer:
    """Takes down what was counted; empty fields were not counted. A product that was scanned is added to them first."""
    form, place = visit.form, visit.form.get("place", "")
    written = {name.removeprefix("n-"): text for name, text in form.items() if name.startswith("n-")}
    if form.get("do", "") == "scan":
        return _scanned(visit, place, written)
    try:
        lines = tuple(
            counting.Counted(sku, amount_of(str(text), zero=True)) for sku, text in written.items() if str(text).strip()
        )
        command = counting.Count(
            place=place,
            lines=lines,
            occurred=moment_of(visit, form.get("occurred", "")),
            reference=form.get("reference", "")[:200],
            by=visit.actor.name,
        )
        found = visit.platform.commerce.do(command)
    except CauceError as fault:
        return Shown("stock/counts.html", _counts(visit, place, written, visit.said(str(fault))), 422)
    visit.note("stock.count", place, lines=len(lines))
    differing = sum(one.difference != 0 for one in found)
    said = (
        visit.count("%(num)s product has been counted.", "%(num)s products have been counted.", len(found))
        + " "
        + visit.count("%(num)s of them differed.", "%(num)s of them differed.", differing)
    )
    return Led("/stock/counts?" + urlencode({"place": place}), said)


def arrive(visit: Visit) -> Answer:
    """All of a shipment has come."""
    id_ = int(visit.path["shipment"])
    visit.platform.commerce.do(moving.Arrive(shipment=id_, by=visit.actor.name))
    visit.note("stock.arrive", str(id_))
    return Led("/stock/transit", visit.say("The goods have arrived."))


def finish(visit: Visit) -> Answer:
    """Somebody has seen to a task."""
    id_ = int(visit.path["task"])
    visit.platform.commerce.do(keeping.Finish(task=id_, by=visit.actor.name))
    visit.note("stock.finish_task", str(id_))
    place = visit.form.get("place", "")[:200]
    back = f"?{urlencode({'place': place})}#at-{quote(place)}" if place else ""
    return Led(f"/stock/tasks{back}", visit.say("The task is done."))


# -- pieces -----------------------------------------------------------------------------------------------------------


def _tabs(visit: Visit, tab: str) -> dict[str, Any]:
    return {"tab": tab, "tasks_open": visit.kept("stock.tasks", lambda one: questions.tasks_open(one.commerce.reader))}


def _matrix(visit: Visit) -> dict[str, Any]:
    query = visit.query
    asked = {name: query.get(name, "")[:200] for name in ("q", "category", "where", "channel", "only", "after")}
    found: Matrix = matrix_of(visit, asked, ROWS)
    kept = {name: value for name, value in asked.items() if value}
    return {
        "asked": asked,
        "address": "/stock/matrix?" + urlencode(kept),
        "more": "/stock?" + urlencode({**kept, "after": found.after}) if found.after else "",
        "matrix": found,
        "channels": channels(visit),
        "states": {state: visit.say(text) for state, text in STATES.items()},
        "summary": visit.kept(
            "stock.states", lambda platform: questions.counts_by_state(platform.commerce.reader), seconds=5
        ),
    }


def _shelf(visit: Visit, sku: str, place: str, faults: dict[str, str]) -> dict[str, Any]:
    reader = visit.platform.commerce.reader
    found = questions.table(reader, [sku], [place]).get((sku, place))
    if found is None:
        raise NotFound(f"there is no stock of {sku[:80]!r} at {place[:80]!r}")
    moved = api.movements(reader, sku, place, 0, MOVEMENTS)
    return {
        "sku": sku,
        "place": place,
        "name": name_of(visit, sku),
        "place_name": place_name(visit, place),
        "state": found.state,
        "state_said": visit.say(STATES[found.state]),
        "amounts": {
            name: _said(visit, sku, getattr(found, name)) for name in ("available", "free", "held", "safety", "low")
        },
        "unit": unit_of(visit, sku),
        "faults": faults,
        "movements": [
            {
                "occurred": one.occurred,
                "amount": _said(visit, sku, one.amount),
                "origin": _end(visit, one.origin_place, one.origin, place),
                "target": _end(visit, one.target_place, one.target, place),
                "why": why_said(visit, one.why),
                "reference": one.reference,
                "by": one.by,
            }
            for one in moved
        ],
        "can_change": visit.may("commerce.write"),
    }


def _scanned(visit: Visit, place: str, written: dict[str, str]) -> Answer:
    """The form with a product that was scanned, or typed, at its top: one more piece of it was counted."""
    code = visit.form.get("code", "")[:500]
    sku = catalogue.resolve(visit.platform.commerce.reader, "", code) if code.strip() else None
    if sku is None:
        fault = NotFound(f"there is no product with the SKU or barcode {code[:80]!r}")
        return Shown("stock/counts.html", _counts(visit, place, written, visit.said(str(fault))), 422)
    product = catalogue.product(visit.platform.commerce.reader, sku)
    before = written.pop(sku, "").strip()
    pieces = product is None or catalogue.is_whole(product.unit)
    more = str(int(before or 0) + 1) if pieces and (not before or before.isdecimal()) else before
    return Shown("stock/counts.html", _counts(visit, place, {sku: more, **written}, "", scanned=sku))


def _counts(visit: Visit, place: str, written: dict[str, str], fault: str, *, scanned: str = "") -> dict[str, Any]:
    reader = visit.platform.commerce.reader
    places = [(id_, place_name(visit, id_)) for id_ in questions.stocked_places(reader)]
    place = place if any(id_ == place for id_, _ in places) else ""
    after = visit.query.get("after", "")[:200]
    found = questions.skus(reader, place=place, after=after, limit=COUNTED_ROWS + 1) if place else []
    shown = found[:COUNTED_ROWS]
    done = questions.countings(reader, place=place, limit=MOVEMENTS)
    more = "/stock/counts?" + urlencode({"place": place, "after": shown[-1]}) if len(found) > len(shown) else ""
    said = [sku for sku, text in written.items() if text.strip() or sku == scanned]  # in the order of counting
    listed = [*said, *(sku for sku in shown if sku not in said)]
    return {
        **_tabs(visit, "counts"),
        "places": places,
        "place": place,
        "fault": fault,
        "scanned": scanned,
        "waits": bool(scanned) and not written.get(scanned, ""),
        "rows": [(sku, name_of(visit, sku), unit_of(visit, sku), written.get(sku, "")) for sku in listed],
        "more": more,
        "done": [
            {
                "occurred": one.occurred,
                "sku": one.sku,
                "name": name_of(visit, one.sku),
                "place": place_name(visit, one.place),
                "amount": _said(visit, one.sku, one.amount),
                "difference": one.difference,
                "differs_by": _said(visit, one.sku, one.difference),
                "by": one.by,
            }
            for one in done
        ],
        "can_count": visit.may("commerce.serve"),
    }


def _changed(visit: Visit, what: str, sku: str, place: str, given: dict[str, str]) -> str:
    """Carries out what a form of the shelf's page asks, and says what has been done."""
    do, by = visit.platform.commerce.do, visit.actor.name
    reference = given["reference"].strip()[:200]
    if what == "receive":
        entry = Entry(sku, place, amount_of(given["amount"]), reference=reference, by=by)
        do(keeping.Receive(lines=(entry,)))
        return visit.say("The goods are on the shelf.")
    if what == "adjust":
        entry = Entry(sku, place, amount_of(given["amount"], below_zero=True), by=by)
        do(keeping.Adjust(lines=(entry,), why=given["why"].strip()[:200]))
        return visit.say("The stock has been adjusted.")
    if what == "damage":
        do(keeping.Damage(lines=(Entry(sku, place, amount_of(given["amount"]), by=by),)))
        return visit.say("The goods count as damaged.")
    if what in (SAFETY, LOW):
        amount = amount_of(given["amount"], zero=True) if given["amount"].strip() else None
        command = limits.SetSafety if what == SAFETY else limits.SetLow
        do(command(place=place, sku=sku, amount=amount))
        return visit.say("The limits have been saved.")
    raise NotFound(f"there is nothing like {what[:40]!r} to do")


def _said(visit: Visit, sku: str, thousandths: int) -> str:
    product = catalogue.product(visit.platform.commerce, sku)
    return amount_said(visit, thousandths, product.unit if product else "H87")


def _end(visit: Visit, place: str, account: str, here: str) -> str:
    """One end of a movement; the place only where it is another one."""
    name = account_said(visit, account)
    return name if place == here else f"{name} · {place_name(visit, place)}"


AREA = Area(
    title=marked("Stock"),
    home="/stock",
    permission="commerce.read",
    icon="stock",
    place=45,
    pages=(
        Page("/stock", overview, "stock/matrix.html"),
        Page("/stock/matrix", matrix, "stock/grid.html"),
        Page("/stock/shelf", shelf, "stock/shelf.html"),
        Page("/stock/shelf", change, method="POST", permission="commerce.write"),
        Page("/stock/counts", counts, "stock/counts.html"),
        Page("/stock/counts", count, method="POST", permission="commerce.serve"),
        Page("/stock/transit", transit, "stock/transit.html"),
        Page("/stock/transit/{shipment:int}", arrive, method="POST", permission="commerce.write"),
        Page("/stock/tasks", tasks, "stock/tasks.html"),
        Page("/stock/tasks/{task:int}", finish, method="POST", permission="commerce.serve"),
    ),
)
