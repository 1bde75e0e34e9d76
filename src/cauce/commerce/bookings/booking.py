"""Bookings: asked for, confirmed, moved, cancelled, attended or not; and who waits is asked when a place is free."""

from __future__ import annotations

import msgspec

from cauce.commerce.bookings import resources, rules
from cauce.commerce.bookings.nouns import Booking, Resource, Waiting
from cauce.commerce.bookings.store import (
    BOOKED,
    BOOKINGS,
    OPEN,
    OWNER,
    OWNERS,
    SCHEDULE,
    SLOTS,
    WAITINGS,
    BookingOwner,
    BookingRow,
    SlotRow,
    WaitingRow,
    place_of,
)
from cauce.commerce.ledger import api as ledger
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid, Ended, Shortage
from cauce.model.time import MINUTE, to_iso

TEXT_MAX = 1_000
OWNERS_MAX = 20
PROMOTED_MAX = 20


class Book(Command, frozen=True, kw_only=True):
    """Books `slots` slots from `start` (microseconds) for a `party`. All of them, or Shortage.

    `owners` are identifiers of one person (`kind:value`); `document` is what it belongs to, such as an order.
    `confirmed` says otherwise than the resource whether it is confirmed at once, `until` (microseconds) how long it is
    held meanwhile.
    """

    resource: str
    start: int
    party: int = 1
    slots: int = 1
    owners: tuple[str, ...] = ()
    channel: str = ""
    note: str = ""
    document: str = ""
    confirmed: bool | None = None
    until: int = 0


class ConfirmBooking(Command, frozen=True, kw_only=True):
    """A booking that was held or offered is kept. Ended when its time is over."""

    booking: int


class CancelBooking(Command, frozen=True, kw_only=True):
    """A booking is given up; its places are free, and who waits is asked."""

    booking: int
    why: str = ""


class MoveBooking(Command, frozen=True, kw_only=True):
    """The same booking at another time: it has its new places, or keeps the old ones."""

    booking: int
    start: int


class Attend(Command, frozen=True, kw_only=True):
    """They came (or, with `came` false, they did not)."""

    booking: int
    came: bool = True


class Wait(Command, frozen=True, kw_only=True):
    """Waits for a place in a slot that is full."""

    resource: str
    start: int
    party: int = 1
    owners: tuple[str, ...] = ()
    channel: str = ""


class StopWaiting(Command, frozen=True, kw_only=True):
    """Waits no longer."""

    waiting: int


def book(work: Work, command: Book) -> Booking:
    found = resources.open_resource(work, command.resource)
    _check(found, command.party, command.owners, command.note + command.document + command.channel)
    if not 1 <= command.slots <= rules.SLOTS_MAX:
        raise DefinitionInvalid(f"expected slots from 1 to {rules.SLOTS_MAX}, got {command.slots}")
    rules.refuse_out_of_time(found, command.start, work.now)
    slots = rules.slots_from(found, command.start, command.slots)
    is_kept = found.confirms if command.confirmed is None else command.confirmed
    due = 0 if is_kept else command.until or work.now + found.hold_minutes * MINUTE
    row = BookingRow(
        work.number("booking"), found.id, slots[0][0], slots[-1][1], command.party, rules.HELD, due,
        msgspec.json.encode(command.owners).decode(), command.channel, command.note, command.document, "[]",
        work.now, work.now,
    )  # fmt: skip
    row = _held(work, found, row, slots, due)
    _own(work, row, command.owners)
    if is_kept:
        row = _confirmed(work, row)
    else:
        work.put(BOOKINGS, row)
    _tell(work, row, "Booking Confirmed" if is_kept else "Booking Requested")
    return shown(row)


def confirm(work: Work, command: ConfirmBooking) -> Booking:
    row = _standing(work, command.booking, rules.HELD, rules.OFFERED)
    if row.due <= work.now:
        raise Ended(f"booking {row.id} was held until {to_iso(row.due)}", hint="Book again")
    row = _confirmed(work, row)
    _tell(work, row, "Booking Confirmed")
    return shown(row)


