"""Sourcing, pick lists, the pick-up desk, and what comes back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.client.types import fulfilment as types
from cauce.client.types.basics import Nothing, Page
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment import api
from cauce.commerce.fulfilment.counter import COLLECT, Counter
from cauce.commerce.orders import api as orders
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Shortage, Throttled, Unreadable
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.sight import sight_of
from cauce.model.time import from_datetime
from cauce.profiles.api import Filter

if TYPE_CHECKING:
    from cauce.app import Platform

RECEIPTS_MAX = 50
"""Receipts of a person that are looked through for what may come back."""
RECEIPT = "Receipt Issued"
SERVE = "commerce.serve"


def counter_of(platform: Platform) -> Counter:
    """The pick-up desks of an installation."""
    return Counter(platform.commerce, platform.secret, str(platform.settings.public_url))


# -- as answers tell them ---------------------------------------------------------------------------------------------


def pickup_of(seen: api.PickupSeen, call: AnyCall) -> types.Pickup:
    """A pick-up; the desk must know whom to call, others see the name as they see all names."""
    sight = sight_of(call.actor)
    return types.Pickup(
        order=seen.order,
        place=seen.desk,
        state=seen.state,
        delivery=seen.delivery,
        channel=seen.channel,
        person=seen.person if call.actor.may(SERVE) else sight.name(seen.person),
        placed=told(seen.at),
        promised=told_if_any(seen.promised),
        ready_since=told_if_any(seen.ready),
        due=told_if_any(seen.due),
        arrived=told_if_any(seen.arrived),
        bay=seen.bay,
        vehicle=seen.vehicle,
        has_code=seen.has_code,
        pays_here=seen.is_paid_here,
        ended=told_if_any(seen.ended),
        why=seen.why,
        lines=[msgspec.convert(line, types.PickupLine, from_attributes=True) for line in seen.lines],
    )


def state_of(state: api.PickupState) -> types.PickupState:
    return types.PickupState(
        order=state.order,
        place=state.desk,
        state=state.state,
        ready_amount=state.ready_amount,
        due=told_if_any(state.due),
        arrived=told_if_any(state.arrived),
    )


def sourced_of(found: api.Sourced) -> types.Sourced:
    choice = found.choice
    return types.Sourced(
        rule=found.rule,
        version=found.version,
        taken=choice.taken,
        short=choice.short,
        promised=told_if_any(found.promised),
        exact=choice.is_exact,
        places_min=choice.places_min,
        places=[verdict_of(verdict) for verdict in choice.verdicts],
    )


def verdict_of(verdict: api.Verdict) -> types.Verdict:
    return types.Verdict(
        place=verdict.place,
        code=verdict.code,
        in_words=f"{verdict.place} {api.VERDICTS[verdict.code]}",
        found=verdict.found,
        limit=verdict.limit,
        amounts=verdict.amounts,
        score=verdict.score,
        parts=verdict.parts,
        ready=told_if_any(verdict.ready),
    )


# -- pick-ups ---------------------------------------------------------------------------------------------------------


def pickups(call: Call[types.PickupsQuery, None]) -> Page[types.Pickup]:
    query = call.query
    after = int(call.place[0]) if call.place else 0
    found = api.pickups(call.platform.commerce, query.place, state=query.state, after=after, limit=query.limit + 1)
    shown = found[: query.limit]
    cursor = call.cursor_at((shown[-1].order_id,)) if len(found) > len(shown) else ""
    return Page(items=[pickup_of(seen, call) for seen in shown], cursor=cursor)


def pickup(call: AnyCall) -> types.PickupDetail:
    rows = call.platform.commerce
    seen = api.pickup(rows, call.path["order"])
    return types.PickupDetail(
        pickup=pickup_of(seen, call),
        hand_overs=[
            types.HandOver(
                at=told(each.at),
                place=each.desk,
                by=each.by,
                proof=each.proof,
                initials=each.initials,
                receipt=each.receipt,
                lines=dict(each.lines),
            )
            for each in api.hand_overs(rows, seen.order_id)
        ],
        parcels=[
            types.Parcel(
                place=each.place,
                number=each.number,
                at=told(each.at),
                carrier=each.carrier,
                tracking=each.tracking,
                by=each.by,
            )
            for each in api.parcels(rows, seen.order_id)
        ],
    )


def ready(call: Call[Nothing, types.Arrived]) -> types.PickupState:
    return state_of(
        counter_of(call.platform).ready(
            call.path["order"],
            by=call.actor.name,
            origins=call.body.origins,
            partial=call.body.partial,
            channel="store",
            key=call.key,
        )
    )


def new_code(call: AnyCall) -> types.PickupState:
    return state_of(counter_of(call.platform).new_code(call.path["order"], by=call.actor.name, key=call.key))


def link(call: AnyCall) -> types.PickupLink:
    seen = api.pickup(call.platform.commerce, call.path["order"])
    address = counter_of(call.platform).link(seen)
    return types.PickupLink(order=seen.order, link=address, svg=f"{address}/code.svg", png=f"{address}/code.png")


def arrive(call: Call[Nothing, types.NewArrival]) -> types.PickupState:
    token = call.body.link.rstrip("/").rpartition("/")[2] if COLLECT in call.body.link else call.body.link
    found = counter_of(call.platform).arrive(token, bay=call.body.bay, vehicle=call.body.vehicle, key=call.key)
    return state_of(found)


def present(call: Call[Nothing, types.PresentedCode]) -> types.Pickup:
    seen = counter_of(call.platform).present(call.body.place, call.body.code, by=call.actor.name, key=call.key)
    return pickup_of(seen, call)


def hand_over(call: Call[Nothing, types.NewHandOver]) -> types.HandedOver:
    body = call.body
    handed = counter_of(call.platform).hand_over(
        body.place,
        by=call.actor.name,
        code=body.code,
        order=body.order,
        initials=body.initials,
        receipt=body.receipt,
        lines=[(line.line, line.amount) for line in body.lines],
        cancel_rest=body.cancel_rest,
        key=call.key,
    )
    return types.HandedOver(
        order=handed.order, place=handed.desk, hand_over=handed.hand_over, lines=dict(handed.lines), left=handed.left
    )


def not_collected(call: Call[Nothing, types.NewMiss]) -> types.PickupState:
    command = api.NotCollected(
        key=call.key, order=call.path["order"], why=call.body.why, by=call.actor.name, channel="store"
    )
    return state_of(call.platform.commerce.do(command))


# -- the shelf --------------------------------------------------------------------------------------------------------


def pick_list(call: Call[types.PickListQuery, None]) -> types.PickList:
    sight = sight_of(call.actor)
    is_open = call.actor.may(SERVE)
    items = [
        types.PickTask(
            order=task.order,
            placed=told(task.at),
            promised=told_if_any(task.promised),
            delivery=task.delivery,
            channel=task.channel,
            place=task.desk,
            person=task.person if is_open else sight.name(task.person),
            lines=[msgspec.convert(line, types.ToPick, from_attributes=True, strict=False) for line in task.lines],
        )
        for task in api.pick_list(call.platform.commerce, call.query.place, call.query.language)
    ]
    return types.PickList(place=call.query.place, items=items)


def pick(call: Call[Nothing, types.NewPick]) -> types.Picked:
    lines = tuple(
        api.Taken(line=line.line, picked=line.picked, short=line.short, why=line.why) for line in call.body.lines
    )
    command = api.Pick(
        key=call.key,
        order=call.path["order"],
        place=call.body.place,
        lines=lines,
        instead=call.body.instead,
        by=call.actor.name,
        channel="store",
    )
    return msgspec.convert(call.platform.commerce.do(command), types.Picked, from_attributes=True)


def unpick(call: Call[Nothing, types.NewUnpick]) -> types.Picked:
    lines = tuple(call.body.lines)
    command = api.Unpick(key=call.key, order=call.path["order"], place=call.body.place, lines=lines, by=call.actor.name)
    return msgspec.convert(call.platform.commerce.do(command), types.Picked, from_attributes=True)


def send(call: Call[Nothing, types.NewParcel]) -> types.Sent:
    body = call.body
    command = api.Send(
        key=call.key,
        order=call.path["order"],
        place=body.place,
        carrier=body.carrier,
        tracking=body.tracking,
        by=call.actor.name,
        channel="store",
    )
    return msgspec.convert(call.platform.commerce.do(command), types.Sent, from_attributes=True)


# -- sourcing ---------------------------------------------------------------------------------------------------------


def rules(call: AnyCall) -> types.SourcingRules:
    return _told_rules(api.in_force(call.platform.commerce))


def apply_rules(call: Call[Nothing, types.NewSourcingRules]) -> types.SourcingRules:
    read = _read(call.body.rules)
    present = api.in_force(call.platform.commerce)
    if call.body.dry_run:
        return _told_rules(api.InForce(present.version, read))
    document = msgspec.json.encode(api.as_document(read)).decode()
    command = api.ApplyRules(
        key=call.key, document=document, by=call.actor.name, why=call.body.why, seen=present.version
    )
    call.platform.commerce.do(command)
    return _told_rules(api.in_force(call.platform.commerce))


def try_rules(call: Call[Nothing, types.NewWish]) -> types.Sourced:
    body, rows = call.body, call.platform.commerce
    wish = api.Wish(
        delivery=body.delivery,
        lines=tuple(api.Wanted(line.sku, line.amount) for line in body.lines),
        channel=body.channel,
        destination=body.place,
        position=_position(body.position),
        by=from_datetime(body.ready_by) if body.ready_by else 0,
    )
    supposed = api.InForce(0, _read(body.rules)) if body.rules is not None else None
    return sourced_of(api.sourced(rows, wish, rows.now, supposed))


def choices(call: Call[types.ChoicesQuery, None]) -> Page[types.Choice]:
    query, rows = call.query, call.platform.commerce
    order_id = api.order_id(rows, query.order) if query.order else 0
    before = int(call.place[0]) if call.place else 0
    found = api.choices(rows, order_id=order_id, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    items = [
        types.Choice(
            id=each.id,
            at=told(each.at),
            by=each.by,
            wish=msgspec.to_builtins(each.wish),
            sourced=sourced_of(each.sourced),
        )
        for each in shown
    ]
    return Page(items=items, cursor=call.cursor_at((shown[-1].id,)) if len(found) > len(shown) else "")


def place_order(call: Call[Nothing, types.NewSourcedOrder]) -> types.SourcedOrder:
    body = call.body
    lines = tuple(msgspec.convert(line, orders.NewLine, from_attributes=True) for line in body.lines)
    order = orders.PlaceOrder(
        lines=lines,
        currency=body.currency,
        kind=body.delivery,
        channel=body.channel,
        place=body.place,
        owners=tuple(body.owners),
        contact=tuple(body.contact.items()),
        shipping=body.shipping,
        tax_included=body.tax_included,
        pays_first=body.pays_first,
        number=body.number,
        note=body.note,
        by=call.actor.name,
    )
    command = api.PlaceSourced(
        key=call.key,
        order=order,
        position=_position(body.position),
        ready_by=from_datetime(body.ready_by) if body.ready_by else 0,
    )
    return _allocated(call.platform.commerce.do(command))


def source(call: Call[Nothing, types.NewSourcing]) -> types.SourcedOrder:
    command = api.SourceOrder(
        key=call.key, order=call.path["order"], position=_position(call.body.position), by=call.actor.name
    )
    return _allocated(call.platform.commerce.do(command))


def _allocated(found: api.Allocated) -> types.SourcedOrder:
    order = found.order
    return types.SourcedOrder(
        order=order.number,
        state=order.state,
        confirmed=order.confirmed,
        total=order.total,
        currency=order.currency,
        held_until=told_if_any(order.due),
        choice=found.choice,
        sourced=sourced_of(found.sourced),
    )


def _told_rules(found: api.InForce) -> types.SourcingRules:
    document = api.as_document(found.rules)
    return types.SourcingRules(version=found.version, rules=document["rules"], yaml=api.as_yaml(found.rules))


def _read(document: Any) -> api.Rules:
    if not isinstance(document, str | list | dict):
        raise DefinitionInvalid(f"expected a list of rules, or a text in YAML, got {type(document).__name__}")
    return api.read_rules(document)


def _position(point: types.PointOnEarth | None) -> catalogue.Position | None:
    return catalogue.Position(point.latitude, point.longitude) if point else None


# -- back -------------------------------------------------------------------------------------------------------------


def bought(call: Call[types.BoughtQuery, None]) -> types.Bought:
    return types.Bought(items=bought_by(call.platform, call.query.person, call.query.limit))


def bought_by(platform: Platform, named: str, limit: int = 50) -> list[types.BoughtLine]:
    """What a person has and may bring back, the latest first: of orders, and of receipts under any identifier."""
    person = platform.people.locate(named)
    owners = [str(member) for member in person.identifiers]
    found = [
        types.BoughtLine(
            at=told(each.at),
            sku=each.sku,
            name=each.name,
            bought=each.amount,
            left=each.left,
            order=each.order,
            line=each.line,
        )
        for each in api.bought(platform.commerce, owners, limit)
    ]
    page = platform.profiles.timeline(person.id, limit=RECEIPTS_MAX, only=Filter(events=frozenset((RECEIPT,))))
    for entry in page.events:
        found += _of_receipt(platform, entry.event)
    return sorted(found, key=lambda each: each.at, reverse=True)[:limit]


def _of_receipt(platform: Platform, event: Any) -> Iterable[types.BoughtLine]:
    properties, rows = event.properties, platform.commerce
    receipt, sold_at = str(properties.get("receipt_id", "")), str(properties.get("store_id", ""))
    products = properties.get("products")
    if not receipt or not sold_at or not isinstance(products, list):
        return
    back = api.returned_of_receipt(rows, sold_at, receipt)
    ordered = api.ordered_of_receipt(rows, sold_at, receipt)
    amounts: dict[str, tuple[str, int]] = {}
    for product in products[:500]:
        if not isinstance(product, dict):
            continue
        ids = [str(product[name]) for name in ("sku", "product_id", "gtin", "barcode") if product.get(name)]
        sku = next((known for id_ in ids if (known := catalogue.resolve(rows, event.channel, id_))), "")
        quantity = product.get("quantity", 1)
        if not sku or isinstance(quantity, bool) or not isinstance(quantity, int | float) or quantity <= 0:
            continue
        before = amounts[sku][1] if sku in amounts else 0
        amounts[sku] = str(product.get("name") or sku)[:200], before + round(quantity * 1_000)
    for sku, (name, amount) in amounts.items():
        left = amount - back.get(sku, 0) - ordered.get(sku, 0)  # of an order it is listed there
        if left > 0:
            at = told(event.occurred)
            yield types.BoughtLine(
                at=at, sku=sku, name=name, bought=amount, left=left, receipt=receipt, sold_at=sold_at
            )


def give_back(call: Call[Nothing, types.NewReturn]) -> types.Returned:
    return taken_back(call.platform, call.body, by=call.actor.name, key=call.key)


def taken_back(platform: Platform, asked: types.NewReturn, *, by: str, key: str = "") -> types.Returned:
    """Takes goods back of an order, or of a receipt that is looked up through its person."""
    if bool(asked.order) == bool(asked.receipt):
        raise Unreadable("expected the number of an order, or that of a receipt")
    command = _of_order(asked, by, key) if asked.order else _of_till(platform, asked, by, key)
    return msgspec.convert(platform.commerce.do(command), types.Returned, from_attributes=True)


def _of_order(asked: types.NewReturn, by: str, key: str) -> api.TakeBack:
    if not all(line.line for line in asked.lines):
        raise Unreadable("expected each line to name the order's line it is of")
    lines = tuple(api.Came(line=line.line, amount=line.amount, condition=line.condition) for line in asked.lines)
    return api.TakeBack(key=key, order=asked.order, place=asked.place, lines=lines, why=asked.why, by=by)


def _of_till(platform: Platform, asked: types.NewReturn, by: str, key: str) -> api.TakeBackReceipt:
    if not asked.person or not asked.sold_at or not all(line.sku for line in asked.lines):
        raise Unreadable("expected the person, the place that sold the goods, and the SKU of each line")
    person = platform.people.locate(asked.person)
    page = platform.profiles.timeline(person.id, limit=RECEIPTS_MAX, only=Filter(events=frozenset((RECEIPT,))))
    bought_amounts: dict[str, int] = {}
    for entry in page.events:
        properties = entry.event.properties
        if (str(properties.get("receipt_id")), str(properties.get("store_id"))) == (asked.receipt, asked.sold_at):
            bought_amounts = {each.sku: each.bought for each in _of_receipt(platform, entry.event)}
    missing = [line.sku for line in asked.lines if line.sku not in bought_amounts]
    if missing:
        raise Conflict(f"receipt {asked.receipt} has nothing of {missing[0]} that may still come back")
    lines = tuple(
        api.CameOfReceipt(sku=line.sku, amount=line.amount, bought=bought_amounts[line.sku], condition=line.condition)
        for line in asked.lines
    )
    return api.TakeBackReceipt(
        key=key,
        receipt=asked.receipt,
        sold_at=asked.sold_at,
        place=asked.place,
        lines=lines,
        owners=tuple(str(member) for member in person.identifiers),
        why=asked.why,
        by=by,
    )


def whose(call: AnyCall, _answer: Any) -> str:
    """The id of the person who was asked about."""
    return str(call.platform.people.locate(call.query.person).text)


PICKUPS = (
    Operation(
        name="pickups.list",
        method="GET",
        path="/v1/pickups",
        summary="List orders that are collected",
        description="In order of their number. *waiting* are those whose person has arrived.",
        permission="commerce.read",
        handle=pickups,
        query=types.PickupsQuery,
        answer=Page[types.Pickup],
        parameters={"place": "S01", "state": "ready"},
        audit="person.listed",
        is_look=True,
        subject=lambda _call, _answer: "pickups",
    ),
    Operation(
        name="pickups.get",
        method="GET",
        path="/v1/pickups/{order}",
        summary="Get a pick-up with its hand-overs and parcels",
        permission="commerce.read",
        handle=pickup,
        answer=types.PickupDetail,
        errors=(NotFound,),
        audit="order.seen",
        is_look=True,
    ),
    Operation(
        name="pickups.ready",
        method="POST",
        path="/v1/pickups/{order}/ready",
        summary="Say that an order lies at its desk",
        description="The river hears of it with a link to the code, which only the person gets to see. `origins` are "
        "places whose parcels have arrived; without any it is what the desk has picked itself.",
        permission=SERVE,
        handle=ready,
        body=types.Arrived,
        answer=types.PickupState,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="pickup.ready",
        example={"origins": []},
    ),
    Operation(
        name="pickups.new_code",
        method="POST",
        path="/v1/pickups/{order}/code",
        summary="Give out another code",
        description="The one before does not count any more. The person finds the new one under the same link.",
        permission=SERVE,
        handle=new_code,
        answer=types.PickupState,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="pickup.code_renewed",
    ),
    Operation(
        name="pickups.link",
        method="GET",
        path="/v1/pickups/{order}/link",
        summary="Get the address that leads the person to the code",
        description="Whoever has it can collect the order: it belongs into a message to the person, and nowhere else.",
        permission="commerce.write",
        handle=link,
        answer=types.PickupLink,
        errors=(NotFound,),
        audit="pickup.link_seen",
        is_look=True,
        subject=lambda call, _answer: str(call.path["order"]),
    ),
    Operation(
        name="pickups.arrive",
        method="POST",
        path="/v1/pickups/arrivals",
        summary="Say that the person is here",
        description="By the link of the message, so an app of your own needs nothing else. The page behind the link "
        "does the same without an app.",
        permission=SERVE,
        handle=arrive,
        body=types.NewArrival,
        answer=types.PickupState,
        errors=(NotFound, Ended, DefinitionInvalid),
        lane="write",
        audit="pickup.arrived",
        subject=lambda _call, answer: str(answer.order),
        example={"link": "C_9W9kv9sbOcQIeQgoCEnZIMzwAHGv1JjQAA", "bay": "3", "vehicle": "Seat rojo"},
    ),
    Operation(
        name="pickups.present",
        method="POST",
        path="/v1/pickups/codes",
        summary="Look up what a code opens",
        description="So that the goods can be fetched; nothing is handed over yet. Wrong codes are counted as there.",
        permission=SERVE,
        handle=present,
        body=types.PresentedCode,
        answer=types.Pickup,
        errors=(NotFound, Conflict, Ended, Throttled),
        lane="write",
        audit="pickup.presented",
        subject=lambda _call, answer: str(answer.order),
        example={"place": "S01", "code": "FTM9-YMPK"},
    ),
    Operation(
        name="pickups.hand_over",
        method="POST",
        path="/v1/pickups/hand-overs",
        summary="Hand goods over",
        description="Against the code, which works once, or against an id with the initials of who has shown it. Wrong "
        "codes are counted for each token and place: after five of them the answers become slower and slower.",
        permission=SERVE,
        handle=hand_over,
        body=types.NewHandOver,
        answer=types.HandedOver,
        errors=(NotFound, Conflict, Ended, DefinitionInvalid, Throttled),
        lane="write",
        audit="pickup.handed_over",
        subject=lambda _call, answer: str(answer.order),
        example={"place": "S01", "code": "FTM9-YMPK"},
    ),
    Operation(
        name="pickups.not_collected",
        method="POST",
        path="/v1/pickups/{order}/not-collected",
        summary="Put back what nobody comes for",
        description="Before its time; when its time is over that happens by itself.",
        permission=SERVE,
        handle=not_collected,
        body=types.NewMiss,
        answer=types.PickupState,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="pickup.not_collected",
        example={"why": "phoned: does not come"},
    ),
)
SHELF = (
    Operation(
        name="fulfilment.pick_list",
        method="GET",
        path="/v1/fulfilment/pick-list",
        summary="List what a place takes from its shelf",
        description="What is promised first stands first; lines in the order of categories, which is that of the way.",
        permission="commerce.read",
        handle=pick_list,
        query=types.PickListQuery,
        answer=types.PickList,
        parameters={"place": "S01"},
        audit="person.listed",
        is_look=True,
        subject=lambda _call, _answer: "pickups",
    ),
    Operation(
        name="fulfilment.pick",
        method="POST",
        path="/v1/fulfilment/orders/{order}/pick",
        summary="Say what was taken from the shelf, and what was not there",
        description="What is short is sourced from elsewhere, or cancelled with its reason; the stock is corrected.",
        permission=SERVE,
        handle=pick,
        body=types.NewPick,
        answer=types.Picked,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="fulfilment.picked",
        example={"place": "S01", "lines": [{"line": 1, "picked": 1_000}, {"line": 2, "short": 1_000}]},
    ),
    Operation(
        name="fulfilment.unpick",
        method="POST",
        path="/v1/fulfilment/orders/{order}/unpick",
        summary="Put back what was picked by mistake",
        permission=SERVE,
        handle=unpick,
        body=types.NewUnpick,
        answer=types.Picked,
        errors=(NotFound, Conflict),
        lane="write",
        audit="fulfilment.unpicked",
        example={"place": "S01"},
    ),
    Operation(
        name="fulfilment.send",
        method="POST",
        path="/v1/fulfilment/orders/{order}/parcels",
        summary="Give what is picked to a carrier",
        description="Or to the van that goes to the store where it is collected.",
        permission=SERVE,
        handle=send,
        body=types.NewParcel,
        answer=types.Sent,
        errors=(NotFound, Conflict),
        lane="write",
        audit="fulfilment.sent",
        example={"place": "S01", "carrier": "Correos", "tracking": "PK123456789ES"},
    ),
)
SOURCING = (
    Operation(
        name="fulfilment.rules",
        method="GET",
        path="/v1/fulfilment/rules",
        summary="Get the sourcing rules",
        permission="commerce.read",
        handle=rules,
        answer=types.SourcingRules,
        guard=rules,
    ),
    Operation(
        name="fulfilment.apply_rules",
        method="PUT",
        path="/v1/fulfilment/rules",
        summary="Apply sourcing rules",
        description="For what is ordered from now on. Every version stays, with the reason for it.",
        permission="commerce.write",
        handle=apply_rules,
        body=types.NewSourcingRules,
        answer=types.SourcingRules,
        errors=(DefinitionInvalid, Conflict),
        lane="write",
        guard=rules,
        audit="fulfilment.rules_applied",
        example={
            "rules": [
                {"name": "Collect", "when": {"deliveries": ["pick_up"]}, "from": {"destination": "only"}},
                {"name": "Send", "from": {"roles": ["ships"]}, "splits_max": 2},
            ],
            "why": "Stores send too",
            "dry_run": True,
        },
    ),
    Operation(
        name="fulfilment.try_rules",
        method="POST",
        path="/v1/fulfilment/rules/try",
        summary="Say where a wish would come from, and why",
        description="With a verdict on every place; changes nothing. `rules` tries others than those in force.",
        permission="commerce.read",
        handle=try_rules,
        body=types.NewWish,
        answer=types.Sourced,
        errors=(NotFound, DefinitionInvalid),
        only_asks=True,
        example={"delivery": "pick_up", "place": "S01", "lines": [{"sku": "ABR-00001-AZ", "amount": 1_000}]},
    ),
    Operation(
        name="fulfilment.choices",
        method="GET",
        path="/v1/fulfilment/choices",
        summary="List decisions about where goods came from",
        description="The latest first, each with the verdict on every place.",
        permission="commerce.read",
        handle=choices,
        query=types.ChoicesQuery,
        answer=Page[types.Choice],
        errors=(NotFound,),
    ),
    Operation(
        name="fulfilment.place_order",
        method="POST",
        path="/v1/fulfilment/orders",
        summary="Place an order whose goods come from where the rules say",
        description="Choice, holds and order are one transaction: the whole amount is held, or nothing is ordered.",
        permission="commerce.write",
        handle=place_order,
        status=201,
        body=types.NewSourcedOrder,
        answer=types.SourcedOrder,
        errors=(NotFound, Shortage, Conflict, DefinitionInvalid),
        lane="write",
        audit="order.placed",
        subject=lambda _call, answer: str(answer.order),
        example={
            "lines": [{"sku": "ABR-00001-AZ", "amount": 1_000, "price": 12_995}],
            "currency": "EUR",
            "delivery": "pick_up",
            "place": "S01",
            "channel": "web",
            "owners": ["email:ana@tienda.es"],
            "contact": {"name": "Ana Ruiz"},
        },
    ),
    Operation(
        name="fulfilment.source",
        method="POST",
        path="/v1/fulfilment/orders/{order}/source",
        summary="Find places for what an order waits for",
        permission="commerce.write",
        handle=source,
        body=types.NewSourcing,
        answer=types.SourcedOrder,
        errors=(NotFound, Shortage, Conflict, DefinitionInvalid),
        lane="write",
        audit="fulfilment.sourced",
        example={},
    ),
)
BACK = (
    Operation(
        name="fulfilment.bought",
        method="GET",
        path="/v1/fulfilment/bought",
        summary="List what a person has and may bring back",
        description="Of orders in all channels and of till receipts, under any identifier of the person: no paper is "
        "needed.",
        permission=SERVE,
        handle=bought,
        query=types.BoughtQuery,
        answer=types.Bought,
        errors=(NotFound,),
        audit="person.seen",
        is_look=True,
        subject=whose,
        parameters={"person": "email:ana@tienda.es"},
    ),
    Operation(
        name="fulfilment.take_back",
        method="POST",
        path="/v1/fulfilment/returns",
        summary="Take goods back, in whatever place",
        description="Never more than was bought and not brought back before. What is damaged is kept apart.",
        permission=SERVE,
        handle=give_back,
        body=types.NewReturn,
        answer=types.Returned,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="fulfilment.returned",
        subject=lambda _call, answer: str(answer.number),
        example={"place": "S01", "order": "C-000001", "lines": [{"line": 1, "amount": 1_000}], "why": "size"},
    ),
)
OPERATIONS = (*PICKUPS, *SHELF, *SOURCING, *BACK)
