"""An order is placed: all its goods are held, or it is refused; and confirmed, when it is paid or need not be."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.commerce.baskets import api as baskets
from cauce.commerce.orders import goods, moves, rules, telling
from cauce.commerce.orders.moves import Move, Note
from cauce.commerce.orders.store import (
    ALLOCATIONS,
    FOREIGN,
    LINES,
    NUMBERS,
    ORDERS,
    OWNERS,
    Foreign,
    Line,
    Number,
    Order,
    Owner,
)
from cauce.commerce.stock import api as stock
from cauce.commerce.stock import reserving
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid, Ended, Shortage

LINES_MAX, OWNERS_MAX, PARTS_MAX = 500, 50, 50
SECONDS_MAX = reserving.SECONDS_MAX
AMOUNT_MAX, MONEY_MAX = 10**12, 10**15
TEXT_MAX, NOTE_MAX = 200, 2_000


class Part(msgspec.Struct, frozen=True):
    """So much of a line (thousandths) from a place."""

    place: str
    amount: int


class NewLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line to be ordered: `amount` in thousandths of `unit`, money in minor units.

    `price` is for one unit, `discount` and `tax` for the whole line. `parts` say which places it comes from; without
    them it is the order's place. `ref` is the client's own id of the line, that of the basket when it comes from one.
    `total` is what another platform reckons; without it the line's is what its price makes of it.
    """

    sku: str
    amount: int
    price: int
    discount: int = 0
    tax: int = 0
    name: str = ""
    unit: str = ""
    ref: str = ""
    parts: tuple[Part, ...] = ()
    total: int | None = None


class PlaceOrder(Command, frozen=True, kw_only=True):
    """Places an order. All goods are held, or none; with `backorder` what is not there waits.

    `kind` is one of `rules.DELIVERIES`, which also says how long goods are held before the order is confirmed
    (`hold_seconds` says otherwise) and whether it waits for a payment (`pays_first` says otherwise).
    `contact` is who is told, as (name, value). `total`, when it is given, must be what lines and shipping come to.
    `basket` is the basket whose lines (`ref`) are ordered.
    """

    lines: tuple[NewLine, ...]
    currency: str
    kind: str = "ship"
    channel: str = ""
    place: str = ""
    owners: tuple[str, ...] = ()
    contact: tuple[tuple[str, str], ...] = ()
    promised: int = 0
    shipping: int = 0
    tax_included: bool = True
    total: int | None = None
    backorder: bool = False
    pays_first: bool | None = None
    hold_seconds: int | None = None
    number: str = ""
    basket: int = 0
    note: str = ""
    by: str = ""


class Confirm(Command, frozen=True, kw_only=True):
    """The order is paid, or need not be: what is held for it stays held.

    What ran out meanwhile is held anew; Ended when it is not there any more: then give the money back.
    """

    order: int
    by: str = ""
    channel: str = ""
    why: str = ""


class Standing(msgspec.Struct, frozen=True):
    """How an order stands after a command."""

    id: int
    number: str
    state: str
    total: int
    currency: str
    confirmed: bool
    due: int
    authorised: int
    captured: int
    refunded: int


def standing(order: Order) -> Standing:
    return Standing(
        id=order.id,
        number=order.number,
        state=order.state,
        total=order.total,
        currency=order.currency,
        confirmed=bool(order.confirmed),
        due=order.due,
        authorised=order.authorised,
        captured=order.captured,
        refunded=order.refunded,
    )