def cancel(work: Work, command: CancelBooking) -> Booking:
    row = _standing(work, command.booking, rules.HELD, rules.OFFERED, rules.CONFIRMED)
    row = _given_back(work, row, rules.CANCELLED)
    _tell(work, row, "Booking Cancelled", reason=command.why)
    _ask_next(work, row)
    return shown(row)


def move(work: Work, command: MoveBooking) -> Booking:
    row = _standing(work, command.booking, rules.HELD, rules.CONFIRMED)
    found = resources.open_resource(work, row.resource)
    rules.refuse_out_of_time(found, command.start, work.now)
    count = len(_holds_of(row)) if row.state == rules.HELD else _slot_count(work, row)
    slots = rules.slots_from(found, command.start, count)
    freed = row
    row = _given_back(work, row, row.state)
    row = row._replace(start=slots[0][0], finish=slots[-1][1], changed=work.now)
    row = _held(work, found, row, slots, row.due)
    if freed.state == rules.CONFIRMED:
        row = _confirmed(work, row)
    else:
        work.put(BOOKINGS, row)
    owners = _owners_of(row)
    for owner in owners:
        work.drop(OWNERS, owner, freed.start, row.id)
    _own(work, row, owners)
    _tell(work, row, "Booking Moved", moved_from=to_iso(freed.start))
    _ask_next(work, freed)
    return shown(row)


def attend(work: Work, command: Attend) -> Booking:
    row = _standing(work, command.booking, rules.CONFIRMED)
    if not command.came and row.start > work.now:
        raise Conflict(f"booking {row.id} begins at {to_iso(row.start)}: nobody has missed it yet")
    state = rules.ATTENDED if command.came else rules.NO_SHOW
    row = work.put(BOOKINGS, row._replace(state=state, changed=work.now))
    _tell(work, row, "Booking Attended" if command.came else "Booking Missed")
    return shown(row)


def wait(work: Work, command: Wait) -> Waiting:
    found = resources.open_resource(work, command.resource)
    _check(found, command.party, command.owners, command.channel)
    if not command.owners:
        raise DefinitionInvalid("expected owners: who waits must be told")
    rules.refuse_out_of_time(found, command.start, work.now)
    ((start, end),) = rules.slots_from(found, command.start, 1)
    _opened(work, found, start, end)
    if ledger.account(work, place_of(found.id, start, OPEN)).available >= command.party:
        raise Conflict("there are places in that slot", hint="Book it")
    row = WaitingRow(
        work.number("booking_waiting"), found.id, start, command.party, rules.WAITING,
        msgspec.json.encode(command.owners).decode(), command.channel, work.now, 0,
    )  # fmt: skip
    return waiting_shown(work.put(WAITINGS, row))


def stop_waiting(work: Work, command: StopWaiting) -> Waiting:
    row = work.need(WAITINGS, command.waiting)
    if row.state != rules.WAITING:
        raise Ended(f"nobody waits there any more: they were {row.state}")
    return waiting_shown(work.put(WAITINGS, row._replace(state=rules.LEFT)))


def expired(work: Work, hold: ledger.Hold) -> None:
    """A hold ran out: the whole booking is given up, once, and who waits is asked."""
    row = work.get(BOOKINGS, int(hold.owner.partition(":")[2]))
    if row is None or row.state not in (rules.HELD, rules.OFFERED) or hold.id not in _holds_of(row):
        return
    row = _given_back(work, row, rules.EXPIRED)
    _tell(work, row, "Booking Expired")
    _ask_next(work, row)


# -- places on the ledger -----------------------------------------------------------------------------------------


