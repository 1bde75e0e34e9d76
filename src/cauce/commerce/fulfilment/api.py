"""Questions about fulfilment, of what is committed: pick lists, pick-ups, decisions, rules, what may come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment.allocating import ACTIONS as _ALLOCATING
from cauce.commerce.fulfilment.allocating import Allocated, PlaceSourced, SourceOrder
from cauce.commerce.fulfilment.backorders import ACTIONS as _BACKORDERS
from cauce.commerce.fulfilment.backorders import (
    NOTED_NEEDS,
    Served,
    ServeWaiting,
    first_served,
    given_back,
    has_risen,
    noted,
    wanted_by,
)
from cauce.commerce.fulfilment.dating import ACTIONS as _DATING
from cauce.commerce.fulfilment.dating import Dated, DateWaiting, expected_of
from cauce.commerce.fulfilment.desk import ACTIONS as _DESK
from cauce.commerce.fulfilment.desk import (
    Arrive,
    ChooseDesk,
    HandedOver,
    HandOver,
    NewCode,
    NotCollected,
    PickupState,
    PutBack,
    Ready,
    WentBack,
)
from cauce.commerce.fulfilment.following import following
from cauce.commerce.fulfilment.keys import Keys
from cauce.commerce.fulfilment.picking import ACTIONS as _PICKING
from cauce.commerce.fulfilment.picking import SHORT_REASONS, Pick, Picked, Send, Sent, Taken, Unpick
from cauce.commerce.fulfilment.returning import ACTIONS as _RETURNING
from cauce.commerce.fulfilment.returning import (
    CONDITIONS,
    Came,
    CameOfReceipt,
    TakeBack,
    TakeBackReceipt,
    TakenBack,
    desk_backs_now,
    is_of_order,
    told_back,
)
from cauce.commerce.fulfilment.rules import codes
from cauce.commerce.fulfilment.rules.definition import (
    Fault,
    Rule,
    Rules,
    as_document,
    as_yaml,
    checked,
    read_rules,
)
from cauce.commerce.fulfilment.rules.sourcing import VERDICTS, Choice, Verdict
from cauce.commerce.fulfilment.ruling import ACTIONS as _RULING
from cauce.commerce.fulfilment.ruling import Applied, ApplyRules
from cauce.commerce.fulfilment.sourcing import InForce, Sourced, Wanted, Wish, in_force, sourced
from cauce.commerce.fulfilment.store import (
    CHOICES,
    HANDED,
    PARCELS,
    PICKUPS,
    RULES,
    TABLES,
    DeskBack,
    Handed,
    Pickup,
    Rows,
)
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.api import COLLECTED_KINDS, receipt_number
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.carrier import Action
from cauce.commerce.transact.work import Work
from cauce.errors import NotFound
from cauce.model.time import DAY

__all__ = [
    "ACTIONS",
    "CONDITIONS",
    "NOTED_NEEDS",
    "SHORT_REASONS",
    "TABLES",
    "VERDICTS",
    "Allocated",
    "Applied",
    "ApplyRules",
    "Arrive",
    "Came",
    "CameOfReceipt",
    "Choice",
    "ChooseDesk",
    "DateWaiting",
    "Dated",
    "DeskBack",
    "Fault",
    "HandOver",
    "HandedOver",
    "InForce",
    "Keys",
    "NewCode",
    "NotCollected",
    "Pick",
    "Picked",
    "PickupState",
    "PlaceSourced",
    "PutBack",
    "Ready",
    "Rule",
    "Rules",
    "Send",
    "Sent",
    "ServeWaiting",
    "Served",
    "SourceOrder",
    "Sourced",
    "TakeBack",
    "TakeBackReceipt",
    "Taken",
    "TakenBack",
    "Unpick",
    "Verdict",
    "Wanted",
    "WentBack",
    "Wish",
    "as_document",
    "as_yaml",
    "bought",
    "checked",
    "choice",
    "choices",
    "codes",
    "counts",
    "desk_backs_now",
    "desk_of",
    "expected_of",
    "first_served",
    "following",
    "given_back",
    "goods_of",
    "hand_overs",
    "handed_now",
    "handed_with",
    "has_risen",
    "in_force",
    "is_of_order",
    "is_same_receipt",
    "noted",
    "order_id",
    "ordered_of_receipt",
    "parcels",
    "pick_list",
    "pickup",
    "pickup_by_id",
    "pickups",
    "read_rules",
    "returned_of_receipt",
    "sourced",
    "told_back",
    "versions",
    "wanted_by",
]

ACTIONS: tuple[Action, ...] = (*_ALLOCATING, *_BACKORDERS, *_DATING, *_PICKING, *_DESK, *_RETURNING, *_RULING)

R = TypeVar("R")
ORDERS_MAX = 500
SAME_RECEIPT = 2 * DAY
"""How far apart a receipt and the hand-over against it are at most, by the clocks of till and desk."""
OPEN_MAX = 50_000
"""Open orders that are looked through for a page of them."""
OPEN_STATES = ("placed", "allocated", "picked", "ready", "shipped")
STATES = ("to_pick", "on_way", "ready", "waiting", "ended")
"""How a pick-up can stand: *waiting* is a person who has arrived."""


class ToPick(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a place takes from its shelf. Amounts are thousandths of `unit`."""

    line: int
    sku: str
    name: str
    unit: str
    gtin: str
    image: str
    category: tuple[str, ...]
    to_pick: int
    picked: int


