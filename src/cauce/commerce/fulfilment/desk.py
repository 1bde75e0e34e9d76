"""The pick-up desk: what is ready, who waits outside, and what is handed over against which proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment.allocating import pickup_of
from cauce.commerce.fulfilment.picking import here
from cauce.commerce.fulfilment.rules.definition import Promise, rule_for
from cauce.commerce.fulfilment.rules.tries import FREE, Patience, failed, seconds_left
from cauce.commerce.fulfilment.sourcing import Within, in_force
from cauce.commerce.fulfilment.store import CODES, DESKS, HANDED, PICKUPS, TRIES, Code, DeskOf, Handed, Pickup, Tries
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.api import Change, Line, Move, Note, Order, Standing
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid, Ended
from cauce.model.time import DAY, to_iso

OPEN, USED, WITHDRAWN = "open", "used", "withdrawn"
BAY_CHARACTERS_MAX, VEHICLE_CHARACTERS_MAX, INITIALS_CHARACTERS_MAX, TEXT_MAX = 40, 120, 8, 200
GRACE = DAY
"""How long goods stay held beyond the pick-up's end, so that it ends them and not the ledger."""
SWEEP_MAX = 200

Proof = Literal["code", "id"]


class Ready(Command, frozen=True, kw_only=True):
    """Goods of an order lie at its desk. Without `origins` it is what the desk's own place has picked.

    `origins` are places whose parcels have arrived at the desk; `changes` are just these parts, from the states `was`
    (all from which they can, without). `codes` are keyed hashes of the codes that the order
    can have, from round 1 on, of which the next one that nobody has is taken. `link` leads the person to the code.
    """

    order: str
    codes: tuple[str, ...]
    origins: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    was: tuple[str, ...] = ()
    link: str = ""
    partial: bool = False
    by: str = ""
    channel: str = ""
    why: str = ""


class NewCode(Command, frozen=True, kw_only=True):
    """Another code in the place of the one that was given out."""

    order: str
    codes: tuple[str, ...]
    by: str = ""


class Arrive(Command, frozen=True, kw_only=True):
    """The person is here. `bay` and `vehicle` say where they wait, for those who wait outside."""

    order: int
    bay: str = ""
    vehicle: str = ""


class Present(Command, frozen=True, kw_only=True):
    """Somebody shows a code at a desk: what is to be fetched? Nothing is handed over yet; wrong codes are counted."""

    desk: str
    code: str
    by: str = ""


class ChooseDesk(Command, frozen=True, kw_only=True):
    """An account works at a desk from now on."""

    by: str
    desk: str


class HandOver(Command, frozen=True, kw_only=True):
    """Goods are given to the person at `desk`.

    The order is found by `code` (a keyed hash), or by its number when who comes has shown an `id` and gives `initials`.
    `lines` are (line, amount), all that is ready without any. What is not taken waits on, with a new code (`codes`
    as in `Ready`), or is given up with `cancel_rest`. `receipt` is the till's, where it is paid in the store.
    """

    desk: str
    code: str = ""
    order: str = ""
    initials: str = ""
    receipt: str = ""
    lines: tuple[tuple[int, int], ...] = ()
    cancel_rest: bool = False
    codes: tuple[str, ...] = ()
    by: str = ""
    channel: str = "store"


Outcome = Literal["handed_over", "found", "unknown_code", "used_code", "withdrawn_code", "elsewhere", "locked"]


class HandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a hand-over. A wrong code is an answer, so that it is counted.

    `desk` is where the order waits when it is *elsewhere*; `seconds` is how long no further code is looked at;
    `tries_left` how many more may be wrong before that. `left` is what still waits, in thousandths.
    """

    outcome: Outcome
    order: str = ""
    order_id: int = 0
    desk: str = ""
    lines: tuple[tuple[int, int], ...] = ()
    left: int = 0
    round: int = 0
    hand_over: int = 0
    tries_left: int = 0
    seconds: int = 0


class NotCollected(Command, frozen=True, kw_only=True):
    """What lies ready of an order goes back now, because nobody comes for it."""

    order: str
    why: str = ""
    by: str = ""
    channel: str = ""


class PutBack(Command, frozen=True, kw_only=True):
    """Everything whose time at the desk is over goes back: the sweep."""

    limit: int = SWEEP_MAX


class PickupState(msgspec.Struct, frozen=True, kw_only=True):
    """A pick-up after a command, and its order; `ready_amount` is what lies at the desk, in thousandths."""

    order: str
    order_id: int
    desk: str
    state: str
    ready_amount: int
    due: int
    round: int
    standing: Standing
    arrived: int = 0


class WentBack(msgspec.Struct, frozen=True):
    """Numbers of the orders whose goods went back."""

    orders: tuple[str, ...]


def ready(work: Work, command: Ready) -> PickupState:
    """Conflict when nothing has come to the desk, or (without `partial`) something is still to pick there."""
    order = orders.numbered(work, command.order)
    pickup = pickup_of(work, order)
    note = Note(command.by, command.channel, command.why or "ready", order.place, tells=False)
    order = orders.change(work, order.id, _moves(work, order, command), note)
    promise = _promise(work, order)
    due = _ends(work, order.place, work.now + promise.wait_days * DAY)
    pickup = pickup._replace(ready=pickup.ready or work.now, due=due, ended=0, why="")
    if not pickup.code:
        pickup = _with_code(work, pickup, command.codes)
    work.put(PICKUPS, pickup)
    if order.due:
        order = orders.prolong(work, order.id, due + GRACE)
    _tell(work, order, "Pickup Ready", command.channel, expires=to_iso(due), link=command.link)
    return _state(work, order, pickup)


def new_code(work: Work, command: NewCode) -> PickupState:
    """Conflict when nothing of the order lies ready."""
    order = orders.numbered(work, command.order)
    pickup = pickup_of(work, order)
    if not _ready_lines(work, order):
        raise Conflict(f"nothing of order {order.number} is ready: it is {order.state}")
    pickup = _with_code(work, _without_code(work, pickup, WITHDRAWN), command.codes)
    return _state(work, order, work.put(PICKUPS, pickup))


def arrive(work: Work, command: Arrive) -> PickupState:
    """Ended when nothing of the order is left to collect."""
    order = orders.order(work, command.order)
    pickup = pickup_of(work, order)
    lines = orders.lines_of(work, order)
    if not any(line.allocated + line.picked + line.shipped + line.ready for line in lines):
        raise Ended(f"nothing of order {order.number} waits any more: it is {order.state}")
    bay, vehicle = " ".join(command.bay.split()), " ".join(command.vehicle.split())
    if len(bay) > BAY_CHARACTERS_MAX or len(vehicle) > VEHICLE_CHARACTERS_MAX:
        raise DefinitionInvalid(
            f"expected a bay of at most {BAY_CHARACTERS_MAX} characters and a vehicle of {VEHICLE_CHARACTERS_MAX}"
        )
    pickup = pickup._replace(
        arrived=pickup.arrived or work.now, bay=bay or pickup.bay, vehicle=vehicle or pickup.vehicle
    )
    return _state(work, order, work.put(PICKUPS, pickup))


def present(work: Work, command: Present) -> HandedOver:
    """The order that a code opens at this desk; a wrong code is an answer too."""
    refused = _refused(work, command)
    if refused:
        return refused
    order = orders.order(work, work.need(CODES, command.code).order_id)
    left = sum(amount for _, amount in _ready_lines(work, order))
    return HandedOver(outcome="found", order=order.number, order_id=order.id, desk=command.desk, left=left)


def choose_desk(work: Work, command: ChooseDesk) -> str:
    """NotFound when there is no such place."""
    catalogue.need_place(work, command.desk)
    work.put(DESKS, DeskOf(command.by, command.desk, work.now))
    return command.desk


def hand_over(work: Work, command: HandOver) -> HandedOver:
    """A wrong code is an answer. Ended when its time is over, Conflict when more is taken than lies there."""
    if command.code:
        refused = _refused(work, command)
        if refused:
            return refused
        order = orders.order(work, work.need(CODES, command.code).order_id)
    else:
        order = _identified(work, command)
    pickup = pickup_of(work, order)
    if 0 < pickup.due <= work.now:
        raise Ended(f"order {order.number} waited until {to_iso(pickup.due)} and goes back to the shelf")
    there = dict(_ready_lines(work, order))
    if not there:
        raise Conflict(f"nothing of order {order.number} is ready: it is {order.state}")
    _check_paid(order, command)
    taken = command.lines or tuple(there.items())
    _check_taken(order, taken, there)
    why = "code" if command.code else f"id shown, {command.initials.strip()}"
    note = Note(command.by, command.channel, why, pickup.desk)
    order = orders.change(
        work, order.id, [Move(line, "collected", amount, "", ("ready",)) for line, amount in taken], note
    )
    left = _ready_lines(work, order)
    if left and command.cancel_rest:
        moves = [Move(line, "cancelled", amount, "", ("ready",)) for line, amount in left]
        order = orders.change(work, order.id, moves, note._replace(why="not wanted at the desk"))
        left = []
    pickup = _after(work, order, _without_code(work, pickup, USED), left, command)
    id_ = work.number("pickup_handed")
    lines = msgspec.json.encode(taken).decode()
    initials, receipt = command.initials.strip().upper(), command.receipt.strip()
    proof = "code" if command.code else "id"
    work.append(HANDED, Handed(id_, order.id, work.now, pickup.desk, command.by, proof, initials, receipt, lines))
    return HandedOver(
        outcome="handed_over",
        order=order.number,
        order_id=order.id,
        desk=pickup.desk,
        lines=taken,
        left=sum(amount for _, amount in left),
        round=pickup.round if pickup.code else 0,
        hand_over=id_,
    )


def not_collected(work: Work, command: NotCollected) -> PickupState:
    """Conflict when nothing of the order lies ready."""
    order = orders.numbered(work, command.order)
    if not _ready_lines(work, order):
        raise Conflict(f"nothing of order {order.number} is ready: it is {order.state}")
    note = Note(command.by, command.channel, command.why.strip()[:TEXT_MAX] or "not collected")
    return _state(work, *_back_to_shelf(work, order, note))


def put_back(work: Work, command: PutBack) -> WentBack:
    due = work.select(PICKUPS, "ended = 0 and due > 0 and due <= ? order by due limit ?", work.now, command.limit)
    done = []
    for pickup in due:
        order = orders.order(work, pickup.order_id)
        if _ready_lines(work, order):
            _back_to_shelf(work, order, Note("cauce", why="not collected in time"))
            done.append(order.number)
        else:
            work.put(PICKUPS, _without_code(work, pickup, WITHDRAWN)._replace(ended=work.now, why="nothing was left"))
    return WentBack(tuple(done))


# -- parts ------------------------------------------------------------------------------------------------------


def _moves(work: Work, order: Order, command: Ready) -> list[Move]:
    """What becomes ready."""
    if command.changes:
        return orders.moves_to(work, order, "ready", command.changes, command.was)
    return _arrived(work, order, command.origins) if command.origins else _packed(work, order, command.partial)


def _packed(work: Work, order: Order, partial: bool) -> list[Move]:
    """What the desk's own place has picked becomes ready."""
    left, _ = here(work, order, order.place)
    if left and not partial:
        raise Conflict(
            f"{left} thousandths of order {order.number} are still to pick in {order.place}",
            hint="Pick them, say that they are short, or give what is there as a part",
        )
    moves = [
        Move(line.line, "ready", part.picked, order.place, ("picked",))
        for line in orders.lines_of(work, order)
        if (part := orders.allocation(work, order.id, line.line, order.place)) and part.picked
    ]
    if not moves:
        raise Conflict(f"nothing of order {order.number} is picked in {order.place}: it is {order.state}")
    return moves