def place(work: Work, command: PlaceOrder) -> Standing:
    """Shortage when a line cannot be had and the order may not wait; then nothing is held."""
    delivery = checked(command)
    pays_first = delivery.pays_first if command.pays_first is None else command.pays_first
    seconds = delivery.seconds if command.hold_seconds is None else command.hold_seconds
    order = written(
        work,
        command,
        due=work.now + seconds * 1_000_000 if seconds else 0,
        confirmed=0 if pays_first else work.now,
    )
    if command.basket:
        wanted = {line.ref: (line.sku, line.amount) for line in command.lines}
        baskets.ordered(work, command.basket, wanted, order.id)
    note = Note(command.by, command.channel)
    moves.entered(work, order, became=rules.PLACED, note=note, amount=order.total)
    telling.tell_whole(work, order, telling.PLACED, moves.lines_of(work, order))
    to_hold = _wanted(work, command)
    if to_hold:
        stock.within_caps(work, _needs(command, to_hold), command.channel)
        order = moves.change(work, order.id, to_hold, note)
    if order.confirmed:
        _completed(work, order)
    return standing(order)


def confirm(work: Work, command: Confirm) -> Standing:
    """The order as confirmed; once confirmed it stays so. Ended when its goods are gone."""
    order = work.need(ORDERS, command.order)
    if order.confirmed:
        return standing(order)
    again = could_confirm(work, order)
    order = work.put(ORDERS, work.need(ORDERS, order.id)._replace(confirmed=work.now, due=0))
    for line in moves.lines_of(work, order):
        for part in moves.parts_of(work, line):
            kept = goods.renew(work, part, line.sku, 0) if part.held else part
            work.put(ALLOCATIONS, kept._replace(lost=0))
    note = Note(command.by, command.channel, command.why or "confirmed")
    moves.entered(work, order, became="confirmed", note=note, amount=order.total)
    if again:
        order = moves.change(work, order.id, again, note)
    _completed(work, order)
    return standing(moves.refreshed(work, order))


def could_confirm(work: Work, order: Order) -> list[Move]:
    """What has to be held anew for an order to be confirmed; Ended when it is not there any more.

    Holds whose time is over are given back here, swept or not: only an open hold can be confirmed.
    """
    if order.state == rules.CANCELLED:
        raise Ended(f"order {order.number} was cancelled", hint="Give the money back")
    again, needs = [], dict[tuple[str, str], int]()
    for line in moves.lines_of(work, order):
        for part in moves.parts_of(work, line):
            if part.hold and not goods.is_open(work, part):
                moves.expired(work, goods.given_up(work, part))
        left = work.need(LINES, order.id, line.line).placed
        for part in moves.parts_of(work, line):
            amount = min(part.lost, left)
            if amount:
                left -= amount
                again.append(Move(line.line, rules.ALLOCATED, amount, part.place))
                needs[line.sku, part.place] = needs.get((line.sku, part.place), 0) + amount
    try:
        reserving.ensure(work, needs)
    except Shortage as short:
        raise _gone(order, short) from None
    return again


def checked(command: PlaceOrder) -> rules.Delivery:
    """The delivery of an order that makes sense; DefinitionInvalid for one that does not."""
    if command.kind not in rules.DELIVERIES:
        raise DefinitionInvalid(f"expected kind to be one of {', '.join(rules.DELIVERIES)}, got {command.kind!r}")
    if not 0 < len(command.lines) <= LINES_MAX:
        raise DefinitionInvalid(f"expected 1 to {LINES_MAX} lines, got {len(command.lines)}")
    if len(command.owners) > OWNERS_MAX:
        raise DefinitionInvalid(f"expected at most {OWNERS_MAX} owners, got {len(command.owners)}")
    for owner in command.owners:
        kind, _, value = owner.partition(":")
        if not kind or not value or len(owner) > TEXT_MAX:
            raise DefinitionInvalid(f"expected an owner to be kind:value, got {owner[:80]!r}")
    if not (len(command.currency) == 3 and command.currency.isascii() and command.currency.isupper()):
        raise DefinitionInvalid(f"expected an ISO 4217 currency such as EUR, got {command.currency[:20]!r}")
    if command.hold_seconds is not None and not 0 <= command.hold_seconds <= SECONDS_MAX:
        raise DefinitionInvalid(f"expected hold_seconds from 0 to {SECONDS_MAX}, got {command.hold_seconds}")
    if not 0 <= command.shipping <= MONEY_MAX:
        raise DefinitionInvalid(f"expected shipping from 0 to {MONEY_MAX} minor units, got {command.shipping}")
    if len(command.note) > NOTE_MAX or len(msgspec.json.encode(dict(command.contact))) > 2 * NOTE_MAX:
        raise DefinitionInvalid(f"expected a note and a contact of at most {NOTE_MAX} characters")
    for number, line in enumerate(command.lines, 1):
        _check_line(number, line, command)
    if command.basket and len({line.ref for line in command.lines}) < len(command.lines):
        raise DefinitionInvalid("expected each line of a basket once, named by its ref")
    return rules.DELIVERIES[command.kind]