def _opened(work: Work, found: Resource, start: int, end: int) -> None:
    """The slot has its capacity on the ledger, as far as what is booked lets it follow the resource's.

    Conflict when somebody has the resource at that time by slots that it had before.
    """
    row = work.get(SLOTS, found.id, start)
    if row is None:
        for other in work.select(SLOTS, "resource = ? and start < ? and finish > ?", found.id, end, start):
            if _taken(work, other):
                raise Conflict(f"{found.name} is booked at that time, by a slot that it had before")
    capacity = row.capacity if row else 0
    schedule, free = place_of(found.id, start, SCHEDULE), place_of(found.id, start, OPEN)
    if found.capacity > capacity:
        ledger.move(work, schedule, free, found.capacity - capacity, "opened")
        capacity = found.capacity
    elif found.capacity < capacity:
        less = min(capacity - found.capacity, ledger.account(work, free).available)
        if less:
            ledger.move(work, free, schedule, less, "closed")
        capacity -= less
    if row is None or row.capacity != capacity:
        work.put(SLOTS, SlotRow(found.id, start, end, capacity))


def _taken(work: Work, slot: SlotRow) -> int:
    """Places of a slot that somebody has, or is promised."""
    return slot.capacity - ledger.account(work, place_of(slot.resource, slot.start, OPEN)).available


def _held(work: Work, found: Resource, row: BookingRow, slots: list[tuple[int, int]], due: int) -> BookingRow:
    """The booking with a hold in each of its slots; Shortage when one of them has too few places."""
    holds = []
    for start, end in slots:
        _opened(work, found, start, end)
        giver, taker = place_of(found.id, start, OPEN), place_of(found.id, start, BOOKED)
        free = ledger.account(work, giver).available
        if free < row.party:
            raise Shortage(
                f"{found.name} has {free} places at {to_iso(start)}, {row.party} are wanted",
                hint="Choose another slot, or wait for this one",
                details={"resource": found.id, "start": start, "wanted": row.party, "available": free},
            )
        holds.append(ledger.hold(work, giver, taker, row.party, due=due, owner=f"{OWNER}:{row.id}").id)
    return work.put(BOOKINGS, row._replace(holds=msgspec.json.encode(holds).decode()))


def _confirmed(work: Work, row: BookingRow) -> BookingRow:
    for id_ in _holds_of(row):
        ledger.post(work, id_, why="booked")
    return work.put(BOOKINGS, row._replace(state=rules.CONFIRMED, due=0, changed=work.now))


def _given_back(work: Work, row: BookingRow, state: str) -> BookingRow:
    """The places of a booking are free again."""
    for id_ in _holds_of(row):
        hold = work.need(ledger.HOLDS, id_)
        if hold.state == ledger.OPEN:
            ledger.void(work, id_)
        elif hold.state == ledger.POSTED:
            account = work.need(ledger.ACCOUNTS, hold.debit)
            start = int(account.subject.rpartition("\x1f")[2])
            taken, free = place_of(row.resource, start, BOOKED), place_of(row.resource, start, OPEN)
            ledger.move(work, taken, free, hold.amount, "given back")
    return work.put(BOOKINGS, row._replace(state=state, due=0 if state != rules.HELD else row.due, changed=work.now))


def _ask_next(work: Work, freed: BookingRow) -> None:
    """Offers the places that became free to those who wait for them longest, as far as they go."""
    found = resources.resource(work, freed.resource)
    if found.retired:
        return
    waiting = work.select(
        WAITINGS, "resource = ? and start >= ? and start < ? and state = ? order by id limit ?",
        found.id, freed.start, freed.finish, rules.WAITING, PROMOTED_MAX,
    )  # fmt: skip
    for row in waiting:
        if row.start <= work.now:
            work.put(WAITINGS, row._replace(state=rules.LEFT))
            continue
        if ledger.account(work, place_of(found.id, row.start, OPEN)).available < row.party:
            continue
        _offer(work, found, row)