def _arrived(work: Work, order: Order, origins: Sequence[str]) -> list[Move]:
    """What other places have sent becomes ready at the desk."""
    moves = [
        Move(line.line, "ready", part.shipped, place, ("shipped",))
        for place in dict.fromkeys(origins)
        for line in orders.lines_of(work, order)
        if (part := orders.allocation(work, order.id, line.line, place)) and part.shipped
    ]
    if not moves:
        raise Conflict(f"nothing of order {order.number} is on its way from {', '.join(origins)}")
    return moves


def _promise(work: Work, order: Order) -> Promise:
    """The promise of the rule that is for such orders now."""
    rule = rule_for(in_force(Within(work)).rules, order.kind, order.channel)
    return rule.promise if rule else Promise()


def _ends(work: Work, desk: str, moment: int) -> int:
    """The end of the opening in which a moment lies, or of the next one: nobody's day is cut in the middle."""
    place = catalogue.place(work, desk)
    opening = catalogue.next_opening(place, moment) if place else None
    closing = catalogue.closing(place, opening) if place and opening is not None else None
    return closing or moment


def _with_code(work: Work, pickup: Pickup, hashes: Sequence[str]) -> Pickup:
    """The pick-up with the first code that no other one has, of a later round than any before."""
    for round_, hash_ in enumerate(hashes, start=1):
        if hash_ and round_ > pickup.round and work.get(CODES, hash_) is None:
            work.append(CODES, Code(hash_, pickup.order_id, OPEN, work.now))
            return pickup._replace(code=hash_, round=round_)
    raise Conflict(
        f"{pickup.round} codes were given out for this order, and there is no further one",
        hint="Hand it over against an id",
    )


