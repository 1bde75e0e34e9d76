"""Order ahead: goods and the time at which they are collected are had together, or neither is.

The order is promised for the beginning of its slot, and the booking follows it: it is kept when the order is paid,
given back when the order is given up, attended when the goods are collected. A booking that is moved moves the promise.
"""

from __future__ import annotations

import msgspec

from cauce.commerce.bookings import booking as booked
from cauce.commerce.bookings import resources, rules
from cauce.commerce.bookings.nouns import Booking
from cauce.commerce.bookings.store import BOOKINGS, OF_ORDERS, OPEN, BookingOfOrder, BookingRow, place_of
from cauce.commerce.ledger import api as ledger
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.api import COLLECTED_KINDS, Order, PlaceOrder, Standing
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid


class OrderAhead(Command, frozen=True, kw_only=True):
    """Places an order that is collected in a slot (or `slots` of them) of a resource, from `start` (microseconds)."""

    order: PlaceOrder
    resource: str
    start: int
    party: int = 1
    slots: int = 1


class OrderedAhead(msgspec.Struct, frozen=True):
    """The order and the booking of its time."""

    order: Standing
    booking: Booking


def order_ahead(work: Work, command: OrderAhead) -> OrderedAhead:
    """Shortage when the goods or the slot cannot be had; then neither is held."""
    wanted = command.order
    found = resources.open_resource(work, command.resource)
    if wanted.kind not in COLLECTED_KINDS:
        raise DefinitionInvalid(f"expected an order that is collected, got {wanted.kind!r}: nobody comes for it")
    if found.place and wanted.place != found.place:
        raise DefinitionInvalid(f"{found.name} is in {found.place}, the order is collected in {wanted.place[:80]!r}")
    standing = orders.place(work, msgspec.structs.replace(wanted, promised=wanted.promised or command.start))
    made = booked.book(work, booked.Book(
        resource=command.resource, start=command.start, party=command.party, slots=command.slots, owners=wanted.owners,
        channel=wanted.channel, document=standing.number, confirmed=standing.confirmed or not standing.due,
        until=standing.due,
    ))  # fmt: skip
    work.put(OF_ORDERS, BookingOfOrder(standing.id, made.id))
    return OrderedAhead(standing, made)


def followed(work: Work) -> None:
    """After any command: bookings of orders that it changed follow them, and promises follow bookings."""
    for row in work.changed(BOOKINGS):
        if row.document and row.state in (rules.HELD, rules.CONFIRMED):
            _promised(work, row)
    for order in orders.changed_now(work):
        known = work.get(OF_ORDERS, order.id)
        if known is not None:
            _follow(work, order, work.need(BOOKINGS, known.booking))


def _promised(work: Work, row: BookingRow) -> None:
    before = work.before(BOOKINGS, row.id)
    if before is None or before.start == row.start or not orders.is_known(work, row.document):
        return
    order = orders.numbered(work, row.document)
    known = work.get(OF_ORDERS, order.id)
    if known is not None and known.booking == row.id:
        orders.promise(work, order.id, row.start)


def _follow(work: Work, order: Order, row: BookingRow) -> None:
    if order.state == "cancelled":
        if row.state in (rules.HELD, rules.OFFERED, rules.CONFIRMED):
            booked.cancel(work, booked.CancelBooking(booking=row.id, why=f"order {order.number} was given up"))
    elif order.confirmed and row.state == rules.HELD and row.due > work.now:
        booked.confirm(work, booked.ConfirmBooking(booking=row.id))
    elif order.confirmed and row.state == rules.EXPIRED and row.start > work.now:
        _booked_anew(work, order, row)
    elif order.state == "collected" and row.state == rules.CONFIRMED:
        booked.attend(work, booked.Attend(booking=row.id))


def _booked_anew(work: Work, order: Order, row: BookingRow) -> None:
    """An order was paid late: it has its slot again, if nobody else has it meanwhile."""
    found = resources.resource(work, row.resource)
    slots = rules.slots_from(found, row.start, max(1, len(msgspec.json.decode(row.holds, type=list[int]))))
    free = (ledger.account(work, place_of(found.id, start, OPEN)).available for start, _ in slots)
    if found.retired or any(amount < row.party for amount in free):
        return
    made = booked.book(work, booked.Book(
        resource=row.resource, start=row.start, party=row.party, slots=len(slots),
        owners=msgspec.json.decode(row.owners, type=tuple[str, ...]), channel=row.channel, document=row.document,
        confirmed=True,
    ))  # fmt: skip
    work.put(OF_ORDERS, BookingOfOrder(order.id, made.id))


ACTIONS = (Action(OrderAhead, order_ahead, OrderedAhead),)