class PickTask(msgspec.Struct, frozen=True, kw_only=True):
    """What a place takes from its shelf for an order. `here`: it is handed over in the same place."""

    order: str
    order_id: int
    at: int
    promised: int
    delivery: str
    channel: str
    desk: str
    here: bool
    person: str
    lines: tuple[ToPick, ...]

    @property
    def left(self) -> int:
        return sum(line.to_pick for line in self.lines)


class PickupLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order that is collected, by how far it is, in thousandths."""

    line: int
    sku: str
    name: str
    unit: str
    amount: int
    waiting: int
    on_way: int
    ready: int
    collected: int
    cancelled: int


class OnWay(msgspec.Struct, frozen=True, kw_only=True):
    """Goods on their way to the desk from another place."""

    place: str
    amount: int


class PickupSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An order that somebody comes for, as it stands. Moments are microseconds, 0 for never."""

    order: str
    order_id: int
    desk: str
    state: str
    delivery: str
    channel: str
    person: str
    owners: tuple[str, ...]
    at: int
    promised: int
    ready: int
    due: int
    has_code: bool
    round: int
    arrived: int
    bay: str
    vehicle: str
    ended: int
    why: str
    total: int
    captured: int
    currency: str
    lines: tuple[PickupLine, ...]
    on_way: tuple[OnWay, ...] = ()

    @property
    def is_paid_here(self) -> bool:
        """Whether the person pays in the store."""
        return self.delivery == "reserve_in_store" and self.captured < self.total


class HandOverSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A hand-over that was: when, where, by whom, and with which proof."""

    at: int
    desk: str
    by: str
    proof: str
    initials: str
    receipt: str
    lines: tuple[tuple[int, int], ...]


class ParcelSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel that left a place."""

    place: str
    number: int
    at: int
    carrier: str
    tracking: str
    by: str


class ChoiceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A decision about where goods come from, with its reasons."""

    id: int
    at: int
    by: str
    wish: Wish
    sourced: Sourced


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order that may come back, with how much of it still may."""

    order: str
    order_id: int
    at: int
    line: int
    sku: str
    name: str
    amount: int
    left: int


class VersionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the sourcing rules."""

    version: int
    at: int
    by: str
    why: str
    document: dict[str, Any]


# Open orders are few, a place's orders of all time are many: `|| ''` keeps an engine from starting with the place.
_ORDER = (
    "o.id, o.number, o.kind, o.channel, o.place, o.contact, o.owners, o.at, o.promised, o.total, o.captured, o.currency"
)


def pick_list(rows: Rows, place: str, language: str = "") -> list[PickTask]:
    """What a place has to take from its shelf, what is promised first at the top; lines in the order of categories."""
    found = rows.select(
        f"select {_ORDER}, l.line, l.sku, l.name, l.unit, a.allocated, a.picked from customer_order o "
        "join order_allocation a on a.order_id = o.id join order_line l on l.order_id = o.id and l.line = a.line "
        f"where o.state in ({marks(OPEN_STATES)}) and o.confirmed > 0 and a.place || '' = ? "
        "and a.allocated + a.picked > 0 order by o.id, l.line limit ?",
        (*OPEN_STATES, place, ORDERS_MAX * 20),
    )
    products: dict[str, catalogue.Product | None] = {}
    tasks: dict[int, tuple[Any, list[ToPick]]] = {}
    for row in found:
        line, sku, name, unit, to_pick, picked = row[-6:]
        if sku not in products:
            products[sku] = catalogue.product(rows, sku)
        known = products[sku]
        tasks.setdefault(row[0], (row, []))[1].append(
            ToPick(
                line=line,
                sku=sku,
                name=(known.name(language) if known else "") or name or sku,
                unit=unit or (known.unit if known else ""),
                gtin=known.gtins[0] if known and known.gtins else "",
                image=known.image if known else "",
                category=known.category if known else (),
                to_pick=to_pick,
                picked=picked,
            )
        )
    listed = [_task(row, lines, place) for row, lines in tasks.values()]
    return sorted(listed, key=lambda task: (task.promised or task.at, task.order_id))[:ORDERS_MAX]


def pickups(rows: Rows, desk: str = "", *, state: str = "", after: int = 0, limit: int = 50) -> list[PickupSeen]:
    """Orders that are collected at a desk (at any without one), in order of number, behind the order with id `after`.

    `state` is one of STATES; without it, all that are not ended.
    """
    ended = state == "ended"
    conditions = ["o.confirmed > 0", "o.id > ?", f"o.kind in ({marks(sorted(COLLECTED_KINDS))})"]
    parameters: list[Any] = [after, *sorted(COLLECTED_KINDS)]
    if desk:
        conditions.append("o.place = ?" if ended else "o.place || '' = ?")
        parameters.append(desk)
    if ended:
        conditions.append("o.state in ('collected', 'returned', 'cancelled')")
    else:
        conditions.append(f"o.state in ({marks(OPEN_STATES)})")
        parameters += OPEN_STATES
    there = f"exists (select 1 from order_line l where l.order_id = o.id and {_HAS[state]})" if state in _HAS else ""
    if there:
        conditions.append(there)
    if state == "waiting":
        conditions.append("exists (select 1 from pickup p where p.order_id = o.id and p.arrived > 0)")
    sql = f"select o.id from customer_order o where {' and '.join(conditions)}"
    if ended:
        ids = [row[0] for row in rows.select(f"{sql} order by o.id limit ?", (*parameters, limit))]
    else:  # found by their state: in the order of ids an engine would walk past every order there ever was
        found = rows.select(f"{sql} limit ?", (*parameters, OPEN_MAX))
        ids = sorted(row[0] for row in found)[:limit]
    return _seen(rows, ids)


_HAS = {
    "to_pick": "l.placed + l.allocated + l.picked > 0",
    "on_way": "l.shipped > 0",
    "ready": "l.ready > 0",
}


def order_id(rows: Rows, number: str) -> int:
    """The id of an order's number; NotFound."""
    found = rows.select("select order_id from order_number where number = ?", (number,))
    if not found:
        raise NotFound(f"there is no order {number[:80]!r}")
    return int(found[0][0])