def _without_code(work: Work, pickup: Pickup, state: str) -> Pickup:
    if pickup.code:
        work.put(CODES, work.need(CODES, pickup.code)._replace(state=state, at=work.now))
    return pickup._replace(code="")


def _refused(work: Work, command: HandOver | Present) -> HandedOver | None:
    """Why a code opens nothing here, None when it does. Only codes that nobody knows are counted."""
    tries = work.get(TRIES, command.desk, command.by)
    patience = Patience(tries.failures, tries.last, tries.until) if tries else Patience()
    seconds = seconds_left(patience, work.now)
    if seconds:
        return HandedOver(outcome="locked", seconds=seconds)
    code = work.get(CODES, command.code)
    if code is None:
        patience = failed(patience, work.now)
        work.put(TRIES, Tries(command.desk, command.by, *patience))
        left = max(0, FREE - patience.failures)
        return HandedOver(outcome="unknown_code", tries_left=left, seconds=seconds_left(patience, work.now))
    if tries:
        work.drop(TRIES, command.desk, command.by)
    if code.state != OPEN:
        return HandedOver(outcome="used_code" if code.state == USED else "withdrawn_code")
    order = orders.order(work, code.order_id)
    if order.place != command.desk:
        return HandedOver(outcome="elsewhere", desk=order.place)
    return None


def _identified(work: Work, command: HandOver) -> Order:
    """The order of somebody who has shown who they are."""
    initials = command.initials.strip()
    if not command.order or not initials.isalpha() or len(initials) > INITIALS_CHARACTERS_MAX:
        raise DefinitionInvalid(
            "expected a code, or the order's number and the initials of who has shown an id",
            hint=f"Initials are 1 to {INITIALS_CHARACTERS_MAX} letters",
        )
    order = orders.numbered(work, command.order)
    if order.place != command.desk:
        raise Conflict(f"order {order.number} waits in {order.place}, not in {command.desk}")
    return order


def _check_paid(order: Order, command: HandOver) -> None:
    if order.kind == "reserve_in_store" and order.captured < order.total and not command.receipt.strip():
        raise Conflict(
            f"order {order.number} is paid in the store",
            hint="Give the number of the till's receipt with the hand-over",
        )