def written(work: Work, command: PlaceOrder, *, due: int, confirmed: int, adjustment: int = 0) -> Order:
    """The rows of a new order, nothing of it allocated yet. Conflict when its number is taken."""
    id_ = work.number("order")
    number = command.number or _numbered(work, id_)
    if work.get(NUMBERS, number) is not None:
        raise Conflict(f"there is already an order {number}", hint="Give another number, or none")
    total = sum_of(command.lines, command.tax_included) + command.shipping + adjustment
    if total < 0:
        raise DefinitionInvalid(f"expected the order to come to 0 or more, got {total} minor units")
    if command.total is not None and command.total != total:
        raise DefinitionInvalid(
            f"expected total to be {total}, which lines and shipping come to, got {command.total} minor units"
        )
    for index, line in enumerate(command.lines, 1):
        work.append(LINES, _line(id_, index, line, total_of(line, tax_included=command.tax_included)))
    owners = tuple(dict.fromkeys(command.owners))
    for owner in owners:
        work.append(OWNERS, Owner(owner, id_))
    work.append(NUMBERS, Number(number, id_))
    order = Order(
        id=id_,
        number=number,
        at=work.now,
        changed=work.now,
        state=rules.PLACED,
        kind=command.kind,
        channel=command.channel,
        place=command.place,
        currency=command.currency,
        total=total,
        shipping=command.shipping,
        adjustment=adjustment,
        tax_included=int(command.tax_included),
        line_count=len(command.lines),
        owners=msgspec.json.encode(owners).decode(),
        contact=msgspec.json.encode(dict(command.contact)).decode(),
        promised=command.promised,
        due=due,
        confirmed=confirmed,
        backorder=int(command.backorder),
        authorised=0,
        captured=0,
        refunded=0,
        source="",
        source_id="",
        source_updated=0,
        basket=command.basket,
        note=command.note,
    )
    return work.append(ORDERS, order)


def known_as(work: Work, order: Order, source: str, source_id: str, updated: int) -> Order:
    """The order with its id at another platform."""
    work.add(FOREIGN, Foreign(source, source_id, order.id))
    return work.put(ORDERS, order._replace(source=source, source_id=source_id, source_updated=updated))


def add_line(work: Work, order: Order, number: int, line: NewLine) -> Line:
    """A further line of an order that is there."""
    included = bool(order.tax_included)
    return work.append(LINES, _line(order.id, number, line, total_of(line, tax_included=included)))


def sum_of(lines: Sequence[NewLine], tax_included: bool) -> int:
    """What lines come to, in minor units."""
    return sum(total_of(line, tax_included=tax_included) for line in lines)


def total_of(line: NewLine, *, tax_included: bool) -> int:
    """What a line comes to, in minor units."""
    if line.total is not None:
        return line.total
    return rules.line_total(line.amount, line.price, line.discount, line.tax, tax_included=tax_included)


def _numbered(work: Work, id_: int) -> str:
    """A number that nobody has chosen before."""
    number = f"C-{id_:06d}"
    while work.get(NUMBERS, number) is not None:
        number += "-1"
    return number