def pickup(rows: Rows, order: str) -> PickupSeen:
    """The pick-up of an order, by its number; NotFound when there is no such order, or nobody collects it."""
    seen = _seen(rows, [order_id(rows, order)])
    if not seen:
        raise NotFound(f"order {order[:80]} is sent home: nobody collects it")
    return seen[0]


def pickup_by_id(rows: Rows, order_id: int) -> PickupSeen:
    """The pick-up of an order, by its id."""
    seen = _seen(rows, [order_id])
    if not seen:
        raise NotFound(f"there is no pick-up of the order with the id {order_id}")
    return seen[0]


def counts(rows: Rows, desk: str) -> dict[str, int]:
    """How many orders a desk has to pick, has ready, and how many people wait there."""
    to_pick = rows.select(
        "select count(distinct o.id) from customer_order o join order_allocation a on a.order_id = o.id "
        f"where o.state in ({marks(OPEN_STATES)}) and o.confirmed > 0 and a.place || '' = ? "
        "and a.allocated + a.picked > 0",
        (*OPEN_STATES, desk),
    )
    ready = rows.select(
        "select count(distinct o.id) from customer_order o join order_line l on l.order_id = o.id "
        f"where o.state in ({marks(OPEN_STATES)}) and o.confirmed > 0 and o.place || '' = ? and l.ready > 0",
        (*OPEN_STATES, desk),
    )
    waiting = rows.select("select count(*) from pickup where desk = ? and ended = 0 and arrived > 0", (desk,))
    return {"to_pick": int(to_pick[0][0]), "ready": int(ready[0][0]), "waiting": int(waiting[0][0])}


def desk_of(rows: Rows, account: str) -> str:
    """The desk at which an account works, "" when it has chosen none."""
    found = rows.select("select desk from pickup_desk where account = ?", (account,))
    return str(found[0][0]) if found else ""


def hand_overs(rows: Rows, order_id: int) -> list[HandOverSeen]:
    """The hand-overs of an order, oldest first."""
    found = rows.select(f"select {HANDED.columns} from {HANDED.name} where order_id = ? order by id", (order_id,))
    return [
        HandOverSeen(
            at=row.at,
            desk=row.desk,
            by=row.by,
            proof=row.proof,
            initials=row.initials,
            receipt=row.receipt,
            lines=msgspec.json.decode(row.lines, type=tuple[tuple[int, int], ...]),
        )
        for row in map(HANDED.of, found)
    ]


def handed_now(work: Work) -> list[Handed]:
    """Hand-overs by the command at work."""
    return work.changed(HANDED)


def handed_with(work: Work, desk: str, receipt: str, around: int) -> dict[str, int]:
    """What a desk has handed over against a receipt of those days: thousandths by SKU."""
    found: dict[str, int] = {}
    for order in orders.of_receipt(work, desk, receipt):
        for one in work.select(HANDED, "order_id = ? and desk = ?", order.id, desk):
            if is_same_receipt(one, receipt, around):
                for sku, amount in goods_of(work, one):
                    found[sku] = found.get(sku, 0) + amount
    return found


def is_same_receipt(handed: Handed, receipt: str, at: int) -> bool:
    """Whether a hand-over was against this receipt, given out at `at`: tills begin their numbers anew now and then."""
    return receipt_number(handed.receipt) == receipt_number(receipt) and abs(handed.at - at) <= SAME_RECEIPT


def goods_of(work: Work, handed: Handed) -> list[tuple[str, int]]:
    """What was handed over: (SKU, thousandths)."""
    lines = msgspec.json.decode(handed.lines, type=list[tuple[int, int]])
    return [(orders.line(work, handed.order_id, line).sku, amount) for line, amount in lines]


def parcels(rows: Rows, order_id: int) -> list[ParcelSeen]:
    """The parcels of an order, oldest first."""
    found = rows.select(f"select {PARCELS.columns} from {PARCELS.name} where order_id = ? order by at", (order_id,))
    return [
        ParcelSeen(place=row.place, number=row.number, at=row.at, carrier=row.carrier, tracking=row.tracking, by=row.by)
        for row in map(PARCELS.of, found)
    ]