def _check_taken(order: Order, taken: Sequence[tuple[int, int]], there: dict[int, int]) -> None:
    numbers = [line for line, _ in taken]
    if len(set(numbers)) < len(numbers):
        raise DefinitionInvalid("expected each line once")
    for line, amount in taken:
        if not 0 < amount <= there.get(line, 0):
            raise Conflict(
                f"{amount} thousandths of line {line} of order {order.number} are taken, {there.get(line, 0)} are ready"
            )


def _ready_lines(work: Work, order: Order) -> list[tuple[int, int]]:
    """What lies at the desk: (line, amount)."""
    return [(line.line, line.ready) for line in orders.lines_of(work, order) if line.ready]


def _to_come(lines: Sequence[Line]) -> int:
    return sum(line.placed + line.allocated + line.picked + line.shipped for line in lines)


def _after(work: Work, order: Order, pickup: Pickup, left: Sequence[tuple[int, int]], command: HandOver) -> Pickup:
    """The pick-up after a hand-over: at its end, or waiting on with a new code."""
    pickup = pickup._replace(arrived=0, bay="", vehicle="")
    if left:
        pickup = _with_code(work, pickup, command.codes)
    elif _to_come(orders.lines_of(work, order)):
        pickup = pickup._replace(ready=0, due=0)
    else:
        pickup = pickup._replace(ended=work.now, why="collected")
    return work.put(PICKUPS, pickup)


def _back_to_shelf(work: Work, order: Order, note: Note) -> tuple[Order, Pickup]:
    """What lies ready is given up; it lies where the desk is."""
    pickup = pickup_of(work, order)
    moves = [Move(line, "cancelled", amount, "", ("ready",)) for line, amount in _ready_lines(work, order)]
    order = orders.change(work, order.id, moves, note._replace(where=pickup.desk))
    pickup = emptied(work, order, pickup, note.why)
    _tell(work, order, "Order Pickup Missed", note.channel)
    return order, pickup


def emptied(work: Work, order: Order, pickup: Pickup, why: str, code: str = WITHDRAWN) -> Pickup:
    """The pick-up when nothing lies at the desk any more: its code is over, and so is it if nothing is to come."""
    pickup = _without_code(work, pickup, code)._replace(arrived=0, bay="", vehicle="")
    if _to_come(orders.lines_of(work, order)):
        pickup = pickup._replace(ready=0, due=0)
    else:
        pickup = pickup._replace(ended=work.now, why=why)
    return work.put(PICKUPS, pickup)


def _tell(work: Work, order: Order, name: str, channel: str, **more: str) -> None:
    properties = {
        "order_id": order.number,
        "pickup_id": order.number,
        "method": "curbside" if order.kind == "curbside" else "counter",
        "store_id": order.place,
        **{key: value for key, value in more.items() if value},
    }
    who = msgspec.json.decode(order.owners, type=tuple[str, ...])
    work.tell(Told(name=name, at=work.now, channel=channel or order.channel, who=who, properties=properties))


def _state(work: Work, order: Order, pickup: Pickup) -> PickupState:
    return PickupState(
        order=order.number,
        order_id=order.id,
        desk=pickup.desk,
        state=order.state,
        ready_amount=sum(amount for _, amount in _ready_lines(work, order)),
        due=pickup.due,
        round=pickup.round,
        standing=orders.standing(order),
        arrived=pickup.arrived,
    )


ACTIONS = (
    Action(Ready, ready, PickupState),
    Action(NewCode, new_code, PickupState),
    Action(Arrive, arrive, PickupState),
    Action(Present, present, HandedOver),
    Action(HandOver, hand_over, HandedOver),
    Action(ChooseDesk, choose_desk, str),
    Action(NotCollected, not_collected, PickupState),
    Action(PutBack, put_back, WentBack),
)