def _offer(work: Work, found: Resource, waiting: WaitingRow) -> None:
    slot = work.need(SLOTS, found.id, waiting.start)
    due = min(work.now + found.offer_minutes * MINUTE, waiting.start)
    owners = msgspec.json.decode(waiting.owners, type=tuple[str, ...])
    row = BookingRow(
        work.number("booking"), found.id, slot.start, slot.finish, waiting.party, rules.OFFERED, due, waiting.owners,
        waiting.channel, "", "", "[]", work.now, work.now,
    )  # fmt: skip
    row = _held(work, found, row, [(slot.start, slot.finish)], due)
    _own(work, row, owners)
    work.put(WAITINGS, waiting._replace(state=rules.SERVED, booking=row.id))
    _tell(work, row, "Booking Offered")


# -- rows ---------------------------------------------------------------------------------------------------------


def _check(found: Resource, party: int, owners: tuple[str, ...], text: str) -> None:
    if not 1 <= party <= found.most:
        raise DefinitionInvalid(f"expected a party of 1 to {found.most} for {found.name}, got {party}")
    if len(owners) > OWNERS_MAX or any(":" not in owner or len(owner) > TEXT_MAX for owner in owners):
        raise DefinitionInvalid(f"expected owners to be at most {OWNERS_MAX} identifiers such as email:ana@tienda.es")
    if len(text) > TEXT_MAX:
        raise DefinitionInvalid(f"expected note, document and channel of at most {TEXT_MAX} characters together")


def _standing(work: Work, id_: int, *states: str) -> BookingRow:
    """The booking, when it is in one of some states; else Ended."""
    row = work.need(BOOKINGS, id_)
    if row.state not in states:
        raise Ended(f"booking {id_} is {row.state}, expected it to be {' or '.join(states)}")
    return row


def _own(work: Work, row: BookingRow, owners: tuple[str, ...]) -> None:
    for owner in dict.fromkeys(owners):
        work.put(OWNERS, BookingOwner(owner, row.start, row.id))


def _holds_of(row: BookingRow) -> list[int]:
    return msgspec.json.decode(row.holds, type=list[int])


def _slot_count(work: Work, row: BookingRow) -> int:
    return len(_holds_of(row)) or len(work.select(SLOTS, "resource = ? and start >= ? and start < ?",
                                                  row.resource, row.start, row.finish))  # fmt: skip


def _owners_of(row: BookingRow) -> tuple[str, ...]:
    return msgspec.json.decode(row.owners, type=tuple[str, ...])


def shown(row: BookingRow) -> Booking:
    return Booking(
        id=row.id, resource=row.resource, start=row.start, end=row.finish, party=row.party, state=row.state,
        due=row.due, owners=_owners_of(row), channel=row.channel, note=row.note, document=row.document, at=row.at,
        changed=row.changed,
    )  # fmt: skip


def waiting_shown(row: WaitingRow) -> Waiting:
    owners = msgspec.json.decode(row.owners, type=tuple[str, ...])
    return Waiting(
        id=row.id, resource=row.resource, start=row.start, party=row.party, state=row.state, owners=owners, at=row.at,
        booking=row.booking,
    )  # fmt: skip


def _tell(work: Work, row: BookingRow, name: str, **more: str) -> None:
    found = resources.resource(work, row.resource)
    properties = {
        "booking_id": str(row.id), "resource": row.resource, "resource_name": found.name, "kind": found.kind,
        "store_id": found.place, "start": to_iso(row.start), "end": to_iso(row.finish), "party": row.party,
        "order_id": row.document, **more,
    }  # fmt: skip
    kept = {key: value for key, value in properties.items() if value != ""}
    work.tell(Told(name=name, at=work.now, channel=row.channel, who=_owners_of(row), properties=kept))


ACTIONS = (
    Action(Book, book, Booking),
    Action(ConfirmBooking, confirm, Booking),
    Action(CancelBooking, cancel, Booking),
    Action(MoveBooking, move, Booking),
    Action(Attend, attend, Booking),
    Action(Wait, wait, Waiting),
    Action(StopWaiting, stop_waiting, Waiting),
)