def _line(order: int, number: int, line: NewLine, total: int) -> Line:
    return Line(
        order_id=order,
        line=number,
        ref=line.ref,
        sku=line.sku,
        name=line.name,
        unit=line.unit,
        amount=line.amount,
        price=line.price,
        discount=line.discount,
        tax=line.tax,
        total=total,
        placed=line.amount,
        allocated=0,
        picked=0,
        ready=0,
        shipped=0,
        delivered=0,
        collected=0,
        returned=0,
        cancelled=0,
        places="[]",
    )


def _check_line(number: int, line: NewLine, command: PlaceOrder) -> None:
    at = f"line {number}"
    if not line.sku or len(line.sku) > TEXT_MAX or len(line.name) > TEXT_MAX or len(line.ref) > TEXT_MAX:
        raise DefinitionInvalid(f"expected {at} to have a sku, name and ref of at most {TEXT_MAX} characters")
    if not 0 < line.amount <= AMOUNT_MAX:
        raise DefinitionInvalid(f"expected the amount of {at} to be 1 to {AMOUNT_MAX} thousandths, got {line.amount}")
    for name, value in (("price", line.price), ("discount", line.discount), ("tax", line.tax)):
        if not 0 <= value <= MONEY_MAX:
            raise DefinitionInvalid(f"expected the {name} of {at} to be 0 to {MONEY_MAX} minor units, got {value}")
    if line.discount > rules.gross(line.amount, line.price) and line.total is None:
        raise DefinitionInvalid(f"expected the discount of {at} to be at most what it costs, got {line.discount}")
    parts = sum(part.amount for part in line.parts)
    if any(part.amount <= 0 or not part.place for part in line.parts) or len(line.parts) > PARTS_MAX:
        raise DefinitionInvalid(f"expected parts of {at} to have a place and an amount above 0")
    if parts > line.amount or (line.parts and parts < line.amount and not command.backorder):
        raise DefinitionInvalid(f"expected the parts of {at} to sum to {line.amount}, got {parts}")
    if not line.parts and not command.place and not command.backorder:
        raise DefinitionInvalid(
            f"expected a place for {at}", hint="Give the order's place, parts of the line, or backorder"
        )


def _wanted(work: Work, command: PlaceOrder) -> list[Move]:
    """What is to be allocated at once; with `backorder` no more than what is there."""
    found = []
    left: dict[tuple[str, str], int] = {}
    for number, line in enumerate(command.lines, 1):
        parts: Sequence[Part] = line.parts or ((Part(command.place, line.amount),) if command.place else ())
        for part in parts:
            amount = part.amount
            if command.backorder:
                at = line.sku, part.place
                there = left[at] if at in left else stock.available(work, *at, command.channel)
                amount = min(amount, there)
                left[at] = there - amount
            if amount:
                found.append(Move(number, rules.ALLOCATED, amount, part.place))
    return found


def _needs(command: PlaceOrder, to_hold: Sequence[Move]) -> dict[tuple[str, str], int]:
    """What is wanted at once, by product and place."""
    needs: dict[tuple[str, str], int] = {}
    for move in to_hold:
        at = command.lines[move.line - 1].sku, move.place
        needs[at] = needs.get(at, 0) + move.amount
    return needs


def _gone(order: Order, short: Shortage) -> Ended:
    fault = Ended(
        f"the time of order {order.number} ran out and its goods are gone: {short.message}",
        hint="Give the money back, or cancel the lines that cannot be had and confirm once more",
    )
    fault.details = short.details  # type: ignore[attr-defined]
    return fault


def _completed(work: Work, order: Order) -> None:
    """A purchase, unless it is paid at a till, whose receipt says so."""
    if order.kind != "reserve_in_store":
        telling.tell_whole(work, order, telling.COMPLETED, moves.lines_of(work, order))


ACTIONS = (Action(PlaceOrder, place, Standing), Action(Confirm, confirm, Standing))