def choices(rows: Rows, *, order_id: int = 0, before: int = 0, limit: int = 50) -> list[ChoiceSeen]:
    """Decisions about where goods come from, newest first: of an order, or of all."""
    conditions, parameters = ["1 = 1"], list[Any]()
    if order_id:
        conditions.append("order_id = ?")
        parameters.append(order_id)
    if before:
        conditions.append("id < ?")
        parameters.append(before)
    sql = f"select {CHOICES.columns} from {CHOICES.name} where {' and '.join(conditions)} order by id desc limit ?"
    return [_choice(row) for row in rows.select(sql, (*parameters, limit))]


def choice(rows: Rows, id_: int) -> ChoiceSeen | None:
    """One decision, None when there is none of that number."""
    found = rows.select(f"select {CHOICES.columns} from {CHOICES.name} where id = ?", (id_,))
    return _choice(found[0]) if found else None


def _choice(row: Any) -> ChoiceSeen:
    chosen = CHOICES.of(row)
    return ChoiceSeen(
        id=chosen.id,
        at=chosen.at,
        by=chosen.by,
        wish=msgspec.json.decode(chosen.wish, type=Wish),
        sourced=msgspec.json.decode(chosen.sourced, type=Sourced),
    )


def versions(rows: Rows, limit: int = 100) -> list[VersionSeen]:
    """Versions of the sourcing rules, newest first."""
    found = rows.select(f"select {RULES.columns} from {RULES.name} order by version desc limit ?", (limit,))
    return [
        VersionSeen(version=row.version, at=row.at, by=row.by, why=row.why, document=msgspec.json.decode(row.document))
        for row in map(RULES.of, found)
    ]


def bought(rows: Rows, owners: Iterable[str], limit: int = 50) -> list[Bought]:
    """What people with these identifiers have and may bring back, the newest orders first."""
    wanted = sorted(set(owners))
    if not wanted:
        return []
    found = rows.select(
        "select distinct o.number, o.id, o.at, l.line, l.sku, l.name, l.amount, l.delivered + l.collected "
        "from order_owner w join customer_order o on o.id = w.order_id join order_line l on l.order_id = o.id "
        f"where w.owner in ({marks(wanted)}) and l.delivered + l.collected > 0 "
        "order by o.at desc, o.id, l.line limit ?",
        (*wanted, limit),
    )
    return [
        Bought(order=number, order_id=id_, at=at, line=line, sku=sku, name=name or sku, amount=amount, left=left)
        for number, id_, at, line, sku, name, amount, left in found
    ]


def returned_of_receipt(rows: Rows, place: str, receipt: str) -> dict[str, int]:
    """What came back of a till's receipt already, as desks and tills say, by product."""
    of = place, receipt_number(receipt)
    found: dict[str, int] = {}
    for table, amount in (("receipt_back", "returned"), ("receipt_told_back", "amount")):
        for sku, came in rows.select(f"select sku, {amount} from {table} where place = ? and receipt = ?", of):
            found[sku] = found.get(sku, 0) + int(came)
    return found


def ordered_of_receipt(rows: Rows, place: str, receipt: str) -> dict[str, int]:
    """What of a till's receipt is of orders, by product: it comes back to them."""
    ids = rows.select(
        "select orders from order_of_receipt where place = ? and receipt = ?", (place, receipt_number(receipt))
    )
    found: dict[str, int] = {}
    for id_ in msgspec.json.decode(ids[0][0], type=list[int]) if ids else ():
        for sku, amount in rows.select(
            "select sku, sum(amount) from order_line where order_id = ? group by sku", [id_]
        ):
            found[sku] = found.get(sku, 0) + int(amount)
    return found


# -- parts ------------------------------------------------------------------------------------------------------


def _task(row: Any, lines: list[ToPick], place: str) -> PickTask:
    id_, number, kind, channel, desk, contact, _, at, promised = row[:9]
    lines = sorted(lines, key=lambda line: (line.category, line.name, line.line))
    return PickTask(
        order=number,
        order_id=id_,
        at=at,
        promised=promised,
        delivery=kind,
        channel=channel,
        desk=desk if kind in COLLECTED_KINDS else "",
        here=kind in COLLECTED_KINDS and desk == place,
        person=person_of(contact),
        lines=tuple(lines),
    )


def person_of(contact: str) -> str:
    """The name that the desk calls, "" when the order has none."""
    told: dict[str, str] = msgspec.json.decode(contact, type=dict[str, str])
    return told.get("name", "") or " ".join(filter(None, (told.get("first_name", ""), told.get("last_name", ""))))


def _seen(rows: Rows, ids: Sequence[int]) -> list[PickupSeen]:
    if not ids:
        return []
    of_ids = f"in ({marks(ids)})"
    kinds = sorted(COLLECTED_KINDS)
    found = rows.select(
        f"select {_ORDER} from customer_order o where o.id {of_ids} and o.kind in ({marks(kinds)}) order by o.id",
        (*ids, *kinds),
    )
    lines: dict[int, list[PickupLine]] = {}
    for (
        order_id,
        line,
        sku,
        name,
        unit,
        amount,
        placed,
        allocated,
        picked,
        shipped,
        ready,
        collected,
        cancelled,
    ) in rows.select(
        "select order_id, line, sku, name, unit, amount, placed, allocated, picked, shipped, ready, "
        f"collected + returned, cancelled from order_line where order_id {of_ids} order by order_id, line",
        ids,
    ):
        lines.setdefault(order_id, []).append(
            PickupLine(
                line=line,
                sku=sku,
                name=name or sku,
                unit=unit,
                amount=amount,
                waiting=placed + allocated + picked,
                on_way=shipped,
                ready=ready,
                collected=collected,
                cancelled=cancelled,
            )
        )
    on_way: dict[int, list[OnWay]] = {}
    for order_id, place, amount in rows.select(
        f"select order_id, place, sum(shipped) from order_allocation where order_id {of_ids} and shipped > 0 "
        "group by order_id, place order by order_id, place",
        ids,
    ):
        on_way.setdefault(order_id, []).append(OnWay(place=place, amount=int(amount)))
    known = {
        row.order_id: row
        for row in map(
            PICKUPS.of, rows.select(f"select {PICKUPS.columns} from {PICKUPS.name} where order_id {of_ids}", ids)
        )
    }
    return [_one(row, known.get(row[0]), lines.get(row[0], []), on_way.get(row[0], [])) for row in found]


def _one(row: Any, known: Pickup | None, lines: list[PickupLine], on_way: list[OnWay]) -> PickupSeen:
    id_, number, kind, channel, desk, contact, owners, at, promised, total, captured, currency = row
    known = known or Pickup(id_, desk, 0, 0, "", 0, 0, "", "", 0, "")
    return PickupSeen(
        order=number,
        order_id=id_,
        desk=desk,
        state=_state(lines),
        delivery=kind,
        channel=channel,
        person=person_of(contact),
        owners=msgspec.json.decode(owners, type=tuple[str, ...]),
        at=at,
        promised=promised,
        ready=known.ready,
        due=known.due,
        has_code=bool(known.code),
        round=known.round,
        arrived=known.arrived,
        bay=known.bay,
        vehicle=known.vehicle,
        ended=known.ended,
        why=known.why,
        total=total,
        captured=captured,
        currency=currency,
        lines=tuple(lines),
        on_way=tuple(on_way),
    )


def _state(lines: Iterable[PickupLine]) -> str:
    """What comes next of an order: what is ready can be handed over, whatever else is still to come."""
    lines = tuple(lines)
    if any(line.ready for line in lines):
        return "ready"
    if any(line.waiting for line in lines):
        return "to_pick"
    return "on_way" if any(line.on_way for line in lines) else "ended"
